//! Transit gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::{Destination, Name, Region, RouteOrigin, RouteState, Subnet, Vpc};
use crate::Id;

/// A router between VPCs of a Region.
///
/// Source: R9.20–R9.34.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransitGateway {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// Where it is.
    pub region: Region,
    /// Whether security groups may refer to groups across it, inbound (R8.3).
    pub group_references: bool,
}

/// What is connected to a transit gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransitAttachment {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The transit gateway.
    pub gateway: Id<TransitGateway>,
    /// What is attached.
    pub kind: AttachmentKind,
    /// The table that routes what comes in here (R9.22).
    pub table: Option<Id<TransitRouteTable>>,
    /// The tables that learn the VPC's blocks.
    pub propagates_to: BTreeSet<Id<TransitRouteTable>>,
}

/// What is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentKind {
    /// Another transit gateway.
    Peering {
        /// The attachment at the other gateway.
        peer: Id<TransitAttachment>,
    },
    /// A VPC.
    Vpc {
        /// The VPC.
        vpc: Id<Vpc>,
        /// One subnet per zone, through which packets come and go (R9.20).
        subnets: Vec<Id<Subnet>>,
        /// Whether both directions of a flow use the same zone (R9.28).
        appliance_mode: bool,
    },
}

/// Routes of the attachments associated with it.
///
/// Shape: holds what was written; propagated routes follow from the attachments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransitRouteTable {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The transit gateway it belongs to.
    pub gateway: Id<TransitGateway>,
    /// Static routes and prefix-list references.
    pub routes: BTreeMap<Destination, TransitTarget>,
}

/// Where a transit route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitTarget {
    /// An attachment of the same gateway.
    Attachment(Id<TransitAttachment>),
    /// Nowhere, on purpose (R9.24).
    Blackhole,
}

impl fmt::Display for TransitTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attachment(id) => write!(f, "{id}"),
            Self::Blackhole => f.write_str("blackhole"),
        }
    }
}

impl Serialize for TransitTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A transit route as it is in force: written or propagated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveTransitRoute {
    /// What it is for.
    pub destination: Destination,
    /// Where it leads.
    pub target: TransitTarget,
    /// Why it is there.
    pub origin: RouteOrigin,
    /// Whether it leads anywhere.
    pub state: RouteState,
}
