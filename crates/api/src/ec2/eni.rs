//! Network interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vpc_model::desired::Noun;
use vpc_model::resource::{Eni, EniAddress, EniKind, Instance, SecurityGroup, Subnet};
use vpc_model::{Change, Id};

use super::place::zone_id;
use super::{address, blocks, owner, private_name, refuse, security_group, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::noun::{Attachment, relation};
use crate::wire::{Structure, Timestamp};

pub(crate) const PATHS: Paths = &[
    ("addresses.association.owner-id", "PrivateIpAddresses.Association.IpOwnerId"),
    ("addresses.association.public-ip", "PrivateIpAddresses.Association.PublicIp"),
    ("addresses.primary", "PrivateIpAddresses.Primary"),
    ("addresses.private-ip-address", "PrivateIpAddresses.PrivateIpAddress"),
    ("group-id", "Groups.GroupId"),
    ("ipv6-addresses.ipv6-address", "Ipv6Addresses.Ipv6Address"),
];

/// What a request says about addresses: the primary one first, then others, then numbers of more.
struct Asked {
    given: Vec<IpAddr>,
    more_v4: usize,
    more_v6: usize,
}

fn count(input: &Structure, member: &'static str) -> Result<usize, ApiError> {
    let number = input.integer(member).unwrap_or(0);
    usize::try_from(number).ok().filter(|n| *n <= 50).ok_or_else(|| {
        ApiError::invalid_value(format!(
            "Value ({number}) for parameter {member} is invalid. 0 to 50 addresses can be asked for"
        ))
    })
}

fn asked(input: &Structure) -> Result<Asked, ApiError> {
    let mut given: Vec<(bool, IpAddr)> = Vec::new();
    if let Some(text) = input.text("PrivateIpAddress") {
        given.push((true, IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?)));
    }
    for specification in input.structures("PrivateIpAddresses") {
        let text = text(specification, "PrivateIpAddress")?;
        let private = IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?);
        given.push((specification.flag("Primary") == Some(true), private));
    }
    if given.iter().filter(|(primary, _)| *primary).count() > 1 {
        return Err(ApiError::combination("Only one primary private IP address can be specified."));
    }
    let (first, rest): (Vec<_>, Vec<_>) = given.into_iter().partition(|(primary, _)| *primary);
    let mut given: Vec<IpAddr> = first.into_iter().chain(rest).map(|(_, private)| private).collect();
    for specification in input.structures("Ipv6Addresses") {
        let text = text(specification, "Ipv6Address")?;
        given.push(IpAddr::V6(address::<Ipv6Addr>(text, "ipv6Address")?));
    }
    let more_v4 = count(input, "SecondaryPrivateIpAddressCount")?;
    Ok(Asked { more_v4, more_v6: count(input, "Ipv6AddressCount")?, given })
}

/// Addresses for a new interface: what was asked for, and at least one IPv4 address.
fn addresses(cx: &Cx<'_>, subnet: &Subnet, asked: Asked) -> Result<Vec<EniAddress>, ApiError> {
    let Asked { mut given, more_v4, more_v6 } = asked;
    let primary = usize::from(!given.iter().any(IpAddr::is_ipv4));
    let found = blocks::free(cx, subnet, subnet.cidr, &given, primary + more_v4)?;
    // The primary address comes first, whether it was given or found.
    let at = if primary == 1 { 0 } else { given.iter().filter(|a| a.is_ipv4()).count() };
    given.splice(at..at, found);
    if more_v6 > 0 {
        let found = blocks::free(cx, subnet, v6_block(subnet)?, &given, more_v6)?;
        given.extend(found);
    }
    Ok(given.into_iter().map(|private| EniAddress { private, public: None }).collect())
}

fn v6_block(subnet: &Subnet) -> Result<vpc_lpm::Prefix, ApiError> {
    subnet
        .ipv6_cidr
        .ok_or_else(|| ApiError::invalid_value(format!("The subnet '{}' does not have an IPv6 CIDR block", subnet.id)))
}

/// The groups that a request names, or the VPC's default one.
pub(crate) fn groups<'i>(
    cx: &Cx<'_>,
    subnet: &Subnet,
    named: impl Iterator<Item = &'i str>,
) -> Result<Vec<Id<SecurityGroup>>, ApiError> {
    let mut groups: Vec<Id<SecurityGroup>> = Vec::new();
    for id in named {
        let group = cx.find::<SecurityGroup>(id)?;
        if group.vpc != subnet.vpc {
            let message = format!(
                "You have specified two resources that belong to different networks: {} and {}",
                group.id, subnet.id
            );
            return Err(ApiError::new("InvalidParameter", message));
        }
        if !groups.contains(&group.id) {
            groups.push(group.id);
        }
    }
    if groups.is_empty() {
        groups.extend(cx.desired.get(subnet.vpc).map(|vpc| vpc.default_group));
    }
    Ok(groups)
}

pub(crate) fn create_network_interface(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &[
            "Ipv4Prefixes",
            "Ipv4PrefixCount",
            "Ipv6Prefixes",
            "Ipv6PrefixCount",
            "EnablePrimaryIpv6",
            "ConnectionTrackingSpecification",
            "Operator",
        ],
    )?;
    if let Some(kind) = input.text("InterfaceType").filter(|kind| *kind != "interface") {
        return Err(ApiError::unsupported(format!("The interface type {kind} is not supported")));
    }
    let subnet = cx.named::<Subnet>(input, "SubnetId")?.clone();
    let groups = groups(cx, &subnet, input.texts("Groups"))?;
    let addresses = addresses(cx, &subnet, asked(input)?)?;
    let new = cx.create::<Eni>(input)?.fact("description", input.text("Description").filter(|text| !text.is_empty()));
    let eni = Eni {
        id: new.id,
        name: new.name.clone(),
        subnet: subnet.id,
        addresses,
        groups,
        source_dest_check: true,
        kind: EniKind::Available,
    };
    cx.apply([new.record(), Change::put(eni)])?;
    Ok(Structure::new()
        .with("NetworkInterface", cx.desired.get(new.id).map(|eni| show(cx, eni).with("Status", "pending")))
        .with("ClientToken", input.text("ClientToken")))
}

/// An interface that belongs to its owner, and not to a service of AWS's.
fn own<'c>(cx: &'c Cx<'_>, input: &Structure) -> Result<&'c Eni, ApiError> {
    let eni = cx.named::<Eni>(input, "NetworkInterfaceId")?;
    match eni.kind {
        EniKind::Available | EniKind::Instance { .. } => Ok(eni),
        EniKind::Endpoint(_) | EniKind::NatGateway(_) => {
            let message =
                format!("You are not allowed to manage '{}', which belongs to {}", eni.id, description_of(eni));
            Err(ApiError::new("OperationNotPermitted", message))
        }
    }
}

pub(crate) fn delete_network_interface(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let eni = own(cx, input)?;
    let id = eni.id;
    if eni.kind != EniKind::Available {
        let message = format!("Network interface '{id}' is currently in use.");
        return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_network_interfaces(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<Eni>(cx, input, "NetworkInterfaceIds", "NetworkInterfaces", PATHS, show)
}

pub(crate) fn describe_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let eni = cx.named::<Eni>(input, "NetworkInterfaceId")?;
    let output = Structure::new().with("NetworkInterfaceId", eni.id.to_string());
    Ok(match text(input, "Attribute")? {
        "description" => output.with("Description", Structure::new().with("Value", description(cx, eni))),
        "groupSet" => output.with("Groups", security_group::show_of(cx, eni)),
        "sourceDestCheck" => output.with("SourceDestCheck", Structure::new().with("Value", eni.source_dest_check)),
        "attachment" => output.with("Attachment", attachment(cx, eni)),
        other => {
            return Err(ApiError::unsupported(format!("The attribute {other} is not supported")));
        }
    })
}

pub(crate) fn modify_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &[
            "EnaSrdSpecification",
            "EnablePrimaryIpv6",
            "ConnectionTrackingSpecification",
            "AssociatePublicIpAddress",
            "AssociatedSubnetIds",
        ],
    )?;
    let mut eni = own(cx, input)?.clone();
    let attributes = ["Attachment", "Description", "Groups", "SourceDestCheck"];
    if attributes.iter().filter(|attribute| input.has(attribute)).count() != 1 {
        return Err(ApiError::combination("Exactly one attribute can be modified at a time"));
    }
    if let Some(text) = input.structure("Description") {
        let text = text.text("Value").filter(|text| !text.is_empty()).map(str::to_owned);
        cx.set_facts(&eni.id.to_string(), [("description", text)])?;
        return Ok(Structure::new());
    }
    if let Some(change) = input.structure("Attachment") {
        let id = text(change, "AttachmentId")?;
        if attachment_id(&eni).is_none_or(|own| own.to_string() != id) {
            let message = format!("The attachment ID '{id}' does not exist");
            return Err(ApiError::new("InvalidAttachmentID.NotFound", message));
        }
        let keep = change.flag("DeleteOnTermination").map(|delete| delete.to_string());
        cx.set_facts(&eni.id.to_string(), [("deleteOnTermination", keep)])?;
        return Ok(Structure::new());
    }
    eni.source_dest_check = input.attribute_flag("SourceDestCheck").unwrap_or(eni.source_dest_check);
    if input.has("Groups") {
        let subnet = cx.desired.get(eni.subnet).ok_or_else(|| ApiError::internal("an interface without a subnet"))?;
        eni.groups = groups(cx, subnet, input.texts("Groups"))?;
    }
    cx.apply([Change::put(eni)])?;
    Ok(Structure::new())
}

pub(crate) fn reset_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut eni = own(cx, input)?.clone();
    eni.source_dest_check = true;
    cx.apply([Change::put(eni)])?;
    Ok(Structure::new())
}

pub(crate) fn attach_network_interface(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["EnaSrdSpecification", "EnaQueueCount"])?;
    let mut eni = own(cx, input)?.clone();
    let instance = cx.named::<Instance>(input, "InstanceId")?.id;
    let device = input.integer("DeviceIndex").ok_or_else(|| ApiError::missing_parameter("deviceIndex"))?;
    let device = u8::try_from(device).map_err(|_| {
        ApiError::invalid_value(format!("Value ({device}) for parameter deviceIndex is invalid. It is 0 to 255"))
    })?;
    if eni.kind != EniKind::Available {
        let message = format!("Interface: [{}] in use.", eni.id);
        return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
    }
    let siblings = cx.desired.dependents_of_kind::<Eni>(Instance::to_ref(instance));
    let zone = |eni: &Eni| cx.desired.get(eni.subnet).map(|subnet| subnet.az.clone());
    if siblings.into_iter().any(|sibling| zone(sibling) != zone(&eni)) {
        let message = format!(
            "You may not attach a network interface to an instance if they are not in the same availability zone: {} and {instance}",
            eni.id
        );
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    eni.kind = EniKind::Instance { instance, device };
    let id = eni.id.to_string();
    let attachment = attachment_id(&eni).map(|id| id.to_string());
    cx.apply([Change::put(eni)])?;
    cx.set_facts(&id, [("attachTime", Some(cx.now.to_string())), ("deleteOnTermination", Some("false".to_owned()))])?;
    Ok(Structure::new().with("AttachmentId", attachment).with("NetworkCardIndex", 0))
}

pub(crate) fn detach_network_interface(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted = text(input, "AttachmentId")?;
    let found = cx.all::<Eni>().find(|eni| attachment_id(eni).is_some_and(|id| id.to_string() == wanted)).cloned();
    let Some(mut eni) = found else {
        let message = format!("The attachment ID '{wanted}' does not exist");
        return Err(ApiError::new("InvalidAttachmentID.NotFound", message));
    };
    if let EniKind::Instance { device: 0, .. } = eni.kind {
        let message = format!("The network interface at device index 0 cannot be detached: {}", eni.id);
        return Err(ApiError::new("OperationNotPermitted", message));
    }
    eni.kind = EniKind::Available;
    let id = eni.id.to_string();
    cx.apply([Change::put(eni)])?;
    cx.set_facts(&id, [("attachTime", None), ("deleteOnTermination", None)])?;
    Ok(Structure::new())
}

pub(crate) fn assign_private(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["Ipv4Prefixes", "Ipv4PrefixCount"])?;
    let mut eni = own(cx, input)?.clone();
    let mut given = Vec::new();
    for text in input.texts("PrivateIpAddresses") {
        given.push(IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?));
    }
    let more = count(input, "SecondaryPrivateIpAddressCount")?;
    match (given.is_empty(), more) {
        (true, 0) => return Err(ApiError::missing_parameter("privateIpAddress")),
        (false, 1..) => {
            return Err(ApiError::combination(
                "privateIpAddress and secondaryPrivateIpAddressCount cannot both be given",
            ));
        }
        (true, _) | (false, 0) => {}
    }
    if input.flag("AllowReassignment") == Some(true) {
        let moved =
            |other: &&Eni| other.subnet == eni.subnet && other.id != eni.id && given.iter().any(|a| other.has(*a));
        if let Some(other) = cx.all::<Eni>().find(moved) {
            return Err(ApiError::unsupported(format!(
                "Moving an address from {} is not supported; unassign it first",
                other.id
            )));
        }
    }
    if more > 0 {
        let subnet = cx.desired.get(eni.subnet).ok_or_else(|| ApiError::internal("an interface without a subnet"))?;
        given = blocks::free(cx, subnet, subnet.cidr, &[], more)?;
    }
    given.retain(|private| !eni.has(*private));
    eni.addresses.extend(given.iter().map(|&private| EniAddress { private, public: None }));
    let id = eni.id.to_string();
    cx.apply([Change::put(eni)])?;
    let shown = given.iter().map(|private| Structure::new().with("PrivateIpAddress", private.to_string()));
    Ok(Structure::new().with("NetworkInterfaceId", id).with("AssignedPrivateIpAddresses", shown.collect::<Vec<_>>()))
}

pub(crate) fn unassign_private(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["Ipv4Prefixes"])?;
    let mut eni = own(cx, input)?.clone();
    for text in input.texts("PrivateIpAddresses") {
        let private = IpAddr::V4(address::<Ipv4Addr>(text, "privateIpAddress")?);
        unassign(&mut eni, private)?;
    }
    cx.apply([Change::put(eni)])?;
    Ok(Structure::new())
}

fn unassign(eni: &mut Eni, private: IpAddr) -> Result<(), ApiError> {
    if private.is_ipv4() && eni.addresses.first().is_some_and(|first| first.private == private) {
        let message = format!("The primary IP address {private} of interface {} cannot be unassigned", eni.id);
        return Err(ApiError::invalid_value(message));
    }
    let before = eni.addresses.len();
    eni.addresses.retain(|address| address.private != private);
    match eni.addresses.len() < before {
        true => Ok(()),
        false => Err(ApiError::invalid_value(format!("Some of {private} are not assigned to interface {}", eni.id))),
    }
}

pub(crate) fn assign_v6(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["Ipv6Prefixes", "Ipv6PrefixCount"])?;
    let mut eni = own(cx, input)?.clone();
    let mut given = Vec::new();
    for text in input.texts("Ipv6Addresses") {
        given.push(IpAddr::V6(address::<Ipv6Addr>(text, "ipv6Address")?));
    }
    let more = count(input, "Ipv6AddressCount")?;
    if given.is_empty() == (more == 0) {
        return Err(ApiError::combination("Exactly one of ipv6Addresses and ipv6AddressCount is needed"));
    }
    if more > 0 {
        let subnet = cx.desired.get(eni.subnet).ok_or_else(|| ApiError::internal("an interface without a subnet"))?;
        given = blocks::free(cx, subnet, v6_block(subnet)?, &[], more)?;
    }
    given.retain(|private| !eni.has(*private));
    eni.addresses.extend(given.iter().map(|&private| EniAddress { private, public: None }));
    let id = eni.id.to_string();
    cx.apply([Change::put(eni)])?;
    let shown: Vec<String> = given.iter().map(IpAddr::to_string).collect();
    Ok(Structure::new().with("AssignedIpv6Addresses", shown).with("NetworkInterfaceId", id))
}

pub(crate) fn unassign_v6(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["Ipv6Prefixes"])?;
    let mut eni = own(cx, input)?.clone();
    let mut gone = Vec::new();
    for text in input.texts("Ipv6Addresses") {
        let private = IpAddr::V6(address::<Ipv6Addr>(text, "ipv6Address")?);
        unassign(&mut eni, private)?;
        gone.push(private.to_string());
    }
    let id = eni.id.to_string();
    cx.apply([Change::put(eni)])?;
    Ok(Structure::new().with("NetworkInterfaceId", id).with("UnassignedIpv6Addresses", gone))
}

fn attachment_id(eni: &Eni) -> Option<Id<Attachment>> {
    match eni.kind {
        EniKind::Available => None,
        EniKind::Endpoint(endpoint) => Some(relation(eni.id, endpoint)),
        EniKind::Instance { instance, .. } => Some(relation(eni.id, instance)),
        EniKind::NatGateway(gateway) => Some(relation(eni.id, gateway)),
    }
}

fn attachment(cx: &Cx<'_>, eni: &Eni) -> Option<Structure> {
    let base = Structure::new().with("AttachmentId", attachment_id(eni)?.to_string()).with("Status", "attached");
    Some(match eni.kind {
        EniKind::Instance { instance, device } => {
            let time = cx.fact(eni.id, "attachTime").and_then(|time| time.parse::<Timestamp>().ok());
            base.with("AttachTime", time)
                .with("DeleteOnTermination", cx.fact(eni.id, "deleteOnTermination") != Some("false"))
                .with("DeviceIndex", device)
                .with("InstanceId", instance.to_string())
                .with("InstanceOwnerId", owner(cx, instance))
                .with("NetworkCardIndex", 0)
        }
        EniKind::Available | EniKind::Endpoint(_) | EniKind::NatGateway(_) => {
            base.with("DeleteOnTermination", false).with("DeviceIndex", 1).with("InstanceOwnerId", "amazon-aws")
        }
    })
}

/// What AWS writes on interfaces of its own.
fn description_of(eni: &Eni) -> String {
    match eni.kind {
        EniKind::Available | EniKind::Instance { .. } => String::new(),
        EniKind::Endpoint(endpoint) => format!("VPC Endpoint Interface {endpoint}"),
        EniKind::NatGateway(gateway) => format!("Interface for NAT Gateway {gateway}"),
    }
}

fn description(cx: &Cx<'_>, eni: &Eni) -> String {
    cx.fact(eni.id, "description").map_or_else(|| description_of(eni), str::to_owned)
}

/// A locally administered address that is always the same for the interface.
fn mac(eni: &Eni) -> String {
    let [.., a, b, c, d, e] = eni.id.low().to_be_bytes();
    format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
}

fn show(cx: &Cx<'_>, eni: &Eni) -> Structure {
    let subnet = cx.desired.get(eni.subnet);
    let vpc = cx.desired.vpc_of(eni.subnet);
    let names = vpc.filter(|vpc| vpc.dns_hostnames);
    let name = |private: IpAddr| vpc.map(|vpc| private_name(vpc, private));
    let v4: Vec<&EniAddress> = eni.addresses.iter().filter(|address| address.private.is_ipv4()).collect();
    let private = v4.iter().enumerate().map(|(i, address)| {
        Structure::new()
            .with("Association", super::address::show_association(cx, eni, address))
            .with("Primary", i == 0)
            .with("PrivateDnsName", names.and_then(|_| name(address.private)))
            .with("PrivateIpAddress", address.private.to_string())
    });
    let v6: Vec<String> = eni
        .addresses
        .iter()
        .filter(|address| address.private.is_ipv6())
        .map(|address| address.private.to_string())
        .collect();
    let managed = match eni.kind {
        EniKind::Available | EniKind::Instance { .. } => None,
        EniKind::Endpoint(_) => Some(("vpc_endpoint", "vpc-endpoint")),
        EniKind::NatGateway(_) => Some(("nat_gateway", "nat-gateway")),
    };
    Structure::new()
        .with("Association", v4.first().and_then(|address| super::address::show_association(cx, eni, address)))
        .with("Attachment", attachment(cx, eni))
        .with("AvailabilityZone", subnet.map(|subnet| subnet.az.to_string()))
        .with("AvailabilityZoneId", subnet.map(|subnet| zone_id(&subnet.az)))
        .with("Description", description(cx, eni))
        .with("Groups", security_group::show_of(cx, eni))
        .with("InterfaceType", managed.map_or("interface", |(kind, _)| kind))
        .with("Ipv6Address", v6.first().cloned())
        .with("Ipv6Addresses", v6.iter().map(|a| Structure::new().with("Ipv6Address", a.as_str())).collect::<Vec<_>>())
        .with("MacAddress", mac(eni))
        .with("NetworkInterfaceId", eni.id.to_string())
        .with("OwnerId", owner(cx, eni.id))
        .with("PrivateDnsName", v4.first().filter(|_| names.is_some()).and_then(|address| name(address.private)))
        .with("PrivateIpAddress", v4.first().map(|address| address.private.to_string()))
        .with("PrivateIpAddresses", private.collect::<Vec<_>>())
        .with("RequesterId", managed.map(|(_, requester)| requester))
        .with("RequesterManaged", managed.is_some())
        .with("SourceDestCheck", eni.source_dest_check)
        .with("Status", if eni.kind == EniKind::Available { "available" } else { "in-use" })
        .with("SubnetId", eni.subnet.to_string())
        .with("TagSet", cx.tags(eni))
        .with("VpcId", vpc.map(|vpc| vpc.id.to_string()))
}

/// An interface as its instance shows it: with fewer members, and some under other names.
pub(crate) fn show_in_instance(cx: &Cx<'_>, eni: &Eni) -> Structure {
    let shown = show(cx, eni);
    let of_network =
        ["AvailabilityZone", "AvailabilityZoneId", "Ipv6Address", "RequesterId", "RequesterManaged", "TagSet"];
    of_network
        .iter()
        .fold(shown, |shown, member| shown.without(member))
        .without("Association")
        .with("Association", eni.addresses.first().and_then(|address| association_in_instance(cx, eni, address)))
        .with("Attachment", attachment(cx, eni).map(|shown| shown.without("InstanceId").without("InstanceOwnerId")))
        .with(
            "PrivateIpAddresses",
            show(cx, eni)
                .structures("PrivateIpAddresses")
                .zip(eni.addresses.iter().filter(|address| address.private.is_ipv4()))
                .map(|(shown, address)| {
                    shown.clone().without("Association").with("Association", association_in_instance(cx, eni, address))
                })
                .collect::<Vec<_>>(),
        )
}

fn association_in_instance(cx: &Cx<'_>, eni: &Eni, address: &EniAddress) -> Option<Structure> {
    super::address::show_association(cx, eni, address)
        .map(|shown| shown.without("AllocationId").without("AssociationId"))
}
