//! Decisions: what a stage may see, and what it answers.

mod egress_only;
mod gateway_endpoint;
mod interface_endpoint;
mod internet_host;
mod local_delivery;
mod network_acl;
mod peering;
mod public_address;
mod reverse_nat;
mod route_lookup;
mod security_group;
mod service_attach;
mod service_return;
mod source_dest_check;
mod source_nat;
mod subnet_of;
mod transit;
mod unicast;

use std::net::IpAddr;

use vpc_flow::{Connection, Flows, Side};
use vpc_model::resource::{
    Destination, Direction, Eni, NetworkAcl, RouteTable, RuleNumber, SecurityGroup, SecurityGroupRule, Service, Subnet,
    TransitRouteTable, Vpc,
};
use vpc_model::{DropReason, Id, ResourceRef, StageId};
use vpc_packet::FiveTuple;

use crate::path::Memo;
use crate::snapshot::Snapshot;

pub(crate) use egress_only::EgressOnly;
pub(crate) use gateway_endpoint::GatewayEndpoint;
pub(crate) use interface_endpoint::InterfaceEndpoint;
pub(crate) use internet_host::FindInternetHost;
pub(crate) use local_delivery::LocalDelivery;
pub(crate) use network_acl::NetworkAclStage;
pub(crate) use peering::CrossPeering;
pub(crate) use public_address::{PrivateAddress, PublicAddress};
pub(crate) use reverse_nat::ReverseNat;
pub(crate) use route_lookup::RouteLookup;
pub(crate) use security_group::{SecurityGroupStage, Tracking};
pub(crate) use service_attach::{Attach, ServiceAttach};
pub(crate) use service_return::{Back, ServiceReturn};
pub(crate) use source_dest_check::SourceDestCheck;
pub(crate) use source_nat::SourceNat;
pub(crate) use subnet_of::SubnetOf;
pub(crate) use transit::{TransitEntry, TransitExit, TransitLookup};
pub(crate) use unicast::Unicast;

/// All a stage may look at. Copy, borrowed, immutable: so its answer may be cached and explained.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub snapshot: &'a Snapshot,
    pub flows: &'a Flows<Memo>,
    /// The connection this tuple already belongs to, and the side it is seen from.
    pub connection: Option<(&'a Connection, Side)>,
    /// The same for the flow's life; for spreading over ports and backends.
    pub salt: u64,
    /// The connection was idle for longer than a translation of it lasts.
    pub lapsed: bool,
    /// The packet is an ICMP error about the connection.
    pub related: bool,
}

impl<'a> View<'a> {
    /// The connection, if the packet is of the side that opened it.
    pub(crate) fn opened(&self) -> Option<&'a Connection> {
        self.connection.filter(|(_, side)| *side == Side::Initiator).map(|(connection, _)| connection)
    }

    /// The connection, if the packet answers it.
    pub(crate) fn answered(&self) -> Option<&'a Connection> {
        self.connection.filter(|(_, side)| *side == Side::Responder).map(|(connection, _)| connection)
    }
}

/// One decision of the pipeline.
pub(crate) trait Stage {
    const ID: StageId;
    /// What the next stage needs to know; `()` from a plain filter.
    type Out;
    /// Decides from the five-tuple as it is *here* (already translated, if it was).
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Self::Out>;
}

/// An answer and the reason for it, inseparable.
pub(crate) struct Decision<T> {
    pub out: Result<T, DropReason>,
    pub because: Evidence,
}

impl<T> Decision<T> {
    #[inline(always)]
    pub(crate) const fn pass(out: T, because: Evidence) -> Self {
        Self { out: Ok(out), because }
    }

    #[inline(always)]
    pub(crate) const fn refuse(reason: DropReason, because: Evidence) -> Self {
        Self { out: Err(reason), because }
    }
}

/// What was looked at: small, `Copy`, made of ids that stay what they are. Turned into words only when somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// An address is, or is not, one of the interface's.
    Address { eni: Id<Eni>, address: IpAddr, own: bool },
    /// An earlier packet of the flow was translated here.
    Bound { owner: ResourceRef },
    /// The interface checks neither sources nor destinations.
    CheckOff { eni: Id<Eni> },
    /// What kind of address it is.
    Destination { address: IpAddr },
    /// Nothing was matched; the rule at the end of every network ACL.
    FinalDeny { acl: Id<NetworkAcl> },
    /// The flow was not translated on its way here.
    NoTranslation,
    /// A port was chosen.
    Lease { owner: ResourceRef, address: IpAddr, port: u16 },
    /// Nothing has the address.
    Nobody { place: Nowhere, address: IpAddr },
    /// No rule of the interface's groups permits it.
    NoRule { eni: Id<Eni>, direction: Direction },
    /// No route of the table matches.
    NoRoute { table: Id<RouteTable> },
    /// No route of the transit gateway's table matches.
    NoTransitRoute { table: Id<TransitRouteTable> },
    /// The numbered rule that matched.
    NumberedRule { acl: Id<NetworkAcl>, direction: Direction, number: RuleNumber },
    /// The interface that owns the address.
    Owner { eni: Id<Eni> },
    /// What a resource accepts.
    Property { owner: ResourceRef },
    /// The route that was selected.
    Route { table: Id<RouteTable>, destination: Destination, prefix_len: u8 },
    /// The rule that permits.
    Rule { group: Id<SecurityGroup>, rule: Id<SecurityGroupRule> },
    /// The service's host that answers.
    Service { service: Id<Service>, address: IpAddr },
    /// The subnet that holds the address.
    Subnet { subnet: Id<Subnet> },
    /// The flow was admitted here before.
    Tracked { eni: Id<Eni> },
    /// The transit route that was selected.
    TransitRoute { table: Id<TransitRouteTable>, destination: Destination, prefix_len: u8 },
    /// An address stands for another.
    Translated { from: IpAddr, to: IpAddr },
}

/// Where an address was looked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nowhere {
    Internet,
    Service(Id<Service>),
    Subnet(Id<Subnet>),
    Vpc(Id<Vpc>),
}
