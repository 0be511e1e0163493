//! Route tables.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use vpc_lpm::Prefix;

use super::{
    EgressOnlyGateway, Endpoint, Eni, InternetGateway, Name, NatGateway, Peering, PrefixList, TransitGateway,
    VirtualGateway, Vpc,
};
use crate::Id;

/// Routes of the subnets associated with it.
///
/// Shape: holds what somebody wrote. Local routes and the routes of gateway endpoints follow from the VPC and
/// the endpoints; [`crate::Desired::effective_routes`] lists them all.
/// Source: R1.8, R1.9, R2.6, R3.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteTable {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it belongs to.
    pub vpc: Id<Vpc>,
    /// What was written into it; a destination that equals a VPC block replaces the local route's target.
    pub routes: BTreeMap<Destination, RouteTarget>,
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// One prefix.
    Prefix(Prefix),
    /// Every entry of a prefix list's newest version.
    List(Id<PrefixList>),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "{prefix}"),
            Self::List(list) => write!(f, "{list}"),
        }
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a configured route points at.
///
/// Source: R2.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteTarget {
    /// An egress-only internet gateway (IPv6).
    EgressOnly(Id<EgressOnlyGateway>),
    /// A network interface: an appliance.
    Eni(Id<Eni>),
    /// A gateway endpoint; written by the endpoint, never by people (R3.3).
    GatewayEndpoint(Id<Endpoint>),
    /// An internet gateway.
    Internet(Id<InternetGateway>),
    /// The VPC itself.
    Local,
    /// A NAT gateway.
    Nat(Id<NatGateway>),
    /// A peering connection.
    Peering(Id<Peering>),
    /// A transit gateway, through the VPC's attachment to it.
    Transit(Id<TransitGateway>),
    /// A virtual private gateway.
    Virtual(Id<VirtualGateway>),
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EgressOnly(id) => write!(f, "{id}"),
            Self::Eni(id) => write!(f, "{id}"),
            Self::GatewayEndpoint(id) => write!(f, "{id}"),
            Self::Internet(id) => write!(f, "{id}"),
            Self::Local => f.write_str("local"),
            Self::Nat(id) => write!(f, "{id}"),
            Self::Peering(id) => write!(f, "{id}"),
            Self::Transit(id) => write!(f, "{id}"),
            Self::Virtual(id) => write!(f, "{id}"),
        }
    }
}

impl Serialize for RouteTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A route as it is in force: written, or following from something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveRoute {
    /// What it is for.
    pub destination: Destination,
    /// Where it leads.
    pub target: RouteTarget,
    /// Why it is there.
    pub origin: RouteOrigin,
    /// Whether its target is usable.
    pub state: RouteState,
}

/// Why a route is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteOrigin {
    /// It came with a gateway endpoint.
    Endpoint,
    /// It came with the table, for a block of the VPC.
    Local,
    /// A gateway announced it.
    Propagated,
    /// Somebody wrote it.
    Static,
}

/// Whether a route's target is usable.
///
/// Source: R2.10, R2.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteState {
    /// Packets follow it.
    Active,
    /// Packets that select it are dropped; no worse route takes over.
    Blackhole,
}
