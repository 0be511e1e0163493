//! Network ACLs.

use std::collections::BTreeMap;

use vpc_model::desired::Noun;
use vpc_model::resource::{
    AclEntry, AclKey, Action, Direction, IcmpMatch, NetworkAcl, PortRange, RuleNumber, Subnet, Traffic, Vpc,
};
use vpc_model::{Change, Id};

use super::{cidr_of, owner, text};
use crate::ApiError;
use crate::call::Cx;
use crate::describe::{Paths, describe};
use crate::noun::{AclAssociation, relation};
use crate::wire::Structure;

pub(crate) const PATHS: Paths = &[
    ("association.association-id", "Associations.NetworkAclAssociationId"),
    ("association.network-acl-id", "Associations.NetworkAclId"),
    ("association.subnet-id", "Associations.SubnetId"),
    ("default", "IsDefault"),
    ("entry.cidr", "Entries.CidrBlock"),
    ("entry.egress", "Entries.Egress"),
    ("entry.icmp.code", "Entries.IcmpTypeCode.Code"),
    ("entry.icmp.type", "Entries.IcmpTypeCode.Type"),
    ("entry.ipv6-cidr", "Entries.Ipv6CidrBlock"),
    ("entry.port-range.from", "Entries.PortRange.From"),
    ("entry.port-range.to", "Entries.PortRange.To"),
    ("entry.protocol", "Entries.Protocol"),
    ("entry.rule-action", "Entries.RuleAction"),
    ("entry.rule-number", "Entries.RuleNumber"),
];

pub(crate) fn create_network_acl(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let vpc = cx.named::<Vpc>(input, "VpcId")?.id;
    let new = cx.create::<NetworkAcl>(input)?;
    let acl = NetworkAcl { id: new.id, name: new.name.clone(), vpc, entries: BTreeMap::new() };
    cx.apply([new.record(), Change::put(acl)])?;
    Ok(Structure::new()
        .with("NetworkAcl", cx.desired.get(new.id).map(|acl| show(cx, acl)))
        .with("ClientToken", input.text("ClientToken")))
}

pub(crate) fn delete_network_acl(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let acl = cx.named::<NetworkAcl>(input, "NetworkAclId")?;
    let id = acl.id;
    if is_default(cx, acl) {
        let message = format!("cannot delete default network ACL {id}");
        return Err(ApiError::invalid_value(message));
    }
    if cx.desired.dependents(NetworkAcl::to_ref(id)).next().is_some() {
        let message = format!("The networkAcl '{id}' has dependencies and cannot be deleted.");
        return Err(ApiError::new("DependencyViolation", message));
    }
    cx.apply([Change::delete(id)])?;
    Ok(Structure::new())
}

pub(crate) fn describe_network_acls(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    describe::<NetworkAcl>(cx, input, "NetworkAclIds", "NetworkAcls", PATHS, show)
}

pub(crate) fn create_entry(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    put_entry(cx, input, false)
}

pub(crate) fn replace_entry(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    put_entry(cx, input, true)
}

fn put_entry(cx: &mut Cx<'_>, input: &Structure, replace: bool) -> Result<Structure, ApiError> {
    let mut acl = cx.named::<NetworkAcl>(input, "NetworkAclId")?.clone();
    let key = key(input)?;
    let cidr = match (input.text("CidrBlock"), input.text("Ipv6CidrBlock")) {
        (Some(v4), None) => cidr_of(v4, "cidrBlock", true)?,
        (None, Some(v6)) => cidr_of(v6, "ipv6CidrBlock", false)?,
        (None, None) => return Err(ApiError::missing_parameter("cidrBlock")),
        (Some(_), Some(_)) => {
            return Err(ApiError::combination("Only one of cidrBlock and ipv6CidrBlock can be given"));
        }
    };
    let action = if text(input, "RuleAction")? == "allow" { Action::Allow } else { Action::Deny };
    let entry = AclEntry { action, traffic: traffic(input)?, cidr };
    match (acl.entries.contains_key(&key), replace) {
        (true, false) => {
            let message = format!("The network acl entry identified by {} already exists.", key.number);
            return Err(ApiError::new("NetworkAclEntryAlreadyExists", message));
        }
        (false, true) => return Err(no_entry(key)),
        (true, true) | (false, false) => {}
    }
    acl.entries.insert(key, entry);
    cx.apply([Change::put(acl)])?;
    Ok(Structure::new())
}

pub(crate) fn delete_entry(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let mut acl = cx.named::<NetworkAcl>(input, "NetworkAclId")?.clone();
    let key = key(input)?;
    if acl.entries.remove(&key).is_none() {
        return Err(no_entry(key));
    }
    cx.apply([Change::put(acl)])?;
    Ok(Structure::new())
}

fn no_entry(key: AclKey) -> ApiError {
    let message = format!("The network acl entry identified by {} does not exist.", key.number);
    ApiError::new("InvalidNetworkAclEntry.NotFound", message)
}

fn key(input: &Structure) -> Result<AclKey, ApiError> {
    let number = input.integer("RuleNumber").ok_or_else(|| ApiError::missing_parameter("ruleNumber"))?;
    let number = u32::try_from(number)
        .map_err(|_| number.to_string())
        .and_then(|n| RuleNumber::new(n).map_err(|e| e.number.to_string()));
    let number = number.map_err(|number| {
        ApiError::invalid_value(format!(
            "Value ({number}) for parameter ruleNumber is invalid. Rule numbers are 1 to {}",
            RuleNumber::MAX
        ))
    })?;
    let egress = input.flag("Egress").ok_or_else(|| ApiError::missing_parameter("egress"))?;
    Ok(AclKey { direction: if egress { Direction::Egress } else { Direction::Ingress }, number })
}

/// Protocol, with ports or ICMP type and code where it has them (R8.25).
fn traffic(input: &Structure) -> Result<Traffic, ApiError> {
    let protocol = text(input, "Protocol")?;
    let number = match protocol.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(Traffic::All),
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" => 58,
        other => other.parse::<u8>().map_err(|_| {
            ApiError::invalid_value(format!("Invalid value '{protocol}' for IP protocol. Unknown protocol."))
        })?,
    };
    match number {
        6 | 17 => {
            let range = input.structure("PortRange").ok_or_else(|| ApiError::missing_parameter("portRange"))?;
            let port = |member: &'static str| {
                let port = range.integer(member).ok_or_else(|| ApiError::missing_parameter(member))?;
                u16::try_from(port).map_err(|_| {
                    ApiError::invalid_value(format!(
                        "Value ({port}) for parameter portRange is invalid. Ports are 0 to 65535"
                    ))
                })
            };
            let range = PortRange::new(port("From")?, port("To")?)
                .map_err(|error| ApiError::invalid_value(error.to_string()))?;
            Ok(if number == 6 { Traffic::Tcp(range) } else { Traffic::Udp(range) })
        }
        1 | 58 => {
            let icmp = input.structure("IcmpTypeCode").ok_or_else(|| ApiError::missing_parameter("icmpTypeCode"))?;
            let byte = |member| match icmp.integer(member).unwrap_or(-1) {
                -1 => Ok(None),
                n => u8::try_from(n)
                    .map(Some)
                    .map_err(|_| ApiError::invalid_value(format!("Value ({n}) for parameter icmpTypeCode is invalid"))),
            };
            let icmp = IcmpMatch { kind: byte("Type")?, code: byte("Code")? };
            Ok(if number == 1 { Traffic::Icmp(icmp) } else { Traffic::Icmpv6(icmp) })
        }
        other => Ok(Traffic::Other(other)),
    }
}

pub(crate) fn replace_association(cx: &mut Cx<'_>, input: &Structure) -> Result<Structure, ApiError> {
    let wanted = text(input, "AssociationId")?;
    let acl = cx.named::<NetworkAcl>(input, "NetworkAclId")?.id;
    let found = cx.all::<Subnet>().find(|subnet| {
        acl_of(cx, subnet).is_some_and(|acl| relation::<AclAssociation>(subnet.id, acl).to_string() == wanted)
    });
    let Some(mut subnet) = found.cloned() else {
        return Err(ApiError::new(
            "InvalidAssociationID.NotFound",
            format!("The association ID '{wanted}' does not exist"),
        ));
    };
    let default = cx.desired.get(subnet.vpc).map(|vpc| vpc.default_acl);
    subnet.acl = Some(acl).filter(|acl| Some(*acl) != default);
    let id = relation::<AclAssociation>(subnet.id, acl);
    cx.apply([Change::put(subnet)])?;
    Ok(Structure::new().with("NewAssociationId", id.to_string()))
}

fn acl_of(cx: &Cx<'_>, subnet: &Subnet) -> Option<Id<NetworkAcl>> {
    subnet.acl.or_else(|| cx.desired.get(subnet.vpc).map(|vpc| vpc.default_acl))
}

fn is_default(cx: &Cx<'_>, acl: &NetworkAcl) -> bool {
    cx.desired.get(acl.vpc).is_some_and(|vpc| vpc.default_acl == acl.id)
}

fn show(cx: &Cx<'_>, acl: &NetworkAcl) -> Structure {
    let subnets = cx.desired.dependents_of_kind::<Subnet>(Vpc::to_ref(acl.vpc));
    let associations = subnets.filter(|subnet| acl_of(cx, subnet) == Some(acl.id)).map(|subnet| {
        Structure::new()
            .with("NetworkAclAssociationId", relation::<AclAssociation>(subnet.id, acl.id).to_string())
            .with("NetworkAclId", acl.id.to_string())
            .with("SubnetId", subnet.id.to_string())
    });
    Structure::new()
        .with("Associations", associations.collect::<Vec<_>>())
        .with("Entries", show_entries(acl))
        .with("IsDefault", is_default(cx, acl))
        .with("NetworkAclId", acl.id.to_string())
        .with("OwnerId", owner(cx, acl.id))
        .with("Tags", cx.tags(acl))
        .with("VpcId", acl.vpc.to_string())
}

/// The entries, and after those of each direction the one that denies what nothing matched (R8.21).
fn show_entries(acl: &NetworkAcl) -> Vec<Structure> {
    let mut shown = Vec::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        let of = || acl.entries.iter().filter(move |(key, _)| key.direction == direction);
        let egress = direction == Direction::Egress;
        shown.extend(of().map(|(key, entry)| show_entry(egress, i64::from(key.number.get()), entry)));
        let has_v6 = of().any(|(_, entry)| !entry.cidr.is_ipv4());
        let last = [(true, vpc_lpm::Prefix::DEFAULT_V4, 32_767), (has_v6, vpc_lpm::Prefix::DEFAULT_V6, 32_768)];
        for (_, cidr, number) in last.into_iter().filter(|(there, _, _)| *there) {
            shown.push(show_entry(egress, number, &AclEntry { action: Action::Deny, traffic: Traffic::All, cidr }));
        }
    }
    shown
}

fn show_entry(egress: bool, number: i64, entry: &AclEntry) -> Structure {
    let ports = |range: PortRange| Structure::new().with("From", range.first()).with("To", range.last());
    let icmp = |icmp: IcmpMatch| {
        Structure::new().with("Type", icmp.kind.map_or(-1, i64::from)).with("Code", icmp.code.map_or(-1, i64::from))
    };
    let cidr = if entry.cidr.is_ipv4() { "CidrBlock" } else { "Ipv6CidrBlock" };
    let shown = Structure::new()
        .with(cidr, entry.cidr.to_string())
        .with("Egress", egress)
        .with("RuleAction", if entry.action == Action::Allow { "allow" } else { "deny" })
        .with("RuleNumber", number);
    match entry.traffic {
        Traffic::All => shown.with("Protocol", "-1"),
        Traffic::Icmp(i) => shown.with("Protocol", "1").with("IcmpTypeCode", icmp(i)),
        Traffic::Icmpv6(i) => shown.with("Protocol", "58").with("IcmpTypeCode", icmp(i)),
        Traffic::Other(protocol) => shown.with("Protocol", protocol.to_string()),
        Traffic::Tcp(range) => shown.with("Protocol", "6").with("PortRange", ports(range)),
        Traffic::Udp(range) => shown.with("Protocol", "17").with("PortRange", ports(range)),
    }
}
