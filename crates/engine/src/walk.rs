//! Where a packet goes: read [`hops`] from top to bottom.

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use vpc_flow::{Binding, MAX_BINDINGS, MAX_TRACKED};
use vpc_model::desired::Noun;
use vpc_model::resource::{
    Direction, Endpoint, Eni, InternetHost, NatGateway, RouteTable, Service, Subnet, TransitAttachment, VirtualGateway,
    Vpc,
};
use vpc_model::{DropReason, Id, LinkId, ResourceRef, StageId};
use vpc_packet::{FiveTuple, Protocol};

use crate::path::Limit;
use crate::snapshot::{Attached, EniRole, Idx, Ingress, Outside, Target, V6Edge, Zone};
use crate::stage::{
    Attach, Back, CrossPeering, EgressOnly, Evidence, FindInternetHost, GatewayEndpoint, InterfaceEndpoint,
    LocalDelivery, NetworkAclStage, PrivateAddress, PublicAddress, ReverseNat, RouteLookup, SecurityGroupStage,
    ServiceAttach, ServiceReturn, SourceDestCheck, SourceNat, Stage, SubnetOf, Tracking, TransitEntry, TransitExit,
    TransitLookup, Unicast, View,
};

/// Watches a walk. Both hooks default to nothing, so `Silent` compiles away.
pub(crate) trait Probe {
    #[inline(always)]
    fn hop(&mut self, _: Place, _: &FiveTuple) {}
    #[inline(always)]
    fn step(&mut self, _: StageId, _: Evidence, _: Option<DropReason>) {}
}

/// Watches nothing.
pub(crate) struct Silent;
impl Probe for Silent {}

/// Where a packet stands, in ids that stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Endpoint(Id<Endpoint>),
    EnterSubnet(Id<Subnet>, Option<ResourceRef>),
    Eni(Id<Eni>, Direction),
    Internet,
    LeaveSubnet(Id<Subnet>),
    Service(Id<Service>),
    TransitGateway(Id<TransitAttachment>),
    Virtual(Id<VirtualGateway>),
}

/// Where a packet leaves the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub link: LinkId,
    pub to: Receiver,
}

/// Who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Eni(Id<Eni>),
    Host(Id<InternetHost>),
    Service(Id<Service>),
    Virtual(Id<VirtualGateway>),
}

/// Everything a walk found out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub verdict: Result<Exit, DropReason>,
    /// The packet's tuple where it leaves.
    pub at: FiveTuple,
    /// For an ICMP error: the flow it is about, in the direction of the error, where it leaves.
    pub about: Option<FiveTuple>,
    pub bindings: ArrayVec<Binding, MAX_BINDINGS>,
    pub tracked: ArrayVec<Id<Eni>, MAX_TRACKED>,
    pub limit: Limit,
    pub ttl_counted_by: Option<IpAddr>,
    pub mss: u16,
    pub whole_only: bool,
    pub uncut: u16,
}

/// Runs a packet through the tables. Shared borrows all the way down: a walk cannot change anything.
///
/// Shape: `about` is the flow that an ICMP error reports on, in the direction in which the error travels.
#[inline]
pub(crate) fn walk<P: Probe>(
    view: View<'_>,
    ingress: Ingress,
    tuple: FiveTuple,
    about: Option<FiveTuple>,
    probe: &mut P,
) -> Outcome {
    let mut walk = Walk {
        view,
        at: tuple,
        about,
        probe,
        bindings: ArrayVec::new(),
        judged: ArrayVec::new(),
        always_tracked: false,
        relayed: false,
        whole_only: false,
        uncut: Limit::VPC.mtu,
        limit: Limit::VPC,
        ttl_counted_by: None,
        mss: 0,
        hops: 0,
    };
    let verdict = hops(&mut walk, ingress);
    walk.into_outcome(verdict)
}

/// More hops than any sane network has.
const HOP_BUDGET: u8 = 32;

/// Where the packet stands.
enum Hop {
    /// It left an interface.
    FromEni(Idx<Eni>),
    /// It leaves a subnet.
    Leave(Idx<Subnet>),
    /// It enters a subnet.
    Enter(Idx<Subnet>, Via),
    /// It is in the subnet of its destination.
    Deliver(Idx<Subnet>),
    /// It reaches an interface.
    ToEni(Idx<Eni>),
    /// It comes from a host outside every VPC.
    FromInternet,
    /// It is outside every VPC.
    Internet,
    /// It reaches a service's host.
    ToService(Idx<Service>, ResourceRef, Attach),
    /// It comes from a service's host.
    FromService(Idx<Service>),
    /// It is at a transit gateway, by this attachment and from this zone.
    Transit(Idx<TransitAttachment>, Option<Zone>),
    /// It comes from a far network.
    FromFar(Idx<VirtualGateway>),
}

/// What a packet enters a subnet as, or for.
#[derive(Clone, Copy)]
enum Via {
    /// For the host it is addressed to.
    Host,
    /// For a NAT gateway there.
    Nat(Idx<NatGateway>),
    /// For an appliance there, whatever its address.
    Appliance(Idx<Eni>),
}

struct Walk<'a, 'p, P> {
    view: View<'a>,
    at: FiveTuple,
    about: Option<FiveTuple>,
    probe: &'p mut P,
    bindings: ArrayVec<Binding, MAX_BINDINGS>,
    judged: ArrayVec<(Id<Eni>, Tracking), MAX_TRACKED>,
    always_tracked: bool,
    relayed: bool,
    whole_only: bool,
    uncut: u16,
    limit: Limit,
    ttl_counted_by: Option<IpAddr>,
    mss: u16,
    hops: u8,
}

#[inline]
fn hops<P: Probe>(w: &mut Walk<'_, '_, P>, ingress: Ingress) -> Result<Exit, DropReason> {
    let snapshot = w.view.snapshot;
    let mut hop = match ingress {
        Ingress::Eni(eni) => Hop::FromEni(eni),
        Ingress::Host(_) => Hop::FromInternet,
        Ingress::Service(service) => Hop::FromService(service),
        Ingress::Virtual(gateway) => Hop::FromFar(gateway),
    };
    loop {
        w.spend_hop()?;
        hop = match hop {
            Hop::FromEni(eni) => {
                let subnet = snapshot.enis[eni].subnet;
                w.place(Place::Eni(snapshot.enis[eni].id, Direction::Egress));
                w.step(Unicast)?;
                w.step(SourceDestCheck { eni, direction: Direction::Egress })?;
                w.relayed = !snapshot.enis[eni].addresses.contains(&w.at.src);
                w.security_group(eni, Direction::Egress)?;
                w.go_on_inside(subnet)
            }
            Hop::Leave(subnet) => {
                let entry = &snapshot.subnets[subnet];
                w.place(Place::LeaveSubnet(entry.id));
                w.step(NetworkAclStage { acl: entry.acl, direction: Direction::Egress })?;
                match w.step(RouteLookup { table: entry.table })? {
                    Target::Local => Hop::Enter(w.step(SubnetOf { vpc: entry.vpc })?, Via::Host),
                    Target::Eni(appliance) => Hop::Enter(snapshot.enis[appliance].subnet, Via::Appliance(appliance)),
                    Target::Nat(gateway) => Hop::Enter(snapshot.nat_gateways[gateway].subnet, Via::Nat(gateway)),
                    Target::Internet(gateway) => {
                        let public = w.step(PublicAddress { gateway })?;
                        w.translate_source(public);
                        w.narrow(Limit { mtu: 1_500, fragments: true, tells: entry.router(w.at.dst) });
                        Hop::Internet
                    }
                    Target::Peering(peering) => {
                        let vpc = w.step(CrossPeering { peering, from: entry.vpc })?;
                        w.narrow(Limit { mtu: snapshot.peerings[peering].mtu, fragments: false, tells: None });
                        Hop::Enter(w.step(SubnetOf { vpc })?, Via::Host)
                    }
                    Target::Transit(attachment) => {
                        let Attached::Vpc { subnets, .. } = &snapshot.attachments[attachment].to else {
                            return Err(DropReason::TgwNoRoute);
                        };
                        let door = w.step(TransitEntry { attachment, subnets, zone: entry.zone })?;
                        let acl = snapshot.subnets[door].acl;
                        w.place(Place::EnterSubnet(
                            snapshot.subnets[door].id,
                            Some(TransitAttachment::to_ref(snapshot.attachments[attachment].id)),
                        ));
                        w.step(NetworkAclStage { acl, direction: Direction::Ingress })?;
                        w.narrow(Limit { mtu: 8_500, fragments: false, tells: entry.router(w.at.dst) });
                        w.clamp(8_500);
                        Hop::Transit(attachment, Some(entry.zone))
                    }
                    Target::Virtual(gateway) => {
                        let far = &snapshot.virtual_gateways[gateway];
                        w.place(Place::Virtual(far.id));
                        w.narrow(FAR);
                        return Ok(Exit { link: far.link, to: Receiver::Virtual(far.id) });
                    }
                    Target::EgressOnly => {
                        w.always_tracked = true;
                        w.narrow(Limit { mtu: 1_500, fragments: true, tells: entry.router(w.at.dst) });
                        Hop::Internet
                    }
                    Target::GatewayEndpoint(endpoint) => {
                        let entry = &snapshot.endpoints[endpoint];
                        w.place(Place::Endpoint(entry.id));
                        let service = w.step(GatewayEndpoint { endpoint })?;
                        Hop::ToService(service, Endpoint::to_ref(entry.id), Attach::AsGiven)
                    }
                }
            }
            Hop::Transit(attachment, zone) => {
                w.place(Place::TransitGateway(snapshot.attachments[attachment].id));
                w.across_transit(attachment, zone)?
            }
            Hop::FromFar(gateway) => {
                let entry = &snapshot.virtual_gateways[gateway];
                w.place(Place::Virtual(entry.id));
                w.narrow(FAR);
                // A detached gateway leads nowhere.
                w.over_the_edge(entry.vpc.ok_or(DropReason::Blackhole)?, entry.edge_table)?
            }
            Hop::Enter(subnet, via) => {
                let entry = &snapshot.subnets[subnet];
                w.place(Place::EnterSubnet(entry.id, w.via(via)));
                w.step(NetworkAclStage { acl: entry.acl, direction: Direction::Ingress })?;
                match via {
                    Via::Host => Hop::Deliver(subnet),
                    Via::Appliance(eni) => Hop::ToEni(eni),
                    // An answer comes into a NAT gateway only to be translated back (R10.6).
                    Via::Nat(gateway) if w.view.answered().is_some() => {
                        let (before, after) = w.step(ReverseNat { gateway })?;
                        w.translate(before, after);
                        w.pass_nat(gateway);
                        w.go_on_inside(subnet)
                    }
                    Via::Nat(gateway) => {
                        let after = w.step(SourceNat { gateway })?;
                        w.bind(
                            NatGateway::to_ref(snapshot.nat_gateways[gateway].id),
                            after,
                            timeout::nat(w.at.protocol),
                        )?;
                        w.pass_nat(gateway);
                        w.go_on_inside(subnet)
                    }
                }
            }
            Hop::Deliver(subnet) => Hop::ToEni(w.step(LocalDelivery { subnet })?),
            Hop::ToEni(eni) => {
                let entry = &snapshot.enis[eni];
                w.place(Place::Eni(entry.id, Direction::Ingress));
                match entry.role {
                    EniRole::Instance(link) => {
                        w.step(SourceDestCheck { eni, direction: Direction::Ingress })?;
                        w.security_group(eni, Direction::Ingress)?;
                        return Ok(Exit { link, to: Receiver::Eni(entry.id) });
                    }
                    EniRole::Endpoint(endpoint) => {
                        w.always_tracked = true;
                        w.security_group(eni, Direction::Ingress)?;
                        w.place(Place::Endpoint(snapshot.endpoints[endpoint].id));
                        let service = w.step(InterfaceEndpoint { endpoint })?;
                        w.narrow(Limit { mtu: 8_500, fragments: false, tells: None });
                        w.clamp(8_500);
                        Hop::ToService(service, Eni::to_ref(entry.id), Attach::Own)
                    }
                    EniRole::Nat(gateway) => {
                        let (before, after) = w.step(ReverseNat { gateway })?;
                        w.translate(before, after);
                        w.pass_nat(gateway);
                        w.go_on_inside(entry.subnet)
                    }
                }
            }
            Hop::FromInternet => {
                w.place(Place::Internet);
                w.enter_vpc()?
            }
            Hop::Internet => {
                w.place(Place::Internet);
                match w.leads_into_vpc() {
                    true => w.enter_vpc()?,
                    false => match w.step(FindInternetHost)? {
                        Outside::Host(host) => {
                            let entry = &snapshot.hosts[host];
                            return Ok(Exit { link: entry.link, to: Receiver::Host(entry.id) });
                        }
                        Outside::Service(service) => {
                            let entry = &snapshot.services[service];
                            return Ok(Exit { link: entry.link, to: Receiver::Service(entry.id) });
                        }
                    },
                }
            }
            Hop::ToService(service, owner, to) => {
                let entry = &snapshot.services[service];
                w.place(Place::Service(entry.id));
                let after = w.step(ServiceAttach { service, owner, to })?;
                w.bind(owner, after, timeout::endpoint(w.at.protocol))?;
                return Ok(Exit { link: entry.link, to: Receiver::Service(entry.id) });
            }
            Hop::FromService(service) => {
                w.place(Place::Service(snapshot.services[service].id));
                match w.step(ServiceReturn { service })? {
                    Back::Internet => Hop::Internet,
                    Back::Endpoint(id, before, after) => {
                        let endpoint = snapshot.endpoints.position(id).ok_or(DropReason::VpceIntraVpc)?;
                        w.place(Place::Endpoint(id));
                        w.translate(before, after);
                        Hop::Enter(w.step(SubnetOf { vpc: snapshot.endpoints[endpoint].vpc })?, Via::Host)
                    }
                    Back::Eni(id, before, after) => {
                        let eni = snapshot.enis.position(id).ok_or(DropReason::VpceIntraVpc)?;
                        if let EniRole::Endpoint(endpoint) = snapshot.enis[eni].role {
                            w.place(Place::Endpoint(snapshot.endpoints[endpoint].id));
                            w.step(InterfaceEndpoint { endpoint })?;
                        }
                        w.translate(before, after);
                        w.narrow(Limit { mtu: 8_500, fragments: false, tells: None });
                        w.clamp(8_500);
                        Hop::FromEni(eni)
                    }
                }
            }
        };
    }
}

/// A far network is reached through a tunnel. Source: R1.16.
const FAR: Limit = Limit { mtu: 1_500, fragments: true, tells: None };

/// Idle times of translations.
mod timeout {
    use std::time::Duration;

    use vpc_packet::Protocol;

    /// Of a NAT gateway. Source: R10.4 (the ones for UDP and ICMP are chosen, AWS does not say).
    pub(super) const fn nat(protocol: Protocol) -> Duration {
        Duration::from_secs(match protocol {
            Protocol::TCP => 350,
            Protocol::UDP => 120,
            _ => 60,
        })
    }

    /// Of an endpoint. Source: R4.13.
    pub(super) const fn endpoint(protocol: Protocol) -> Duration {
        Duration::from_secs(match protocol {
            Protocol::TCP => 350,
            _ => 120,
        })
    }
}

impl<P: Probe> Walk<'_, '_, P> {
    /// The only line in the project that reports what a stage did.
    #[inline(always)]
    #[allow(clippy::needless_pass_by_value, reason = "a stage is made where it is run")]
    fn step<S: Stage>(&mut self, stage: S) -> Result<S::Out, DropReason> {
        let decision = stage.decide(self.view, &self.at);
        let refused = decision.out.as_ref().err().copied();
        self.probe.step(S::ID, decision.because, refused);
        decision.out
    }

    #[inline(always)]
    fn place(&mut self, place: Place) {
        self.probe.hop(place, &self.at);
    }

    fn spend_hop(&mut self) -> Result<(), DropReason> {
        self.hops += 1;
        if self.hops > HOP_BUDGET { Err(DropReason::RoutingLoop) } else { Ok(()) }
    }

    /// From an interface in a subnet: neighbours are reached directly, everybody else through the router (R1.10, R8.31).
    fn go_on_inside(&self, subnet: Idx<Subnet>) -> Hop {
        let neighbour = self.view.snapshot.subnets[subnet].contains(self.at.dst);
        if neighbour { Hop::Deliver(subnet) } else { Hop::Leave(subnet) }
    }

    fn security_group(&mut self, eni: Idx<Eni>, direction: Direction) -> Result<(), DropReason> {
        let tracking = self.step(SecurityGroupStage { eni, direction, relayed: self.relayed })?;
        // An interface beyond what a connection can remember is judged by its rules each time.
        let _ = self.judged.try_push((self.view.snapshot.enis[eni].id, tracking));
        Ok(())
    }

    /// Whether the packet, outside every VPC, is for an address inside one: a hairpin through the gateway (R10.15).
    fn leads_into_vpc(&self) -> bool {
        let internet = &self.view.snapshot.internet;
        match self.at.dst {
            IpAddr::V4(address) => internet.public.contains_key(&address),
            IpAddr::V6(address) => internet.blocks.longest_match_v6(address).is_some(),
        }
    }

    /// Through the gateway of the VPC that the destination is in.
    fn enter_vpc(&mut self) -> Result<Hop, DropReason> {
        let snapshot = self.view.snapshot;
        let edge = match self.at.dst {
            IpAddr::V6(address) => snapshot.internet.blocks.longest_match_v6(address).map(|(_, &edge)| edge),
            IpAddr::V4(_) => None,
        };
        self.narrow(Limit { mtu: 1_500, fragments: true, tells: None });
        match edge {
            Some(V6Edge { vpc, open, edge_table }) => {
                let edge_table = edge_table.filter(|_| open);
                if !open || self.answers_by_egress_only(vpc) {
                    self.step(EgressOnly { vpc })?;
                }
                self.over_the_edge(vpc, edge_table)
            }
            None => {
                let (gateway, private) = self.step(PrivateAddress)?;
                self.translate_destination(private);
                let gateway = &snapshot.internet_gateways[gateway];
                self.over_the_edge(gateway.vpc, gateway.edge_table)
            }
        }
    }

    /// Whether the destination's subnet sends its answers through an egress-only gateway: then it is not open to the
    /// internet, whatever other gateway the VPC has (R10.18).
    fn answers_by_egress_only(&self, vpc: Idx<Vpc>) -> bool {
        let snapshot = self.view.snapshot;
        let subnet = snapshot.vpcs[vpc].subnets.longest_match(self.at.dst);
        let route = subnet
            .and_then(|(_, &subnet)| snapshot.tables[snapshot.subnets[subnet].table].routes.longest_match(self.at.src));
        route.is_some_and(|(_, route)| route.target == Some(Target::EgressOnly))
    }

    /// Into a VPC by a gateway: where its edge table says, or else straight to the subnet (R2.20–R2.22).
    fn over_the_edge(&mut self, vpc: Idx<Vpc>, edge_table: Option<Idx<RouteTable>>) -> Result<Hop, DropReason> {
        if let Some(table) = edge_table
            && let Target::Eni(appliance) = self.step(RouteLookup { table })?
        {
            return Ok(Hop::Enter(self.view.snapshot.enis[appliance].subnet, Via::Appliance(appliance)));
        }
        Ok(Hop::Enter(self.step(SubnetOf { vpc })?, Via::Host))
    }

    /// From one attachment of a transit gateway to the next, and into the VPC behind it (R9.22–R9.28).
    fn across_transit(&mut self, from: Idx<TransitAttachment>, zone: Option<Zone>) -> Result<Hop, DropReason> {
        let snapshot = self.view.snapshot;
        let to = self.step(TransitLookup { from })?;
        match &snapshot.attachments[to].to {
            Attached::Peer(other_side) => Ok(Hop::Transit(*other_side, None)),
            Attached::Vpc { subnets, appliance_mode } => {
                let subnet = self.step(TransitExit { subnets, appliance_mode: *appliance_mode, zone })?;
                // The attachment's interface is inside its subnet, whose table routes what goes on (R8.35, R9.27).
                Ok(self.go_on_inside(subnet))
            }
        }
    }

    /// A NAT gateway counts a hop, limits size and clamps MSS (R1.14, R1.17).
    fn pass_nat(&mut self, gateway: Idx<NatGateway>) {
        self.always_tracked = true;
        let address = IpAddr::V4(self.view.snapshot.nat_gateways[gateway].address);
        self.ttl_counted_by = Some(address);
        self.whole_only |= self.at.protocol != Protocol::UDP;
        self.narrow(Limit { mtu: 8_500, fragments: true, tells: Some(address) });
        self.clamp(8_500);
    }

    fn narrow(&mut self, limit: Limit) {
        let is_cut = self.limit.fragments && self.limit.mtu <= limit.mtu;
        if !limit.fragments && !is_cut {
            self.uncut = self.uncut.min(limit.mtu);
        }
        if limit.mtu < self.limit.mtu {
            self.limit = limit;
        }
    }

    /// Keeps announced segments within an element's MTU: 20 bytes of TCP and the IP header less.
    fn clamp(&mut self, mtu: u16) {
        let mss = mtu - if self.at.dst.is_ipv4() { 40 } else { 60 };
        self.mss = if self.mss == 0 { mss } else { self.mss.min(mss) };
    }

    /// The element `owner` changes the packet, and will change answers back.
    ///
    /// A path with more translations than a connection can remember is one that goes in circles.
    fn bind(&mut self, owner: ResourceRef, after: FiveTuple, idle: Duration) -> Result<(), DropReason> {
        let before = self.about.unwrap_or(self.at);
        let bound = self.bindings.try_push(Binding { owner, before, after, idle });
        self.translate(before, after);
        bound.map_err(|_| DropReason::RoutingLoop)
    }

    /// Packets of the flow change from `before` to `after`; an error about it changes where its addresses agree.
    fn translate(&mut self, before: FiveTuple, after: FiveTuple) {
        match self.about {
            None => self.at = after,
            Some(_) => {
                self.about = Some(after);
                if self.at.src == before.src {
                    self.at.src = after.src;
                }
                if self.at.dst == before.dst {
                    self.at.dst = after.dst;
                }
            }
        }
    }

    fn translate_source(&mut self, to: IpAddr) {
        if let Some(about) = self.about.as_mut().filter(|about| about.src == self.at.src) {
            about.src = to;
        }
        self.at.src = to;
    }

    fn translate_destination(&mut self, to: IpAddr) {
        if let Some(about) = self.about.as_mut().filter(|about| about.dst == self.at.dst) {
            about.dst = to;
        }
        self.at.dst = to;
    }

    fn via(&self, via: Via) -> Option<ResourceRef> {
        match via {
            Via::Host => None,
            Via::Nat(gateway) => Some(NatGateway::to_ref(self.view.snapshot.nat_gateways[gateway].id)),
            Via::Appliance(eni) => Some(Eni::to_ref(self.view.snapshot.enis[eni].id)),
        }
    }

    fn into_outcome(self, verdict: Result<Exit, DropReason>) -> Outcome {
        let tracked = self.judged.iter().filter(|(_, tracking)| self.always_tracked || *tracking == Tracking::Tracked);
        Outcome {
            verdict,
            at: self.at,
            about: self.about,
            tracked: tracked.map(|&(eni, _)| eni).collect(),
            bindings: self.bindings,
            limit: self.limit,
            ttl_counted_by: self.ttl_counted_by,
            mss: self.mss,
            whole_only: self.whole_only,
            uncut: self.uncut,
        }
    }
}
