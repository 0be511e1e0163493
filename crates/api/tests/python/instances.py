"""Instances, and peering between two accounts."""

from common import ec2, ids, other, refused, subnet, tagged, vpc

v = vpc()
s = subnet(v)
g = ec2.create_security_group(GroupName="g", Description="g", VpcId=v)["GroupId"]
run = dict(ImageId="ami-0123456789abcdef0", InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=s)
made = ec2.run_instances(**run, SecurityGroupIds=[g], PrivateIpAddress="10.0.1.10", TagSpecifications=tagged("instance", Name="h1"))
one = made["Instances"][0]
i = one["InstanceId"]
assert one["State"]["Name"] == "pending" and one["PrivateIpAddress"] == "10.0.1.10" and "PublicIpAddress" not in one, one
ec2.get_waiter("instance_exists").wait(InstanceIds=[i])
ec2.get_waiter("instance_running").wait(InstanceIds=[i])
ec2.get_waiter("instance_status_ok").wait(InstanceIds=[i])
shown = ec2.describe_instances(InstanceIds=[i])["Reservations"]
assert shown[0]["ReservationId"] == made["ReservationId"] and shown[0]["Instances"][0]["ImageId"] == run["ImageId"], shown
inside = shown[0]["Instances"][0]["NetworkInterfaces"][0]
assert inside["Attachment"]["DeviceIndex"] == 0 and inside["Groups"] == [{"GroupId": g, "GroupName": "g"}], inside
three = ec2.run_instances(**{**run, "MinCount": 3, "MaxCount": 3})["Instances"]
assert sorted(x["AmiLaunchIndex"] for x in three) == [0, 1, 2]
assert [len(r["Instances"]) for r in ec2.describe_instances()["Reservations"]] in ([1, 3], [3, 1])
public = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": s, "AssociatePublicIpAddress": True, "Groups": [g]}])["Instances"][0]
assert public["PublicIpAddress"].startswith("198.1"), public
for name, value, wanted in [("instance-state-name", "running", 5), ("private-ip-address", "10.0.1.10", 1), ("tag:Name", "h1", 1), ("instance.group-id", g, 2), ("subnet-id", s, 5), ("vpc-id", "vpc-0", 0)]:
    found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
    assert sum(len(r["Instances"]) for r in found) == wanted, name
refused("UnsupportedOperation", ec2.run_instances, **run, UserData="#!/bin/sh")
refused("UnsupportedOperation", ec2.stop_instances, InstanceIds=[i])
refused("InvalidSubnetID.NotFound", ec2.run_instances, **{**run, "SubnetId": "subnet-0123456789abcdef0"})
refused("InvalidIPAddress.InUse", ec2.run_instances, **run, PrivateIpAddress="10.0.1.10")
refused("InvalidParameterValue", ec2.run_instances, **{**run, "MaxCount": 0})
refused("VPCIdNotSpecified", ec2.run_instances, ImageId="ami-1", MinCount=1, MaxCount=1)
refused("DryRunOperation", ec2.run_instances, status=412, **run, DryRun=True)
refused("InvalidInstanceID.NotFound", other.describe_instances, InstanceIds=[i])

# A second interface comes and goes.
e = ec2.create_network_interface(SubnetId=s)["NetworkInterface"]["NetworkInterfaceId"]
refused("InvalidParameter", ec2.attach_network_interface, NetworkInterfaceId=e, InstanceId=i, DeviceIndex=0)
a = ec2.attach_network_interface(NetworkInterfaceId=e, InstanceId=i, DeviceIndex=1)["AttachmentId"]
refused("InvalidNetworkInterface.InUse", ec2.attach_network_interface, NetworkInterfaceId=e, InstanceId=i, DeviceIndex=2)
refused("InvalidNetworkInterface.InUse", ec2.delete_network_interface, NetworkInterfaceId=e)
attached = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [i]}, {"Name": "attachment.device-index", "Values": ["1"]}])
assert ids(attached, "NetworkInterfaces", "NetworkInterfaceId") == [e]
refused("OperationNotPermitted", ec2.detach_network_interface, AttachmentId=inside["Attachment"]["AttachmentId"])
ec2.detach_network_interface(AttachmentId=a)
ec2.attach_network_interface(NetworkInterfaceId=e, InstanceId=i, DeviceIndex=1)
t = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [v]}])["RouteTables"][0]["RouteTableId"]
refused("InvalidInstanceID", ec2.create_route, RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", InstanceId=i)
ec2.create_route(RouteTableId=t, DestinationCidrBlock="1.0.0.0/8", InstanceId=three[0]["InstanceId"])
gone = ec2.terminate_instances(InstanceIds=[i] + [x["InstanceId"] for x in three])["TerminatingInstances"]
assert {x["CurrentState"]["Name"] for x in gone} == {"terminated"}
refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=[i])
assert ec2.describe_network_interfaces(NetworkInterfaceIds=[e])["NetworkInterfaces"][0]["Status"] == "available"
assert len(ec2.describe_network_interfaces()["NetworkInterfaces"]) == 2

# Peering between accounts.
theirs = vpc("10.8.0.0/16", of=other)
p = ec2.create_vpc_peering_connection(VpcId=v, PeerVpcId=theirs, PeerOwnerId="222222222222")["VpcPeeringConnection"]
c = p["VpcPeeringConnectionId"]
assert p["Status"]["Code"] == "pending-acceptance" and p["AccepterVpcInfo"]["OwnerId"] == "222222222222", p
other.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[c])
refused("InvalidVpcID.NotFound", ec2.create_vpc_peering_connection, VpcId=v, PeerVpcId=theirs)
refused("OperationNotPermitted", ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=c)
ec2.create_route(RouteTableId=t, DestinationCidrBlock="10.8.0.0/16", VpcPeeringConnectionId=c)
state = lambda: [r["State"] for r in ec2.describe_route_tables(RouteTableIds=[t])["RouteTables"][0]["Routes"] if r.get("VpcPeeringConnectionId") == c]
assert state() == ["blackhole"]
other.accept_vpc_peering_connection(VpcPeeringConnectionId=c)
assert state() == ["active"]
refused("InvalidStateTransition", other.reject_vpc_peering_connection, VpcPeeringConnectionId=c)
assert ids(other.describe_vpc_peering_connections(Filters=[{"Name": "status-code", "Values": ["active"]}, {"Name": "requester-vpc-info.owner-id", "Values": ["111111111111"]}]), "VpcPeeringConnections", "VpcPeeringConnectionId") == [c]
refused("InvalidVpcPeeringConnectionID.NotFound", ec2.delete_vpc_peering_connection, VpcPeeringConnectionId="pcx-0123456789abcdef0")
overlap = vpc("10.0.0.0/20", of=other)
failed = ec2.create_vpc_peering_connection(VpcId=v, PeerVpcId=overlap, PeerOwnerId="222222222222")["VpcPeeringConnection"]
assert failed["Status"]["Code"] == "failed" and "overlapping CIDR" in failed["Status"]["Message"], failed
other.delete_vpc_peering_connection(VpcPeeringConnectionId=c)
assert state() == ["blackhole"]
print("instances.py: fine")
