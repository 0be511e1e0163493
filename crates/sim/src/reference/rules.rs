//! Security groups and network ACLs as vpc-semantics §8 writes them down.

use std::net::IpAddr;

use vpc_lpm::Prefix;
use vpc_model::Desired;
use vpc_model::resource::{Action, Direction, Eni, IcmpMatch, NetworkAcl, Peer, PortRange, SecurityGroupRule, Traffic};
use vpc_packet::{FiveTuple, Protocol};

/// Whether the groups of an interface let a packet pass, and if so, whether the flow is tracked.
pub(super) fn security_groups(
    desired: &Desired,
    eni: &Eni,
    direction: Direction,
    at: &FiveTuple,
    relayed: bool,
) -> Option<bool> {
    let groups = eni.groups.iter().filter_map(|id| desired.get(*id));
    let rules: Vec<&SecurityGroupRule> = groups.flat_map(|group| &group.rules).collect();
    let other_end = other_end(direction, at);
    let matching: Vec<_> = rules
        .iter()
        .filter(|rule| rule.direction == direction && covers(rule.traffic, at))
        .filter(|rule| is_peer(desired, rule.peer, other_end, relayed))
        .collect();
    if matching.is_empty() {
        return None;
    }
    // R8.9: untracked is TCP or UDP that everybody may send, while everything may be answered.
    let everybody = |peer: Peer| match peer {
        Peer::Prefix(prefix) => prefix == everything(at),
        Peer::Group(_) | Peer::List(_) => false,
    };
    let all_answers = |rule: &&SecurityGroupRule| {
        let all_ports = match rule.traffic {
            Traffic::All => true,
            Traffic::Tcp(ports) => at.protocol == Protocol::TCP && ports == PortRange::ALL,
            Traffic::Udp(ports) => at.protocol == Protocol::UDP && ports == PortRange::ALL,
            Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Other(_) => false,
        };
        rule.direction != direction && all_ports && everybody(rule.peer)
    };
    let has_ports = matches!(at.protocol, Protocol::TCP | Protocol::UDP);
    let untracked =
        has_ports && matching.iter().any(|rule| everybody(rule.peer)) && rules.iter().copied().any(|r| all_answers(&r));
    Some(!untracked)
}

/// Whether a network ACL lets a packet pass (R8.20, R8.24).
pub(super) fn network_acl(acl: &NetworkAcl, direction: Direction, at: &FiveTuple) -> bool {
    let other_end = other_end(direction, at);
    let mut entries: Vec<_> = acl.entries.iter().filter(|(key, _)| key.direction == direction).collect();
    entries.sort_by_key(|(key, _)| key.number.get());
    let first = entries.iter().find(|(_, entry)| entry.cidr.contains(other_end) && covers(entry.traffic, at));
    first.is_some_and(|(_, entry)| entry.action == Action::Allow)
}

const fn other_end(direction: Direction, at: &FiveTuple) -> IpAddr {
    match direction {
        Direction::Egress => at.dst,
        Direction::Ingress => at.src,
    }
}

fn everything(at: &FiveTuple) -> Prefix {
    let mut all = Prefix::host(at.src);
    while let Ok(wider) = Prefix::truncating(at.src, all.len().wrapping_sub(1)) {
        all = wider;
    }
    all
}

/// R8.3: a group is the private addresses of its members, and no middlebox may be in between (R2.9).
fn is_peer(desired: &Desired, peer: Peer, other_end: IpAddr, relayed: bool) -> bool {
    match peer {
        Peer::Prefix(prefix) => prefix.contains(other_end),
        Peer::List(id) => {
            desired.get(id).is_some_and(|list| list.entries.iter().any(|entry| entry.contains(other_end)))
        }
        Peer::Group(id) => {
            let members = desired.iter::<Eni>().filter(|eni| eni.groups.contains(&id));
            !relayed && members.flat_map(|eni| &eni.addresses).any(|address| address.private == other_end)
        }
    }
}

/// R8.2, R8.25.
fn covers(traffic: Traffic, at: &FiveTuple) -> bool {
    let icmp = |icmp: IcmpMatch| {
        let [kind, code] = at.dst_port.to_be_bytes();
        icmp.kind.is_none_or(|wanted| wanted == kind) && icmp.code.is_none_or(|wanted| wanted == code)
    };
    let ports = |ports: PortRange| ports.first() <= at.dst_port && at.dst_port <= ports.last();
    match traffic {
        Traffic::All => true,
        Traffic::Icmp(wanted) => at.protocol == Protocol::ICMP && icmp(wanted),
        Traffic::Icmpv6(wanted) => at.protocol == Protocol::ICMPV6 && icmp(wanted),
        Traffic::Other(number) => at.protocol.0 == number,
        Traffic::Tcp(range) => at.protocol == Protocol::TCP && ports(range),
        Traffic::Udp(range) => at.protocol == Protocol::UDP && ports(range),
    }
}
