//! Network interfaces, and the instances they are in.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::{AccountId, Endpoint, Name, NatGateway, SecurityGroup, Subnet};
use crate::Id;

/// A network interface: the unit of policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Eni {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The subnet it is in.
    pub subnet: Id<Subnet>,
    /// Its addresses, the primary one first; at least one.
    pub addresses: Vec<EniAddress>,
    /// Its security groups, ORed; empty only for kinds that have none (R7.1, R10.6).
    pub groups: Vec<Id<SecurityGroup>>,
    /// Whether it refuses packets that are neither from nor to one of its addresses (R1.19).
    pub source_dest_check: bool,
    /// What it belongs to.
    pub kind: EniKind,
}

impl Eni {
    /// Whether the address is one of its own.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|a| a.private == address)
    }
}

/// A private address of an interface and the public one that stands for it at the internet gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EniAddress {
    /// The address inside the VPC.
    pub private: IpAddr,
    /// The public or elastic IPv4 address, if any.
    pub public: Option<Ipv4Addr>,
}

/// What an interface belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EniKind {
    /// Nothing yet: it keeps its addresses and carries no packets.
    Available,
    /// One subnet's address of an interface endpoint.
    Endpoint(Id<Endpoint>),
    /// A TUN in an instance's namespace.
    Instance {
        /// The instance.
        instance: Id<Instance>,
        /// Its place in the instance: `eth0`, `eth1` …
        device: u8,
    },
    /// The private side of a NAT gateway.
    NatGateway(Id<NatGateway>),
}

/// A machine: a network namespace with interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// Whose it is.
    pub account: AccountId,
    /// The network namespace that stands for it, as `ip netns` knows it.
    pub namespace: String,
}
