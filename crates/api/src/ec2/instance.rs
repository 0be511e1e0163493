//! Instances: namespaces with interfaces.

use std::net::IpAddr;

use vpc_model::desired::Noun;
use vpc_model::resource::{Eni, EniAddress, EniKind, Instance, Subnet, Vpc};
use vpc_model::{Change, Id, ResourceRef};

use super::place::zone_id;
use super::{address, blocks, eni, private_name, public_name, refuse, security_group, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::noun::{Reservation, place, relation};
use crate::tags::specified;
use crate::wire::{Structure, Timestamp, Value};

/// Filters that look into an instance, as far as anything is shown there.
pub(crate) const PATHS: Paths = &[
    ("availability-zone", "Placement.AvailabilityZone"),
    ("dns-name", "PublicDnsName"),
    ("instance-state-code", "State.Code"),
    ("instance-state-name", "State.Name"),
    ("instance.group-id", "SecurityGroups.GroupId"),
    ("instance.group-name", "SecurityGroups.GroupName"),
    ("ip-address", "PublicIpAddress"),
    ("launch-index", "AmiLaunchIndex"),
    ("network-interface.addresses.private-ip-address", "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"),
    ("network-interface.network-interface-id", "NetworkInterfaces.NetworkInterfaceId"),
    ("network-interface.subnet-id", "NetworkInterfaces.SubnetId"),
    ("network-interface.vpc-id", "NetworkInterfaces.VpcId"),
    ("private-dns-name", "PrivateDnsName"),
    ("tenancy", "Placement.Tenancy"),
];

/// The parameters of a launch that are understood. The last four mean nothing to a namespace and change nothing about
/// its network, but every launch script has some of them; anything else is refused, not ignored.
const LAUNCH: [&str; 18] = [
    "ClientToken",
    "DryRun",
    "ImageId",
    "InstanceType",
    "Ipv6AddressCount",
    "Ipv6Addresses",
    "MaxCount",
    "MinCount",
    "NetworkInterfaces",
    "PrivateIpAddress",
    "SecurityGroupIds",
    "SubnetId",
    "TagSpecifications",
    "CreditSpecification",
    "EbsOptimized",
    "KeyName",
    "Monitoring",
    "MetadataOptions",
];

/// The same of an interface that a launch specifies.
const INTERFACE: [&str; 10] = [
    "AssociatePublicIpAddress",
    "DeleteOnTermination",
    "Description",
    "DeviceIndex",
    "Groups",
    "Ipv6AddressCount",
    "Ipv6Addresses",
    "NetworkInterfaceId",
    "PrivateIpAddress",
    "SubnetId",
];

fn only(input: &Structure, understood: &[&str]) -> Result<(), ApiError> {
    match input.iter().find(|(name, _)| !understood.contains(name)) {
        Some((name, _)) => Err(ApiError::unsupported(format!("The parameter {name} is not supported"))),
        None => Ok(()),
    }
}

pub(crate) fn run_instances(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    only(input, &LAUNCH)?;
    let number = |member| input.integer(member).ok_or_else(|| ApiError::missing_parameter(member));
    let (least, most) = (number("MinCount")?, number("MaxCount")?);
    if least < 1 || most < least || most > 64 {
        let message = format!("Value ({least}, {most}) for MinCount and MaxCount is invalid: 1 to 64, the least first");
        return Err(ApiError::invalid_value(message));
    }
    let image = input.text("ImageId").ok_or_else(|| ApiError::missing_parameter("ImageId"))?;
    let mut tags = specified(input, &["instance", "network-interface", "volume"])?;
    let (of_instance, of_eni) =
        (tags.remove("instance").unwrap_or_default(), tags.remove("network-interface").unwrap_or_default());
    if most > 1 && (of_instance.contains_key("_custom_id_") || of_eni.contains_key("_custom_id_")) {
        return Err(ApiError::combination("An id can only be pinned for a single instance"));
    }
    let reservation: Id<Reservation> = Id::new(cx.random());
    let mut made = Vec::new();
    for index in 0..most {
        let new = cx
            .create_tagged::<Instance>(of_instance.clone())?
            .fact("imageId", Some(image))
            .fact("instanceType", Some(input.text("InstanceType").unwrap_or("m1.small")))
            .fact("launchTime", Some(cx.now))
            .fact("reservationId", Some(reservation))
            .fact("amiLaunchIndex", Some(index))
            .fact("clientToken", input.text("ClientToken"));
        let mut record = new.record.clone();
        record.account = Some(cx.caller.account);
        record.region = Some(cx.caller.region.clone());
        let id = new.id;
        let instance = Instance { id, name: new.name, account: cx.caller.account, namespace: id.to_string() };
        cx.apply([Change::Record { id: id.to_string(), record }, Change::put(instance)])?;
        interfaces(cx, input, id, &of_eni)?;
        made.push(id);
    }
    let shown = made
        .iter()
        .filter_map(|&id| cx.desired.get(id))
        .map(|instance| show(cx, instance).with("State", Structure::new().with("Code", 0).with("Name", "pending")));
    let shown: Vec<Structure> = shown.collect();
    Ok(show_reservation(cx, reservation.to_string(), shown))
}

/// The interfaces of a new instance: those the request specifies, or one in the subnet it names.
fn interfaces(
    cx: &mut Cx<'_>,
    input: &Structure,
    instance: Id<Instance>,
    tags: &std::collections::BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let specified: Vec<Structure> = input.structures("NetworkInterfaces").cloned().collect();
    if specified.is_empty() {
        return interface(cx, input, instance, 0, tags, "SecurityGroupIds");
    }
    if ["SubnetId", "SecurityGroupIds", "PrivateIpAddress"].iter().any(|member| input.has(member)) {
        let message = "Network interfaces and an instance-level subnet ID, address or security groups may not be specified on the same request";
        return Err(ApiError::combination(message));
    }
    for one in &specified {
        only(one, &INTERFACE)?;
        let device =
            one.integer("DeviceIndex").ok_or_else(|| ApiError::missing_parameter("NetworkInterface.DeviceIndex"))?;
        let device = u8::try_from(device)
            .map_err(|_| ApiError::invalid_value(format!("Device index {device} is not 0 to 255")))?;
        match one.text("NetworkInterfaceId") {
            None => interface(cx, one, instance, device, tags, "Groups")?,
            Some(id) => {
                let eni = cx.find::<Eni>(id)?.clone();
                if eni.kind != EniKind::Available {
                    return Err(ApiError::new("InvalidNetworkInterface.InUse", format!("Interface: [{id}] in use.")));
                }
                cx.apply([Change::put(Eni { kind: EniKind::Instance { instance, device }, ..eni })])?;
                cx.set_facts(
                    id,
                    [("deleteOnTermination", Some("false".to_owned())), ("attachTime", Some(cx.now.to_string()))],
                )?;
            }
        }
    }
    Ok(())
}

fn interface(
    cx: &mut Cx<'_>,
    input: &Structure,
    instance: Id<Instance>,
    device: u8,
    tags: &std::collections::BTreeMap<String, String>,
    groups: &'static str,
) -> Result<(), ApiError> {
    let subnet = match input.text("SubnetId") {
        Some(id) => cx.find::<Subnet>(id)?.clone(),
        None => default_subnet(cx)?,
    };
    let groups = eni::groups(cx, &subnet, input.texts(groups))?;
    let private: IpAddr = match input.text("PrivateIpAddress") {
        Some(text) => IpAddr::V4(address(text, "privateIpAddress")?),
        None => blocks::free(cx, &subnet, subnet.cidr, &[], 1)?.remove(0),
    };
    let asked = flag(input, "AssociatePublicIpAddress");
    let public = match asked.unwrap_or_else(|| cx.fact(subnet.id, "mapPublicIpOnLaunch") == Some("true")) {
        true => Some(super::address::free(cx)?),
        false => None,
    };
    let mut addresses = vec![EniAddress { private, public }];
    let v6 = cx.fact(subnet.id, "assignIpv6AddressOnCreation") == Some("true");
    let v6 = usize::try_from(input.integer("Ipv6AddressCount").unwrap_or(i64::from(v6))).unwrap_or(0).min(16);
    if v6 > 0 {
        let block = subnet.ipv6_cidr.ok_or_else(|| {
            ApiError::invalid_value(format!("The subnet '{}' does not have an IPv6 CIDR block", subnet.id))
        })?;
        let found = blocks::free(cx, &subnet, block, &[], v6)?;
        addresses.extend(found.into_iter().map(|private| EniAddress { private, public: None }));
    }
    for specification in input.structures("Ipv6Addresses") {
        let private = IpAddr::V6(address(text(specification, "Ipv6Address")?, "ipv6Address")?);
        addresses.push(EniAddress { private, public: None });
    }
    let described = input.iter().find_map(|(name, value)| (name == "Description").then(|| value.as_text()).flatten());
    let new = cx
        .create_tagged::<Eni>(tags.clone())?
        .fact("attachTime", Some(cx.now))
        .fact("deleteOnTermination", flag(input, "DeleteOnTermination").filter(|delete| !delete))
        .fact("description", described);
    let eni = Eni {
        id: new.id,
        name: new.name.clone(),
        subnet: subnet.id,
        addresses,
        groups,
        source_dest_check: true,
        kind: EniKind::Instance { instance, device },
    };
    cx.apply([new.record(), Change::put(eni)])
}

/// A flag that only an interface specification has.
fn flag(input: &Structure, wanted: &str) -> Option<bool> {
    let (_, value) = input.iter().find(|(name, _)| *name == wanted)?;
    if let Value::Boolean(flag) = value { Some(*flag) } else { None }
}

/// The first subnet of the default VPC, for requests that name none.
fn default_subnet(cx: &Cx<'_>) -> Result<Subnet, ApiError> {
    let vpc = security_group::default_vpc(cx)?;
    let mut subnets: Vec<&Subnet> = cx.desired.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc)).collect();
    subnets.sort_by_key(|subnet| subnet.az.to_string());
    let first = subnets.first().map(|subnet| Subnet::clone(subnet));
    first.ok_or_else(|| ApiError::new("MissingInput", "No subnets found for the default VPC"))
}

pub(crate) fn terminate_instances(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["SkipOsShutdown"])?;
    let ids: Vec<&str> = input.texts("InstanceIds").collect();
    for id in &ids {
        cx.find::<Instance>(id)?;
    }
    let mut shown = Vec::new();
    for id in ids {
        let instance = cx.find::<Instance>(id)?.id;
        let enis: Vec<Eni> = cx.desired.dependents_of_kind::<Eni>(Instance::to_ref(instance)).cloned().collect();
        let mut changes = vec![Change::delete(instance)];
        for eni in enis {
            changes.push(match cx.fact(eni.id, "deleteOnTermination") {
                Some("false") => Change::put(Eni { kind: EniKind::Available, ..eni }),
                _ => Change::delete(eni.id),
            });
        }
        cx.apply(changes)?;
        shown.push(
            Structure::new()
                .with("InstanceId", id)
                .with("CurrentState", state(48, "terminated"))
                .with("PreviousState", state(16, "running")),
        );
    }
    Ok(Structure::new().with("TerminatingInstances", shown))
}

fn state(code: i64, name: &'static str) -> Structure {
    Structure::new().with("Code", code).with("Name", name)
}

pub(crate) fn describe_instances(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    // Filters compare instances; replies group them by the reservation that made them.
    let mut output = describe::<Instance>(cx, input, "InstanceIds", "Reservations", PATHS, show)?;
    let mut reservations: Vec<(String, Vec<Structure>)> = Vec::new();
    for instance in output.structures("Reservations") {
        let id = instance.text("InstanceId").unwrap_or("");
        let of = cx.desired.record(id).and_then(|record| record.fact("reservationId")).map(str::to_owned);
        let of = of.unwrap_or_else(|| relation::<Reservation>(id, "lab").to_string());
        match reservations.iter_mut().find(|(have, _)| *have == of) {
            Some((_, instances)) => instances.push(instance.clone()),
            None => reservations.push((of, vec![instance.clone()])),
        }
    }
    let cx = &*cx;
    let shown: Vec<Structure> =
        reservations.into_iter().map(|(id, instances)| show_reservation(cx, id, instances)).collect();
    output.set("Reservations", shown);
    Ok(output)
}

fn show_reservation(cx: &Cx<'_>, id: String, instances: Vec<Structure>) -> Structure {
    Structure::new()
        .with("Groups", Vec::<Structure>::new())
        .with("Instances", instances)
        .with("OwnerId", cx.caller.account.to_string())
        .with("ReservationId", id)
}

/// An instance's interfaces, in the order of devices.
fn enis<'c>(cx: &'c Cx<'_>, instance: &Instance) -> Vec<&'c Eni> {
    let mut enis: Vec<&Eni> = cx.desired.dependents_of_kind::<Eni>(ResourceRef::Instance(instance.id)).collect();
    enis.sort_by_key(|eni| match eni.kind {
        EniKind::Instance { device, .. } => device,
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => u8::MAX,
    });
    enis
}

fn show(cx: &Cx<'_>, instance: &Instance) -> Structure {
    let enis = enis(cx, instance);
    let first = enis.first().copied();
    let subnet = first.and_then(|eni| cx.desired.get(eni.subnet));
    let vpc = first.and_then(|eni| cx.desired.vpc_of(eni.subnet));
    let private = first.and_then(|eni| eni.addresses.iter().find(|address| address.private.is_ipv4()));
    let public = private.and_then(|address| address.public);
    let launched = cx.fact(instance.id, "launchTime").and_then(|time| time.parse::<Timestamp>().ok());
    let index = cx.fact(instance.id, "amiLaunchIndex").and_then(|index| index.parse::<i64>().ok());
    let (_, region) = place(&cx.desired, Instance::to_ref(instance.id));
    let placement = Structure::new()
        .with("AvailabilityZone", subnet.map(|subnet| subnet.az.to_string()))
        .with("AvailabilityZoneId", subnet.map(|subnet| zone_id(&subnet.az)))
        .with("GroupName", "")
        .with("Tenancy", "default");
    let v6 = first.into_iter().flat_map(|eni| &eni.addresses).find(|address| address.private.is_ipv6());
    Structure::new()
        .with("AmiLaunchIndex", index.unwrap_or(0))
        .with("ClientToken", cx.fact(instance.id, "clientToken"))
        .with("ImageId", cx.fact(instance.id, "imageId").unwrap_or("ami-00000000000000000"))
        .with("InstanceId", instance.id.to_string())
        .with("InstanceType", cx.fact(instance.id, "instanceType").unwrap_or("m1.small"))
        .with("Ipv6Address", v6.map(|address| address.private.to_string()))
        .with("LaunchTime", launched)
        .with("Monitoring", Structure::new().with("State", "disabled"))
        .with("NetworkInterfaces", enis.iter().map(|eni| eni::show_in_instance(cx, eni)).collect::<Vec<_>>())
        .with("Placement", placement)
        .with("PrivateDnsName", vpc.zip(private).map(|(vpc, address)| private_name(vpc, address.private)))
        .with("PrivateIpAddress", private.map(|address| address.private.to_string()))
        .with("ProductCodes", Vec::<Structure>::new())
        .with(
            "PublicDnsName",
            public.filter(|_| vpc.is_some_and(|vpc| vpc.dns_hostnames)).map(|public| public_name(&region, public)),
        )
        .with("PublicIpAddress", public.map(|public| public.to_string()))
        .with("SecurityGroups", first.map(|eni| security_group::show_of(cx, eni)))
        .with("SourceDestCheck", first.map(|eni| eni.source_dest_check))
        .with("State", state(16, "running"))
        .with("SubnetId", first.map(|eni| eni.subnet.to_string()))
        .with("Tags", cx.tags(instance))
        .with("VpcId", vpc.map(|vpc| vpc.id.to_string()))
}

pub(crate) const STATUS_PATHS: Paths = &[
    ("instance-state-code", "InstanceState.Code"),
    ("instance-state-name", "InstanceState.Name"),
    ("instance-status.reachability", "InstanceStatus.Details.Status"),
    ("instance-status.status", "InstanceStatus.Status"),
    ("system-status.reachability", "SystemStatus.Details.Status"),
    ("system-status.status", "SystemStatus.Status"),
];

pub(crate) fn describe_instance_status(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let status = || {
        let reachable = Structure::new().with("Name", "reachability").with("Status", "passed");
        Structure::new().with("Status", "ok").with("Details", vec![reachable])
    };
    describe::<Instance>(cx, input, "InstanceIds", "InstanceStatuses", STATUS_PATHS, |cx, instance| {
        let subnet = enis(cx, instance).first().and_then(|eni| cx.desired.get(eni.subnet));
        Structure::new()
            .with("AvailabilityZone", subnet.map(|subnet| subnet.az.to_string()))
            .with("AvailabilityZoneId", subnet.map(|subnet| zone_id(&subnet.az)))
            .with("InstanceId", instance.id.to_string())
            .with("InstanceState", state(16, "running"))
            .with("InstanceStatus", status())
            .with("SystemStatus", status())
    })
}
