//! Networks and their parts.

use serde::Serialize;
use vpc_lpm::Prefix;

use super::{AccountId, Az, Name, NetworkAcl, Region, RouteTable, SecurityGroup};
use crate::Id;

/// A virtual private cloud: address blocks with an implicit router.
///
/// Source: R1.1, R1.7, R1.20.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vpc {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// IPv4 blocks; the first is the primary one.
    pub cidrs: Vec<Prefix>,
    /// IPv6 blocks.
    pub ipv6_cidrs: Vec<Prefix>,
    /// The table of subnets that name none.
    pub main_table: Id<RouteTable>,
    /// The network ACL of subnets that name none.
    pub default_acl: Id<NetworkAcl>,
    /// The security group of interfaces that name none.
    pub default_group: Id<SecurityGroup>,
    /// Whether the resolver at base + 2 answers.
    pub dns_support: bool,
    /// Whether instances get names, and endpoints may have private ones.
    pub dns_hostnames: bool,
}

impl Vpc {
    /// Every address block of either family.
    pub fn blocks(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.cidrs.iter().chain(&self.ipv6_cidrs).copied()
    }
}

/// Part of a VPC in one availability zone.
///
/// Source: R1.1, R1.6, R1.8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subnet {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// The VPC it is part of.
    pub vpc: Id<Vpc>,
    /// Its zone, in the VPC's Region.
    pub az: Az,
    /// Its IPv4 block, inside one of the VPC's.
    pub cidr: Prefix,
    /// Its IPv6 block, inside one of the VPC's.
    pub ipv6_cidr: Option<Prefix>,
    /// The route table associated with it; `None` means the VPC's main table, whichever that is.
    pub table: Option<Id<RouteTable>>,
    /// The network ACL associated with it; `None` means the VPC's default one.
    pub acl: Option<Id<NetworkAcl>>,
}

impl Subnet {
    /// Its blocks of either family.
    pub fn blocks(&self) -> impl Iterator<Item = Prefix> + '_ {
        [Some(self.cidr), self.ipv6_cidr].into_iter().flatten()
    }
}
