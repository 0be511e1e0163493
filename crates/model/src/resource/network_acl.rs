//! Stateless rules of subnets.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use vpc_lpm::Prefix;

use super::security_group::display;
use super::{Direction, Name, Traffic, Vpc};
use crate::Id;

/// Numbered rules at the edge of subnets: the first match decides, and nothing matching denies.
///
/// Source: R8.20–R8.26.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkAcl {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it belongs to.
    pub vpc: Id<Vpc>,
    /// Its entries in order of evaluation.
    pub entries: BTreeMap<AclKey, AclEntry>,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclKey {
    /// Out of the subnet or into it.
    pub direction: Direction,
    /// Lower numbers are looked at first.
    pub number: RuleNumber,
}

impl Serialize for AclKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} {}", self.direction, self.number))
    }
}

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct AclEntry {
    /// What happens to a packet that matches.
    pub action: Action,
    /// Which packets.
    #[serde(serialize_with = "display")]
    pub traffic: Traffic,
    /// The other end: the destination of egress entries, the source of ingress ones (R8.24).
    pub cidr: Prefix,
}

/// What a network ACL entry does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Lets the packet pass.
    Allow,
    /// Drops it.
    Deny,
}

/// The number of a network ACL entry: 1 to 32766.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RuleNumber(u16);

/// A number that no entry can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule number {number} is out of range; expected 1 to 32766")]
pub struct RuleNumberError {
    /// What was given.
    pub number: u32,
}

impl RuleNumber {
    /// The highest number.
    pub const MAX: u16 = 32_766;

    /// The number, if an entry can have it.
    ///
    /// # Errors
    /// [`RuleNumberError`] with the number.
    pub fn new(number: u32) -> Result<Self, RuleNumberError> {
        u16::try_from(number).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self).ok_or(RuleNumberError { number })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for RuleNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
