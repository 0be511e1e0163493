"""Route tables, routes, internet gateways, egress-only gateways, NAT gateways."""

from common import ec2, ids, refused, subnet, tagged, vpc

v = vpc(AmazonProvidedIpv6CidrBlock=True)
s = subnet(v)
made = ec2.create_route_table(VpcId=v, ClientToken="once", TagSpecifications=tagged("route-table", Name="public"))
t = made["RouteTable"]["RouteTableId"]
again = ec2.create_route_table(VpcId=v, ClientToken="once", TagSpecifications=tagged("route-table", Name="public"))
assert again["RouteTable"]["RouteTableId"] == t
refused("IdempotentParameterMismatch", ec2.create_route_table, VpcId=v, ClientToken="once")
refused("InvalidVpcID.NotFound", ec2.create_route_table, VpcId="vpc-0123456789abcdef0")

# Internet gateways.
g = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[g])
refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=g, VpcId=v)
ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=v)
refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=g, VpcId=v)
g2 = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
refused("InvalidParameterValue", ec2.attach_internet_gateway, InternetGatewayId=g2, VpcId=v, words="already has")
refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=g)
refused("InvalidInternetGatewayID.NotFound", ec2.delete_internet_gateway, InternetGatewayId="igw-0123456789abcdef0")
attached = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [v]}])["InternetGateways"]
assert [(x["InternetGatewayId"], x["Attachments"][0]["State"]) for x in attached] == [(g, "available")]
ec2.delete_internet_gateway(InternetGatewayId=g2)

# Routes.
ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=g)
refused("RouteAlreadyExists", ec2.create_route, RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", GatewayId=g)
refused("InvalidGatewayID.NotFound", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId="igw-0123456789abcdef0")
refused("InvalidRouteTableID.NotFound", ec2.create_route, RouteTableId="rtb-0123456789abcdef0", DestinationCidrBlock="1.0.0.0/8", GatewayId=g)
refused("MissingParameter", ec2.create_route, RouteTableId=t, GatewayId=g)
refused("MissingParameter", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8")
refused("InvalidParameterCombination", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId=g, NatGatewayId="nat-0123456789abcdef0")
refused("InvalidPrefixListId.NotFound", ec2.create_route, RouteTableId=t, DestinationPrefixListId="pl-0123456789abcdef0", GatewayId=g)
refused("UnsupportedOperation", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", CarrierGatewayId="cagw-1")
refused("RouteNotSupported", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", GatewayId="vpce-0123456789abcdef0")
refused("InvalidParameterValue", ec2.create_route, RouteTableId=t, DestinationCidrBlock="10.0.1.0/26", GatewayId=g)
refused("InvalidParameterValue", ec2.delete_route, RouteTableId=t, DestinationCidrBlock="10.0.0.0/16", words="local")
refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=t, DestinationCidrBlock="9.9.9.0/24")
refused("InvalidParameterValue", ec2.replace_route, RouteTableId=t, DestinationCidrBlock="9.9.9.0/24", GatewayId=g)

e = ec2.create_egress_only_internet_gateway(VpcId=v, ClientToken="e")["EgressOnlyInternetGateway"]
e = e["EgressOnlyInternetGatewayId"]
ec2.create_route(RouteTableId=t, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=e)
refused("InvalidParameterValue", ec2.create_route, RouteTableId=t, DestinationCidrBlock="2.0.0.0/8", EgressOnlyInternetGatewayId=e)


def routes(table=t):
    shown = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    key = lambda r: r.get("DestinationCidrBlock") or r.get("DestinationIpv6CidrBlock") or r.get("DestinationPrefixListId")
    return {key(r): r for r in shown}


assert routes()["0.0.0.0/0"] == {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": g, "Origin": "CreateRoute", "State": "active"}
assert routes()["10.0.0.0/16"]["Origin"] == "CreateRouteTable" and routes()["::/0"]["EgressOnlyInternetGatewayId"] == e

# Associations.
a = ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"]
assert ec2.associate_route_table(RouteTableId=t, SubnetId=s)["AssociationId"] == a
t2 = ec2.create_route_table(VpcId=v)["RouteTable"]["RouteTableId"]
refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=t2, SubnetId=s)
refused("DependencyViolation", ec2.delete_route_table, RouteTableId=t)
moved = ec2.replace_route_table_association(AssociationId=a, RouteTableId=t2)["NewAssociationId"]
assert moved != a
refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=a)
found = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [s]}])
assert ids(found, "RouteTables", "RouteTableId") == [t2]
ec2.disassociate_route_table(AssociationId=moved)
main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"][0]
main_association = main["Associations"][0]["RouteTableAssociationId"]
refused("InvalidParameterValue", ec2.disassociate_route_table, AssociationId=main_association)
refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main["RouteTableId"])
ec2.replace_route_table_association(AssociationId=main_association, RouteTableId=t2)
ec2.delete_route_table(RouteTableId=main["RouteTableId"])
assert ec2.describe_route_tables(RouteTableIds=[t2])["RouteTables"][0]["Associations"][0]["Main"]

# NAT gateways.
ip = ec2.allocate_address(Domain="vpc")
refused("MissingParameter", ec2.create_nat_gateway, SubnetId=s)
refused("InvalidElasticIpID.NotFound", ec2.create_nat_gateway, SubnetId=s, AllocationId="eipalloc-0123456789abcdef0")
n = ec2.create_nat_gateway(SubnetId=s, AllocationId=ip["AllocationId"])["NatGateway"]
ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[n["NatGatewayId"]])
assert n["NatGatewayAddresses"][0]["PublicIp"] == ip["PublicIp"] and n["ConnectivityType"] == "public"
refused("Resource.AlreadyAssociated", ec2.create_nat_gateway, SubnetId=s, AllocationId=ip["AllocationId"])
refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=ip["AllocationId"])
n2 = ec2.create_nat_gateway(SubnetId=s, ConnectivityType="private", PrivateIpAddress="10.0.1.77")["NatGateway"]
assert n2["NatGatewayAddresses"][0]["PrivateIp"] == "10.0.1.77" and "PublicIp" not in n2["NatGatewayAddresses"][0]
ec2.create_route(RouteTableId=t, DestinationCidrBlock="3.0.0.0/8", NatGatewayId=n2["NatGatewayId"])
assert ids(ec2.describe_nat_gateways(Filter=[{"Name": "subnet-id", "Values": [s]}]), "NatGateways", "NatGatewayId") == sorted([n["NatGatewayId"], n2["NatGatewayId"]])
eni = n["NatGatewayAddresses"][0]["NetworkInterfaceId"]
shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
assert shown["InterfaceType"] == "nat_gateway" and shown["RequesterManaged"] and shown["Status"] == "in-use", shown
refused("OperationNotPermitted", ec2.delete_network_interface, NetworkInterfaceId=eni)
ec2.delete_nat_gateway(NatGatewayId=n2["NatGatewayId"])
assert routes()["3.0.0.0/8"]["State"] == "blackhole"
refused("NatGatewayNotFound", ec2.delete_nat_gateway, NatGatewayId=n2["NatGatewayId"])
refused("NatGatewayMalformed", ec2.delete_nat_gateway, NatGatewayId="nut-1")
refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=g, VpcId=v)
ec2.delete_nat_gateway(NatGatewayId=n["NatGatewayId"])
ec2.release_address(AllocationId=ip["AllocationId"])
ec2.detach_internet_gateway(InternetGatewayId=g, VpcId=v)
assert routes()["0.0.0.0/0"]["State"] == "blackhole"
ec2.delete_internet_gateway(InternetGatewayId=g)
ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=e)
print("routing.py: fine")
