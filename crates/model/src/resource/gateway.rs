//! Ways out of a VPC, and what is out there.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;
use vpc_lpm::Prefix;

use super::{Eni, Name, Subnet, Vpc};
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
