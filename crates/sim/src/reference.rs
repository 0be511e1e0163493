//! What AWS would do, said a second time: answers straight from [`Desired`] with linear scans.
//!
//! Nothing here is compiled, cached or shared with the engine, so that a bug in either shows as a difference. It is
//! written from vpc-semantics §0.5 (order of the checks), §2.1 (routes), §8 (rules), §9 and §10 (gateways).

mod routes;
mod rules;

use std::net::IpAddr;

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AttachmentKind, Direction, EgressOnlyGateway, Endpoint, EndpointState, Eni, EniKind, InternetGateway, InternetHost,
    NatGateway, Peering, Provider, RouteTable, RouteTarget, Service, Subnet, TransitAttachment, VirtualGateway, Vpc,
};
use vpc_model::{Desired, DropReason, Id, LinkId, ResourceRef};
use vpc_packet::{FiveTuple, Protocol};

/// What is asked about one packet besides its tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Layer-3 length, in bytes.
    pub len: u16,
    /// Whether it may not be fragmented; always so for IPv6.
    pub dont_fragment: bool,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whose link it comes out of and as what, or why not.
    pub fate: Result<Delivered, DropReason>,
    /// What its answers may count on.
    pub memory: Memory,
}

/// Where a packet comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The link.
    pub link: LinkId,
    /// The packet as it is there.
    pub tuple: FiveTuple,
    /// Whether the source port is some free one rather than this one.
    pub any_source_port: bool,
    /// Whether it comes in pieces.
    pub in_pieces: bool,
}

/// What the elements on a flow's way remember of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Interfaces whose security groups track the flow.
    tracked: Vec<Id<Eni>>,
    /// Who changed the packet, from what to what.
    changes: Vec<(ResourceRef, FiveTuple, FiveTuple)>,
}

/// The reference, for one network.
#[derive(Clone, Copy)]
pub struct Reference<'a> {
    desired: &'a Desired,
}

/// What leaves so many subnets is going round in circles.
const MOST_LEAVES: usize = 12;

impl<'a> Reference<'a> {
    /// The reference for a network.
    #[must_use]
    pub const fn new(desired: &'a Desired) -> Self {
        Self { desired }
    }

    /// What becomes of the first packet of a flow, when nothing else was ever sent.
    #[must_use]
    pub fn first_packet(self, link: LinkId, tuple: FiveTuple, size: Size) -> Judgement {
        self.judge(link, tuple, size, None)
    }

    /// What becomes of an answer to a flow.
    ///
    /// Shape: `tuple` is that of the answer where it is sent; `memory` is that of the flow's first packet, whose
    /// source port at the far end was `port`, if an element chose one.
    #[must_use]
    pub fn answer(self, link: LinkId, tuple: FiveTuple, size: Size, memory: &Memory) -> Judgement {
        self.judge(link, tuple, size, Some(memory))
    }

    fn judge(self, link: LinkId, tuple: FiveTuple, size: Size, answers: Option<&Memory>) -> Judgement {
        let mut packet = Packet {
            desired: self.desired,
            at: tuple,
            size,
            answers,
            relayed: false,
            never_untracked: false,
            judged: Vec::new(),
            memory: Memory::default(),
            any_source_port: false,
            mtus: vec![Element { mtu: 9_001, cuts: false }],
            passed_nat: false,
            leaves: 0,
        };
        let arrived = packet.start_at_link(link);
        let fate = arrived.and_then(|link| {
            let in_pieces = packet.fits()?;
            let Packet { at: tuple, any_source_port, .. } = packet;
            Ok(Delivered { link, tuple, any_source_port, in_pieces })
        });
        let mut memory = packet.memory;
        let tracked = packet.judged.iter().filter(|(_, tracked)| *tracked || packet.never_untracked);
        memory.tracked = tracked.map(|(eni, _)| *eni).collect();
        Judgement { fate, memory }
    }
}

impl Memory {
    /// The same with the port that an element turned out to have chosen.
    #[must_use]
    pub fn with_source_port(mut self, port: u16) -> Self {
        for (_, _, after) in &mut self.changes {
            after.src_port = port;
        }
        if let [first, rest @ ..] = self.changes.as_mut_slice() {
            let mut before = first.2;
            for (_, from, to) in rest {
                from.src_port = before.src_port;
                before = *to;
            }
        }
        self
    }
}

/// An element's MTU and whether it cuts what does not fit (R1.17).
struct Element {
    mtu: u16,
    cuts: bool,
}

/// A packet on its way.
struct Packet<'a> {
    desired: &'a Desired,
    at: FiveTuple,
    size: Size,
    /// The flow it answers, if it does.
    answers: Option<&'a Memory>,
    /// It is sent by somebody else than its source.
    relayed: bool,
    /// It passed an element whose flows are always tracked (R8.11).
    never_untracked: bool,
    /// Interfaces whose security groups let it pass, and whether they track it.
    judged: Vec<(Id<Eni>, bool)>,
    memory: Memory,
    any_source_port: bool,
    mtus: Vec<Element>,
    passed_nat: bool,
    leaves: usize,
}

type Arrived = Result<LinkId, DropReason>;

impl<'a> Packet<'a> {
    fn start_at_link(&mut self, link: LinkId) -> Arrived {
        let owner = self.desired.links().find(|(other, _)| *other == link).map(|(_, owner)| owner);
        match owner {
            Some(ResourceRef::Eni(id)) => match self.desired.get(id) {
                Some(eni) => self.start_at_eni(eni),
                None => Err(DropReason::UnknownLink),
            },
            Some(ResourceRef::InternetHost(_)) => self.enter_vpc(),
            Some(ResourceRef::Service(_)) => self.start_at_service(),
            Some(ResourceRef::VirtualGateway(id)) => self.start_at_far(id),
            Some(_) | None => Err(DropReason::UnknownLink),
        }
    }

    /// §0.5, steps 1 to 5.
    fn start_at_eni(&mut self, eni: &Eni) -> Arrived {
        refuse_group_addresses(self.at.dst)?;
        let own = eni.addresses.iter().any(|address| address.private == self.at.src);
        if eni.source_dest_check && !own {
            return Err(DropReason::EniSourceDestCheck);
        }
        self.relayed = !own;
        self.security_group(eni, Direction::Egress)?;
        let subnet = self.subnet(eni.subnet)?;
        self.go_on_inside(subnet)
    }

    /// R1.10, R8.31: a neighbour is reached without router and ACL.
    fn go_on_inside(&mut self, subnet: &Subnet) -> Arrived {
        if holds(subnet, self.at.dst) { self.deliver(subnet) } else { self.leave(subnet) }
    }

    /// §0.5, steps 6 to 8.
    fn leave(&mut self, subnet: &Subnet) -> Arrived {
        self.leaves += 1;
        if self.leaves > MOST_LEAVES {
            return Err(DropReason::RoutingLoop);
        }
        self.network_acl(subnet, Direction::Egress)?;
        let vpc = self.vpc(subnet.vpc)?;
        let table = subnet.table.unwrap_or(vpc.main_table);
        let table = self.desired.get(table).ok_or(DropReason::NoRoute)?;
        let target = routes::select(self.desired, table, self.at.dst)?;
        match target {
            RouteTarget::Local => self.reach_subnet_of(vpc),
            RouteTarget::Eni(id) => self.reach_appliance(id),
            RouteTarget::Nat(id) => self.through_nat(id),
            RouteTarget::Internet(_) => {
                if self.at.src.is_ipv4() {
                    let public = self.public_of(vpc, self.at.src).ok_or(DropReason::IgwNoPublic)?;
                    self.at.src = public;
                }
                self.mtus.push(Element { mtu: 1_500, cuts: true });
                self.outside()
            }
            RouteTarget::EgressOnly(_) => {
                self.never_untracked = true;
                self.mtus.push(Element { mtu: 1_500, cuts: true });
                self.outside()
            }
            RouteTarget::GatewayEndpoint(id) => self.enter_gateway_endpoint(id),
            RouteTarget::Peering(id) => self.across_peering(id, vpc),
            RouteTarget::Transit(id) => {
                let attachment = self.desired.attachments(vpc.id).find(|attachment| attachment.gateway == id);
                self.enter_transit(attachment.ok_or(DropReason::Blackhole)?, subnet)
            }
            RouteTarget::Virtual(id) => {
                self.mtus.push(Element { mtu: 1_500, cuts: true });
                self.desired.link(id).ok_or(DropReason::Blackhole)
            }
        }
    }

    /// Into the subnet of a VPC that holds the destination (§0.5, steps 8 and 8n).
    fn reach_subnet_of(&mut self, vpc: &Vpc) -> Arrived {
        let dst = self.at.dst;
        let mut subnets = self.desired.iter::<Subnet>().filter(|subnet| subnet.vpc == vpc.id);
        let subnet = subnets.find(|subnet| holds(subnet, dst)).ok_or(DropReason::NoSuchSubnet)?;
        self.network_acl(subnet, Direction::Ingress)?;
        self.deliver(subnet)
    }

    /// §0.5, step 9.
    fn deliver(&mut self, subnet: &Subnet) -> Arrived {
        let dst = self.at.dst;
        let mut enis = self.desired.iter::<Eni>().filter(|eni| eni.subnet == subnet.id);
        let eni = enis.find(|eni| eni.has(dst)).ok_or(DropReason::NoSuchEni)?;
        self.reach_eni(eni)
    }

    fn reach_appliance(&mut self, id: Id<Eni>) -> Arrived {
        let eni = self.desired.get(id).ok_or(DropReason::Blackhole)?;
        let subnet = self.subnet(eni.subnet)?;
        self.network_acl(subnet, Direction::Ingress)?;
        self.reach_eni(eni)
    }

    /// §0.5, steps 10 to 14.
    fn reach_eni(&mut self, eni: &Eni) -> Arrived {
        match eni.kind {
            EniKind::Instance { .. } => {
                if eni.source_dest_check && !eni.has(self.at.dst) {
                    return Err(DropReason::EniSourceDestCheck);
                }
                self.security_group(eni, Direction::Ingress)?;
                self.desired.link(eni.id).ok_or(DropReason::UnknownLink)
            }
            EniKind::Endpoint(id) => {
                self.never_untracked = true;
                self.security_group(eni, Direction::Ingress)?;
                let endpoint = self.desired.get(id).ok_or(DropReason::VpceNotAvailable)?;
                self.enter_interface_endpoint(eni, endpoint)
            }
            // R10.6: only answers are for a NAT gateway itself.
            EniKind::NatGateway(id) => {
                self.undo(NatGateway::to_ref(id)).ok_or(DropReason::NatNoBinding)?;
                self.pass_nat();
                let subnet = self.subnet(eni.subnet)?;
                self.go_on_inside(subnet)
            }
        }
    }

    /// R10.1, R10.2, R10.5, R10.6, R10.7.
    fn through_nat(&mut self, id: Id<NatGateway>) -> Arrived {
        let nat = self.desired.get(id).ok_or(DropReason::Blackhole)?;
        let subnet = self.subnet(nat.subnet)?;
        self.network_acl(subnet, Direction::Ingress)?;
        if self.answers.is_some() {
            self.undo(NatGateway::to_ref(id)).ok_or(DropReason::NatNoBinding)?;
            self.pass_nat();
            return self.go_on_inside(subnet);
        }
        if !matches!(self.at.protocol, Protocol::TCP | Protocol::UDP | Protocol::ICMP) {
            return Err(DropReason::NatProtocol);
        }
        if holds(subnet, self.at.src) {
            return Err(DropReason::NatSameSubnet);
        }
        let own = self.desired.get(nat.eni).and_then(|eni| eni.addresses.iter().find(|a| a.private.is_ipv4()));
        let before = self.at;
        self.at.src = own.map(|address| address.private).ok_or(DropReason::Blackhole)?;
        // Ports below 1024 are not given out; which one is chosen instead is the gateway's business.
        self.any_source_port |= self.at.src_port < 1_024;
        self.memory.changes.push((NatGateway::to_ref(id), before, self.at));
        self.pass_nat();
        self.go_on_inside(subnet)
    }

    fn pass_nat(&mut self) {
        self.never_untracked = true;
        self.mtus.push(Element { mtu: 8_500, cuts: true });
        self.passed_nat = true;
    }

    /// R3.7, R3.8, R3.11.
    fn enter_gateway_endpoint(&mut self, id: Id<Endpoint>) -> Arrived {
        let endpoint = self.desired.get(id).ok_or(DropReason::Blackhole)?;
        let echo = match self.at.icmp_type_code() {
            Some((8, _)) => self.at.protocol == Protocol::ICMP,
            Some((128, _)) => self.at.protocol == Protocol::ICMPV6,
            Some(_) | None => false,
        };
        if self.at.protocol != Protocol::TCP && !echo {
            return Err(DropReason::VpceGatewayProtocol);
        }
        if !self.vpc(endpoint.vpc)?.blocks().any(|block| block.contains(self.at.src)) {
            return Err(DropReason::VpceGatewaySource);
        }
        let service = self.desired.get(endpoint.service).ok_or(DropReason::ServiceNoHost)?;
        if !addresses_of(service).contains(&self.at.dst) {
            return Err(DropReason::ServiceNoHost);
        }
        self.memory.changes.push((Endpoint::to_ref(id), self.at, self.at));
        self.desired.link(service.id).ok_or(DropReason::UnknownLink)
    }

    /// R4.10, R4.12, R4.15, R4.22.
    fn enter_interface_endpoint(&mut self, eni: &Eni, endpoint: &Endpoint) -> Arrived {
        if endpoint.state != EndpointState::Available {
            return Err(DropReason::VpceNotAvailable);
        }
        if !matches!(self.at.protocol, Protocol::TCP | Protocol::UDP) {
            return Err(DropReason::VpceProtocol);
        }
        self.mtus.push(Element { mtu: 8_500, cuts: false });
        let service = self.desired.get(endpoint.service).ok_or(DropReason::ServiceNoHost)?;
        let same_version = |address: &&IpAddr| address.is_ipv4() == self.at.dst.is_ipv4();
        let host = addresses_of(service).iter().find(same_version).copied().ok_or(DropReason::ServiceNoHost)?;
        let before = self.at;
        self.at.dst = host;
        self.memory.changes.push((Eni::to_ref(eni.id), before, self.at));
        self.desired.link(service.id).ok_or(DropReason::UnknownLink)
    }

    /// R4.11: a service only answers, and by the way the question came.
    fn start_at_service(&mut self) -> Arrived {
        let flow = self.answers.ok_or(DropReason::VpceIntraVpc)?;
        let last = flow.changes.last().map(|(owner, ..)| *owner);
        match last {
            Some(owner @ ResourceRef::Endpoint(endpoint)) => {
                self.undo(owner).ok_or(DropReason::VpceIntraVpc)?;
                let endpoint = self.desired.get(endpoint).ok_or(DropReason::VpceIntraVpc)?;
                let vpc = self.vpc(endpoint.vpc)?;
                self.reach_subnet_of(vpc)
            }
            Some(owner @ ResourceRef::Eni(eni)) => {
                self.undo(owner).ok_or(DropReason::VpceIntraVpc)?;
                self.mtus.push(Element { mtu: 8_500, cuts: false });
                let eni = self.desired.get(eni).ok_or(DropReason::VpceIntraVpc)?;
                self.start_at_eni(eni)
            }
            Some(_) | None => self.outside(),
        }
    }

    /// R9.4, R9.5, R9.9, R9.10.
    fn across_peering(&mut self, id: Id<Peering>, from: &Vpc) -> Arrived {
        let peering = self.desired.get(id).ok_or(DropReason::Blackhole)?;
        let to = if peering.requester == from.id { peering.accepter } else { peering.requester };
        let to = self.vpc(to)?;
        if !from.blocks().any(|block| block.contains(self.at.src)) {
            return Err(DropReason::PcxSource);
        }
        if !to.blocks().any(|block| block.contains(self.at.dst)) {
            return Err(DropReason::PcxDestination);
        }
        self.mtus.push(Element { mtu: if from.region == to.region { 9_001 } else { 8_500 }, cuts: false });
        self.reach_subnet_of(to)
    }

    /// R9.20 to R9.28, without appliance mode.
    fn enter_transit(&mut self, attachment: &TransitAttachment, subnet: &Subnet) -> Arrived {
        let AttachmentKind::Vpc { subnets, .. } = &attachment.kind else {
            return Err(DropReason::TgwNoRoute);
        };
        let in_zone = |id: &&Id<Subnet>| self.desired.get(**id).is_some_and(|door| door.az == subnet.az);
        let door = subnets.iter().find(in_zone).and_then(|id| self.desired.get(*id)).ok_or(DropReason::TgwAz)?;
        self.network_acl(door, Direction::Ingress)?;
        self.mtus.push(Element { mtu: 8_500, cuts: false });
        let table = attachment.table.and_then(|id| self.desired.get(id)).ok_or(DropReason::TgwNoRoute)?;
        let target = routes::select_transit(self.desired, table, self.at.dst)?;
        let next = self.desired.get(target).ok_or(DropReason::TgwBlackhole)?;
        let AttachmentKind::Vpc { subnets, .. } = &next.kind else {
            return Err(DropReason::TgwNoRoute);
        };
        let here = subnets.iter().find(in_zone).or(subnets.first());
        let exit = here.and_then(|id| self.desired.get(*id)).ok_or(DropReason::TgwNoRoute)?;
        if holds(exit, self.at.dst) { self.deliver(exit) } else { self.leave(exit) }
    }

    /// Beyond every VPC: back into one by a public address (R10.15), or to whoever has the address.
    fn outside(&mut self) -> Arrived {
        if self.is_public_address_of_a_vpc() {
            return self.enter_vpc();
        }
        if is_private(self.at.dst) {
            return Err(DropReason::NoInternetHost);
        }
        let dst = self.at.dst;
        let mut best: Option<(u8, LinkId)> = None;
        let mut offer = |prefix: Prefix, link: Option<LinkId>| {
            if let (true, Some(link)) = (prefix.contains(dst), link) {
                best = best.filter(|(len, _)| *len > prefix.len()).or(Some((prefix.len(), link)));
            }
        };
        for service in self.desired.iter::<Service>() {
            addresses_of(service).iter().for_each(|a| offer(Prefix::host(*a), self.desired.link(service.id)));
        }
        for host in self.desired.iter::<InternetHost>() {
            let link = self.desired.link(host.id);
            host.prefixes.iter().for_each(|prefix| offer(*prefix, link));
            host.addresses.iter().for_each(|address| offer(Prefix::host(*address), link));
        }
        best.map(|(_, link)| link).ok_or(DropReason::NoInternetHost)
    }

    fn is_public_address_of_a_vpc(&self) -> bool {
        match self.at.dst {
            IpAddr::V4(_) => self.private_behind(self.at.dst).is_some(),
            IpAddr::V6(_) => self.v6_vpc().is_some(),
        }
    }

    /// From the internet into the VPC that has the destination (R10.12, R10.13, R10.18, R2.20, R2.22).
    fn enter_vpc(&mut self) -> Arrived {
        self.mtus.push(Element { mtu: 1_500, cuts: true });
        if self.at.dst.is_ipv4() {
            let (vpc, private, gateway) = self.private_behind(self.at.dst).ok_or(DropReason::NoSuchPublic)?;
            self.at.dst = private;
            return self.over_the_edge(vpc, gateway.edge_table);
        }
        let (vpc, gateway) = self.v6_vpc().ok_or(DropReason::NoSuchPublic)?;
        let asked_for = self.answers.is_some();
        if (gateway.is_none() || self.answers_by_egress_only(vpc)) && !asked_for {
            return Err(DropReason::EigwUnsolicited);
        }
        self.over_the_edge(vpc, gateway.and_then(|gateway| gateway.edge_table))
    }

    fn over_the_edge(&mut self, vpc: Id<Vpc>, edge_table: Option<Id<RouteTable>>) -> Arrived {
        if let Some(table) = edge_table.and_then(|id| self.desired.get(id))
            && let RouteTarget::Eni(id) = routes::select(self.desired, table, self.at.dst)?
        {
            return self.reach_appliance(id);
        }
        let vpc = self.vpc(vpc)?;
        self.reach_subnet_of(vpc)
    }

    fn start_at_far(&mut self, id: Id<VirtualGateway>) -> Arrived {
        let gateway = self.desired.get(id).ok_or(DropReason::UnknownLink)?;
        self.mtus.push(Element { mtu: 1_500, cuts: true });
        self.over_the_edge(gateway.vpc.ok_or(DropReason::Blackhole)?, gateway.edge_table)
    }

    fn security_group(&mut self, eni: &Eni, direction: Direction) -> Result<(), DropReason> {
        let remembered = self.answers.is_some_and(|flow| flow.tracked.contains(&eni.id));
        let allowed = rules::security_groups(self.desired, eni, direction, &self.at, self.relayed);
        match (remembered, allowed) {
            (true, _) => {
                self.judged.push((eni.id, true));
                Ok(())
            }
            (false, Some(tracked)) => {
                self.judged.push((eni.id, tracked));
                Ok(())
            }
            (false, None) => Err(match direction {
                Direction::Egress => DropReason::SgEgress,
                Direction::Ingress => DropReason::SgIngress,
            }),
        }
    }

    fn network_acl(&self, subnet: &Subnet, direction: Direction) -> Result<(), DropReason> {
        let vpc = self.vpc(subnet.vpc)?;
        let acl = self.desired.get(subnet.acl.unwrap_or(vpc.default_acl));
        if acl.is_some_and(|acl| rules::network_acl(acl, direction, &self.at)) {
            return Ok(());
        }
        Err(match direction {
            Direction::Egress => DropReason::NaclEgress,
            Direction::Ingress => DropReason::NaclIngress,
        })
    }

    /// Changes an answer back where its question was changed.
    fn undo(&mut self, owner: ResourceRef) -> Option<()> {
        let (_, before, _) = self.answers?.changes.iter().find(|(other, ..)| *other == owner)?;
        self.at = before.reversed();
        Some(())
    }

    /// Whether it fits every element it passed, and whether it was cut for that (R1.14, R1.16, R1.17).
    fn fits(&self) -> Result<bool, DropReason> {
        if self.passed_nat && self.size.ttl <= 1 {
            return Err(DropReason::TtlExpired);
        }
        let mut in_pieces = false;
        let mut len = self.size.len;
        for element in &self.mtus {
            if len <= element.mtu {
                continue;
            }
            if !element.cuts || self.size.dont_fragment {
                return Err(DropReason::TooBig);
            }
            in_pieces = true;
            len = element.mtu;
        }
        Ok(in_pieces)
    }

    fn subnet(&self, id: Id<Subnet>) -> Result<&'a Subnet, DropReason> {
        self.desired.get(id).ok_or(DropReason::NoSuchSubnet)
    }

    fn vpc(&self, id: Id<Vpc>) -> Result<&'a Vpc, DropReason> {
        self.desired.get(id).ok_or(DropReason::NoSuchSubnet)
    }

    fn vpc_of(&self, eni: &Eni) -> Option<Id<Vpc>> {
        self.desired.get(eni.subnet).map(|subnet| subnet.vpc)
    }

    /// The public address that stands for a private one of a VPC.
    fn public_of(&self, vpc: &Vpc, private: IpAddr) -> Option<IpAddr> {
        let enis = self.desired.iter::<Eni>().filter(|eni| self.vpc_of(eni) == Some(vpc.id));
        let mut addresses = enis.flat_map(|eni| &eni.addresses).filter(|address| address.private == private);
        addresses.find_map(|address| address.public).map(IpAddr::V4)
    }

    /// The VPC, the private address and the gateway behind a public address.
    fn private_behind(&self, public: IpAddr) -> Option<(Id<Vpc>, IpAddr, &'a InternetGateway)> {
        for eni in self.desired.iter::<Eni>() {
            let found = eni.addresses.iter().find(|address| address.public.map(IpAddr::V4) == Some(public));
            let vpc = self.vpc_of(eni)?;
            let gateway = self.desired.iter::<InternetGateway>().find(|gateway| gateway.vpc == Some(vpc));
            if let (Some(address), Some(gateway)) = (found, gateway) {
                return Some((vpc, address.private, gateway));
            }
        }
        None
    }

    /// The VPC around an IPv6 destination, if it has a gateway for IPv6; the gateway if it is one that is open.
    fn v6_vpc(&self) -> Option<(Id<Vpc>, Option<&'a InternetGateway>)> {
        let dst = self.at.dst;
        let around = |vpc: &&Vpc| vpc.ipv6_cidrs.iter().any(|block| block.contains(dst));
        self.desired.iter::<Vpc>().filter(around).find_map(|vpc| {
            let open = self.desired.iter::<InternetGateway>().find(|gateway| gateway.vpc == Some(vpc.id));
            let only_out = self.desired.iter::<EgressOnlyGateway>().any(|gateway| gateway.vpc == vpc.id);
            (open.is_some() || only_out).then_some((vpc.id, open))
        })
    }

    /// Whether the destination's subnet answers through an egress-only gateway.
    fn answers_by_egress_only(&self, vpc: Id<Vpc>) -> bool {
        let (dst, src) = (self.at.dst, self.at.src);
        let mut subnets = self.desired.iter::<Subnet>().filter(|subnet| subnet.vpc == vpc);
        let table = subnets.find(|subnet| holds(subnet, dst)).and_then(|subnet| self.desired.table_of(subnet));
        let target = table.map(|table| routes::select(self.desired, table, src));
        matches!(target, Some(Ok(RouteTarget::EgressOnly(_))))
    }
}

fn holds(subnet: &Subnet, address: IpAddr) -> bool {
    subnet.cidr.contains(address) || subnet.ipv6_cidr.is_some_and(|block| block.contains(address))
}

fn addresses_of(service: &Service) -> &[IpAddr] {
    let Provider::Host { addresses, .. } = &service.provider;
    addresses
}

/// R1.5, R1.12: what a VPC never forwards to.
fn refuse_group_addresses(dst: IpAddr) -> Result<(), DropReason> {
    let fd00_ec2 = |v6: std::net::Ipv6Addr| v6.segments()[0] == 0xfd00 && v6.segments()[1] == 0x0ec2;
    match dst {
        IpAddr::V4(v4) if v4.octets() == [255; 4] => Err(DropReason::Broadcast),
        IpAddr::V4(v4) if (224..240).contains(&v4.octets()[0]) => Err(DropReason::Multicast),
        IpAddr::V4(v4) if v4.octets()[..2] == [169, 254] => Err(DropReason::LinkLocal),
        IpAddr::V6(v6) if v6.octets()[0] == 0xff => Err(DropReason::Multicast),
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80 || fd00_ec2(v6) => Err(DropReason::LinkLocal),
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
    }
}

/// RFC 1918, RFC 6598 and unique local addresses: nobody's on the internet (R10.14).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            a == 10 || a == 172 && (16..32).contains(&b) || a == 192 && b == 168 || a == 100 && (64..128).contains(&b)
        }
        IpAddr::V6(v6) => v6.octets()[0] & 0xfe == 0xfc,
    }
}
