//! From what was asked for to what is looked up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vpc_lpm::{Builder, Prefix};
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AttachmentKind, Az, Destination, Direction, EffectiveRoute, EffectiveTransitRoute, EgressOnlyGateway, Endpoint,
    EndpointState, Eni, EniKind, InternetGateway, InternetHost, NatGateway, NetworkAcl, Peer, Peering, PeeringState,
    PrefixList, Provider, RouteOrigin, RouteState, RouteTable, RouteTarget, SecurityGroup, Service, Subnet,
    TransitAttachment, TransitGateway, TransitRouteTable, TransitTarget, VirtualGateway, Vpc,
};
use vpc_model::{Desired, Id, LinkId, ResourceRef};

use super::rules::{AclRule, AclRules, GroupRules, PeerSet, Permit};
use super::{
    Attached, AttachmentEntry, EndpointEntry, EniEntry, EniRole, HostEntry, Idx, IdxVec, Ingress, Internet,
    InternetGatewayEntry, NatEntry, Outside, PeeringEntry, RouteEntry, ServiceEntry, Snapshot, SubnetEntry, TableEntry,
    Target, TransitRouteEntry, TransitTableEntry, V6Edge, VirtualEntry, VpcEntry, Zone,
};

pub(super) fn compile(desired: &Desired, generation: u64) -> Snapshot {
    let ranks = Ranks::of(desired);
    let compiler = Compiler { desired, ranks: &ranks, sets: Sets::of(desired), zones: zones(desired) };
    let subnets: IdxVec<Subnet, _> = desired.iter::<Subnet>().filter_map(|s| compiler.subnet(s)).collect();
    Snapshot {
        generation,
        ingress: compiler.ingress(),
        vpcs: desired.iter::<Vpc>().map(|v| compiler.vpc(v)).collect(),
        enis: desired.iter::<Eni>().filter_map(|e| compiler.eni(e)).collect(),
        tables: desired.iter::<RouteTable>().map(|t| compiler.table(t)).collect(),
        acls: desired.iter::<NetworkAcl>().map(acl).collect(),
        groups: desired.iter::<SecurityGroup>().map(|g| compiler.group(g)).collect(),
        endpoints: desired.iter::<Endpoint>().filter_map(|e| compiler.endpoint(e)).collect(),
        services: desired.iter::<Service>().filter_map(|s| compiler.service(s)).collect(),
        internet_gateways: compiler
            .attached_gateways()
            .filter_map(|(gateway, vpc)| compiler.internet_gateway(gateway, vpc))
            .collect(),
        nat_gateways: desired.iter::<NatGateway>().filter_map(|g| compiler.nat(g)).collect(),
        peerings: desired.iter::<Peering>().filter_map(|p| compiler.peering(p)).collect(),
        attachments: desired.iter::<TransitAttachment>().filter_map(|a| compiler.attachment(a)).collect(),
        transit_tables: desired.iter::<TransitRouteTable>().map(|t| compiler.transit_table(t)).collect(),
        virtual_gateways: desired.iter::<VirtualGateway>().filter_map(|g| compiler.virtual_gateway(g)).collect(),
        hosts: desired.iter::<InternetHost>().filter_map(|h| compiler.host(h)).collect(),
        internet: compiler.internet(),
        subnets,
        desired: desired.clone(),
    }
}

/// Where each resource will stand: its rank among the ids of its kind.
///
/// Entries are made in the same order, and every `filter_map` above drops only what a valid [`Desired`] cannot hold,
/// so ranks and positions agree.
struct Ranks {
    by_ref: HashMap<ResourceRef, u32, RandomState>,
}

impl Ranks {
    fn of(desired: &Desired) -> Self {
        let mut ranks = Self { by_ref: HashMap::default() };
        ranks.add::<Endpoint>(desired, |_| true);
        ranks.add::<Eni>(desired, |_| true);
        ranks.add::<InternetGateway>(desired, |gateway| gateway.vpc.is_some());
        ranks.add::<InternetHost>(desired, |_| true);
        ranks.add::<NatGateway>(desired, |_| true);
        ranks.add::<NetworkAcl>(desired, |_| true);
        ranks.add::<Peering>(desired, |_| true);
        ranks.add::<RouteTable>(desired, |_| true);
        ranks.add::<SecurityGroup>(desired, |_| true);
        ranks.add::<Service>(desired, |_| true);
        ranks.add::<Subnet>(desired, |_| true);
        ranks.add::<TransitAttachment>(desired, |_| true);
        ranks.add::<TransitRouteTable>(desired, |_| true);
        ranks.add::<VirtualGateway>(desired, |_| true);
        ranks.add::<Vpc>(desired, |_| true);
        ranks
    }

    fn add<K: Noun>(&mut self, desired: &Desired, counts: impl Fn(&K) -> bool) {
        let refs = desired.iter::<K>().filter(|r| counts(r)).map(|r| K::to_ref(r.id()));
        self.by_ref.extend(refs.zip(0..));
    }

    fn idx<K: Noun>(&self, id: Id<K>) -> Option<Idx<K>> {
        self.by_ref.get(&K::to_ref(id)).map(|&rank| Idx::at(rank as usize))
    }
}

/// Address sets that rules share.
struct Sets {
    lists: BTreeMap<Id<PrefixList>, PeerSet>,
    groups: BTreeMap<Id<SecurityGroup>, PeerSet>,
}

impl Sets {
    fn of(desired: &Desired) -> Self {
        let set = |prefixes: &mut dyn Iterator<Item = Prefix>| {
            let mut builder = Builder::new();
            prefixes.for_each(|prefix| {
                builder.insert(prefix, ());
            });
            Arc::new(builder.freeze())
        };
        let lists =
            desired.iter::<PrefixList>().map(|list| (list.id, PeerSet::Many(set(&mut list.entries.iter().copied()))));
        let groups = desired.iter::<SecurityGroup>().map(|group| {
            let members = desired
                .dependents_of_kind::<Eni>(SecurityGroup::to_ref(group.id))
                .filter(|eni| eni.groups.contains(&group.id));
            let mut addresses = members.flat_map(|eni| eni.addresses.iter().map(|a| Prefix::host(a.private)));
            (group.id, PeerSet::Members(set(&mut addresses)))
        });
        Self { lists: lists.collect(), groups: groups.collect() }
    }
}

struct Compiler<'a> {
    desired: &'a Desired,
    ranks: &'a Ranks,
    sets: Sets,
    zones: BTreeMap<Az, Zone>,
}

impl Compiler<'_> {
    fn ingress(&self) -> Vec<Option<Ingress>> {
        let mut ingress = Vec::new();
        for (LinkId(link), owner) in self.desired.links() {
            let link = link as usize;
            if ingress.len() <= link {
                ingress.resize(link + 1, None);
            }
            ingress[link] = Eni::from_ref(owner)
                .and_then(|id| self.ranks.idx(id).map(Ingress::Eni))
                .or_else(|| InternetHost::from_ref(owner).and_then(|id| self.ranks.idx(id).map(Ingress::Host)))
                .or_else(|| Service::from_ref(owner).and_then(|id| self.ranks.idx(id).map(Ingress::Service)))
                .or_else(|| VirtualGateway::from_ref(owner).and_then(|id| self.ranks.idx(id).map(Ingress::Virtual)));
        }
        ingress
    }

    fn vpc(&self, vpc: &Vpc) -> VpcEntry {
        let mut subnets = Builder::new();
        for subnet in self.desired.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id)) {
            for (block, idx) in subnet.blocks().zip(std::iter::repeat(self.ranks.idx(subnet.id))) {
                idx.map(|idx| subnets.insert(block, idx));
            }
        }
        VpcEntry { id: vpc.id, blocks: vpc.blocks().collect(), subnets: subnets.freeze() }
    }

    fn subnet(&self, subnet: &Subnet) -> Option<SubnetEntry> {
        let vpc = self.desired.get(subnet.vpc)?;
        let attached = |eni: &&Eni| eni.kind != EniKind::Available;
        let enis = self.desired.dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id)).filter(attached);
        let owners = enis.flat_map(|eni| {
            let idx = self.ranks.idx(eni.id);
            eni.addresses.iter().filter_map(move |a| Some((a.private, idx?)))
        });
        Some(SubnetEntry {
            id: subnet.id,
            vpc: self.ranks.idx(subnet.vpc)?,
            zone: self.zones.get(&subnet.az).copied()?,
            table: self.ranks.idx(subnet.table.unwrap_or(vpc.main_table))?,
            acl: self.ranks.idx(subnet.acl.unwrap_or(vpc.default_acl))?,
            cidr: subnet.cidr,
            ipv6_cidr: subnet.ipv6_cidr,
            owners: owners.collect(),
        })
    }

    fn eni(&self, eni: &Eni) -> Option<EniEntry> {
        let role = match eni.kind {
            EniKind::Available => EniRole::Available,
            EniKind::Endpoint(id) => EniRole::Endpoint(self.ranks.idx(id)?),
            EniKind::Instance { .. } => EniRole::Instance(self.desired.link(eni.id)?),
            EniKind::NatGateway(id) => EniRole::Nat(self.ranks.idx(id)?),
        };
        Some(EniEntry {
            id: eni.id,
            subnet: self.ranks.idx(eni.subnet)?,
            addresses: eni.addresses.iter().map(|a| a.private).collect(),
            groups: eni.groups.iter().filter_map(|&id| self.ranks.idx(id)).collect(),
            source_dest_check: eni.source_dest_check,
            role,
        })
    }

    fn table(&self, table: &RouteTable) -> TableEntry {
        let blocks: Vec<Prefix> = self.desired.get(table.vpc).into_iter().flat_map(|vpc| vpc.blocks()).collect();
        let mut best: BTreeMap<Prefix, (Rank, RouteEntry)> = BTreeMap::new();
        for route in self.desired.effective_routes(table) {
            let entry = RouteEntry { destination: route.destination, target: self.target(table.vpc, &route) };
            let rank = Rank::of(&route);
            let mut offer = |prefix| {
                let slot = best.entry(prefix).or_insert((rank, entry));
                if rank < slot.0 {
                    *slot = (rank, entry);
                }
            };
            match route.destination {
                Destination::Prefix(prefix) => offer(prefix),
                // Entries inside the VPC lose to its local route (R2.38).
                Destination::List(id) => {
                    let entries = self.desired.get(id).into_iter().flat_map(|list| list.entries.iter().copied());
                    entries.filter(|&entry| !blocks.iter().any(|block| block.covers(entry))).for_each(offer);
                }
            }
        }
        let mut routes = Builder::new();
        for (prefix, (_, entry)) in best {
            routes.insert(prefix, entry);
        }
        TableEntry { id: table.id, routes: routes.freeze() }
    }

    fn target(&self, vpc: Id<Vpc>, route: &EffectiveRoute) -> Option<Target> {
        if route.state == RouteState::Blackhole {
            return None;
        }
        match route.target {
            RouteTarget::EgressOnly(_) => Some(Target::EgressOnly),
            RouteTarget::Eni(id) => self.ranks.idx(id).map(Target::Eni),
            RouteTarget::GatewayEndpoint(id) => self.ranks.idx(id).map(Target::GatewayEndpoint),
            RouteTarget::Internet(id) => self.ranks.idx(id).map(Target::Internet),
            RouteTarget::Local => Some(Target::Local),
            RouteTarget::Nat(id) => self.ranks.idx(id).map(Target::Nat),
            RouteTarget::Peering(id) => self.ranks.idx(id).map(Target::Peering),
            RouteTarget::Transit(id) => self.attachment_to(vpc, id).map(Target::Transit),
            RouteTarget::Virtual(id) => self.ranks.idx(id).map(Target::Virtual),
        }
    }

    fn group(&self, group: &SecurityGroup) -> GroupRules {
        let rules = |direction| {
            let wanted = group.rules.iter().filter(move |rule| rule.direction == direction);
            // A rule whose peer is gone is stale: kept, without effect (R8.4).
            wanted
                .filter_map(|rule| {
                    Some(Permit {
                        rule: rule.id,
                        traffic: rule.traffic,
                        peer: self.peer(group.vpc, direction, rule.peer)?,
                    })
                })
                .collect()
        };
        GroupRules { id: group.id, egress: rules(Direction::Egress), ingress: rules(Direction::Ingress) }
    }

    fn peer(&self, vpc: Id<Vpc>, direction: Direction, peer: Peer) -> Option<PeerSet> {
        match peer {
            Peer::Group(id) => {
                let theirs = self.desired.get(id)?.vpc;
                let known = theirs == vpc
                    || self.refer_over_peering(vpc, theirs)
                    || (direction == Direction::Ingress && self.refer_over_transit(vpc, theirs));
                known.then(|| self.sets.groups.get(&id).cloned()).flatten()
            }
            Peer::List(id) => self.sets.lists.get(&id).cloned(),
            Peer::Prefix(prefix) => Some(PeerSet::One(prefix)),
        }
    }

    /// Groups of a peered VPC of the same Region can be named (R8.3, R9.9).
    fn refer_over_peering(&self, ours: Id<Vpc>, theirs: Id<Vpc>) -> bool {
        let active =
            |peering: &&Peering| peering.state == PeeringState::Active && peering.other_end(ours) == Some(theirs);
        let same_region =
            self.desired.get(ours).map(|vpc| &vpc.region) == self.desired.get(theirs).map(|vpc| &vpc.region);
        same_region && self.desired.dependents_of_kind::<Peering>(Vpc::to_ref(ours)).any(|peering| active(&peering))
    }

    /// Groups of a VPC on the same transit gateway can be named, inbound, where the gateway allows it (R8.3).
    fn refer_over_transit(&self, ours: Id<Vpc>, theirs: Id<Vpc>) -> bool {
        let allows = |id: Id<TransitGateway>| self.desired.get(id).is_some_and(|gateway| gateway.group_references);
        let gateways = self.desired.attachments(ours).map(|attachment| attachment.gateway).filter(|&id| allows(id));
        gateways.into_iter().any(|id| self.desired.attachments(theirs).any(|attachment| attachment.gateway == id))
    }

    fn peering(&self, peering: &Peering) -> Option<PeeringEntry> {
        let regions = [peering.requester, peering.accepter].map(|id| self.desired.get(id).map(|vpc| &vpc.region));
        Some(PeeringEntry {
            id: peering.id,
            requester: self.ranks.idx(peering.requester)?,
            accepter: self.ranks.idx(peering.accepter)?,
            // R9.9: the connection between Regions is encrypted, which costs size.
            mtu: if regions[0] == regions[1] { 9_001 } else { 8_500 },
        })
    }

    fn attachment_to(&self, vpc: Id<Vpc>, gateway: Id<TransitGateway>) -> Option<Idx<TransitAttachment>> {
        let attachment = self.desired.attachments(vpc).find(|attachment| attachment.gateway == gateway)?;
        self.ranks.idx(attachment.id)
    }

    fn attachment(&self, attachment: &TransitAttachment) -> Option<AttachmentEntry> {
        let to = match &attachment.kind {
            AttachmentKind::Peering { peer } => Attached::Peer(self.ranks.idx(*peer)?),
            AttachmentKind::Vpc { vpc: _, subnets, appliance_mode } => {
                let subnets = subnets.iter().filter_map(|&id| self.ranks.idx(id)).collect();
                Attached::Vpc { subnets, appliance_mode: *appliance_mode }
            }
        };
        Some(AttachmentEntry { id: attachment.id, table: attachment.table.and_then(|id| self.ranks.idx(id)), to })
    }

    fn transit_table(&self, table: &TransitRouteTable) -> TransitTableEntry {
        let mut best: BTreeMap<Prefix, (Rank, TransitRouteEntry)> = BTreeMap::new();
        for route in self.desired.effective_transit_routes(table) {
            let entry = TransitRouteEntry { destination: route.destination, target: self.transit_target(&route) };
            let rank = Rank::of_transit(&route);
            let prefixes: Vec<Prefix> = match route.destination {
                Destination::Prefix(prefix) => vec![prefix],
                Destination::List(id) => self.desired.get(id).map(|list| list.entries.clone()).unwrap_or_default(),
            };
            for prefix in prefixes {
                let slot = best.entry(prefix).or_insert((rank, entry));
                if rank < slot.0 {
                    *slot = (rank, entry);
                }
            }
        }
        let mut routes = Builder::new();
        for (prefix, (_, entry)) in best {
            routes.insert(prefix, entry);
        }
        TransitTableEntry { id: table.id, routes: routes.freeze() }
    }

    fn transit_target(&self, route: &EffectiveTransitRoute) -> Option<Idx<TransitAttachment>> {
        match route.target {
            TransitTarget::Attachment(id) => self.ranks.idx(id),
            TransitTarget::Blackhole => None,
        }
    }

    fn virtual_gateway(&self, gateway: &VirtualGateway) -> Option<VirtualEntry> {
        Some(VirtualEntry {
            id: gateway.id,
            link: self.desired.link(gateway.id)?,
            vpc: gateway.vpc.and_then(|id| self.ranks.idx(id)),
            edge_table: gateway.edge_table.and_then(|id| self.ranks.idx(id)),
        })
    }

    fn endpoint(&self, endpoint: &Endpoint) -> Option<EndpointEntry> {
        Some(EndpointEntry {
            id: endpoint.id,
            vpc: self.ranks.idx(endpoint.vpc)?,
            service: self.ranks.idx(endpoint.service)?,
            available: endpoint.state == EndpointState::Available,
        })
    }

    fn service(&self, service: &Service) -> Option<ServiceEntry> {
        let Provider::Host { namespace: _, addresses } = &service.provider;
        Some(ServiceEntry {
            id: service.id,
            link: self.desired.link(service.id)?,
            addresses: addresses.as_slice().into(),
        })
    }

    fn attached_gateways(&self) -> impl Iterator<Item = (&InternetGateway, &Vpc)> {
        self.desired.iter::<InternetGateway>().filter_map(|gateway| Some((gateway, self.desired.get(gateway.vpc?)?)))
    }

    fn internet_gateway(&self, gateway: &InternetGateway, vpc: &Vpc) -> Option<InternetGatewayEntry> {
        Some(InternetGatewayEntry {
            vpc: self.ranks.idx(vpc.id)?,
            edge_table: gateway.edge_table.and_then(|id| self.ranks.idx(id)),
            public: self.public_addresses(vpc).collect(),
        })
    }

    /// Private and public address of every interface of a VPC that has both.
    fn public_addresses(&self, vpc: &Vpc) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> {
        let subnets = self.desired.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id));
        let enis = subnets.flat_map(|subnet| self.desired.dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id)));
        enis.flat_map(|eni| &eni.addresses).filter_map(|address| match address.private {
            IpAddr::V4(private) => Some((private, address.public?)),
            IpAddr::V6(_) => None,
        })
    }

    fn nat(&self, gateway: &NatGateway) -> Option<NatEntry> {
        let eni = self.desired.get(gateway.eni)?;
        let address = eni.addresses.iter().find_map(|a| match a.private {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Some(NatEntry { id: gateway.id, subnet: self.ranks.idx(gateway.subnet)?, address: address? })
    }

    fn host(&self, host: &InternetHost) -> Option<HostEntry> {
        Some(HostEntry { id: host.id, link: self.desired.link(host.id)? })
    }

    fn internet(&self) -> Internet {
        let mut internet = Internet::default();
        let mut hosts = Builder::new();
        for service in self.desired.iter::<Service>() {
            let (Provider::Host { addresses, .. }, Some(idx)) = (&service.provider, self.ranks.idx(service.id)) else {
                continue;
            };
            for &address in addresses {
                hosts.insert(Prefix::host(address), Outside::Service(idx));
            }
        }
        for host in self.desired.iter::<InternetHost>() {
            let Some(idx) = self.ranks.idx(host.id) else {
                continue;
            };
            for prefix in host.prefixes.iter().copied().chain(host.addresses.iter().map(|&a| Prefix::host(a))) {
                hosts.insert(prefix, Outside::Host(idx));
            }
        }
        internet.hosts = hosts.freeze();
        let mut blocks = Builder::new();
        for gateway in self.desired.iter::<EgressOnlyGateway>() {
            self.v6_edges(gateway.vpc, None, false, &mut blocks);
        }
        for (gateway, vpc) in self.attached_gateways() {
            self.v6_edges(vpc.id, gateway.edge_table, true, &mut blocks);
            if let Some(idx) = self.ranks.idx(gateway.id) {
                internet.public.extend(self.public_addresses(vpc).map(|(private, public)| (public, (idx, private))));
            }
        }
        internet.blocks = blocks.freeze();
        internet
    }

    fn v6_edges(&self, vpc: Id<Vpc>, edge_table: Option<Id<RouteTable>>, open: bool, blocks: &mut Builder<V6Edge>) {
        let Some(idx) = self.ranks.idx(vpc) else { return };
        for &block in self.desired.get(vpc).into_iter().flat_map(|vpc| &vpc.ipv6_cidrs) {
            blocks.insert(block, V6Edge { vpc: idx, edge_table: edge_table.and_then(|id| self.ranks.idx(id)), open });
        }
    }
}

fn acl(acl: &NetworkAcl) -> AclRules {
    let rules = |direction| {
        let wanted = acl.entries.iter().filter(move |(key, _)| key.direction == direction);
        wanted
            .map(|(key, e)| AclRule { number: key.number, action: e.action, traffic: e.traffic, cidr: e.cidr })
            .collect()
    };
    AclRules { id: acl.id, egress: rules(Direction::Egress), ingress: rules(Direction::Ingress) }
}

/// Who wins among routes of one prefix: the lowest. Source: vpc-semantics §2.1; R2.4, R2.5.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A written CIDR route, or the local one.
    Cidr,
    /// A written prefix-list route; between two lists, the lowest id.
    List(Id<PrefixList>),
    /// A gateway endpoint's.
    Endpoint(Id<PrefixList>),
    /// A gateway announced it.
    Propagated,
}

/// Every zone that a subnet is in, numbered.
fn zones(desired: &Desired) -> BTreeMap<Az, Zone> {
    let zones: std::collections::BTreeSet<&Az> = desired.iter::<Subnet>().map(|subnet| &subnet.az).collect();
    zones.into_iter().cloned().zip((0..).map(Zone)).collect()
}

impl Rank {
    /// Source: R9.23.
    const fn of_transit(route: &EffectiveTransitRoute) -> Self {
        match (route.destination, route.origin) {
            (Destination::Prefix(_), RouteOrigin::Propagated) => Self::Propagated,
            (Destination::Prefix(_), RouteOrigin::Endpoint | RouteOrigin::Local | RouteOrigin::Static) => Self::Cidr,
            (Destination::List(list), _) => Self::List(list),
        }
    }

    const fn of(route: &EffectiveRoute) -> Self {
        match (route.destination, route.origin) {
            (Destination::Prefix(_), RouteOrigin::Propagated) => Self::Propagated,
            (Destination::Prefix(_), RouteOrigin::Endpoint | RouteOrigin::Local | RouteOrigin::Static) => Self::Cidr,
            (Destination::List(list), RouteOrigin::Endpoint) => Self::Endpoint(list),
            (Destination::List(list), RouteOrigin::Local | RouteOrigin::Propagated | RouteOrigin::Static) => {
                Self::List(list)
            }
        }
    }
}
