//! Rules of security groups and network ACLs.

use std::collections::BTreeMap;

use vpc_lpm::Prefix;

use super::convert::{Converter, Scope, given};
use super::de::{Named, OneOrMany, Read};
use super::file;
use super::tree::Place;
use super::value::{Ports, Protocol, Reference};
use crate::desired::Noun;
use crate::resource::{
    AclEntry, AclKey, Action, Direction, IcmpMatch, NetworkAcl, Peer, PortRange, PrefixList, RuleNumber, SecurityGroup,
    SecurityGroupRule, Traffic,
};
use crate::{Id, Kind};

/// The id of a rule that has none pinned: the same as long as the rule says the same.
pub(super) fn rule_id(
    vpc: &str,
    group: &str,
    direction: Direction,
    traffic: Traffic,
    peer: Peer,
) -> Id<SecurityGroupRule> {
    let words = [direction.to_string(), traffic.to_string(), peer.to_string()];
    let [direction, traffic, peer] = &words;
    Id::derived(&[vpc, SecurityGroup::NOUN, group, direction, traffic, peer])
}

/// What a VPC's default network ACL has: everything may pass both ways.
///
/// Source: R8.21.
pub(super) fn allow_everything(has_ipv6: bool) -> BTreeMap<AclKey, AclEntry> {
    let mut entries = BTreeMap::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for (number, cidr) in (100..).zip(everywhere(has_ipv6)) {
            let Ok(number) = RuleNumber::new(number) else {
                continue;
            };
            let entry = AclEntry { action: Action::Allow, traffic: Traffic::All, cidr };
            entries.insert(AclKey { direction, number }, entry);
        }
    }
    entries
}

/// What a VPC's default security group has: everything from its members, and everything out.
///
/// Source: R8.1.
pub(super) fn rules_of_default_group(
    vpc: &str,
    key: &str,
    id: Id<SecurityGroup>,
    has_ipv6: bool,
) -> Vec<SecurityGroupRule> {
    let (direction, traffic, peer) = (Direction::Ingress, Traffic::All, Peer::Group(id));
    let mut rules = allow_out(vpc, key, has_ipv6);
    rules.push(SecurityGroupRule { id: rule_id(vpc, key, direction, traffic, peer), direction, traffic, peer });
    rules
}

/// The rules by which a new security group lets everything out.
///
/// Source: R8.1.
pub(super) fn allow_out(vpc: &str, group: &str, has_ipv6: bool) -> Vec<SecurityGroupRule> {
    let (direction, traffic) = (Direction::Egress, Traffic::All);
    everywhere(has_ipv6)
        .map(|prefix| {
            let peer = Peer::Prefix(prefix);
            SecurityGroupRule { id: rule_id(vpc, group, direction, traffic, peer), direction, traffic, peer }
        })
        .collect()
}

fn everywhere(has_ipv6: bool) -> impl Iterator<Item = Prefix> {
    std::iter::once(Prefix::DEFAULT_V4).chain(has_ipv6.then_some(Prefix::DEFAULT_V6))
}

impl Converter<'_> {
    pub(super) fn network_acl(&mut self, scope: &Scope<'_>, entry: &Named<file::NetworkAcl>) {
        let identity = super::convert::network_acl(scope.key, entry);
        let Some(file) = &entry.value else {
            return self.skip(identity.id);
        };
        let this = NetworkAcl::to_ref(identity.id);
        let mut entries = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (direction, rules) in [(Direction::Ingress, &file.ingress), (Direction::Egress, &file.egress)] {
            for read in rules.iter().flat_map(OneOrMany::iter) {
                let (Some(rule), Some(place)) = (read.get(), read.place()) else {
                    continue;
                };
                self.note(this, "entries", place);
                let Some((key, acl_entry)) = self.acl_rule(rule, direction, place) else {
                    continue;
                };
                if let Some(first) = places.insert(key, place) {
                    let line = self.line(first);
                    self.fault(place, format!("there is a rule {} for {direction} in line {line} already", key.number));
                }
                entries.insert(key, acl_entry);
            }
        }
        self.put(NetworkAcl { id: identity.id, name: identity.name, vpc: scope.id, entries });
    }

    fn acl_rule(&mut self, rule: &file::AclRule, direction: Direction, place: Place) -> Option<(AclKey, AclEntry)> {
        let number = self.required(&rule.rule, place, "rule", "a number from 1 to 32766").copied();
        let action = self.required(&rule.action, place, "action", "allow or deny").copied();
        let cidr = self.peer_of(&rule.from, &rule.to, direction, place, |read| read.place());
        let cidr = cidr.and_then(Read::get);
        let ports = rule.ports.as_ref().map(|read| (read, read.place().unwrap_or(place)));
        let ports: Vec<_> = ports.into_iter().collect();
        let traffic = self.traffic(&rule.protocol, &ports, &rule.kind, &rule.code, place);
        let number = match RuleNumber::new(number?) {
            Ok(number) => number,
            Err(error) => {
                self.fault(rule.rule.place().unwrap_or(place), error.to_string());
                return None;
            }
        };
        let entry = AclEntry { action: action?, traffic: traffic?.first().copied()?, cidr: cidr?.0 };
        Some((AclKey { direction, number }, entry))
    }

    pub(super) fn security_group(&mut self, scope: &Scope<'_>, entry: &Named<file::SecurityGroup>) {
        let identity = super::convert::security_group(scope.key, entry);
        let Some(file) = &entry.value else {
            return self.skip(identity.id);
        };
        let this = SecurityGroup::to_ref(identity.id);
        let mut rules = Vec::new();
        for (direction, field, list) in
            [(Direction::Ingress, "ingress", &file.ingress), (Direction::Egress, "egress", &file.egress)]
        {
            for read in list.iter().flat_map(OneOrMany::iter) {
                let (Some(rule), Some(place)) = (read.get(), read.place()) else {
                    continue;
                };
                self.note(this, field, place);
                self.group_rule(scope, &entry.key, rule, direction, place, &mut rules);
            }
        }
        if file.egress.is_none() {
            rules.extend(allow_out(scope.key, &entry.key, scope.has_ipv6));
        }
        self.put(SecurityGroup { id: identity.id, name: identity.name, vpc: scope.id, rules });
    }

    /// Adds what one rule of the file amounts to: a permission for each of its ports and peers.
    fn group_rule(
        &mut self,
        scope: &Scope<'_>,
        group: &str,
        rule: &file::GroupRule,
        direction: Direction,
        place: Place,
        rules: &mut Vec<SecurityGroupRule>,
    ) {
        let list =
            self.peer_of(&rule.from, &rule.to, direction, place, |list| list.iter().next().and_then(Read::place));
        let mut peers = Vec::new();
        for read in list.into_iter().flat_map(OneOrMany::iter) {
            if let (Some(Reference(text)), Some(place)) = (read.get(), read.place()) {
                peers.extend(self.peer(text, place).map(|peer| (peer, place)));
            }
        }
        let ports: Vec<(&Read<Ports>, Place)> =
            rule.ports.iter().flat_map(OneOrMany::iter).map(|read| (read, read.place().unwrap_or(place))).collect();
        let Some(traffic) = self.traffic(&rule.protocol, &ports, &rule.kind, &rule.code, place) else {
            return;
        };
        let pinned = given(&rule.id).copied();
        if pinned.is_some() && traffic.len() * peers.len() > 1 {
            let place = rule.id.as_ref().and_then(Read::place).unwrap_or(place);
            self.fault(place, "several ports or peers are several rules, which cannot share one id");
        }
        for &traffic in &traffic {
            for &(peer, place) in &peers {
                let same =
                    |rule: &&SecurityGroupRule| (rule.direction, rule.traffic, rule.peer) == (direction, traffic, peer);
                if rules.iter().find(same).is_some() {
                    self.fault(place, format!("the rule for {traffic} is in the group already"));
                    continue;
                }
                rules.push(SecurityGroupRule {
                    id: pinned.unwrap_or_else(|| rule_id(scope.key, group, direction, traffic, peer)),
                    direction,
                    traffic,
                    peer,
                });
            }
        }
    }

    /// `from` of ingress rules, `to` of egress ones; the other one is a fault.
    fn peer_of<'r, T>(
        &mut self,
        from: &'r Option<T>,
        to: &'r Option<T>,
        direction: Direction,
        place: Place,
        place_of: impl Fn(&T) -> Option<Place>,
    ) -> Option<&'r T> {
        let (right, wrong, right_name, wrong_name) = match direction {
            Direction::Egress => (to, from, "to", "from"),
            Direction::Ingress => (from, to, "from", "to"),
        };
        if let Some(wrong) = wrong {
            let at = place_of(wrong).unwrap_or(place);
            self.fault(at, format!("'{wrong_name}' in a rule for {direction}; expected '{right_name}'"));
        } else if right.is_none() {
            self.fault(place, format!("'{right_name}' is missing; expected the other side, such as 0.0.0.0/0"));
        }
        right.as_ref()
    }

    fn peer(&mut self, text: &str, place: Place) -> Option<Peer> {
        if text.contains('/') {
            return match text.parse::<Prefix>() {
                Ok(prefix) => Some(Peer::Prefix(prefix)),
                Err(error) => {
                    self.fault(place, error.to_string());
                    None
                }
            };
        }
        if let Ok(address) = text.parse() {
            let prefix = Prefix::host(address);
            self.fault(place, format!("'{text}' is one address; expected a prefix such as {prefix}"));
            return None;
        }
        let names = self.names();
        let peer = names
            .find(text)
            .map(Peer::Group)
            .or_else(|| names.find(text).map(Peer::List))
            .or_else(|| names.find_or_gone(text).map(Peer::Group))
            .or_else(|| names.find_or_gone(text).map(Peer::List));
        if peer.is_none() {
            let expected = "prefix such as 10.0.0.0/16, a security group or a prefix list";
            let message = names.unknown(text, expected, &[SecurityGroup::NOUN, PrefixList::NOUN]);
            self.fault(place, message);
        }
        peer
    }

    /// What a rule is about, one for each of its ports.
    fn traffic(
        &mut self,
        protocol: &Option<Read<Protocol>>,
        ports: &[(&Read<Ports>, Place)],
        kind: &Option<Read<u8>>,
        code: &Option<Read<u8>>,
        place: Place,
    ) -> Option<Vec<Traffic>> {
        let protocol = match protocol {
            None => Protocol::All,
            Some(read) => *read.get()?,
        };
        let is_icmp = matches!(protocol, Protocol::Icmp | Protocol::Icmpv6);
        for read in [kind, code].into_iter().flatten().filter(|_| !is_icmp) {
            let at = read.place().unwrap_or(place);
            self.fault(at, "types and codes belong to protocol icmp or icmpv6");
        }
        let has_ports = matches!(protocol, Protocol::Tcp | Protocol::Udp);
        if let Some((_, at)) = ports.first().filter(|_| !has_ports) {
            self.fault(*at, "ports belong to protocol tcp or udp");
        }
        let icmp = IcmpMatch { kind: given(kind).copied(), code: given(code).copied() };
        let with_ports = |traffic: fn(PortRange) -> Traffic| match ports {
            [] => Some(vec![traffic(PortRange::ALL)]),
            ports => ports.iter().map(|(read, _)| read.get().map(|ports| traffic(ports.0))).collect(),
        };
        match protocol {
            Protocol::All => Some(vec![Traffic::All]),
            Protocol::Icmp => Some(vec![Traffic::Icmp(icmp)]),
            Protocol::Icmpv6 => Some(vec![Traffic::Icmpv6(icmp)]),
            Protocol::Other(number) => Some(vec![Traffic::Other(number)]),
            Protocol::Tcp => with_ports(Traffic::Tcp),
            Protocol::Udp => with_ports(Traffic::Udp),
        }
    }
}
