"""Security groups, network ACLs, prefix lists."""

from common import ec2, ids, other, refused, subnet, tagged, vpc

v = vpc()
s = subnet(v)
web = ec2.create_security_group(GroupName="web", Description="web servers", VpcId=v)["GroupId"]
db = ec2.create_security_group(GroupName="db", Description="databases", VpcId=v, TagSpecifications=tagged("security-group", tier="data"))["GroupId"]
ec2.get_waiter("security_group_exists").wait(GroupIds=[web])
refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web", Description="x", VpcId=v)
refused("InvalidParameterValue", ec2.create_security_group, GroupName="default", Description="x", VpcId=v)
refused("VPCIdNotSpecified", ec2.create_security_group, GroupName="x", Description="x")
refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=["sg-0123456789abcdef0"])
refused("InvalidGroupId.Malformed", ec2.describe_security_groups, GroupIds=["web"])


def tcp(port, **peer):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}


any4 = {"IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}
made = ec2.authorize_security_group_ingress(
    GroupId=web,
    IpPermissions=[tcp(443, **any4), tcp(80, IpRanges=[{"CidrIp": "10.0.0.0/8"}], Ipv6Ranges=[{"CidrIpv6": "::/0"}])],
    TagSpecifications=tagged("security-group-rule", why="users"),
)["SecurityGroupRules"]
assert len(made) == 3 and made[0]["Description"] == "all" and made[0]["Tags"] == [{"Key": "why", "Value": "users"}], made
ec2.authorize_security_group_ingress(GroupId=db, IpPermissions=[tcp(5432, UserIdGroupPairs=[{"GroupId": web}])])
ec2.authorize_security_group_ingress(GroupId=db, IpProtocol="icmp", FromPort=8, ToPort=-1, CidrIp="10.0.0.0/16")
refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(443, **any4)])
refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(70000, **any4)])
refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(1, IpRanges=[{"CidrIp": "10.0.0.0"}])])
refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(1, **any4), tcp(1, **any4)])
refused("MissingParameter", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(1)])
refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=web, IpPermissions=[tcp(1, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0"}])])
refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=db, IpPermissions=[tcp(n, **any4) for n in range(1, 70)])

shown = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [v]}])["SecurityGroups"]}
assert sorted(shown) == ["db", "default", "web"]
peers = [pair for permission in shown["db"]["IpPermissions"] for pair in permission["UserIdGroupPairs"]]
assert peers == [{"GroupId": web, "UserId": "111111111111"}], shown["db"]
assert shown["web"]["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
for name, values, wanted in [
    ("ip-permission.from-port", ["443"], [web]),
    ("ip-permission.group-id", [web], [db]),
    ("ip-permission.cidr", ["10.*"], sorted([db, web])),
    ("egress.ip-permission.protocol", ["-1"], sorted([db, web, shown["default"]["GroupId"]])),
    ("group-name", ["w?b"], [web]),
    ("description", ["data*"], [db]),
    ("tag:tier", ["data"], [db]),
]:
    found = ec2.describe_security_groups(Filters=[{"Name": name, "Values": values}, {"Name": "vpc-id", "Values": [v]}])
    assert ids(found, "SecurityGroups", "GroupId") == wanted, name

# Rules by themselves.
rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [web]}])["SecurityGroupRules"]
assert len(rules) == 4 and sum(r["IsEgress"] for r in rules) == 1
https = next(r for r in rules if r["FromPort"] == 443)
assert https["GroupOwnerId"] == "111111111111" and https["CidrIpv4"] == "0.0.0.0/0"
ec2.modify_security_group_rules(GroupId=web, SecurityGroupRules=[{"SecurityGroupRuleId": https["SecurityGroupRuleId"], "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "CidrIpv4": "10.0.0.0/8", "Description": "inside"}}])
again = ec2.describe_security_group_rules(SecurityGroupRuleIds=[https["SecurityGroupRuleId"]])["SecurityGroupRules"][0]
assert (again["FromPort"], again["CidrIpv4"], again["Description"]) == (8443, "10.0.0.0/8", "inside")
ec2.update_security_group_rule_descriptions_ingress(GroupId=web, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": https["SecurityGroupRuleId"], "Description": "new words"}])
assert ec2.describe_security_group_rules(Filters=[{"Name": "tag:why", "Values": ["u*"]}, {"Name": "security-group-rule-id", "Values": [https["SecurityGroupRuleId"]]}])["SecurityGroupRules"][0]["Description"] == "new words"
refused("InvalidSecurityGroupRuleId.NotFound", ec2.describe_security_group_rules, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
gone = ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[https["SecurityGroupRuleId"]])
assert gone["RevokedSecurityGroupRules"][0]["FromPort"] == 8443
refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=web, IpPermissions=[tcp(8443, **any4)])
refused("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=web, SecurityGroupRuleIds=[https["SecurityGroupRuleId"]])
ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
assert ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"][0]["IpPermissionsEgress"] == []
assert ids(ec2.get_security_groups_for_vpc(VpcId=v), "SecurityGroupForVpcs", "GroupName") == ["db", "default", "web"]
refused("DependencyViolation", ec2.delete_security_group, GroupId=web)
refused("CannotDelete", ec2.delete_security_group, GroupId=shown["default"]["GroupId"])
refused("InvalidGroup.NotFound", other.delete_security_group, GroupId=web)
ec2.delete_security_group(GroupId=db)
ec2.delete_security_group(GroupId=web)

# Network ACLs.
acl = ec2.create_network_acl(VpcId=v)["NetworkAcl"]
assert [(e["RuleNumber"], e["RuleAction"]) for e in acl["Entries"]] == [(32767, "deny")] * 2 and not acl["IsDefault"]
acl = acl["NetworkAclId"]
entry = dict(NetworkAclId=acl, RuleNumber=100, Protocol="6", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0", PortRange={"From": 80, "To": 81})
ec2.create_network_acl_entry(**entry)
refused("NetworkAclEntryAlreadyExists", ec2.create_network_acl_entry, **entry)
refused("InvalidNetworkAclEntry.NotFound", ec2.replace_network_acl_entry, **{**entry, "RuleNumber": 101})
refused("InvalidParameterValue", ec2.create_network_acl_entry, **{**entry, "RuleNumber": 32767})
refused("MissingParameter", ec2.create_network_acl_entry, **{**entry, "RuleNumber": 5, "PortRange": {}} | {"PortRange": {"From": 1}})
ec2.replace_network_acl_entry(**{**entry, "RuleAction": "deny"})
ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=7, Protocol="1", RuleAction="allow", Egress=True, CidrBlock="10.0.0.0/8", IcmpTypeCode={"Type": 8, "Code": -1})
shown = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
assert {(e["Egress"], e["RuleNumber"], e["Protocol"], e["RuleAction"]) for e in shown} == {(True, 7, "1", "allow"), (True, 32767, "-1", "deny"), (False, 100, "6", "deny"), (False, 32767, "-1", "deny")}
assert ids(ec2.describe_network_acls(Filters=[{"Name": "entry.port-range.to", "Values": ["81"]}]), "NetworkAcls", "NetworkAclId") == [acl]
default = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [s]}])["NetworkAcls"][0]
association = default["Associations"][0]["NetworkAclAssociationId"]
ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
refused("InvalidAssociationID.NotFound", ec2.replace_network_acl_association, AssociationId=association, NetworkAclId=acl)
refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl)
refused("InvalidParameterValue", ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"])
back = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Associations"][0]["NetworkAclAssociationId"]
ec2.replace_network_acl_association(AssociationId=back, NetworkAclId=default["NetworkAclId"])
ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
refused("InvalidNetworkAclEntry.NotFound", ec2.delete_network_acl_entry, NetworkAclId=acl, RuleNumber=100, Egress=False)
ec2.delete_network_acl(NetworkAclId=acl)
refused("InvalidNetworkAclID.NotFound", ec2.delete_network_acl, NetworkAclId=acl)

# Prefix lists and their versions.
made = ec2.create_managed_prefix_list(PrefixListName="offices", AddressFamily="IPv4", MaxEntries=3, Entries=[{"Cidr": "192.0.2.0/24", "Description": "the one"}])["PrefixList"]
p = made["PrefixListId"]
assert (made["Version"], made["OwnerId"], made["State"]) == (1, "111111111111", "create-complete"), made
refused("PrefixListVersionMismatch", ec2.modify_managed_prefix_list, PrefixListId=p, CurrentVersion=2, AddEntries=[{"Cidr": "198.51.100.0/24"}])
ec2.modify_managed_prefix_list(PrefixListId=p, CurrentVersion=1, AddEntries=[{"Cidr": "198.51.100.0/24"}], RemoveEntries=[{"Cidr": "192.0.2.0/24"}])
entries = lambda **more: [(e["Cidr"], e.get("Description")) for e in ec2.get_managed_prefix_list_entries(PrefixListId=p, **more)["Entries"]]
assert entries() == [("198.51.100.0/24", None)] and entries(TargetVersion=1) == [("192.0.2.0/24", "the one")]
refused("InvalidParameterValue", ec2.get_managed_prefix_list_entries, PrefixListId=p, TargetVersion=9)
restored = ec2.restore_managed_prefix_list_version(PrefixListId=p, PreviousVersion=1, CurrentVersion=2)["PrefixList"]
assert restored["Version"] == 3 and entries() == [("192.0.2.0/24", "the one")]
refused("PrefixListMaxEntriesExceeded", ec2.modify_managed_prefix_list, PrefixListId=p, CurrentVersion=3, AddEntries=[{"Cidr": f"203.0.113.{n}/32"} for n in range(3)])
refused("InvalidParameterValue", ec2.modify_managed_prefix_list, PrefixListId=p, CurrentVersion=3, AddEntries=[{"Cidr": "2001:db8::/32"}])
assert ec2.get_managed_prefix_list_associations(PrefixListId=p)["PrefixListAssociations"] == []
t = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]["RouteTableId"]
g = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=v)
ec2.create_route(RouteTableId=t, DestinationPrefixListId=p, GatewayId=g)
assert ec2.get_managed_prefix_list_associations(PrefixListId=p)["PrefixListAssociations"] == [{"ResourceId": t, "ResourceOwner": "111111111111"}]
refused("IncorrectState", ec2.delete_managed_prefix_list, PrefixListId=p, words=t)
ec2.delete_route(RouteTableId=t, DestinationPrefixListId=p)
ec2.delete_managed_prefix_list(PrefixListId=p)
refused("InvalidPrefixListID.NotFound", ec2.delete_managed_prefix_list, PrefixListId=p)
aws = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": ["com.amazonaws.us-east-1.s3"]}])["PrefixLists"][0]
refused("OperationNotPermitted", ec2.delete_managed_prefix_list, PrefixListId=aws["PrefixListId"])
assert ids(ec2.describe_managed_prefix_lists(Filters=[{"Name": "owner-id", "Values": ["AWS"]}]), "PrefixLists", "PrefixListId") != []
print("security.py: fine")
