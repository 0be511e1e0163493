//! What has to hold for security groups, network ACLs and prefix lists.

use std::collections::BTreeSet;

use super::{Report, at_most, limit};
use crate::desired::{Desired, Problem};
use crate::resource::{Direction, Family, NetworkAcl, Peer, PrefixList, SecurityGroup};

impl Desired {
    pub(super) fn check_security_group(&self, group: &SecurityGroup, report: &mut Report<'_>) {
        for direction in [Direction::Egress, Direction::Ingress] {
            let rules: Vec<_> = group.rules.iter().filter(|rule| rule.direction == direction).collect();
            let mut counts = [0_usize; 2];
            let mut seen = BTreeSet::new();
            let field = if direction == Direction::Egress { "egress" } else { "ingress" };
            for rule in rules {
                if !seen.insert((rule.traffic, rule.peer)) {
                    report.add(field, Problem::RuleDuplicate);
                }
                let (family, weight) = match rule.peer {
                    Peer::Prefix(prefix) => (Family::of(prefix), 1),
                    Peer::Group(_) => (Family::V4, 1),
                    Peer::List(id) => match self.get(id) {
                        Some(list) => (list.family, list.weight()),
                        None => (Family::V4, 0),
                    },
                };
                counts[usize::from(family == Family::V6)] += weight;
            }
            counts.iter().for_each(|&count| {
                at_most(
                    "rules of a security group",
                    count,
                    limit::RULES_PER_GROUP,
                    "RulesPerSecurityGroupLimitExceeded",
                    field,
                    report,
                )
            });
        }
    }
}

pub(super) fn check_acl(acl: &NetworkAcl, report: &mut Report<'_>) {
    for direction in [Direction::Egress, Direction::Ingress] {
        for v4 in [true, false] {
            let count = acl
                .entries
                .iter()
                .filter(|(key, entry)| key.direction == direction && entry.cidr.is_ipv4() == v4)
                .count();
            at_most(
                "entries of a network ACL",
                count,
                limit::ENTRIES_PER_ACL,
                "NetworkAclEntryLimitExceeded",
                "entries",
                report,
            );
        }
    }
}

pub(super) fn check_prefix_list(list: &PrefixList, report: &mut Report<'_>) {
    let most = usize::from(list.max_entries).min(limit::ENTRIES_PER_LIST);
    at_most("entries of a prefix list", list.entries.len(), most, "PrefixListMaxEntriesExceeded", "entries", report);
    for pair in list.entries.windows(2).filter(|pair| pair[0] == pair[1]) {
        report.add("entries", Problem::EntryDuplicate { entry: pair[0] });
    }
    for entry in list.entries.iter().filter(|&&entry| Family::of(entry) != list.family) {
        let (got, expected) = if list.family == Family::V4 { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
        report.add("entries", Problem::Family { value: entry.to_string(), got, expected });
    }
}
