//! Stateful rules of interfaces.

use std::fmt;

use serde::Serialize;
use vpc_lpm::Prefix;

use super::{Direction, Name, PrefixList, Traffic, Vpc};
use crate::Id;

/// Allow rules for the interfaces that are in it; the groups of an interface are ORed.
///
/// Source: R8.1–R8.8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it belongs to.
    pub vpc: Id<Vpc>,
    /// Its rules; the order means nothing.
    pub rules: Vec<SecurityGroupRule>,
}

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: Id<Self>,
    /// Which way.
    pub direction: Direction,
    /// Which packets.
    #[serde(serialize_with = "display")]
    pub traffic: Traffic,
    /// With whom.
    #[serde(serialize_with = "display")]
    pub peer: Peer,
}

/// The other side of a security group rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Private addresses of the interfaces in a group (R8.3).
    Group(Id<SecurityGroup>),
    /// Every entry of a prefix list.
    List(Id<PrefixList>),
    /// A prefix.
    Prefix(Prefix),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "{group}"),
            Self::List(list) => write!(f, "{list}"),
            Self::Prefix(prefix) => write!(f, "{prefix}"),
        }
    }
}

/// Serialises a value as people read it.
pub(super) fn display<T: fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
