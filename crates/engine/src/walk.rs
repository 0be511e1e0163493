//! Where a packet goes: read [`hops`] from top to bottom.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use vpc_flow::{Binding, MAX_BINDINGS, MAX_TRACKED};
use vpc_model::desired::Noun;
use vpc_model::resource::{Direction, Endpoint, Eni, InternetHost, NatGateway, Service, Subnet};
use vpc_model::{DropReason, Id, LinkId, ResourceRef, StageId};
use vpc_packet::FiveTuple;

use crate::path::Limit;
use crate::snapshot::{EniRole, Idx, Ingress, Outside, Target, V6Edge};
use crate::stage::{
    Attach, Back, EgressOnly, Evidence, FindInternetHost, GatewayEndpoint, InterfaceEndpoint, LocalDelivery,
    NetworkAclStage, PrivateAddress, PublicAddress, ReverseNat, RouteLookup, SecurityGroupStage,
    ServiceAttach, ServiceReturn, SourceDestCheck, SourceNat, Stage, SubnetOf, Tracking, Unicast, View,
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
    };
    loop {
        w.spend_hop()?;
        hop = match hop {
            Hop::FromEni(eni) => {
                let subnet = snapshot.enis[eni].subnet;
                w.place(Place::Eni(snapshot.enis[eni].id, Direction::Egress));
                w.step(Unicast)?;
                w.step(SourceDestCheck {
                    eni,
                    direction: Direction::Egress,
                })?;
                w.security_group(eni, Direction::Egress)?;
                if snapshot.subnets[subnet].contains(w.at.dst) {
                    Hop::Deliver(subnet)
                } else {
                    Hop::Leave(subnet)
                }
            }
            Hop::Leave(subnet) => {
                let entry = &snapshot.subnets[subnet];
                w.place(Place::LeaveSubnet(entry.id));
                w.step(NetworkAclStage {
                    acl: entry.acl,
                    direction: Direction::Egress,
                })?;
                match w.step(RouteLookup { table: entry.table })? {
                    Target::Local => Hop::Enter(w.step(SubnetOf { vpc: entry.vpc })?, Via::Host),
                    Target::Eni(appliance) => {
                        Hop::Enter(snapshot.enis[appliance].subnet, Via::Appliance(appliance))
                    }
                    Target::Nat(gateway) => {
                        Hop::Enter(snapshot.nat_gateways[gateway].subnet, Via::Nat(gateway))
                    }
                    Target::Internet(gateway) => {
                        let public = w.step(PublicAddress { gateway })?;
                        w.translate_source(public);
                        w.narrow(Limit {
                            mtu: 1_500,
                            fragments: true,
                            tells: entry.cidr.nth(1),
                        });
                        Hop::Internet
                    }
                    Target::EgressOnly => {
                        w.always_tracked = true;
                        w.narrow(Limit {
                            mtu: 1_500,
                            fragments: true,
                            tells: entry.ipv6_cidr.and_then(|block| block.nth(1)),
                        });
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
            Hop::Enter(subnet, via) => {
                let entry = &snapshot.subnets[subnet];
                w.place(Place::EnterSubnet(entry.id, w.via(via)));
                w.step(NetworkAclStage {
                    acl: entry.acl,
                    direction: Direction::Ingress,
                })?;
                match via {
                    Via::Host => Hop::Deliver(subnet),
                    Via::Appliance(eni) => Hop::ToEni(eni),
                    Via::Nat(gateway) => {
                        let after = w.step(SourceNat { gateway })?;
                        w.bind(
                            NatGateway::to_ref(snapshot.nat_gateways[gateway].id),
                            after,
                            timeout::NAT,
                        );
                        w.pass_nat(gateway);
                        Hop::Leave(subnet)
                    }
                }
            }
            Hop::Deliver(subnet) => Hop::ToEni(w.step(LocalDelivery { subnet })?),
            Hop::ToEni(eni) => {
                let entry = &snapshot.enis[eni];
                w.place(Place::Eni(entry.id, Direction::Ingress));
                match entry.role {
                    // Nobody has its addresses, so delivery says that there is no such interface.
                    EniRole::Available => Hop::Deliver(entry.subnet),
                    EniRole::Instance(link) => {
                        w.step(SourceDestCheck {
                            eni,
                            direction: Direction::Ingress,
                        })?;
                        w.security_group(eni, Direction::Ingress)?;
                        return Ok(Exit {
                            link,
                            to: Receiver::Eni(entry.id),
                        });
                    }
                    EniRole::Endpoint(endpoint) => {
                        w.always_tracked = true;
                        w.security_group(eni, Direction::Ingress)?;
                        w.place(Place::Endpoint(snapshot.endpoints[endpoint].id));
                        let service = w.step(InterfaceEndpoint { endpoint })?;
                        w.narrow(Limit {
                            mtu: 8_500,
                            fragments: false,
                            tells: None,
                        });
                        w.clamp(8_500);
                        Hop::ToService(service, Eni::to_ref(entry.id), Attach::Own)
                    }
                    EniRole::Nat(gateway) => {
                        let (before, after) = w.step(ReverseNat { gateway })?;
                        w.translate(before, after);
                        w.pass_nat(gateway);
                        Hop::Leave(entry.subnet)
                    }
                }
            }
            Hop::FromInternet => {
                w.place(Place::Internet);
                Hop::Enter(w.enter_vpc()?, Via::Host)
            }
            Hop::Internet => {
                w.place(Place::Internet);
                match w.leads_into_vpc() {
                    true => Hop::Enter(w.enter_vpc()?, Via::Host),
                    false => match w.step(FindInternetHost)? {
                        Outside::Host(host) => {
                            let entry = &snapshot.hosts[host];
                            return Ok(Exit {
                                link: entry.link,
                                to: Receiver::Host(entry.id),
                            });
                        }
                        Outside::Service(service) => {
                            let entry = &snapshot.services[service];
                            return Ok(Exit {
                                link: entry.link,
                                to: Receiver::Service(entry.id),
                            });
                        }
                    },
                }
            }
            Hop::ToService(service, owner, to) => {
                let entry = &snapshot.services[service];
                w.place(Place::Service(entry.id));
                let after = w.step(ServiceAttach { service, owner, to })?;
                w.bind(owner, after, timeout::ENDPOINT);
                return Ok(Exit {
                    link: entry.link,
                    to: Receiver::Service(entry.id),
                });
            }
            Hop::FromService(service) => {
                w.place(Place::Service(snapshot.services[service].id));
                match w.step(ServiceReturn { service })? {
                    Back::Internet => Hop::Internet,
                    Back::Endpoint(id, before, after) => {
                        let endpoint = snapshot.endpoints.position(id).ok_or(DropReason::VpceIntraVpc)?;
                        w.place(Place::Endpoint(id));
                        w.translate(before, after);
                        Hop::Enter(
                            w.step(SubnetOf {
                                vpc: snapshot.endpoints[endpoint].vpc,
                            })?,
                            Via::Host,
                        )
                    }
                    Back::Eni(id, before, after) => {
                        let eni = snapshot.enis.position(id).ok_or(DropReason::VpceIntraVpc)?;
                        w.translate(before, after);
                        w.narrow(Limit {
                            mtu: 8_500,
                            fragments: false,
                            tells: None,
                        });
                        w.clamp(8_500);
                        Hop::FromEni(eni)
                    }
                }
            }
        };
    }
}

/// Idle times of translations.
mod timeout {
    use std::time::Duration;

    /// Source: R10.4.
    pub(super) const NAT: Duration = Duration::from_secs(350);
    /// Source: R4.13.
    pub(super) const ENDPOINT: Duration = Duration::from_secs(350);
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
        if self.hops > HOP_BUDGET {
            Err(DropReason::RoutingLoop)
        } else {
            Ok(())
        }
    }

    fn security_group(&mut self, eni: Idx<Eni>, direction: Direction) -> Result<(), DropReason> {
        let tracking = self.step(SecurityGroupStage { eni, direction })?;
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
    fn enter_vpc(&mut self) -> Result<Idx<Subnet>, DropReason> {
        let snapshot = self.view.snapshot;
        let edge = match self.at.dst {
            IpAddr::V6(address) => snapshot
                .internet
                .blocks
                .longest_match_v6(address)
                .map(|(_, &edge)| edge),
            IpAddr::V4(_) => None,
        };
        self.narrow(Limit {
            mtu: 1_500,
            fragments: true,
            tells: None,
        });
        match edge {
            Some(V6Edge { vpc, open }) => {
                if !open {
                    self.step(EgressOnly { vpc })?;
                }
                self.step(SubnetOf { vpc })
            }
            None => {
                let (gateway, private) = self.step(PrivateAddress)?;
                self.translate_destination(private);
                self.step(SubnetOf {
                    vpc: snapshot.internet_gateways[gateway].vpc,
                })
            }
        }
    }

    /// A NAT gateway counts a hop, limits size and clamps MSS (R1.14, R1.17).
    fn pass_nat(&mut self, gateway: Idx<NatGateway>) {
        self.always_tracked = true;
        let address = IpAddr::V4(self.view.snapshot.nat_gateways[gateway].address);
        self.ttl_counted_by = Some(address);
        self.narrow(Limit {
            mtu: 8_500,
            fragments: true,
            tells: Some(address),
        });
        self.clamp(8_500);
    }

    fn narrow(&mut self, limit: Limit) {
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
    fn bind(&mut self, owner: ResourceRef, after: FiveTuple, idle: std::time::Duration) {
        let before = self.about.unwrap_or(self.at);
        // A path with more translations than a connection can remember does not exist: each kind of element is
        // met at most once between two ends.
        let _ = self.bindings.try_push(Binding {
            owner,
            before,
            after,
            idle,
        });
        self.translate(before, after);
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
        let tracked = self
            .judged
            .iter()
            .filter(|(_, tracking)| self.always_tracked || *tracking == Tracking::Tracked);
        Outcome {
            verdict,
            at: self.at,
            about: self.about,
            tracked: tracked.map(|&(eni, _)| eni).collect(),
            bindings: self.bindings,
            limit: self.limit,
            ttl_counted_by: self.ttl_counted_by,
            mss: self.mss,
        }
    }
}
