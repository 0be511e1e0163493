//! VPC endpoints.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Eni, Name, RouteTable, SecurityGroup, Service, Vpc};
use crate::Id;

/// A way from a VPC to a service that needs no public address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it serves.
    pub vpc: Id<Vpc>,
    /// Where it leads.
    pub service: Id<Service>,
    /// Whether it works.
    pub state: EndpointState,
    /// How it is reached.
    pub kind: EndpointKind,
}

/// How an endpoint is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// By routes from the service's prefix list in the chosen tables (R3.3).
    Gateway {
        /// The tables.
        tables: BTreeSet<Id<RouteTable>>,
    },
    /// By an interface in each chosen subnet (R4.1).
    Interface {
        /// The interfaces, one per subnet and zone.
        enis: Vec<Id<Eni>>,
        /// Their security groups.
        groups: Vec<Id<SecurityGroup>>,
        /// Whether the service's own name leads here in the VPC.
        private_dns: bool,
    },
}

/// Where an endpoint is in its life.
///
/// Source: R4.20–R4.22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EndpointState {
    /// It works.
    Available,
    /// It waits for the provider.
    PendingAcceptance,
    /// The provider refused it.
    Rejected,
}
