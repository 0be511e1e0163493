//! Compiled tables: what stages look things up in.
//!
//! A snapshot is a value. Nothing in it is ever changed; a new one replaces it whole.

mod compile;
mod describe;
mod idx;
mod rules;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vpc_lpm::{Prefix, Table};
use vpc_model::resource::{
    Action, Destination, Direction, Endpoint, Eni, InternetGateway, InternetHost, NatGateway, NetworkAcl, Peering,
    RouteTable, SecurityGroup, Service, Subnet, TransitAttachment, TransitRouteTable, VirtualGateway, Vpc,
};
use vpc_model::{Desired, Id, LinkId};
use vpc_packet::FiveTuple;

pub(crate) use idx::{Idx, IdxVec};
pub(crate) use rules::{AclRules, GroupRules, Permit};

/// Everything the pipeline may look at, for one generation.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    desired: Desired,
    ingress: Vec<Option<Ingress>>,
    pub(crate) vpcs: IdxVec<Vpc, VpcEntry>,
    pub(crate) subnets: IdxVec<Subnet, SubnetEntry>,
    pub(crate) enis: IdxVec<Eni, EniEntry>,
    pub(crate) tables: IdxVec<RouteTable, TableEntry>,
    pub(crate) acls: IdxVec<NetworkAcl, AclRules>,
    pub(crate) groups: IdxVec<SecurityGroup, GroupRules>,
    pub(crate) endpoints: IdxVec<Endpoint, EndpointEntry>,
    pub(crate) services: IdxVec<Service, ServiceEntry>,
    pub(crate) internet_gateways: IdxVec<InternetGateway, InternetGatewayEntry>,
    pub(crate) nat_gateways: IdxVec<NatGateway, NatEntry>,
    pub(crate) peerings: IdxVec<Peering, PeeringEntry>,
    pub(crate) attachments: IdxVec<TransitAttachment, AttachmentEntry>,
    pub(crate) transit_tables: IdxVec<TransitRouteTable, TransitTableEntry>,
    pub(crate) virtual_gateways: IdxVec<VirtualGateway, VirtualEntry>,
    pub(crate) hosts: IdxVec<InternetHost, HostEntry>,
    pub(crate) internet: Internet,
}

impl Snapshot {
    /// The tables for a network, newer than `previous`.
    ///
    /// Cannot fail: a [`Desired`] is valid by construction.
    #[must_use]
    pub fn compile(desired: &Desired, previous: Option<&Self>) -> Self {
        compile::compile(desired, previous.map_or(1, |p| p.generation + 1))
    }

    /// The same tables under the next number.
    #[must_use]
    pub fn bumped(&self) -> Self {
        compile::compile(&self.desired, self.generation + 1)
    }

    /// The number of these tables.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// What they were compiled from.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Whether an answer made on the way, to what this sender sent, gets back to it: to an interface, past the network
    /// ACL of its subnet. Nobody outside is told private addresses.
    pub(crate) fn admits_answer(&self, ingress: Ingress, answer: &FiveTuple) -> bool {
        let Ingress::Eni(eni) = ingress else { return false };
        let acl = &self.acls[self.subnets[self.enis[eni].subnet].acl];
        acl.first_match(Direction::Ingress, answer).is_some_and(|rule| rule.action == Action::Allow)
    }

    /// Where a link's packets come in.
    #[inline]
    pub(crate) fn ingress(&self, link: LinkId) -> Option<Ingress> {
        self.ingress.get(link.0 as usize).copied().flatten()
    }
}

/// Who sends on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ingress {
    Eni(Idx<Eni>),
    Host(Idx<InternetHost>),
    Service(Idx<Service>),
    Virtual(Idx<VirtualGateway>),
}

type AddressMap<V> = HashMap<IpAddr, V, RandomState>;

#[derive(Debug)]
pub(crate) struct VpcEntry {
    pub id: Id<Vpc>,
    pub blocks: Box<[Prefix]>,
    pub subnets: Table<Idx<Subnet>>,
}

impl VpcEntry {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.contains(address))
    }
}

#[derive(Debug)]
pub(crate) struct SubnetEntry {
    pub id: Id<Subnet>,
    pub vpc: Idx<Vpc>,
    pub zone: Zone,
    pub table: Idx<RouteTable>,
    pub acl: Idx<NetworkAcl>,
    pub cidr: Prefix,
    pub ipv6_cidr: Option<Prefix>,
    pub owners: AddressMap<Idx<Eni>>,
}

impl SubnetEntry {
    /// The VPC router's address in the subnet (R1.3, R1.6), of the family of an address.
    pub(crate) fn router(&self, family_of: IpAddr) -> Option<IpAddr> {
        let block = if family_of.is_ipv4() { Some(self.cidr) } else { self.ipv6_cidr };
        block.and_then(|block| block.nth(1))
    }

    #[inline]
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(address) || self.ipv6_cidr.is_some_and(|block| block.contains(address))
    }
}

#[derive(Debug)]
pub(crate) struct EniEntry {
    pub id: Id<Eni>,
    pub subnet: Idx<Subnet>,
    pub addresses: Box<[IpAddr]>,
    pub groups: Box<[Idx<SecurityGroup>]>,
    pub source_dest_check: bool,
    pub role: EniRole,
}

/// What a packet that reached an interface meets there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EniRole {
    Endpoint(Idx<Endpoint>),
    Instance(LinkId),
    Nat(Idx<NatGateway>),
}

#[derive(Debug)]
pub(crate) struct TableEntry {
    pub id: Id<RouteTable>,
    pub routes: Table<RouteEntry>,
}

/// The winner among the routes of one prefix (vpc-semantics §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteEntry {
    pub destination: Destination,
    /// `None`: the target is gone or not usable, and nothing takes its place (R2.11).
    pub target: Option<Target>,
}

/// A route's target, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// IPv6 goes out; only answers come back.
    EgressOnly,
    Eni(Idx<Eni>),
    GatewayEndpoint(Idx<Endpoint>),
    Internet(Idx<InternetGateway>),
    Local,
    Nat(Idx<NatGateway>),
    Peering(Idx<Peering>),
    Transit(Idx<TransitAttachment>),
    Virtual(Idx<VirtualGateway>),
}

#[derive(Debug)]
pub(crate) struct EndpointEntry {
    pub id: Id<Endpoint>,
    pub vpc: Idx<Vpc>,
    pub service: Idx<Service>,
    pub available: bool,
}

#[derive(Debug)]
pub(crate) struct ServiceEntry {
    pub id: Id<Service>,
    pub link: LinkId,
    pub addresses: Box<[IpAddr]>,
}

#[derive(Debug)]
pub(crate) struct InternetGatewayEntry {
    pub vpc: Idx<Vpc>,
    pub edge_table: Option<Idx<RouteTable>>,
    /// Private address → the public one that stands for it.
    pub public: HashMap<Ipv4Addr, Ipv4Addr, RandomState>,
}

#[derive(Debug)]
pub(crate) struct NatEntry {
    pub id: Id<NatGateway>,
    pub subnet: Idx<Subnet>,
    pub address: Ipv4Addr,
}

#[derive(Debug)]
pub(crate) struct PeeringEntry {
    pub id: Id<Peering>,
    pub requester: Idx<Vpc>,
    pub accepter: Idx<Vpc>,
    pub mtu: u16,
}

/// An availability zone, as a number that means something within one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zone(pub u16);

#[derive(Debug)]
pub(crate) struct AttachmentEntry {
    pub id: Id<TransitAttachment>,
    pub table: Option<Idx<TransitRouteTable>>,
    pub to: Attached,
}

/// What is attached to a transit gateway.
#[derive(Debug)]
pub(crate) enum Attached {
    /// Another transit gateway, by its own attachment.
    Peer(Idx<TransitAttachment>),
    /// A VPC, by one subnet per zone.
    Vpc { subnets: Box<[Idx<Subnet>]>, appliance_mode: bool },
}

#[derive(Debug)]
pub(crate) struct TransitTableEntry {
    pub id: Id<TransitRouteTable>,
    pub routes: Table<TransitRouteEntry>,
}

/// The winner among the transit routes of one prefix (R9.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransitRouteEntry {
    pub destination: Destination,
    /// `None`: a black hole.
    pub target: Option<Idx<TransitAttachment>>,
}

#[derive(Debug)]
pub(crate) struct VirtualEntry {
    pub id: Id<VirtualGateway>,
    pub link: LinkId,
    pub vpc: Option<Idx<Vpc>>,
    pub edge_table: Option<Idx<RouteTable>>,
}

#[derive(Debug)]
pub(crate) struct HostEntry {
    pub id: Id<InternetHost>,
    pub link: LinkId,
}

/// What is outside every VPC.
#[derive(Debug, Default)]
pub(crate) struct Internet {
    /// Public IPv4 address → the gateway of the VPC it leads into, and the private address it stands for.
    pub public: HashMap<Ipv4Addr, (Idx<InternetGateway>, Ipv4Addr), RandomState>,
    /// IPv6 blocks of VPCs that have a gateway.
    pub blocks: Table<V6Edge>,
    /// Who has an address out there.
    pub hosts: Table<Outside>,
}

/// Somebody outside every VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    Host(Idx<InternetHost>),
    /// A service's public addresses are on the internet, too.
    Service(Idx<Service>),
}

/// How IPv6 comes into a VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct V6Edge {
    pub vpc: Idx<Vpc>,
    /// The internet gateway's edge table, if it has one.
    pub edge_table: Option<Idx<RouteTable>>,
    /// Through an internet gateway; otherwise through an egress-only one, which lets only replies in.
    pub open: bool,
}

/// Tables are shared between threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Arc<Snapshot>>();
};

impl idx::Identified<Eni> for EniEntry {
    fn id(&self) -> Id<Eni> {
        self.id
    }
}

impl idx::Identified<Endpoint> for EndpointEntry {
    fn id(&self) -> Id<Endpoint> {
        self.id
    }
}
