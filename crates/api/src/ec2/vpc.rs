//! VPCs.

use std::collections::BTreeMap;

use vpc_lpm::Prefix;
use vpc_model::desired::{Noun, Problem};
use vpc_model::resource::{
    AclEntry, AclKey, Action, Direction, NetworkAcl, Peer, RouteTable, RuleNumber, SecurityGroup, SecurityGroupRule,
    Subnet, Traffic, Vpc,
};
use vpc_model::{Change, Id, Violation};

use super::{cidr_of, owner, refuse, text};
use crate::ApiError;
use crate::call::{Cx, New};
use crate::describe::{Paths, describe};
use crate::noun::{VpcBlock, relation};
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[
    ("cidr", "CidrBlock"),
    ("cidr-block-association.cidr-block", "CidrBlockAssociationSet.CidrBlock"),
    ("cidr-block-association.association-id", "CidrBlockAssociationSet.AssociationId"),
    ("cidr-block-association.state", "CidrBlockAssociationSet.CidrBlockState.State"),
    ("ipv6-cidr-block-association.ipv6-cidr-block", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
    ("ipv6-cidr-block-association.ipv6-pool", "Ipv6CidrBlockAssociationSet.Ipv6Pool"),
    ("ipv6-cidr-block-association.association-id", "Ipv6CidrBlockAssociationSet.AssociationId"),
    ("ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"),
];

/// The account's default VPC in a Region (R1.20).
const DEFAULT_BLOCK: &str = "172.31.0.0/16";

pub(crate) fn create_vpc(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &[
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6IpamPoolId",
            "Ipv6NetmaskLength",
            "Ipv6Pool",
            "Ipv6CidrBlock",
            "VpcEncryptionControl",
        ],
    )?;
    let block = cidr_of(text(input, "CidrBlock")?, "cidrBlock", true)?;
    let new =
        cx.create::<Vpc>(input)?.fact("instanceTenancy", input.text("InstanceTenancy").filter(|t| *t != "default"));
    let id = make(cx, &new, block, input.flag("AmazonProvidedIpv6CidrBlock") == Some(true), false)?;
    Ok(Structure::new().with("Vpc", cx.desired.get(id).map(|vpc| show(cx, vpc))))
}

pub(crate) fn create_default_vpc(cx: &mut Cx<'_>, _: &Structure) -> Result<Structure, ApiError> {
    if cx.all::<Vpc>().any(|vpc| is_default(cx, vpc)) {
        let message = "A Default VPC already exists for this account in this region.";
        return Err(ApiError::new("DefaultVpcAlreadyExists", message));
    }
    let new = cx.create_tagged::<Vpc>(BTreeMap::new())?.fact("isDefault", Some(true));
    let block = cidr_of(DEFAULT_BLOCK, "cidrBlock", true)?;
    let id = make(cx, &new, block, false, true)?;
    super::subnet::create_defaults(cx, id)?;
    super::gateway::create_default(cx, id)?;
    Ok(Structure::new().with("Vpc", cx.desired.get(id).map(|vpc| show(cx, vpc))))
}

/// A VPC with the table, network ACL and security group that it cannot be without (R1.7).
fn make(cx: &mut Cx<'_>, new: &New<Vpc>, block: Prefix, ipv6: bool, dns_hostnames: bool) -> Result<Id<Vpc>, ApiError> {
    let (table, acl, group) = (cx.fresh::<RouteTable>(), cx.fresh::<NetworkAcl>(), cx.fresh::<SecurityGroup>());
    let rule = |direction, peer, id| SecurityGroupRule { id: Id::new(id), direction, traffic: Traffic::All, peer };
    let rules = vec![
        rule(Direction::Ingress, Peer::Group(group), cx.random()),
        rule(Direction::Egress, Peer::Prefix(Prefix::DEFAULT_V4), cx.random()),
    ];
    let vpc = Vpc {
        id: new.id,
        name: new.name.clone(),
        account: cx.caller.account,
        region: cx.caller.region.clone(),
        cidrs: vec![block],
        ipv6_cidrs: if ipv6 { vec![amazon_block(cx)?] } else { Vec::new() },
        main_table: table,
        default_acl: acl,
        default_group: group,
        dns_support: true,
        dns_hostnames,
    };
    let mut record = vpc_model::Record::default();
    record.facts.insert("groupName".to_owned(), "default".to_owned());
    record.facts.insert("description".to_owned(), "default VPC security group".to_owned());
    cx.apply([
        new.record(),
        Change::put(vpc),
        Change::put(RouteTable { id: table, name: None, vpc: new.id, routes: BTreeMap::new() }),
        Change::put(NetworkAcl { id: acl, name: None, vpc: new.id, entries: open_entries(ipv6) }),
        Change::put(SecurityGroup { id: group, name: None, vpc: new.id, rules }),
        Change::Record { id: group.to_string(), record },
    ])
    .map_err(vpc_range)?;
    Ok(new.id)
}

/// What a default network ACL says: everything may pass, of each family that the VPC has (R8.22).
fn open_entries(ipv6: bool) -> BTreeMap<AclKey, AclEntry> {
    let mut entries = BTreeMap::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        let families = [(true, 100, Prefix::DEFAULT_V4), (ipv6, 101, Prefix::DEFAULT_V6)];
        for (_, number, cidr) in families.into_iter().filter(|(there, _, _)| *there) {
            if let Ok(number) = RuleNumber::new(number) {
                entries.insert(
                    AclKey { direction, number },
                    AclEntry { action: Action::Allow, traffic: Traffic::All, cidr },
                );
            }
        }
    }
    entries
}

/// EC2's API says `InvalidVpc.Range` where the model's table says `InvalidVpcRange`.
fn vpc_range(error: ApiError) -> ApiError {
    match error.code.as_ref() {
        "InvalidVpcRange" => ApiError { code: "InvalidVpc.Range".into(), ..error },
        "InvalidSubnet.Conflict" => ApiError { code: "InvalidVpc.Range".into(), ..error },
        _ => error,
    }
}

/// A /56 of 2600:1f00::/32 that no VPC has.
fn amazon_block(cx: &mut Cx<'_>) -> Result<Prefix, ApiError> {
    loop {
        let bits = (0x2600_1f00_u128 << 96) | (u128::from(cx.random() & 0xff_ffff) << 72);
        let block = Prefix::truncating(std::net::Ipv6Addr::from_bits(bits).into(), 56)
            .map_err(|error| ApiError::internal(error.to_string()))?;
        if !cx.desired.iter::<Vpc>().any(|vpc| vpc.blocks().any(|other| other.overlaps(block))) {
            return Ok(block);
        }
    }
}

pub(crate) fn delete_vpc(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?;
    let (id, own) = (
        vpc.id,
        [
            RouteTable::to_ref(vpc.main_table),
            NetworkAcl::to_ref(vpc.default_acl),
            SecurityGroup::to_ref(vpc.default_group),
        ],
    );
    if let Some(by) = cx.desired.dependents(Vpc::to_ref(id)).find(|by| !own.contains(by)) {
        let what = Vpc::to_ref(id);
        let violation = Violation { resource: what, field: "id", problem: Problem::DependencyViolation { what, by } };
        let message = format!("The vpc '{id}' has dependencies and cannot be deleted: {violation}");
        return Err(ApiError::new("DependencyViolation", message));
    }
    cx.apply(own.into_iter().chain([Vpc::to_ref(id)]).map(Change::Delete))?;
    Ok(Structure::new())
}

pub(crate) fn describe_vpcs(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<Vpc>(cx, input, "VpcIds", "Vpcs", PATHS, show)
}

pub(crate) fn describe_vpc_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?;
    let value = |flag: bool| Structure::new().with("Value", flag);
    let output = Structure::new().with("VpcId", vpc.id.to_string());
    Ok(match text(input, "Attribute")? {
        "enableDnsSupport" => output.with("EnableDnsSupport", value(vpc.dns_support)),
        "enableDnsHostnames" => output.with("EnableDnsHostnames", value(vpc.dns_hostnames)),
        _ => {
            let metrics = cx.fact(vpc.id, "enableNetworkAddressUsageMetrics") == Some("true");
            output.with("EnableNetworkAddressUsageMetrics", value(metrics))
        }
    })
}

pub(crate) fn modify_vpc_attribute(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let attributes = ["EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics"];
    if attributes.iter().filter(|attribute| input.has(attribute)).count() != 1 {
        return Err(ApiError::combination("Exactly one attribute can be modified at a time"));
    }
    let mut vpc = cx.named::<Vpc>(input, "VpcId")?.clone();
    if let Some(metrics) = input.attribute_flag("EnableNetworkAddressUsageMetrics") {
        let value = metrics.then(|| "true".to_owned());
        cx.set_facts(&vpc.id.to_string(), [("enableNetworkAddressUsageMetrics", value)])?;
        return Ok(Structure::new());
    }
    vpc.dns_support = input.attribute_flag("EnableDnsSupport").unwrap_or(vpc.dns_support);
    vpc.dns_hostnames = input.attribute_flag("EnableDnsHostnames").unwrap_or(vpc.dns_hostnames);
    cx.apply([Change::put(vpc)])?;
    Ok(Structure::new())
}

pub(crate) fn associate_vpc_cidr_block(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    refuse(
        input,
        &["Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength", "Ipv6Pool", "Ipv6CidrBlock"],
    )?;
    let mut vpc = cx.named::<Vpc>(input, "VpcId")?.clone();
    let v6 = input.flag("AmazonProvidedIpv6CidrBlock") == Some(true);
    let block = match (input.text("CidrBlock"), v6) {
        (Some(_), true) => {
            return Err(ApiError::combination("Only one of CidrBlock and AmazonProvidedIpv6CidrBlock can be given"));
        }
        (Some(block), false) => cidr_of(block, "cidrBlock", true)?,
        (None, true) => amazon_block(cx)?,
        (None, false) => return Err(ApiError::missing_parameter("CidrBlock")),
    };
    if vpc.blocks().any(|other| other.overlaps(block)) {
        let message = format!("The CIDR '{block}' conflicts with another subnet or block of '{}'", vpc.id);
        return Err(ApiError::new("InvalidVpc.Range", message));
    }
    if vpc.cidrs.len() >= 5 && !v6 || vpc.ipv6_cidrs.len() >= 5 && v6 {
        let message = format!("The maximum number of CIDR blocks for '{}' has been reached: 5", vpc.id);
        return Err(ApiError::new("CidrLimitExceeded", message));
    }
    if v6 {
        vpc.ipv6_cidrs.push(block)
    } else {
        vpc.cidrs.push(block)
    }
    let id = vpc.id;
    let acl = cx.desired.get(vpc.default_acl).filter(|_| v6).cloned();
    let opened = acl.map(|mut acl| {
        for (key, entry) in open_entries(true) {
            acl.entries.entry(key).or_insert(entry);
        }
        Change::put(acl)
    });
    cx.apply(opened.into_iter().chain([Change::put(vpc)])).map_err(vpc_range)?;
    Ok(association(id, block, "associating"))
}

pub(crate) fn disassociate_vpc_cidr_block(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted = text(input, "AssociationId")?;
    let is_it = |vpc: &Vpc, block| relation::<VpcBlock>(vpc.id, block).to_string() == wanted;
    let found =
        cx.all::<Vpc>().find_map(|vpc| vpc.blocks().find(|&block| is_it(vpc, block)).map(|block| (vpc.clone(), block)));
    let Some((mut vpc, block)) = found else {
        let message = format!("The vpc CIDR block association ID '{wanted}' does not exist");
        return Err(ApiError::new("InvalidVpcCidrBlockAssociationID.NotFound", message));
    };
    if vpc.cidrs.first() == Some(&block) {
        let message = format!(
            "The vpc CIDR block with association ID {wanted} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
        );
        return Err(ApiError::new("OperationNotPermitted", message));
    }
    let inside = cx
        .desired
        .dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id))
        .find(|subnet| subnet.blocks().any(|b| block.covers(b)))
        .map(|subnet| subnet.id);
    if let Some(subnet) = inside {
        let message = format!("The vpc CIDR block '{block}' is used by subnet '{subnet}'");
        return Err(ApiError::new("DependencyViolation", message));
    }
    vpc.cidrs.retain(|other| *other != block);
    vpc.ipv6_cidrs.retain(|other| *other != block);
    let id = vpc.id;
    cx.apply([Change::put(vpc)])?;
    Ok(association(id, block, "disassociating"))
}

fn association(vpc: Id<Vpc>, block: Prefix, state: &'static str) -> Structure {
    let member = if block.is_ipv4() { "CidrBlockAssociation" } else { "Ipv6CidrBlockAssociation" };
    Structure::new().with(member, show_block(vpc, block, state)).with("VpcId", vpc.to_string())
}

fn show_block(vpc: Id<Vpc>, block: Prefix, state: &'static str) -> Structure {
    let state = Structure::new().with("State", state);
    let base = Structure::new().with("AssociationId", relation::<VpcBlock>(vpc, block).to_string());
    match block.is_ipv4() {
        true => base.with("CidrBlock", block.to_string()).with("CidrBlockState", state),
        false => {
            base.with("Ipv6CidrBlock", block.to_string()).with("Ipv6CidrBlockState", state).with("Ipv6Pool", "Amazon")
        }
    }
}

/// Whether a VPC is its account's default one.
pub(crate) fn is_default(cx: &Cx<'_>, vpc: &Vpc) -> bool {
    cx.fact(vpc.id, "isDefault") == Some("true")
}

fn show(cx: &Cx<'_>, vpc: &Vpc) -> Structure {
    let blocks = |blocks: &[Prefix]| blocks.iter().map(|&b| show_block(vpc.id, b, "associated")).collect::<Vec<_>>();
    let v6 = (!vpc.ipv6_cidrs.is_empty()).then(|| blocks(&vpc.ipv6_cidrs));
    Structure::new()
        .with("CidrBlock", vpc.cidrs.first().map(Prefix::to_string))
        .with("CidrBlockAssociationSet", blocks(&vpc.cidrs))
        .with("DhcpOptionsId", "default")
        .with("InstanceTenancy", cx.fact(vpc.id, "instanceTenancy").unwrap_or("default"))
        .with("Ipv6CidrBlockAssociationSet", v6.unwrap_or_default())
        .with("IsDefault", is_default(cx, vpc))
        .with("OwnerId", owner(cx, vpc.id))
        .with("State", "available")
        .with("Tags", cx.tags(vpc))
        .with("VpcId", vpc.id.to_string())
}
