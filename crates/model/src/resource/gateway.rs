//! Ways out of a VPC, and what is out there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;
use vpc_lpm::Prefix;

use super::{Eni, Name, RouteTable, Subnet, Vpc};
use crate::Id;

/// Translates 1:1 between private and public addresses at a VPC's edge.
///
/// Source: R10.12–R10.16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InternetGateway {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it is attached to; detached, routes to it are black holes.
    pub vpc: Option<Id<Vpc>>,
    /// The edge table that routes what comes in through it (R2.20).
    pub edge_table: Option<Id<RouteTable>>,
}

/// Lets IPv6 out of a VPC and only replies back in.
///
/// Source: R10.18.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EgressOnlyGateway {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it is attached to.
    pub vpc: Id<Vpc>,
}

/// Shares one address among the hosts of other subnets.
///
/// Source: R10.1–R10.10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NatGateway {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The subnet it is in.
    pub subnet: Id<Subnet>,
    /// Its interface, which holds the private address and, for a public NAT, the elastic one.
    pub eni: Id<Eni>,
    /// Whether the elastic address is used (a private NAT has none).
    pub public: Option<Ipv4Addr>,
}

/// A host outside every VPC: a namespace that stands for (part of) the internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InternetHost {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The namespace that stands for it.
    pub namespace: String,
    /// Addresses configured on it.
    pub addresses: Vec<IpAddr>,
    /// Whatever is inside these goes to it, besides its addresses; the longest prefix of all hosts wins.
    pub prefixes: Vec<Prefix>,
}

/// Connects a VPC with a network elsewhere: a namespace that stands for it.
///
/// Source: R2.2, R2.3, R2.20. Deviation: the far network's routes are given, not learnt by BGP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VirtualGateway {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it is attached to; detached, routes to it are black holes.
    pub vpc: Option<Id<Vpc>>,
    /// The namespace that stands for the far network.
    pub namespace: String,
    /// Addresses configured on it.
    pub addresses: Vec<IpAddr>,
    /// What the far side announces.
    pub announces: BTreeSet<Prefix>,
    /// The tables that learn what it announces.
    pub propagates_to: BTreeSet<Id<RouteTable>>,
    /// The edge table that routes what comes in through it.
    pub edge_table: Option<Id<RouteTable>>,
}
