"""VPC endpoints of both kinds, and the services they lead to."""

import json

from common import ec2, ids, other, refused, subnet, tagged, vpc

S3, EC2 = "com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.ec2"
v = vpc(TagSpecifications=tagged("vpc", _custom_id_="vpc-0abcdef1234567890"))
s = subnet(v)
t = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]["RouteTableId"]
gateway = dict(VpcId="vpc-0abcdef1234567890", ServiceName=S3, VpcEndpointType="Gateway")

# The literal command: an endpoint, and no route (R3.3).
made = ec2.create_vpc_endpoint(**gateway, ClientToken="x")["VpcEndpoint"]
assert made["State"] == "available" and made["RouteTableIds"] == [] and made["VpcEndpointType"] == "Gateway", made
assert json.loads(made["PolicyDocument"])["Statement"][0]["Effect"] == "Allow"
assert ec2.create_vpc_endpoint(**gateway, ClientToken="x")["VpcEndpoint"]["VpcEndpointId"] == made["VpcEndpointId"]
refused("IdempotentParameterMismatch", ec2.create_vpc_endpoint, **gateway, ClientToken="x", RouteTableIds=[t])
e = made["VpcEndpointId"]
ec2.modify_vpc_endpoint(VpcEndpointId=e, AddRouteTableIds=[t])
pl = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [S3]}])["PrefixLists"][0]
routes = ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"]
assert {"DestinationPrefixListId": pl["PrefixListId"], "GatewayId": e, "Origin": "CreateRoute", "State": "active"} in routes, routes
refused("RouteAlreadyExists", ec2.create_vpc_endpoint, **gateway, RouteTableIds=[t])
refused("InvalidParameterValue", ec2.delete_route, RouteTableId=t, DestinationPrefixListId=pl["PrefixListId"])
refused("DependencyViolation", ec2.delete_vpc, VpcId=v)
refused("InvalidServiceName", ec2.create_vpc_endpoint, VpcId=v, ServiceName="com.amazonaws.us-east-1.nothing")
refused("InvalidServiceName", ec2.create_vpc_endpoint, VpcId=v, ServiceName="com.amazonaws.us-west-2.s3")
refused("InvalidVpcID.NotFound", other.create_vpc_endpoint, **gateway)
refused("InvalidParameter", ec2.create_vpc_endpoint, **gateway, SubnetIds=[s])
refused("InvalidParameter", ec2.create_vpc_endpoint, VpcId=v, ServiceName=EC2, VpcEndpointType="Gateway")
refused("InvalidPolicyDocument", ec2.create_vpc_endpoint, **gateway, PolicyDocument="{")
refused("InvalidRouteTableID.NotFound", ec2.modify_vpc_endpoint, VpcEndpointId=e, AddRouteTableIds=["rtb-0123456789abcdef0"])
refused("InvalidVpcEndpointId.NotFound", ec2.modify_vpc_endpoint, VpcEndpointId="vpce-0123456789abcdef0")
refused("InvalidVpcEndpointId.NotFound", ec2.describe_vpc_endpoints, VpcEndpointIds=["vpce-0123456789abcdef0"])
refused("UnsupportedOperation", ec2.create_vpc_endpoint, VpcId=v, ServiceName=S3, VpcEndpointType="Tunnel")
ec2.modify_vpc_endpoint(VpcEndpointId=e, PolicyDocument='{"Statement":[]}')
assert ec2.describe_vpc_endpoints(VpcEndpointIds=[e])["VpcEndpoints"][0]["PolicyDocument"] == '{"Statement":[]}'
ec2.modify_vpc_endpoint(VpcEndpointId=e, ResetPolicy=True, RemoveRouteTableIds=[t])
assert ec2.describe_vpc_endpoints(VpcEndpointIds=[e])["VpcEndpoints"][0]["RouteTableIds"] == []

# Interface endpoints.
interface = dict(VpcId=v, ServiceName=EC2, VpcEndpointType="Interface")
refused("InvalidParameter", ec2.create_vpc_endpoint, **interface, SubnetIds=[s], PrivateDnsEnabled=True, words="enableDnsHostnames")
refused("MissingParameter", ec2.create_vpc_endpoint, **interface)
ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
s2, s3 = subnet(v, "10.0.2.0/24", "us-east-1b"), subnet(v, "10.0.3.0/24")
refused("DuplicateSubnetsInSameZone", ec2.create_vpc_endpoint, **interface, SubnetIds=[s, s3])
made = ec2.create_vpc_endpoint(**interface, SubnetIds=[s], SubnetConfigurations=[{"SubnetId": s, "Ipv4": "10.0.1.50"}])["VpcEndpoint"]
i = made["VpcEndpointId"]
assert made["PrivateDnsEnabled"] and made["Groups"][0]["GroupName"] == "default" and len(made["NetworkInterfaceIds"]) == 1, made
assert made["DnsEntries"][-1]["DnsName"] == "ec2.us-east-1.amazonaws.com", made["DnsEntries"]
refused("InvalidParameter", ec2.create_vpc_endpoint, **interface, SubnetIds=[s], words="conflicting")
eni = ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])["NetworkInterfaces"][0]
assert eni["PrivateIpAddress"] == "10.0.1.50" and eni["InterfaceType"] == "vpc_endpoint" and i in eni["Description"], eni
g = ec2.create_security_group(GroupName="g", Description="g", VpcId=v)["GroupId"]
ec2.modify_vpc_endpoint(VpcEndpointId=i, AddSubnetIds=[s2], AddSecurityGroupIds=[g], RemoveSecurityGroupIds=[made["Groups"][0]["GroupId"]])
now = ec2.describe_vpc_endpoints(VpcEndpointIds=[i])["VpcEndpoints"][0]
assert sorted(now["SubnetIds"]) == sorted([s, s2]) and [x["GroupId"] for x in now["Groups"]] == [g]
ec2.modify_vpc_endpoint(VpcEndpointId=i, RemoveSubnetIds=[s], PrivateDnsEnabled=False)
assert ec2.describe_vpc_endpoints(VpcEndpointIds=[i])["VpcEndpoints"][0]["SubnetIds"] == [s2]
refused("InvalidParameter", ec2.modify_vpc_endpoint, VpcEndpointId=i, AddRouteTableIds=[t])
refused("DependencyViolation", ec2.delete_subnet, SubnetId=s2)
for name, value, wanted in [("vpc-endpoint-type", "Interface", [i]), ("service-name", "*.s3", [e]), ("vpc-endpoint-state", "available", sorted([e, i])), ("vpc-id", v, sorted([e, i]))]:
    assert ids(ec2.describe_vpc_endpoints(Filters=[{"Name": name, "Values": [value]}]), "VpcEndpoints", "VpcEndpointId") == wanted, name

# Services.
answer = ec2.describe_vpc_endpoint_services()
assert answer["ServiceNames"] == sorted([S3, EC2, "com.amazonaws.us-east-1.dynamodb"]), answer["ServiceNames"]
gateways = ec2.describe_vpc_endpoint_services(Filters=[{"Name": "service-type", "Values": ["Gateway"]}])
assert gateways["ServiceNames"] == ["com.amazonaws.us-east-1.dynamodb", S3]
assert ec2.describe_vpc_endpoint_services(ServiceNames=[EC2])["ServiceDetails"][0]["PrivateDnsName"] == "ec2.us-east-1.amazonaws.com"
refused("InvalidServiceName", ec2.describe_vpc_endpoint_services, ServiceNames=["com.amazonaws.us-east-1.nothing"])

# Deleting answers for each.
answer = ec2.delete_vpc_endpoints(VpcEndpointIds=[e, "vpce-0123456789abcdef0", i])
assert [(x["ResourceId"], x["Error"]["Code"]) for x in answer["Unsuccessful"]] == [("vpce-0123456789abcdef0", "InvalidVpcEndpoint.NotFound")]
assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == [] and ec2.describe_network_interfaces()["NetworkInterfaces"] == []
print("endpoints.py: fine")
