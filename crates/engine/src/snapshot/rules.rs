//! Rules in the form in which they are matched.

use std::net::IpAddr;
use std::sync::Arc;

use vpc_lpm::{Prefix, Table};
use vpc_model::Id;
use vpc_model::resource::{
    Action, Direction, NetworkAcl, PortRange, RuleNumber, SecurityGroup, SecurityGroupRule, Traffic,
};
use vpc_packet::{FiveTuple, Protocol};

/// One security group.
#[derive(Debug)]
pub(crate) struct GroupRules {
    pub id: Id<SecurityGroup>,
    pub egress: Box<[Permit]>,
    pub ingress: Box<[Permit]>,
}

impl GroupRules {
    #[inline]
    pub(crate) fn rules(&self, direction: Direction) -> &[Permit] {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }
}

/// One permission.
#[derive(Debug)]
pub(crate) struct Permit {
    pub rule: Id<SecurityGroupRule>,
    pub traffic: Traffic,
    pub peer: PeerSet,
}

impl Permit {
    /// Whether the tuple, going this way, is permitted.
    #[inline]
    pub(crate) fn contains(&self, direction: Direction, tuple: &FiveTuple) -> bool {
        self.traffic.contains(tuple) && self.peer.contains(peer(direction, tuple))
    }

    /// Whether the peer is a group; a middlebox in between hides who is in it (R8.3).
    pub(crate) const fn is_by_group(&self) -> bool {
        matches!(self.peer, PeerSet::Members(_))
    }

    /// Whether everybody of the tuple's family is the peer (R8.9).
    pub(crate) fn is_anybody(&self, tuple: &FiveTuple) -> bool {
        match self.peer {
            PeerSet::One(prefix) => prefix.len() == 0 && prefix.is_ipv4() == tuple.src.is_ipv4(),
            PeerSet::Many(_) | PeerSet::Members(_) => false,
        }
    }

    /// Whether all responses of the tuple's protocol are permitted (R8.9).
    pub(crate) fn is_all_responses(&self, tuple: &FiveTuple) -> bool {
        let traffic = match self.traffic {
            Traffic::All => true,
            Traffic::Tcp(ports) => tuple.protocol == Protocol::TCP && ports == PortRange::ALL,
            Traffic::Udp(ports) => tuple.protocol == Protocol::UDP && ports == PortRange::ALL,
            Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Other(_) => false,
        };
        traffic && self.is_anybody(tuple)
    }
}

/// Whom a permission is about.
#[derive(Clone, Debug)]
pub(crate) enum PeerSet {
    Many(Arc<Table<()>>),
    /// Interfaces of a security group, known by their private addresses.
    Members(Arc<Table<()>>),
    One(Prefix),
}

impl PeerSet {
    #[inline]
    fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Many(table) | Self::Members(table) => table.longest_match(address).is_some(),
            Self::One(prefix) => prefix.contains(address),
        }
    }
}

/// One network ACL.
#[derive(Debug)]
pub(crate) struct AclRules {
    pub id: Id<NetworkAcl>,
    pub egress: Box<[AclRule]>,
    pub ingress: Box<[AclRule]>,
}

impl AclRules {
    /// The first rule that matches; `None` is the final deny.
    #[inline]
    pub(crate) fn first_match(&self, direction: Direction, tuple: &FiveTuple) -> Option<&AclRule> {
        let rules = match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        };
        let other_end = peer(direction, tuple);
        rules.iter().find(|rule| rule.cidr.contains(other_end) && rule.traffic.contains(tuple))
    }
}

/// One line of a network ACL.
#[derive(Debug)]
pub(crate) struct AclRule {
    pub number: RuleNumber,
    pub action: Action,
    pub traffic: Traffic,
    pub cidr: Prefix,
}

/// The far end, seen from where a rule stands.
#[inline]
const fn peer(direction: Direction, tuple: &FiveTuple) -> IpAddr {
    match direction {
        Direction::Egress => tuple.dst,
        Direction::Ingress => tuple.src,
    }
}
