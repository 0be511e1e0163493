"""Network interfaces and Elastic IP addresses."""

from common import ec2, ids, other, refused, subnet, tagged, vpc

v = vpc(AmazonProvidedIpv6CidrBlock=True)
s = subnet(v)
six = ec2.describe_vpcs(VpcIds=[v])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
made = ec2.create_network_interface(SubnetId=s, Description="mine", TagSpecifications=tagged("network-interface", Name="e1"))["NetworkInterface"]
e = made["NetworkInterfaceId"]
assert made["PrivateIpAddress"] == "10.0.1.4" and made["Description"] == "mine" and made["SourceDestCheck"], made
assert made["Groups"][0]["GroupName"] == "default" and made["TagSet"] == [{"Key": "Name", "Value": "e1"}]
ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[e])
e2 = ec2.create_network_interface(SubnetId=s, PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.20", "Primary": False}, {"PrivateIpAddress": "10.0.1.10", "Primary": True}], SecondaryPrivateIpAddressCount=1)["NetworkInterface"]
assert [a["PrivateIpAddress"] for a in e2["PrivateIpAddresses"]] == ["10.0.1.10", "10.0.1.20", "10.0.1.5"], e2
refused("InvalidIPAddress.InUse", ec2.create_network_interface, SubnetId=s, PrivateIpAddress="10.0.1.4")
refused("InvalidParameterValue", ec2.create_network_interface, SubnetId=s, PrivateIpAddress="10.0.2.4")
refused("InvalidParameterValue", ec2.create_network_interface, SubnetId=s, PrivateIpAddress="10.0.1.1")
refused("InvalidSubnetID.NotFound", ec2.create_network_interface, SubnetId="subnet-0123456789abcdef0")
refused("InvalidGroup.NotFound", ec2.create_network_interface, SubnetId=s, Groups=["sg-0123456789abcdef0"])
refused("InvalidParameterValue", ec2.create_network_interface, SubnetId=s, Ipv6AddressCount=1)
refused("UnsupportedOperation", ec2.create_network_interface, SubnetId=s, Ipv4PrefixCount=1)
refused("InvalidNetworkInterfaceID.NotFound", other.describe_network_interfaces, NetworkInterfaceIds=[e])
token = dict(SubnetId=s, ClientToken="same")
first = ec2.create_network_interface(**token)["NetworkInterface"]["NetworkInterfaceId"]
assert ec2.create_network_interface(**token)["NetworkInterface"]["NetworkInterfaceId"] == first
refused("IdempotentParameterMismatch", ec2.create_network_interface, **token, Description="other")

# Addresses of an interface.
got = ec2.assign_private_ip_addresses(NetworkInterfaceId=e, SecondaryPrivateIpAddressCount=2)["AssignedPrivateIpAddresses"]
assert len(got) == 2
refused("InvalidIPAddress.InUse", ec2.assign_private_ip_addresses, NetworkInterfaceId=e, PrivateIpAddresses=["10.0.1.10"])
ec2.unassign_private_ip_addresses(NetworkInterfaceId=e, PrivateIpAddresses=[got[0]["PrivateIpAddress"]])
refused("InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=e, PrivateIpAddresses=["10.0.1.4"], words="primary")
refused("InvalidParameterValue", ec2.unassign_private_ip_addresses, NetworkInterfaceId=e, PrivateIpAddresses=["10.0.1.99"])
refused("MissingParameter", ec2.assign_private_ip_addresses, NetworkInterfaceId=e)
ec2.associate_subnet_cidr_block(SubnetId=s, Ipv6CidrBlock=six)
v6 = ec2.assign_ipv6_addresses(NetworkInterfaceId=e, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
assert ec2.describe_network_interfaces(Filters=[{"Name": "ipv6-addresses.ipv6-address", "Values": v6}])["NetworkInterfaces"][0]["NetworkInterfaceId"] == e
assert ec2.unassign_ipv6_addresses(NetworkInterfaceId=e, Ipv6Addresses=v6)["UnassignedIpv6Addresses"] == v6

# Attributes.
g = ec2.create_security_group(GroupName="g", Description="g", VpcId=v)["GroupId"]
ec2.modify_network_interface_attribute(NetworkInterfaceId=e, Groups=[g])
ec2.modify_network_interface_attribute(NetworkInterfaceId=e, SourceDestCheck={"Value": False})
ec2.modify_network_interface_attribute(NetworkInterfaceId=e, Description={"Value": "changed"})
show = ec2.describe_network_interfaces(NetworkInterfaceIds=[e])["NetworkInterfaces"][0]
assert (show["Groups"], show["SourceDestCheck"], show["Description"]) == ([{"GroupId": g, "GroupName": "g"}], False, "changed")
assert ec2.describe_network_interface_attribute(NetworkInterfaceId=e, Attribute="description")["Description"]["Value"] == "changed"
refused("InvalidParameterCombination", ec2.modify_network_interface_attribute, NetworkInterfaceId=e)
ec2.reset_network_interface_attribute(NetworkInterfaceId=e, SourceDestCheck="true")
refused("DependencyViolation", ec2.delete_security_group, GroupId=g)
for name, value, wanted in [("description", "chang*", [e]), ("group-id", g, [e]), ("addresses.private-ip-address", "10.0.1.20", [e2["NetworkInterfaceId"]]), ("tag:Name", "e1", [e]), ("status", "in-use", [])]:
    found = ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
    assert ids(found, "NetworkInterfaces", "NetworkInterfaceId") == wanted, name
refused("InvalidInstanceID.NotFound", ec2.attach_network_interface, NetworkInterfaceId=e, InstanceId="i-0123456789abcdef0", DeviceIndex=1)
refused("InvalidAttachmentID.NotFound", ec2.detach_network_interface, AttachmentId="eni-attach-0123456789abcdef0")

# Elastic IP addresses.
a = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", Name="out"))
b = ec2.allocate_address(Domain="vpc")
assert a["PublicIp"] != b["PublicIp"] and a["Domain"] == "vpc"
use = ec2.associate_address(AllocationId=a["AllocationId"], NetworkInterfaceId=e)["AssociationId"]
assert ec2.associate_address(AllocationId=a["AllocationId"], NetworkInterfaceId=e)["AssociationId"] == use
shown = ec2.describe_addresses(Filters=[{"Name": "association-id", "Values": [use]}])["Addresses"]
assert [(x["PublicIp"], x["PrivateIpAddress"], x["NetworkInterfaceId"]) for x in shown] == [(a["PublicIp"], "10.0.1.4", e)], shown
on = ec2.describe_network_interfaces(Filters=[{"Name": "association.public-ip", "Values": [a["PublicIp"]]}])["NetworkInterfaces"][0]
assert on["Association"]["AllocationId"] == a["AllocationId"] and on["Association"]["IpOwnerId"] == "111111111111"
refused("Resource.AlreadyAssociated", ec2.associate_address, AllocationId=a["AllocationId"], NetworkInterfaceId=first, AllowReassociation=False)
refused("InvalidParameterValue", ec2.associate_address, AllocationId=b["AllocationId"], NetworkInterfaceId=e, PrivateIpAddress="10.0.1.99")
refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=a["AllocationId"])
moved = ec2.associate_address(AllocationId=a["AllocationId"], NetworkInterfaceId=first)["AssociationId"]
refused("InvalidAssociationID.NotFound", ec2.disassociate_address, AssociationId=use)
ec2.disassociate_address(AssociationId=moved)
assert ids(ec2.describe_addresses(PublicIps=[a["PublicIp"]]), "Addresses", "AllocationId") == [a["AllocationId"]]
refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=["192.0.2.1"])
refused("InvalidAllocationID.NotFound", other.release_address, AllocationId=a["AllocationId"])
ec2.release_address(AllocationId=a["AllocationId"])
ec2.release_address(PublicIp=b["PublicIp"])
refused("InvalidAllocationID.NotFound", ec2.release_address, AllocationId=a["AllocationId"])
for interface in [e, e2["NetworkInterfaceId"], first]:
    ec2.delete_network_interface(NetworkInterfaceId=interface)
ec2.delete_subnet(SubnetId=s)
print("interfaces.py: fine")
