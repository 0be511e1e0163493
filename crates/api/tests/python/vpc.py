"""VPCs, subnets, tags; filters, pages, dry runs, client tokens, accounts and Regions."""

from common import client, ec2, ids, other, refused, subnet, tagged, vpc

# A VPC comes with its main table, default network ACL and default security group.
made = ec2.create_vpc(CidrBlock="10.0.7.7/16", TagSpecifications=tagged("vpc", Name="net", team="red"))["Vpc"]
v = made["VpcId"]
assert made["CidrBlock"] == "10.0.0.0/16" and made["State"] == "available" and not made["IsDefault"], made
assert made["OwnerId"] == "111111111111" and made["CidrBlockAssociationSet"][0]["CidrBlockState"]["State"] == "associated"
of_vpc = [{"Name": "vpc-id", "Values": [v]}]
table = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
assert len(table) == 1 and table[0]["Associations"][0]["Main"] and table[0]["Routes"][0]["GatewayId"] == "local", table
acl = ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
assert len(acl) == 1 and acl[0]["IsDefault"] and [e["RuleNumber"] for e in acl[0]["Entries"]] == [100, 32767, 100, 32767], acl
group = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]
assert len(group) == 1 and group[0]["GroupName"] == "default", group
ec2.get_waiter("vpc_available").wait(VpcIds=[v])
ec2.get_waiter("vpc_exists").wait(VpcIds=[v])

# Errors.
refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/8")
refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.0.0.0/29")
refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="ten")
refused("MissingParameter", ec2.create_vpc)
refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-0123456789abcdef0"], words="vpc-0123456789abcdef0")
refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=["vpc-01234567"])
refused("InvalidVpcID.Malformed", ec2.describe_vpcs, VpcIds=["subnet-0123456789abcdef0"])
refused("InvalidParameterValue", ec2.describe_vpcs, Filters=[{"Name": "colour", "Values": ["red"]}], words="'colour'")
refused("UnsupportedOperation", ec2.create_vpc, Ipv4IpamPoolId="ipam-pool-1", Ipv4NetmaskLength=20)
refused("UnsupportedOperation", ec2.describe_flow_logs)

# Filters, with wildcards that are case-sensitive and can be escaped.
star = vpc("10.9.0.0/16", TagSpecifications=tagged("vpc", Name="a*b"))


def found(**filters):
    filters = [{"Name": k.replace("_", "-").replace("tag-colon-", "tag:"), "Values": v} for k, v in filters.items()]
    return ids(ec2.describe_vpcs(Filters=filters), "Vpcs", "VpcId")


assert found(cidr=["10.0.*"]) == [v] and found(cidr=["10.?.0.0/16"]) == sorted([v, star])
assert found(tag_colon_Name=["n?t"]) == [v] and found(tag_colon_Name=["N?t"]) == []
assert found(tag_colon_Name=["a\\*b"]) == [star] and found(tag_colon_Name=["\\*"]) == []
assert found(tag_key=["team"], cidr=["*"]) == [v] and found(tag_key=["team"], cidr=["10.9.*"]) == []
assert found(is_default=["false"]) == sorted([v, star]) and found(vpc_id=["vpc-0000"]) == []
assert found(owner_id=["111111111111", "x"], state=["available"]) == sorted([v, star])

# Tags.
ec2.create_tags(Resources=[v, star], Tags=[{"Key": "env", "Value": "lab"}])
assert found(tag_colon_env=["lab"]) == sorted([v, star])
ec2.delete_tags(Resources=[v], Tags=[{"Key": "env", "Value": "other"}, {"Key": "team"}])
assert found(tag_colon_env=["lab"]) == sorted([v, star]) and found(tag_key=["team"]) == []
tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [v]}])["Tags"]
assert [(t["Key"], t["Value"], t["ResourceType"]) for t in tags] == [("Name", "net", "vpc"), ("env", "lab", "vpc")], tags
assert len(ec2.describe_tags(Filters=[{"Name": "tag:env", "Values": ["l*"]}])["Tags"]) == 2
refused("InvalidParameterValue", ec2.create_tags, Resources=[v], Tags=[{"Key": "aws:x", "Value": ""}], words="reserved")
refused("TagLimitExceeded", ec2.create_tags, Resources=[v], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)])
refused("InvalidVpcID.NotFound", ec2.create_tags, Resources=["vpc-0123456789abcdef0"], Tags=[{"Key": "a", "Value": ""}])
refused("InvalidID", ec2.create_tags, Resources=["nonsense"], Tags=[{"Key": "a", "Value": ""}])
refused("InvalidParameterValue", ec2.create_vpc, CidrBlock="10.1.0.0/16", TagSpecifications=tagged("subnet", a="b"), words="'subnet'")

# Pinned ids.
pinned = vpc("10.2.0.0/16", TagSpecifications=tagged("vpc", _custom_id_="vpc-0abcdef1234567890"))
assert pinned == "vpc-0abcdef1234567890"
refused("InvalidVpc.DuplicateCustomId", ec2.create_vpc, CidrBlock="10.3.0.0/16", TagSpecifications=tagged("vpc", _custom_id_=pinned))
refused("InvalidVpcID.Malformed", ec2.create_vpc, CidrBlock="10.3.0.0/16", TagSpecifications=tagged("vpc", _custom_id_="vpc-x"))

# A dry run validates and changes nothing.
before = ec2.describe_vpcs()["Vpcs"]
refused("DryRunOperation", ec2.create_vpc, status=412, CidrBlock="10.4.0.0/16", DryRun=True)
refused("DryRunOperation", ec2.delete_vpc, status=412, VpcId=star, DryRun=True)
refused("InvalidVpc.Range", ec2.create_vpc, CidrBlock="10.4.0.0/8", DryRun=True)
assert ec2.describe_vpcs()["Vpcs"] == before

# Attributes.
ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
assert ec2.describe_vpc_attribute(VpcId=v, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
assert ec2.describe_vpc_attribute(VpcId=v, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"]
refused("InvalidParameterCombination", ec2.modify_vpc_attribute, VpcId=v, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})

# More blocks.
more = ec2.associate_vpc_cidr_block(VpcId=v, CidrBlock="10.50.0.0/16")["CidrBlockAssociation"]["AssociationId"]
refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=v, CidrBlock="10.50.1.0/24")
six = ec2.associate_vpc_cidr_block(VpcId=v, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
assert six["Ipv6CidrBlock"].endswith("/56"), six
blocks = ec2.describe_vpcs(VpcIds=[v])["Vpcs"][0]
assert [b["CidrBlock"] for b in blocks["CidrBlockAssociationSet"]] == ["10.0.0.0/16", "10.50.0.0/16"]
in_more = subnet(v, "10.50.1.0/24")
refused("DependencyViolation", ec2.disassociate_vpc_cidr_block, AssociationId=more)
ec2.delete_subnet(SubnetId=in_more)
ec2.disassociate_vpc_cidr_block(AssociationId=more)
refused("InvalidVpcCidrBlockAssociationID.NotFound", ec2.disassociate_vpc_cidr_block, AssociationId=more)
refused("OperationNotPermitted", ec2.disassociate_vpc_cidr_block, AssociationId=blocks["CidrBlockAssociationSet"][0]["AssociationId"])

# Subnets.
s = ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")["Subnet"]
assert s["AvailableIpAddressCount"] == 251 and s["AvailabilityZoneId"] == "use1-az2" and s["State"] == "available", s
assert s["SubnetArn"] == f"arn:aws:ec2:us-east-1:111111111111:subnet/{s['SubnetId']}"
refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=v, CidrBlock="10.0.1.128/25")
refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=v, CidrBlock="10.8.0.0/24")
refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=v, CidrBlock="10.0.2.0/29")
refused("InvalidParameterValue", ec2.create_subnet, VpcId=v, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1x", words="us-east-1a")
refused("InvalidVpcID.NotFound", ec2.create_subnet, VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.2.0/24")
refused("InvalidSubnetID.NotFound", ec2.delete_subnet, SubnetId="subnet-0123456789abcdef0")
ec2.modify_subnet_attribute(SubnetId=s["SubnetId"], MapPublicIpOnLaunch={"Value": True})
mapped = ec2.describe_subnets(Filters=[{"Name": "map-public-ip-on-launch", "Values": ["true"]}])
assert ids(mapped, "Subnets", "SubnetId") == [s["SubnetId"]]
assert ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])["Subnets"] == []
refused("InvalidParameterValue", ec2.modify_subnet_attribute, SubnetId=s["SubnetId"], AssignIpv6AddressOnCreation={"Value": True})
inner = six["Ipv6CidrBlock"].replace("/56", "/64")
joined = ec2.associate_subnet_cidr_block(SubnetId=s["SubnetId"], Ipv6CidrBlock=inner)["Ipv6CidrBlockAssociation"]
assert joined["Ipv6CidrBlock"] == inner
ec2.disassociate_subnet_cidr_block(AssociationId=joined["AssociationId"])
refused("DependencyViolation", ec2.delete_vpc, VpcId=v)

# Pages, under deletes: nothing is shown twice or left out.
many = sorted(subnet(star, f"10.9.{n}.0/24") for n in range(12))
pages = ec2.get_paginator("describe_subnets").paginate(
    Filters=[{"Name": "vpc-id", "Values": [star]}], PaginationConfig={"PageSize": 5}
)
seen = []
for page in pages:
    seen += [item["SubnetId"] for item in page["Subnets"]]
    if len(seen) == 5:
        ec2.delete_subnet(SubnetId=seen[0])
        ec2.delete_subnet(SubnetId=many[-1])
assert seen == many[:-1], (seen, many)
refused("InvalidNextToken", ec2.describe_subnets, NextToken="nonsense")
token = ec2.describe_subnets(MaxResults=5)["NextToken"]
refused("InvalidNextToken", ec2.describe_vpcs, NextToken=token)
refused("InvalidParameterCombination", ec2.describe_subnets, SubnetIds=[many[1]], MaxResults=5)

# Accounts and Regions see their own.
theirs = vpc(of=other)
refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[theirs])
refused("InvalidVpcID.NotFound", other.delete_vpc, VpcId=v)
assert ids(other.describe_vpcs(), "Vpcs", "VpcId") == [theirs]
west = client(region="us-west-2")
assert west.describe_vpcs()["Vpcs"] == []
assert ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"][0]["Endpoint"] == "ec2.eu-west-1.amazonaws.com"
assert ids(west.describe_availability_zones(), "AvailabilityZones", "ZoneId") == [f"usw2-az{n}" for n in range(1, 5)]
refused("InvalidParameterValue", west.describe_availability_zones, ZoneNames=["us-east-1a"])
assert ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"][0]["AttributeValues"][0]["AttributeValue"] == "none"

# Who am I, and who can I be.
sts = client("sts")
me = sts.get_caller_identity()
assert (me["Account"], me["Arn"]) == ("111111111111", "arn:aws:iam::111111111111:root"), me
role = sts.assume_role(RoleArn="arn:aws:iam::222222222222:role/admin", RoleSessionName="me")["Credentials"]
session = dict(account=role["AccessKeyId"], secret=role["SecretAccessKey"], token=role["SessionToken"])
assert client("sts", **session).get_caller_identity()["Arn"] == "arn:aws:sts::222222222222:assumed-role/admin/me"
assert ids(client(**session).describe_vpcs(), "Vpcs", "VpcId") == [theirs]
refused("ValidationError", sts.assume_role, RoleArn="arn:aws:iam::222222222222:user/admin", RoleSessionName="me")

# The default VPC.
default = ec2.create_default_vpc()["Vpc"]
assert default["IsDefault"] and default["CidrBlock"] == "172.31.0.0/16"
assert len(ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]) == 6
refused("DefaultVpcAlreadyExists", ec2.create_default_vpc)

# Deleting takes the VPC's own parts along.
empty = vpc("10.60.0.0/16")
ec2.delete_vpc(VpcId=empty)
assert ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [empty]}])["RouteTables"] == []
refused("InvalidVpcID.NotFound", ec2.delete_vpc, VpcId=empty)
print("vpc.py: fine")
