//! Subnets.

use std::collections::BTreeMap;

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{Az, Subnet, Vpc};
use vpc_model::{Change, Id};

use super::place::{zone_id, zones};
use super::{arn, blocks, cidr_of, owner, refuse, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::noun::{SubnetBlock, place, relation};
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[
    ("ipv6-cidr-block-association.ipv6-cidr-block", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
    ("ipv6-cidr-block-association.association-id", "Ipv6CidrBlockAssociationSet.AssociationId"),
    ("ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"),
    ("availability-zone", "AvailabilityZone"),
    ("available-ip-address-count", "AvailableIpAddressCount"),
    ("enable-dns64", "EnableDns64"),
    ("private-dns-name-options-on-launch.hostname-type", "PrivateDnsNameOptionsOnLaunch.HostnameType"),
    (
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
        "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord",
    ),
    (
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
        "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord",
    ),
];

pub(crate) fn create_subnet(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &["OutpostArn", "Ipv6Native", "Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength"],
    )?;
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    let cidr = cidr_of(text(input, "CidrBlock")?, "cidrBlock", true)?;
    let ipv6_cidr = input.text("Ipv6CidrBlock").map(|text| cidr_of(text, "ipv6CidrBlock", false)).transpose()?;
    let az = zone(cx, input)?;
    let new = cx.create::<Subnet>(input)?;
    let subnet = Subnet { id: new.id, name: new.name.clone(), vpc, az, cidr, ipv6_cidr, table: None, acl: None };
    cx.apply([new.record(), Change::put(subnet)])?;
    Ok(Structure::new().with("Subnet", cx.desired.get(new.id).map(|subnet| show(cx, subnet))))
}

/// The zone that a request names, or the Region's first.
fn zone(cx: &Cx<'_>, input: &Structure) -> Result<Az, ApiError> {
    let known = zones(&cx.caller.region);
    let wanted = match (input.text("AvailabilityZone"), input.text("AvailabilityZoneId")) {
        (Some(_), Some(_)) => {
            return Err(ApiError::combination("Only one of availabilityZone and availabilityZoneId can be given"));
        }
        (None, None) => {
            return known.into_iter().next().ok_or_else(|| ApiError::internal("a Region without zones"));
        }
        (Some(name), None) => known.iter().find(|az| az.to_string() == name).ok_or(("availabilityZone", name)),
        (None, Some(id)) => known.iter().find(|az| zone_id(az) == id).ok_or(("availabilityZoneId", id)),
    };
    wanted.cloned().map_err(|(member, value)| {
        let names: Vec<String> = known.iter().map(Az::to_string).collect();
        ApiError::invalid_value(format!(
            "Value ({value}) for parameter {member} is invalid. Subnets can currently only be created in the following availability zones: {}.",
            names.join(", ")
        ))
    })
}

/// One default subnet per zone of a default VPC: 172.31.0.0/20, 172.31.16.0/20 …
pub(crate) fn create_defaults(cx: &mut Cx<'_>, vpc: Id<Vpc>) -> Result<(), ApiError> {
    for (az, second) in zones(&cx.caller.region).into_iter().zip((0_u8..).step_by(16)) {
        let cidr =
            Prefix::truncating([172, 31, second, 0].into(), 20).map_err(|e| ApiError::internal(e.to_string()))?;
        let new = cx
            .create_tagged::<Subnet>(BTreeMap::new())?
            .fact("defaultForAz", Some(true))
            .fact("mapPublicIpOnLaunch", Some(true));
        let subnet = Subnet { id: new.id, name: None, vpc, az, cidr, ipv6_cidr: None, table: None, acl: None };
        cx.apply([new.record(), Change::put(subnet)])?;
    }
    Ok(())
}

pub(crate) fn delete_subnet(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let id = cx.named::<Subnet>(input, "SubnetId")?.id;
    if cx.desired.dependents(Subnet::to_ref(id)).next().is_some() {
        let message = format!("The subnet '{id}' has dependencies and cannot be deleted.");
        return Err(ApiError::new("DependencyViolation", message));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_subnets(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<Subnet>(cx, input, "SubnetIds", "Subnets", PATHS, show)
}

/// Attributes that launches look at and packets do not, by their input member.
const FLAGS: [(&str, &str); 5] = [
    ("AssignIpv6AddressOnCreation", "assignIpv6AddressOnCreation"),
    ("EnableDns64", "enableDns64"),
    ("EnableResourceNameDnsAAAARecordOnLaunch", "enableResourceNameDnsAAAARecord"),
    ("EnableResourceNameDnsARecordOnLaunch", "enableResourceNameDnsARecord"),
    ("MapPublicIpOnLaunch", "mapPublicIpOnLaunch"),
];

pub(crate) fn modify_subnet_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &["MapCustomerOwnedIpOnLaunch", "CustomerOwnedIpv4Pool", "EnableLniAtDeviceIndex", "DisableLniAtDeviceIndex"],
    )?;
    let subnet = cx.named::<Subnet>(input, "SubnetId")?;
    let id = subnet.id.to_string();
    if input.attribute_flag("AssignIpv6AddressOnCreation") == Some(true) && subnet.ipv6_cidr.is_none() {
        let message = format!(
            "Invalid value 'true' for assignIpv6AddressOnCreation. Subnet {id} does not have an IPv6 CIDR block"
        );
        return Err(ApiError::invalid_value(message));
    }
    let host = input.text("PrivateDnsHostnameTypeOnLaunch");
    let flags = FLAGS.iter().filter_map(|(member, fact)| Some((*fact, input.attribute_flag(member)?)));
    let mut facts: Vec<_> = flags.map(|(fact, flag)| (fact, flag.then(|| "true".to_owned()))).collect();
    facts.extend(host.map(|host| ("hostnameType", Some(host.to_owned()))));
    if facts.len() != 1 {
        return Err(ApiError::combination("Exactly one attribute can be modified at a time"));
    }
    cx.set_facts(&id, facts)?;
    Ok(Structure::new())
}

pub(crate) fn associate_subnet_cidr_block(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(input, &["Ipv6IpamPoolId", "Ipv6NetmaskLength"])?;
    let mut subnet = cx.named::<Subnet>(input, "SubnetId")?.clone();
    let block = cidr_of(text(input, "Ipv6CidrBlock")?, "ipv6CidrBlock", false)?;
    if let Some(have) = subnet.ipv6_cidr {
        let message = format!("The subnet '{}' has the IPv6 CIDR block {have} already", subnet.id);
        return Err(ApiError::new("InvalidSubnet.Conflict", message));
    }
    subnet.ipv6_cidr = Some(block);
    let id = subnet.id;
    cx.apply([Change::put(subnet)])?;
    Ok(Structure::new()
        .with("Ipv6CidrBlockAssociation", show_block(id, block, "associating"))
        .with("SubnetId", id.to_string()))
}

pub(crate) fn disassociate_subnet_cidr_block(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted = text(input, "AssociationId")?;
    let block_of = |s: &Subnet| s.ipv6_cidr.filter(|&b| relation::<SubnetBlock>(s.id, b).to_string() == wanted);
    let found = cx.all::<Subnet>().find_map(|subnet| Some((subnet.clone(), block_of(subnet)?)));
    let Some((mut subnet, block)) = found else {
        let message = format!("The subnet CIDR block association ID '{wanted}' does not exist");
        return Err(ApiError::new("InvalidSubnetCidrBlockAssociationID.NotFound", message));
    };
    if blocks::used(cx, &subnet).iter().any(|address| address.is_ipv6()) {
        let message = format!("The IPv6 CIDR block {block} of '{}' is in use", subnet.id);
        return Err(ApiError::new("DependencyViolation", message));
    }
    subnet.ipv6_cidr = None;
    let id = subnet.id;
    cx.apply([Change::put(subnet)])?;
    Ok(Structure::new()
        .with("Ipv6CidrBlockAssociation", show_block(id, block, "disassociating"))
        .with("SubnetId", id.to_string()))
}

fn show_block(subnet: Id<Subnet>, block: Prefix, state: &'static str) -> Structure {
    Structure::new()
        .with("AssociationId", relation::<SubnetBlock>(subnet, block).to_string())
        .with("Ipv6CidrBlock", block.to_string())
        .with("Ipv6CidrBlockState", Structure::new().with("State", state))
}

fn show(cx: &Cx<'_>, subnet: &Subnet) -> Structure {
    let flag = |fact: &str| cx.fact(subnet.id, fact) == Some("true");
    let (account, region) = place(&cx.desired, Subnet::to_ref(subnet.id));
    let v6 = subnet.ipv6_cidr.iter().map(|&block| show_block(subnet.id, block, "associated"));
    let names = Structure::new()
        .with("HostnameType", cx.fact(subnet.id, "hostnameType").unwrap_or("ip-name"))
        .with("EnableResourceNameDnsARecord", flag("enableResourceNameDnsARecord"))
        .with("EnableResourceNameDnsAAAARecord", flag("enableResourceNameDnsAAAARecord"));
    Structure::new()
        .with("AssignIpv6AddressOnCreation", flag("assignIpv6AddressOnCreation"))
        .with("AvailabilityZone", subnet.az.to_string())
        .with("AvailabilityZoneId", zone_id(&subnet.az))
        .with("AvailableIpAddressCount", blocks::available(cx, subnet))
        .with("CidrBlock", subnet.cidr.to_string())
        .with("DefaultForAz", flag("defaultForAz"))
        .with("EnableDns64", flag("enableDns64"))
        .with("Ipv6CidrBlockAssociationSet", v6.collect::<Vec<_>>())
        .with("Ipv6Native", false)
        .with("MapCustomerOwnedIpOnLaunch", false)
        .with("MapPublicIpOnLaunch", flag("mapPublicIpOnLaunch"))
        .with("OwnerId", owner(cx, subnet.id))
        .with("PrivateDnsNameOptionsOnLaunch", names)
        .with("State", "available")
        .with("SubnetArn", arn(&region, account, "subnet", subnet.id))
        .with("SubnetId", subnet.id.to_string())
        .with("Tags", cx.tags(subnet))
        .with("VpcId", subnet.vpc.to_string())
}
