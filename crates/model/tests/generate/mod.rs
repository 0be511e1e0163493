//! Networks of every shape that a lab can have, from a seed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failure of the test that asked")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AccountId, AclEntry, AclKey, Action, AttachmentKind, Az, Destination, Direction, EgressOnlyGateway, Endpoint,
    EndpointKind, EndpointState, Eni, EniAddress, EniKind, Family, IcmpMatch, Instance, InternetGateway, InternetHost,
    Name, NatGateway, NetworkAcl, Peer, Peering, PeeringState, PortRange, PrefixList, Provider, Region, RouteTable,
    RouteTarget, RuleNumber, SecurityGroup, SecurityGroupRule, Service, Subnet, Traffic, TransitAttachment,
    TransitGateway, TransitRouteTable, TransitTarget, VirtualGateway, Vpc,
};
use vpc_model::{Change, Desired, Id, Kind};

/// The network of a seed.
pub(crate) fn desired(seed: u64) -> Desired {
    let mut generator = Generator { state: seed, count: 0, changes: Vec::new() };
    generator.lab();
    let changes = generator.changes.clone();
    Desired::new().apply(changes).unwrap_or_else(|violations| {
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        panic!("seed {seed}: {}", lines.join("\n"))
    })
}

/// What is in one of two networks only.
pub(crate) fn difference(a: &Desired, b: &Desired) -> String {
    fn of<K: Noun>(a: &Desired, b: &Desired, text: &mut String) {
        for (one, other, sign) in [(a, b, '+'), (b, a, '-')] {
            for resource in one.iter::<K>().filter(|resource| other.get(resource.id()) != Some(*resource)) {
                text.push_str(&format!("{sign} {resource:?}\n"));
            }
        }
    }
    let mut text = String::new();
    of::<Vpc>(a, b, &mut text);
    of::<Subnet>(a, b, &mut text);
    of::<RouteTable>(a, b, &mut text);
    of::<NetworkAcl>(a, b, &mut text);
    of::<SecurityGroup>(a, b, &mut text);
    of::<InternetGateway>(a, b, &mut text);
    of::<EgressOnlyGateway>(a, b, &mut text);
    of::<NatGateway>(a, b, &mut text);
    of::<Eni>(a, b, &mut text);
    of::<Instance>(a, b, &mut text);
    of::<Endpoint>(a, b, &mut text);
    of::<Service>(a, b, &mut text);
    of::<PrefixList>(a, b, &mut text);
    of::<InternetHost>(a, b, &mut text);
    of::<VirtualGateway>(a, b, &mut text);
    of::<Peering>(a, b, &mut text);
    of::<TransitGateway>(a, b, &mut text);
    of::<TransitAttachment>(a, b, &mut text);
    of::<TransitRouteTable>(a, b, &mut text);
    text
}

struct Generator {
    state: u64,
    count: u64,
    changes: Vec<Change>,
}

/// What a transit gateway has to know of a VPC.
struct Attachable {
    vpc: Id<Vpc>,
    region: Region,
    subnet: Id<Subnet>,
}

/// What a VPC's parts refer to.
struct Parts {
    vpc: Id<Vpc>,
    key: String,
    tables: Vec<Id<RouteTable>>,
    groups: Vec<Id<SecurityGroup>>,
    subnets: Vec<(Id<Subnet>, u8, bool)>,
    targets: Vec<RouteTarget>,
    next_host: u8,
}

impl Generator {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn often(&mut self) -> bool {
        self.below(4) != 0
    }

    fn rarely(&mut self) -> bool {
        self.below(4) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A name or none, and an id that follows from it or not.
    fn identity<K: Kind>(&mut self, scope: &str) -> (Id<K>, Option<Name>, String) {
        self.count += 1;
        let word = self.pick(&["web", "no", "1e", "a.b", "x-", "local", "id", "10.0.0."]);
        let text = format!("{word}{}", self.count);
        if self.rarely() {
            let id = Id::new(self.next());
            return (id, None, id.to_string());
        }
        let id = if self.often() { Id::derived(&[scope, K::NOUN, &text]) } else { Id::new(self.next()) };
        (id, Some(text.parse().unwrap()), text)
    }

    fn lab(&mut self) {
        let lists: Vec<Id<PrefixList>> = (0..self.below(3)).map(|i| self.prefix_list(i as u8)).collect();
        let mut services = Vec::new();
        for i in 0..self.below(3) {
            services.push(self.service(i as u8, &lists));
        }
        for i in 0..self.below(3) {
            let (id, name, key) = self.identity("");
            let namespace = if self.often() { key } else { format!("far off {i}") };
            let prefixes = if self.often() { vec![Prefix::DEFAULT_V4, Prefix::DEFAULT_V6] } else { Vec::new() };
            self.changes.push(Change::put(InternetHost {
                id,
                name,
                namespace,
                addresses: vec![Ipv4Addr::new(198, 18, 0, i as u8).into()],
                prefixes,
            }));
        }
        if self.rarely() {
            let (id, name, _) = self.identity("");
            self.changes.push(Change::put(InternetGateway { id, name, vpc: None, edge_table: None }));
        }
        if self.rarely() {
            let gateway = self.far(9, "", None);
            self.changes.push(Change::put(gateway));
        }
        let mut vpcs = Vec::new();
        for i in 0..=self.below(2) {
            vpcs.push(self.vpc(i as u8, &lists, &services));
        }
        if let [a, b] = vpcs.as_slice()
            && self.often()
        {
            let (id, name, _) = self.identity("");
            let (requester, accepter) = (a.vpc, b.vpc);
            let state = self.pick(&[PeeringState::Active, PeeringState::Failed, PeeringState::PendingAcceptance]);
            self.changes.push(Change::put(Peering { id, name, requester, accepter, state }));
        }
        self.transit(&vpcs, &lists);
    }

    /// A virtual gateway, attached to nothing yet.
    fn far(&mut self, i: u8, scope: &str, vpc: Option<Id<Vpc>>) -> VirtualGateway {
        let (id, name, key) = self.identity(scope);
        let namespace = if self.often() { key } else { format!("office {i}") };
        let announced =
            [Prefix::new(Ipv4Addr::new(172, 20, i, 0).into(), 24).unwrap(), Self::ipv6(300 + u16::from(i), 0, 48)];
        VirtualGateway {
            id,
            name,
            vpc,
            namespace,
            addresses: vec![Ipv4Addr::new(172, 20, i, 1).into()],
            announces: announced.into_iter().filter(|_| self.often()).collect(),
            propagates_to: BTreeSet::new(),
            edge_table: None,
        }
    }

    /// Transit gateways with the VPCs of their Region attached, and peered with each other.
    fn transit(&mut self, vpcs: &[Attachable], lists: &[Id<PrefixList>]) {
        let mut peers = Vec::new();
        for _ in 0..self.below(3) {
            let (gateway, name, key) = self.identity::<TransitGateway>("");
            let region: Region = self.pick(&["us-east-1", "eu-west-1"]).parse().unwrap();
            let group_references = self.rarely();
            self.changes.push(Change::put(TransitGateway {
                id: gateway,
                name,
                region: region.clone(),
                group_references,
            }));
            let default = format!("{key}-default");
            let default = if self.often() {
                let id = if self.often() {
                    Id::derived(&[&key, TransitRouteTable::NOUN, &default])
                } else {
                    Id::new(self.next())
                };
                (id, Some(default.parse().unwrap()))
            } else {
                let (id, name, _) = self.identity(&key);
                (id, name)
            };
            let (other, other_name, _) = self.identity(&key);
            let tables = [default.0, other];
            let mut targets = vec![TransitTarget::Blackhole, TransitTarget::Attachment(Id::new(5))];
            for of in vpcs.iter().filter(|of| of.region == region) {
                let (id, name, _) = self.identity(&key);
                let kind = AttachmentKind::Vpc { vpc: of.vpc, subnets: vec![of.subnet], appliance_mode: self.rarely() };
                let table = if self.often() { Some(default.0) } else { Some(other).filter(|_| self.often()) };
                let learnt = if self.often() { &tables[..1] } else { &tables };
                let propagates_to = learnt.iter().copied().filter(|_| self.often()).collect();
                self.changes.push(Change::put(TransitAttachment { id, name, gateway, kind, table, propagates_to }));
                targets.push(TransitTarget::Attachment(id));
            }
            let (id, name, _) = self.identity(&key);
            peers.push((id, name, gateway, Some(default.0).filter(|_| self.often())));
            for (id, name) in [default, (other, other_name)] {
                let mut routes = BTreeMap::new();
                for n in 0..self.below(3) as u8 {
                    let prefix = Prefix::new(Ipv4Addr::new(172, 30, n, 0).into(), 24).unwrap();
                    routes.insert(Destination::Prefix(prefix), self.pick(&targets));
                }
                if let Some(&list) = lists.first().filter(|_| self.rarely()) {
                    routes.insert(Destination::List(list), self.pick(&targets));
                }
                self.changes.push(Change::put(TransitRouteTable { id, name, gateway, routes }));
            }
        }
        if let [a, b] = peers.as_slice() {
            for ((id, name, gateway, table), (peer, ..)) in [(a, b), (b, a)] {
                self.changes.push(Change::put(TransitAttachment {
                    id: *id,
                    name: name.clone(),
                    gateway: *gateway,
                    kind: AttachmentKind::Peering { peer: *peer },
                    table: *table,
                    propagates_to: BTreeSet::new(),
                }));
            }
        }
    }

    fn prefix_list(&mut self, i: u8) -> Id<PrefixList> {
        let (id, name, _) = self.identity("");
        let family = if self.often() { Family::V4 } else { Family::V6 };
        let mut entries = Vec::new();
        for n in 0..self.below(3) as u8 {
            entries.push(match family {
                Family::V4 => Prefix::new(Ipv4Addr::new(198, 51, i, n * 4).into(), 30).unwrap(),
                Family::V6 => {
                    Prefix::new(Ipv6Addr::new(0x2001, 0xdb8, i.into(), n.into(), 0, 0, 0, 0).into(), 64).unwrap()
                }
            });
        }
        let max_entries = if self.often() { entries.len().max(1) as u16 } else { 10 };
        let aws_managed = self.rarely();
        self.changes.push(Change::put(PrefixList { id, name, family, entries, max_entries, aws_managed }));
        id
    }

    fn service(&mut self, i: u8, lists: &[Id<PrefixList>]) -> (Id<Service>, bool) {
        let (id, name, key) = self.identity("");
        let region: Region = self.pick(&["us-east-1", "eu-west-1"]).parse().unwrap();
        let service_name =
            if self.often() { format!("com.amazonaws.{region}.{key}") } else { format!("svc \"{i}\": é\n#") };
        let prefix_list = (!lists.is_empty() && self.often()).then(|| self.pick(lists));
        let addresses: Vec<IpAddr> = vec![Ipv4Addr::new(198, 51, 100, i).into(), Ipv6Addr::LOCALHOST.into()];
        let namespace = if self.often() { key } else { format!("host-{i}") };
        let provider = Provider::Host { namespace, addresses };
        self.changes.push(Change::put(Service { id, name, service_name, region, prefix_list, provider }));
        (id, prefix_list.is_some())
    }

    fn vpc(&mut self, i: u8, lists: &[Id<PrefixList>], services: &[(Id<Service>, bool)]) -> Attachable {
        let (vpc, name, key) = self.identity::<Vpc>("");
        let ipv6 = self.often();
        let region: Region = self.pick(&["us-east-1", "us-east-1", "eu-west-1"]).parse().unwrap();
        let account: AccountId = self.pick(&["111111111111", "222222222222"]).parse().unwrap();
        let mut parts = Parts {
            vpc,
            key: key.clone(),
            tables: Vec::new(),
            groups: Vec::new(),
            subnets: Vec::new(),
            targets: Vec::new(),
            next_host: 4,
        };
        let default = |noun: &str| format!("{key}-{noun}");
        let main_table = self.default_identity(&parts, &default("main"));
        let default_acl = self.default_identity(&parts, &default("default"));
        let default_group = self.default_identity(&parts, &default("default"));
        let dns_support = self.often();
        let dns_hostnames = self.rarely();
        self.changes.push(Change::put(Vpc {
            id: vpc,
            name,
            account,
            region: region.clone(),
            cidrs: vec![Prefix::new(Ipv4Addr::new(10, i, 0, 0).into(), 16).unwrap()],
            ipv6_cidrs: if ipv6 { vec![Self::ipv6(i, 0, 56)] } else { Vec::new() },
            main_table: main_table.0,
            default_acl: default_acl.0,
            default_group: default_group.0,
            dns_support,
            dns_hostnames,
        }));
        self.gateways(&mut parts, ipv6);
        self.acl(&parts, default_acl, ipv6, true);
        let (id, name, _) = self.identity(&parts.key);
        self.acl(&parts, (id, name), ipv6, false);
        self.group(&mut parts, default_group, lists, ipv6, true);
        for _ in 0..self.below(3) {
            let (id, name, _) = self.identity(&parts.key);
            self.group(&mut parts, (id, name), lists, ipv6, false);
        }
        let (custom, custom_name, _) = self.identity(&parts.key);
        parts.tables = vec![main_table.0, custom];
        for n in 1..=1 + self.below(3) as u8 {
            self.subnet(&mut parts, i, n, ipv6, &region, id);
        }
        for n in 0..self.below(2) as u8 {
            self.nat(&mut parts, i, n);
        }
        for n in 0..self.below(4) as u8 {
            self.instance(&mut parts, i, n, account);
        }
        self.endpoints(&mut parts, i, services);
        for (id, name, filled) in [(main_table.0, main_table.1, self.rarely()), (custom, custom_name, true)] {
            let mut routes = BTreeMap::new();
            if filled {
                for target in parts.targets.clone() {
                    let v6 = matches!(target, RouteTarget::EgressOnly(_));
                    let n = self.below(200) as u8;
                    let prefix = if v6 {
                        Self::ipv6(200_u8, n, 64)
                    } else {
                        Prefix::new(Ipv4Addr::new(172, 16, n, 0).into(), 24).unwrap()
                    };
                    routes.insert(Destination::Prefix(prefix), target);
                }
                if let Some(&list) = lists.first().filter(|_| self.rarely()) {
                    let gone = RouteTarget::Eni(Id::new(self.next()));
                    let used = services.iter().any(|(_, listed)| *listed);
                    if !used {
                        routes.insert(Destination::List(list), gone);
                    }
                }
            }
            self.changes.push(Change::put(RouteTable { id, name, vpc, routes }));
        }
        if self.often() {
            let (edge, name, _) = self.identity(&key);
            let mut gateway = self.far(i, &key, Some(vpc));
            gateway.propagates_to = parts.tables.iter().copied().filter(|_| self.often()).collect();
            gateway.edge_table = Some(edge).filter(|_| self.often());
            self.changes.push(Change::put(gateway));
            let block = Prefix::new(Ipv4Addr::new(10, i, parts.subnets[0].1, 0).into(), 24).unwrap();
            let routes = BTreeMap::from([(Destination::Prefix(block), RouteTarget::Eni(Id::new(9)))]);
            self.changes.push(Change::put(RouteTable { id: edge, name, vpc, routes }));
        }
        Attachable { vpc, region, subnet: parts.subnets[0].0 }
    }

    fn default_identity<K: Kind>(&mut self, parts: &Parts, key: &str) -> (Id<K>, Option<Name>) {
        if self.often() {
            let id = if self.often() { Id::derived(&[&parts.key, K::NOUN, key]) } else { Id::new(self.next()) };
            return (id, key.parse().ok());
        }
        let (id, name, _) = self.identity(&parts.key);
        (id, name)
    }

    fn ipv6(i: impl Into<u16>, n: u8, length: u8) -> Prefix {
        let address = Ipv6Addr::new(0x2001, 0xdb8, i.into(), n.into(), 0, 0, 0, 0);
        Prefix::new(address.into(), length).unwrap()
    }

    fn gateways(&mut self, parts: &mut Parts, ipv6: bool) {
        if self.often() {
            let (id, name, _) = self.identity(&parts.key);
            self.changes.push(Change::put(InternetGateway { id, name, vpc: Some(parts.vpc), edge_table: None }));
            parts.targets.push(RouteTarget::Internet(id));
        }
        if ipv6 && self.often() {
            let (id, name, _) = self.identity(&parts.key);
            self.changes.push(Change::put(EgressOnlyGateway { id, name, vpc: parts.vpc }));
            parts.targets.push(RouteTarget::EgressOnly(id));
        }
    }

    fn acl(&mut self, parts: &Parts, (id, name): (Id<NetworkAcl>, Option<Name>), ipv6: bool, default: bool) {
        let mut entries = BTreeMap::new();
        for direction in [Direction::Egress, Direction::Ingress] {
            if default {
                for (n, cidr) in [(100, Prefix::DEFAULT_V4), (101, Prefix::DEFAULT_V6)] {
                    let key = AclKey { direction, number: RuleNumber::new(n).unwrap() };
                    if ipv6 || n == 100 {
                        entries.insert(key, AclEntry { action: Action::Allow, traffic: Traffic::All, cidr });
                    }
                }
            }
            for _ in 0..if default { self.below(5) / 4 } else { self.below(3) } {
                let number = RuleNumber::new(1 + self.below(32_000) as u32).unwrap();
                let action = self.pick(&[Action::Allow, Action::Deny]);
                let traffic = self.traffic();
                entries.insert(AclKey { direction, number }, AclEntry { action, traffic, cidr: Prefix::DEFAULT_V4 });
            }
        }
        self.changes.push(Change::put(NetworkAcl { id, name, vpc: parts.vpc, entries }));
    }

    fn traffic(&mut self) -> Traffic {
        let first = self.below(1000) as u16;
        let ports = PortRange::new(first, first + self.below(2) as u16 * 500).unwrap();
        let icmp = IcmpMatch { kind: Some(3).filter(|_| self.often()), code: Some(4).filter(|_| self.often()) };
        match self.below(7) {
            0 => Traffic::All,
            1 => Traffic::Icmp(icmp),
            2 => Traffic::Icmpv6(icmp),
            3 => Traffic::Other(self.below(255) as u8),
            4 => Traffic::Tcp(PortRange::ALL),
            5 => Traffic::Udp(ports),
            _ => Traffic::Tcp(ports),
        }
    }

    fn group(
        &mut self,
        parts: &mut Parts,
        (id, name): (Id<SecurityGroup>, Option<Name>),
        lists: &[Id<PrefixList>],
        ipv6: bool,
        default: bool,
    ) {
        let key = name.as_ref().map_or_else(|| id.to_string(), Name::to_string);
        let mut rules = Vec::new();
        let mut rule = |generator: &mut Self, direction: Direction, traffic: Traffic, peer: Peer| {
            let traffic = traffic.canonical();
            let words = [direction.to_string(), traffic.to_string(), peer.to_string()];
            let derived = Id::derived(&[&parts.key, SecurityGroup::NOUN, &key, &words[0], &words[1], &words[2]]);
            let id = if generator.often() { derived } else { Id::new(generator.next()) };
            let same = |r: &SecurityGroupRule| (r.direction, r.traffic, r.peer) == (direction, traffic, peer);
            if !rules.iter().any(same) {
                rules.push(SecurityGroupRule { id, direction, traffic, peer });
            }
        };
        if default {
            rule(self, Direction::Ingress, Traffic::All, Peer::Group(id));
        }
        if self.often() {
            rule(self, Direction::Egress, Traffic::All, Peer::Prefix(Prefix::DEFAULT_V4));
            if ipv6 {
                rule(self, Direction::Egress, Traffic::All, Peer::Prefix(Prefix::DEFAULT_V6));
            }
        }
        for _ in 0..self.below(4) {
            let direction = self.pick(&[Direction::Egress, Direction::Ingress]);
            let traffic = self.traffic();
            let mut peers = vec![Peer::Prefix(Prefix::DEFAULT_V4), Peer::Group(id), Peer::Group(Id::new(77))];
            peers.extend(lists.first().map(|&list| Peer::List(list)));
            let peer = self.pick(&peers);
            rule(self, direction, traffic, peer);
        }
        self.changes.push(Change::put(SecurityGroup { id, name, vpc: parts.vpc, rules }));
        parts.groups.push(id);
    }

    fn subnet(&mut self, parts: &mut Parts, i: u8, n: u8, ipv6: bool, region: &Region, acl: Id<NetworkAcl>) {
        let (id, name, _) = self.identity(&parts.key);
        let ipv6 = ipv6 && self.often();
        let zone = if self.often() { (b'a' + n - 1) as char } else { 'a' };
        let table = self.often().then(|| self.pick(&parts.tables));
        let acl = Some(acl).filter(|_| self.rarely());
        self.changes.push(Change::put(Subnet {
            id,
            name,
            vpc: parts.vpc,
            az: Az::new(region.clone(), zone),
            cidr: Prefix::new(Ipv4Addr::new(10, i, n, 0).into(), 24).unwrap(),
            ipv6_cidr: ipv6.then(|| Self::ipv6(i, n, 64)),
            table,
            acl,
        }));
        parts.subnets.push((id, n, ipv6));
    }

    fn addresses(&mut self, parts: &mut Parts, i: u8, n: u8, ipv6: bool, public: bool) -> Vec<EniAddress> {
        let mut addresses = Vec::new();
        for k in 0..=u8::from(self.rarely()) {
            parts.next_host += 1;
            let private = Ipv4Addr::new(10, i, n, parts.next_host).into();
            let public = (public && self.often()).then(|| Ipv4Addr::new(203, i, parts.next_host, k));
            addresses.push(EniAddress { private, public });
        }
        if ipv6 && self.often() {
            let private = Ipv6Addr::new(0x2001, 0xdb8, i.into(), n.into(), 0, 0, 0, parts.next_host.into()).into();
            let at = if self.often() { addresses.len() } else { 0 };
            addresses.insert(at, EniAddress { private, public: None });
        }
        addresses
    }

    fn nat(&mut self, parts: &mut Parts, i: u8, n: u8) {
        let (id, name, key) = self.identity(&parts.key);
        let (mut eni, mut eni_name, _) = self.identity::<Eni>(&parts.key);
        if self.often() {
            eni = Id::derived(&[&parts.key, Eni::NOUN, &key]);
            eni_name = key.parse().ok();
        }
        let (subnet, block, _) = parts.subnets[0];
        let public = self.often().then(|| Ipv4Addr::new(203, i, 0, 200 + n));
        parts.next_host += 1;
        let address = EniAddress { private: Ipv4Addr::new(10, i, block, parts.next_host).into(), public };
        self.changes.push(Change::put(NatGateway { id, name, subnet, eni, public }));
        self.changes.push(Change::put(Eni {
            id: eni,
            name: eni_name,
            subnet,
            addresses: vec![address],
            groups: Vec::new(),
            source_dest_check: false,
            kind: EniKind::NatGateway(id),
        }));
        parts.targets.push(RouteTarget::Nat(id));
    }

    fn instance(&mut self, parts: &mut Parts, i: u8, n: u8, account: AccountId) {
        let (instance, name, key) = self.identity::<Instance>(&parts.key);
        let namespace = if self.often() { key.clone() } else { format!("ns-{i}-{n}") };
        let account = if self.often() { account } else { "333333333333".parse().unwrap() };
        self.changes.push(Change::put(Instance { id: instance, name, account, namespace }));
        let count = if self.often() { 1 } else { 2 };
        for index in 0..count {
            let (mut id, mut name, _) = self.identity::<Eni>(&parts.key);
            if index == 0 && self.often() {
                id = Id::derived(&[&parts.key, Eni::NOUN, &key]);
                name = key.parse().ok();
            }
            let (subnet, block, ipv6) = self.pick(&parts.subnets);
            let addresses = self.addresses(parts, i, block, ipv6, true);
            let mut groups = vec![self.pick(&parts.groups)];
            groups.extend(parts.groups.last().filter(|last| !groups.contains(last)));
            let kind = EniKind::Instance { instance, device: index + u8::from(self.rarely()) * 3 };
            let source_dest_check = self.often();
            self.changes.push(Change::put(Eni { id, name, subnet, addresses, groups, source_dest_check, kind }));
            parts.targets.push(RouteTarget::Eni(id));
            if matches!(kind, EniKind::Instance { device: 3.., .. }) {
                break;
            }
        }
    }

    fn endpoints(&mut self, parts: &mut Parts, i: u8, services: &[(Id<Service>, bool)]) {
        for &(service, listed) in services {
            let (id, name, key) = self.identity::<Endpoint>(&parts.key);
            let state =
                self.pick(&[EndpointState::Available, EndpointState::PendingAcceptance, EndpointState::Rejected]);
            let vpc = parts.vpc;
            if listed && services.iter().filter(|(_, listed)| *listed).count() == 1 && self.often() {
                let tables: BTreeSet<_> = parts.tables.iter().copied().filter(|_| self.often()).collect();
                let kind = EndpointKind::Gateway { tables };
                self.changes.push(Change::put(Endpoint { id, name, vpc, service, state, kind }));
                continue;
            }
            let groups = vec![self.pick(&parts.groups)];
            let (subnet, block, ipv6) = parts.subnets[0];
            let label = self.label(subnet);
            let (mut eni, mut eni_name, _) = self.identity::<Eni>(&parts.key);
            if self.often() {
                let implied = format!("{key}.{label}");
                eni = Id::derived(&[&parts.key, Eni::NOUN, &implied]);
                eni_name = implied.parse().ok();
            }
            let addresses = self.addresses(parts, i, block, ipv6, false);
            let kind = EndpointKind::Interface { enis: vec![eni], groups: groups.clone(), private_dns: self.rarely() };
            self.changes.push(Change::put(Endpoint { id, name, vpc, service, state, kind }));
            self.changes.push(Change::put(Eni {
                id: eni,
                name: eni_name,
                subnet,
                addresses,
                groups,
                source_dest_check: true,
                kind: EniKind::Endpoint(id),
            }));
        }
    }

    fn label(&self, subnet: Id<Subnet>) -> String {
        let named = self.changes.iter().find_map(|change| match change {
            Change::Put(vpc_model::Resource::Subnet(found)) if found.id == subnet => found.name.clone(),
            Change::Put(_) | Change::Delete(_) => None,
        });
        named.map_or_else(|| subnet.to_string(), |name| name.to_string())
    }
}
