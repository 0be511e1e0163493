//! VPC peering.

use serde::Serialize;

use super::{Name, Vpc};
use crate::Id;

/// A connection between exactly two VPCs; it leads no further.
///
/// Source: R9.1–R9.10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peering {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC that asked.
    pub requester: Id<Vpc>,
    /// The VPC that was asked.
    pub accepter: Id<Vpc>,
    /// Whether it carries packets.
    pub state: PeeringState,
}

impl Peering {
    /// The VPC at the other end.
    #[must_use]
    pub fn other_end(&self, vpc: Id<Vpc>) -> Option<Id<Vpc>> {
        match vpc {
            end if end == self.requester => Some(self.accepter),
            end if end == self.accepter => Some(self.requester),
            _ => None,
        }
    }
}

/// Where a peering connection is in its life.
///
/// Source: R9.2.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PeeringState {
    /// It carries packets.
    #[default]
    Active,
    /// It was accepted by nobody in time.
    Expired,
    /// The address ranges overlap.
    Failed,
    /// It waits for the accepter; routes to it are black holes (R9.3).
    PendingAcceptance,
    /// The accepter refused it.
    Rejected,
}
