//! Security group rules as the API spells them: permissions, of which each makes one rule per peer.

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    Direction, IcmpMatch, Peer, PortRange, PrefixList, SecurityGroup, SecurityGroupRule, Traffic,
};

use super::{arn, cidr_of, owner};
use crate::ApiError;
use crate::call::Cx;
use crate::noun::place;
use crate::tags::show as show_tags;
use crate::wire::Structure;

/// One rule that a request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) traffic: Traffic,
    pub(crate) peer: Peer,
    pub(crate) description: Option<String>,
}

impl Wanted {
    /// Whether a rule is what this asks for.
    pub(crate) fn is(&self, rule: &SecurityGroupRule) -> bool {
        rule.traffic == self.traffic && rule.peer == self.peer
    }
}

/// The rules that a request's `IpPermissions`, or the older flat parameters, ask for.
pub(crate) fn wanted(cx: &Cx<'_>, input: &Structure, group: &SecurityGroup) -> Result<Vec<Wanted>, ApiError> {
    let flat = ["CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort"];
    let is_flat = flat.iter().any(|member| cx.operation.takes(crate::wire::EC2, member) && input.has(member));
    if is_flat && input.has("IpPermissions") {
        return Err(ApiError::combination(
            "The parameter 'ipPermissions' may not be used in combination with 'ipProtocol'",
        ));
    }
    let mut wanted = Vec::new();
    if is_flat {
        let traffic = traffic(input)?;
        match (input.text("CidrIp"), input.text("SourceSecurityGroupName")) {
            (Some(cidr), None) => wanted.push(of_prefix(traffic, cidr, None, true)?),
            (None, Some(name)) => {
                let peer = Peer::Group(by_name(cx, group, name)?);
                wanted.push(Wanted { traffic, peer, description: None });
            }
            _ => {
                return Err(ApiError::combination("Exactly one of cidrIp and sourceSecurityGroupName is needed"));
            }
        }
    }
    for permission in input.structures("IpPermissions") {
        read(cx, permission, group, &mut wanted)?;
    }
    for (i, one) in wanted.iter().enumerate() {
        if wanted[..i].iter().any(|other| other.traffic == one.traffic && other.peer == one.peer) {
            let message = format!("The same permission must not appear multiple times: {} {}", one.traffic, one.peer);
            return Err(ApiError::invalid_value(message));
        }
    }
    Ok(wanted)
}

fn read(cx: &Cx<'_>, permission: &Structure, group: &SecurityGroup, wanted: &mut Vec<Wanted>) -> Result<(), ApiError> {
    let traffic = traffic(permission)?;
    let before = wanted.len();
    for (list, member, v4) in [("IpRanges", "CidrIp", true), ("Ipv6Ranges", "CidrIpv6", false)] {
        for range in permission.structures(list) {
            let text = range.text(member).ok_or_else(|| ApiError::missing_parameter(member))?;
            wanted.push(of_prefix(traffic, text, described(range)?, v4)?);
        }
    }
    for list in permission.structures("PrefixListIds") {
        let id = list.text("PrefixListId").ok_or_else(|| ApiError::missing_parameter("prefixListId"))?;
        let peer = Peer::List(cx.find::<PrefixList>(id)?.id);
        wanted.push(Wanted { traffic, peer, description: described(list)? });
    }
    for pair in permission.structures("UserIdGroupPairs") {
        let peer = match (pair.text("GroupId"), pair.text("GroupName")) {
            (Some(id), _) => Peer::Group(peer_group(cx, group, id)?),
            (None, Some(name)) => Peer::Group(by_name(cx, group, name)?),
            (None, None) => return Err(ApiError::missing_parameter("groupId")),
        };
        wanted.push(Wanted { traffic, peer, description: described(pair)? });
    }
    match wanted.len() > before {
        true => Ok(()),
        false => Err(ApiError::new("MissingParameter", "Source group, CIDR or prefix list missing.")),
    }
}

fn described(peer: &Structure) -> Result<Option<String>, ApiError> {
    match peer.text("Description") {
        Some(text) if text.chars().count() > 255 => {
            Err(ApiError::invalid_value("Invalid rule description: a description has at most 255 characters"))
        }
        text => Ok(text.filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

fn of_prefix(traffic: Traffic, text: &str, description: Option<String>, v4: bool) -> Result<Wanted, ApiError> {
    let malformed = |_| ApiError::new("InvalidParameterValue", format!("CIDR block {text} is malformed"));
    let prefix = cidr_of(text, "cidrIp", v4).map_err(malformed)?;
    Ok(Wanted { traffic, peer: Peer::Prefix(prefix), description })
}

/// A group that a rule may refer to, in this VPC or, over a peering connection, another (R8.3).
fn peer_group(cx: &Cx<'_>, group: &SecurityGroup, text: &str) -> Result<vpc_model::Id<SecurityGroup>, ApiError> {
    use crate::noun::ApiNoun;
    let id: vpc_model::Id<SecurityGroup> = text.parse().map_err(|_| SecurityGroup::malformed(text))?;
    let found = cx.desired.get(id).filter(|peer| peer.vpc == group.vpc || cx.sees(SecurityGroup::to_ref(id)));
    found.map(|peer| peer.id).ok_or_else(|| SecurityGroup::not_found(text))
}

/// A group of the same VPC by its name.
fn by_name(cx: &Cx<'_>, group: &SecurityGroup, name: &str) -> Result<vpc_model::Id<SecurityGroup>, ApiError> {
    let mut all = cx.all::<SecurityGroup>().filter(|other| other.vpc == group.vpc);
    let found = all.find(|other| super::security_group::name(cx, other) == name);
    found.map(|other| other.id).ok_or_else(|| {
        ApiError::new(
            "InvalidGroup.NotFound",
            format!("The security group '{name}' does not exist in VPC '{}'", group.vpc),
        )
    })
}

/// Protocol and ports, or ICMP type and code.
pub(crate) fn traffic(permission: &Structure) -> Result<Traffic, ApiError> {
    let protocol = permission.text("IpProtocol").ok_or_else(|| ApiError::missing_parameter("ipProtocol"))?;
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
    let (from, to) = (permission.integer("FromPort"), permission.integer("ToPort"));
    ports(number, from, to)
}

fn ports(protocol: u8, from: Option<i64>, to: Option<i64>) -> Result<Traffic, ApiError> {
    let wrong = |text: String| Err(ApiError::invalid_value(text));
    let byte = |value: Option<i64>, what: &str| match value.unwrap_or(-1) {
        -1 => Ok(None),
        n => u8::try_from(n).map(Some).map_err(|_| ApiError::invalid_value(format!("ICMP {what} ({n}) out of range"))),
    };
    match protocol {
        6 | 17 => {
            let (first, last) = match (from, to) {
                (Some(-1), Some(-1)) => (0, 65_535),
                (Some(from), Some(to)) => (from, to),
                _ => {
                    return wrong(
                        "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.".to_owned(),
                    );
                }
            };
            let port = |n: i64| {
                u16::try_from(n).map_err(|_| {
                    ApiError::invalid_value(format!("Invalid value '{n}' for portRange. Ports are 0 to 65535."))
                })
            };
            let range = PortRange::new(port(first)?, port(last)?)
                .map_err(|_| ApiError::invalid_value(format!("Invalid TCP/UDP port range ({first}:{last})")))?;
            Ok(if protocol == 6 { Traffic::Tcp(range) } else { Traffic::Udp(range) })
        }
        1 | 58 => {
            let icmp = IcmpMatch { kind: byte(from, "type")?, code: byte(to, "code")? };
            Ok(if protocol == 1 { Traffic::Icmp(icmp) } else { Traffic::Icmpv6(icmp) })
        }
        other => Ok(Traffic::Other(other)),
    }
}

/// Protocol, from and to as replies spell them.
pub(crate) fn spell(traffic: Traffic) -> (String, Option<i64>, Option<i64>) {
    let range = |range: PortRange| (Some(i64::from(range.first())), Some(i64::from(range.last())));
    let icmp = |icmp: IcmpMatch| (Some(icmp.kind.map_or(-1, i64::from)), Some(icmp.code.map_or(-1, i64::from)));
    let (name, (from, to)) = match traffic {
        Traffic::All => ("-1", (None, None)),
        Traffic::Icmp(i) => ("icmp", icmp(i)),
        Traffic::Icmpv6(i) => ("icmpv6", icmp(i)),
        Traffic::Other(number) => return (number.to_string(), None, None),
        Traffic::Tcp(ports) => ("tcp", range(ports)),
        Traffic::Udp(ports) => ("udp", range(ports)),
    };
    (name.to_owned(), from, to)
}

/// What a rule says of itself besides what packets see.
fn description(cx: &Cx<'_>, rule: &SecurityGroupRule) -> Option<String> {
    cx.desired.record(&rule.id.to_string())?.fact("description").map(str::to_owned)
}

/// Rules as permissions: those of one traffic together.
pub(crate) fn show_permissions<'r>(cx: &Cx<'_>, rules: impl Iterator<Item = &'r SecurityGroupRule>) -> Vec<Structure> {
    let mut permissions: Vec<(Traffic, Vec<&SecurityGroupRule>)> = Vec::new();
    for rule in rules {
        match permissions.iter_mut().find(|(traffic, _)| *traffic == rule.traffic) {
            Some((_, rules)) => rules.push(rule),
            None => permissions.push((rule.traffic, vec![rule])),
        }
    }
    permissions.into_iter().map(|(traffic, rules)| show_permission(cx, traffic, &rules)).collect()
}

fn show_permission(cx: &Cx<'_>, traffic: Traffic, rules: &[&SecurityGroupRule]) -> Structure {
    let (protocol, from, to) = spell(traffic);
    let (mut v4, mut v6, mut lists, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for rule in rules {
        let peer = Structure::new().with("Description", description(cx, rule));
        match rule.peer {
            Peer::Prefix(prefix) if prefix.is_ipv4() => v4.push(peer.with("CidrIp", prefix.to_string())),
            Peer::Prefix(prefix) => v6.push(peer.with("CidrIpv6", prefix.to_string())),
            Peer::List(list) => lists.push(peer.with("PrefixListId", list.to_string())),
            Peer::Group(group) => groups.push(peer.with("GroupId", group.to_string()).with("UserId", owner(cx, group))),
        }
    }
    Structure::new()
        .with("IpProtocol", protocol)
        .with("FromPort", from)
        .with("ToPort", to)
        .with("IpRanges", v4)
        .with("Ipv6Ranges", v6)
        .with("PrefixListIds", lists)
        .with("UserIdGroupPairs", groups)
}

/// A rule by itself.
pub(crate) fn show_rule(cx: &Cx<'_>, group: &SecurityGroup, rule: &SecurityGroupRule) -> Structure {
    let (account, region) = place(&cx.desired, SecurityGroup::to_ref(group.id));
    let tags = cx.desired.record(&rule.id.to_string()).map(|record| record.tags.clone()).unwrap_or_default();
    let shown = show_revoked(cx, group, rule)
        .without("ReferencedGroupId")
        .with("GroupOwnerId", account.to_string())
        .with("SecurityGroupRuleArn", arn(&region, account, "security-group-rule", rule.id))
        .with("Tags", show_tags(tags));
    match rule.peer {
        Peer::Group(peer) => {
            let peer = Structure::new().with("GroupId", peer.to_string()).with("UserId", owner(cx, peer));
            shown.with("ReferencedGroupInfo", peer)
        }
        Peer::List(_) | Peer::Prefix(_) => shown,
    }
}

/// A rule as it is shown when it goes.
pub(crate) fn show_revoked(cx: &Cx<'_>, group: &SecurityGroup, rule: &SecurityGroupRule) -> Structure {
    let (protocol, from, to) = spell(rule.traffic);
    let shown = Structure::new()
        .with("SecurityGroupRuleId", rule.id.to_string())
        .with("GroupId", group.id.to_string())
        .with("IsEgress", rule.direction == Direction::Egress)
        .with("IpProtocol", protocol)
        .with("FromPort", from.unwrap_or(-1))
        .with("ToPort", to.unwrap_or(-1))
        .with("Description", description(cx, rule));
    match rule.peer {
        Peer::Prefix(prefix) => shown.with(cidr_member(prefix), prefix.to_string()),
        Peer::List(list) => shown.with("PrefixListId", list.to_string()),
        Peer::Group(peer) => shown.with("ReferencedGroupId", peer.to_string()),
    }
}

fn cidr_member(prefix: Prefix) -> &'static str {
    if prefix.is_ipv4() { "CidrIpv4" } else { "CidrIpv6" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_and_ports_are_read_as_ec2_does() {
        let read = |protocol: &str, from: Option<i64>, to: Option<i64>| {
            let permission = Structure::new().with("IpProtocol", protocol).with("FromPort", from).with("ToPort", to);
            traffic(&permission).map(spell).map_err(|error| error.code.into_owned())
        };
        let fine = |name: &str, from, to| Ok((name.to_owned(), from, to));
        assert_eq!(read("tcp", Some(80), Some(90)), fine("tcp", Some(80), Some(90)));
        assert_eq!(read("TCP", Some(-1), Some(-1)), fine("tcp", Some(0), Some(65_535)));
        assert_eq!(read("17", Some(53), Some(53)), fine("udp", Some(53), Some(53)));
        assert_eq!(read("-1", Some(1), Some(2)), fine("-1", None, None));
        assert_eq!(read("icmp", Some(8), None), fine("icmp", Some(8), Some(-1)));
        assert_eq!(read("50", None, None), fine("50", None, None));
        let refused = || Err("InvalidParameterValue".to_owned());
        assert_eq!(read("tcp", None, None), refused());
        assert_eq!(read("tcp", Some(90), Some(80)), refused());
        assert_eq!(read("udp", Some(0), Some(65_536)), refused());
        assert_eq!(read("icmp", Some(300), None), refused());
        assert_eq!(read("sctpx", None, None), refused());
        let none = traffic(&Structure::new()).unwrap_err();
        assert_eq!(none.code, "MissingParameter");
    }
}
