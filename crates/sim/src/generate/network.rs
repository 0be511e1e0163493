//! A network out of choices. What would not be valid is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use vpc_lpm::Prefix;
use vpc_model::desired::Noun;
use vpc_model::resource::{
    AclEntry, AclKey, Action, AttachmentKind, Az, Destination, Direction, EgressOnlyGateway, Endpoint, EndpointKind,
    EndpointState, Eni, EniAddress, EniKind, Family, IcmpMatch, Instance, InternetGateway, InternetHost, Name,
    NatGateway, NetworkAcl, Peer, Peering, PeeringState, PortRange, PrefixList, Provider, Region, RouteTable,
    RouteTarget, RuleNumber, SecurityGroup, SecurityGroupRule, Service, Subnet, Traffic, TransitAttachment,
    TransitGateway, TransitRouteTable, TransitTarget, VirtualGateway, Vpc,
};
use vpc_model::{Change, Desired, Id, Kind};

use super::Choices;

/// A valid network.
pub(super) fn build(choices: &mut Choices<'_>) -> Desired {
    let mut builder = Builder { choices, desired: Desired::new(), publics: 0 };
    builder.outside();
    let vpcs = 1 + builder.choices.below(2);
    for index in 0..vpcs {
        builder.vpc(index as u8);
    }
    builder.connections();
    builder.routes();
    builder.desired
}

struct Builder<'c, 'w> {
    choices: &'c mut Choices<'w>,
    desired: Desired,
    publics: u8,
}

impl Builder<'_, '_> {
    /// Applies changes together; whether they were valid.
    fn put<const N: usize>(&mut self, changes: [Change; N]) -> bool {
        match self.desired.apply(changes) {
            Ok(desired) => {
                self.desired = desired;
                true
            }
            Err(_) => false,
        }
    }

    fn ids<K: Noun>(&self, wanted: impl Fn(&K) -> bool) -> Vec<Id<K>> {
        self.desired.iter::<K>().filter(|resource| wanted(resource)).map(Noun::id).collect()
    }

    /// Prefix lists, services, and who is on the internet.
    fn outside(&mut self) {
        let lists: [&[&str]; 3] = [
            &["192.0.2.0/25", "198.51.100.0/24"],
            &["10.0.1.0/24", "198.18.0.0/28"],
            &["198.18.0.0/28", "198.18.1.0/24"],
        ];
        for (index, entries) in lists.iter().enumerate() {
            let entries: Vec<Prefix> = entries.iter().filter_map(|text| text.parse().ok()).collect();
            let (id, name) = named(&format!("pl-{index}"));
            let list = PrefixList { id, name, family: Family::V4, max_entries: 10, entries, aws_managed: index == 0 };
            self.put([Change::put(list)]);
        }
        for (index, addresses) in [&["198.51.100.20", "2001:db8:5100::20"][..], &["203.0.114.5"]].iter().enumerate() {
            let addresses: Vec<IpAddr> = addresses.iter().filter_map(|text| text.parse().ok()).collect();
            let (id, name) = named(&format!("svc-{index}"));
            let provider = Provider::Host { namespace: format!("svc-{index}"), addresses };
            let prefix_list = (index == 0).then(|| Id::derived(&["pl-0"]));
            let service_name = format!("com.example.svc-{index}");
            let service = Service { id, name, service_name, region: Region::default(), prefix_list, provider };
            self.put([Change::put(service)]);
        }
        let everything: &[&str] = if self.choices.is(15) { &["198.18.0.0/16"] } else { &["0.0.0.0/0", "::/0"] };
        for (index, prefixes) in [everything, &["198.18.0.0/24", "2001:db8:f000::/36"]].iter().enumerate() {
            let (id, name) = named(&format!("inet-{index}"));
            let prefixes = prefixes.iter().filter_map(|text| text.parse().ok()).collect();
            let addresses = vec![IpAddr::V4(Ipv4Addr::new(198, 18, index as u8, 9))];
            let host = InternetHost { id, name, namespace: format!("inet-{index}"), addresses, prefixes };
            self.put([Change::put(host)]);
        }
    }

    fn vpc(&mut self, index: u8) {
        let key = format!("vpc-{index}");
        let second = if index == 0 || self.choices.is(20) { 0 } else { index };
        let (id, name) = named::<Vpc>(&key);
        let (main_table, main_name) = named(&format!("{key}-main"));
        let (default_acl, acl_name) = named(&format!("{key}-acl"));
        let (default_group, group_name) = named(&format!("{key}-sg"));
        let region = if self.choices.is(10) { "eu-west-1" } else { "us-east-1" };
        let vpc = Vpc {
            id,
            name,
            account: vpc_model::resource::AccountId::DEFAULT,
            region: region.parse().unwrap_or_default(),
            cidrs: vec![v4(10, second, 0, 16)],
            ipv6_cidrs: v6(u16::from(index), 0, 56).into_iter().collect(),
            main_table,
            default_acl,
            default_group,
            dns_support: true,
            dns_hostnames: false,
        };
        let table = RouteTable { id: main_table, name: main_name, vpc: id, routes: BTreeMap::new() };
        let acl = NetworkAcl { id: default_acl, name: acl_name, vpc: id, entries: open_acl() };
        let group = SecurityGroup { id: default_group, name: group_name, vpc: id, rules: open_rules(&key) };
        let az_region = vpc.region.clone();
        self.put([Change::put(vpc), Change::put(table), Change::put(acl), Change::put(group)]);
        self.tables_and_rules(&key, id);
        let subnets = 1 + self.choices.below(3);
        for number in 0..subnets {
            self.subnet(&key, id, index, second, number as u8 + 1, &az_region);
        }
        self.gateways(&key, id);
        for number in 0..1 + self.choices.below(4) {
            self.instance(&key, id, number as u8);
        }
        for number in 0..self.choices.below(3) {
            self.nat(&key, id, number as u8);
        }
        for number in 0..self.choices.below(3) {
            self.endpoint(&key, id, number as u8);
        }
    }

    fn tables_and_rules(&mut self, key: &str, vpc: Id<Vpc>) {
        for number in 0..self.choices.below(3) {
            let (id, name) = named(&format!("{key}-rtb-{number}"));
            self.put([Change::put(RouteTable { id, name, vpc, routes: BTreeMap::new() })]);
        }
        for number in 0..self.choices.below(2) {
            let (id, name) = named(&format!("{key}-acl-{number}"));
            let entries = (0..self.choices.below(6)).filter_map(|_| self.acl_entry(vpc)).collect();
            self.put([Change::put(NetworkAcl { id, name, vpc, entries })]);
        }
        for number in 0..self.choices.below(3) {
            let (id, name) = named(&format!("{key}-sg-{number}"));
            self.put([Change::put(SecurityGroup { id, name, vpc, rules: Vec::new() })]);
            for rule in 0..self.choices.below(5) {
                let rule = self.group_rule(&format!("{key}-sg-{number}-{rule}"), vpc);
                if let Some(mut group) = self.desired.get(id).cloned() {
                    group.rules.push(rule);
                    self.put([Change::put(group)]);
                }
            }
        }
    }

    fn subnet(&mut self, key: &str, vpc: Id<Vpc>, vpc_index: u8, second: u8, number: u8, region: &Region) {
        let (id, name) = named(&format!("{key}-s{number}"));
        let tables = self.ids::<RouteTable>(|table| table.vpc == vpc);
        let acls = self.ids::<NetworkAcl>(|acl| acl.vpc == vpc);
        let has_v6 = self.choices.is(60);
        let subnet = Subnet {
            id,
            name,
            vpc,
            az: Az::new(region.clone(), if self.choices.is(40) { 'b' } else { 'a' }),
            cidr: v4(10, second, number, 24),
            ipv6_cidr: v6(u16::from(vpc_index), number.into(), 64).filter(|_| has_v6),
            table: self.choices.of(&tables).filter(|_| self.choices.is(70)),
            acl: self.choices.of(&acls).filter(|_| self.choices.is(50)),
        };
        self.put([Change::put(subnet)]);
    }

    fn gateways(&mut self, key: &str, vpc: Id<Vpc>) {
        let tables = self.ids::<RouteTable>(|table| table.vpc == vpc);
        let (id, name) = named(&format!("{key}-igw"));
        let attached = (!self.choices.is(20)).then_some(vpc);
        self.put([Change::put(InternetGateway { id, name, vpc: attached, edge_table: None })]);
        if self.choices.is(50) {
            let (id, name) = named(&format!("{key}-eigw"));
            self.put([Change::put(EgressOnlyGateway { id, name, vpc })]);
        }
        if self.choices.is(35) {
            let (id, name) = named(&format!("{key}-vgw"));
            let announces = ["172.31.0.0/24", "198.18.0.0/26", "10.0.1.0/25"];
            let announces = announces.iter().filter_map(|text| text.parse().ok()).collect();
            let propagates_to = tables.iter().copied().filter(|_| self.choices.is(50)).collect();
            let addresses = vec![IpAddr::V4(Ipv4Addr::new(172, 31, 0, 5))];
            let namespace = format!("{key}-far");
            let edge_table = None;
            let gateway =
                VirtualGateway { id, name, vpc: Some(vpc), namespace, addresses, announces, propagates_to, edge_table };
            self.put([Change::put(gateway)]);
        }
    }

    fn instance(&mut self, key: &str, vpc: Id<Vpc>, number: u8) {
        let Some(subnet) = self.some_subnet(vpc) else { return };
        let name_text = format!("{key}-h{number}");
        let (id, name) = named::<Eni>(&name_text);
        let (instance, instance_name) = named(&name_text);
        let machine = Instance {
            id: instance,
            name: instance_name,
            account: vpc_model::resource::AccountId::DEFAULT,
            namespace: name_text,
        };
        let public = self.choices.is(50).then(|| self.public());
        let addresses = addresses(&subnet, 10 + number, public);
        let eni = Eni {
            id,
            name,
            subnet: subnet.id,
            addresses,
            groups: self.some_groups(vpc),
            source_dest_check: !self.choices.is(25),
            kind: EniKind::Instance { instance, device: 0 },
        };
        self.put([Change::put(machine), Change::put(eni)]);
    }

    fn nat(&mut self, key: &str, vpc: Id<Vpc>, number: u8) {
        let Some(subnet) = self.some_subnet(vpc) else { return };
        let (id, name) = named(&format!("{key}-nat-{number}"));
        let (eni, eni_name) = named(&format!("{key}-nat-{number}"));
        let public = (!self.choices.is(20)).then(|| self.public());
        let address = addresses(&subnet, 200 + number, public).into_iter().take(1).collect();
        let interface = Eni {
            id: eni,
            name: eni_name,
            subnet: subnet.id,
            addresses: address,
            groups: Vec::new(),
            source_dest_check: false,
            kind: EniKind::NatGateway(id),
        };
        let nat = NatGateway { id, name, subnet: subnet.id, eni, public };
        self.put([Change::put(interface), Change::put(nat)]);
    }

    fn endpoint(&mut self, key: &str, vpc: Id<Vpc>, number: u8) {
        let name_text = format!("{key}-ep-{number}");
        let (id, name) = named(&name_text);
        let services = self.ids::<Service>(|_| true);
        let Some(service) = self.choices.of(&services) else { return };
        let state = if self.choices.is(15) { EndpointState::PendingAcceptance } else { EndpointState::Available };
        if self.choices.is(50) {
            let Some(subnet) = self.some_subnet(vpc) else { return };
            let groups = self.some_groups(vpc);
            let (eni, eni_name) = named(&name_text);
            let interface = Eni {
                id: eni,
                name: eni_name,
                subnet: subnet.id,
                addresses: addresses(&subnet, 90 + number, None),
                groups: groups.clone(),
                source_dest_check: true,
                kind: EniKind::Endpoint(id),
            };
            let kind = EndpointKind::Interface { enis: vec![eni], groups, private_dns: false };
            let endpoint = Endpoint { id, name, vpc, service, state, kind };
            self.put([Change::put(interface), Change::put(endpoint)]);
        } else {
            let tables = self.ids::<RouteTable>(|table| table.vpc == vpc);
            let tables: BTreeSet<_> = tables.into_iter().filter(|_| self.choices.is(60)).collect();
            let kind = EndpointKind::Gateway { tables };
            self.put([Change::put(Endpoint { id, name, vpc, service, state, kind })]);
        }
    }

    /// Peering and a transit gateway, if there are two VPCs.
    fn connections(&mut self) {
        let vpcs = self.ids::<Vpc>(|_| true);
        let &[requester, accepter] = vpcs.as_slice() else { return };
        if self.choices.is(60) {
            let (id, name) = named("pcx");
            let state = if self.choices.is(15) { PeeringState::PendingAcceptance } else { PeeringState::Active };
            self.put([Change::put(Peering { id, name, requester, accepter, state })]);
        }
        let blocks_differ = {
            let blocks = |id| self.desired.get(id).map(|vpc: &Vpc| vpc.cidrs.clone());
            blocks(requester) != blocks(accepter)
        };
        if self.choices.is(50) && blocks_differ {
            let (gateway, name) = named("tgw");
            let (table, table_name) = named("tgw-rtb");
            let region = Region::default();
            self.put([
                Change::put(TransitGateway { id: gateway, name, region, group_references: false }),
                Change::put(TransitRouteTable { id: table, name: table_name, gateway, routes: BTreeMap::new() }),
            ]);
            for vpc in vpcs {
                self.attachment(vpc, gateway, table);
            }
            let attachments = self.ids::<TransitAttachment>(|_| true);
            if let Some(mut table) = self.desired.get(table).cloned()
                && self.choices.is(40)
            {
                let to = self.choices.of(&attachments).filter(|_| self.choices.is(60));
                let to = to.map_or(TransitTarget::Blackhole, TransitTarget::Attachment);
                table.routes.insert(Destination::Prefix(v4(10, 1, 1, 24)), to);
                self.put([Change::put(table)]);
            }
        }
    }

    fn attachment(&mut self, vpc: Id<Vpc>, gateway: Id<TransitGateway>, table: Id<TransitRouteTable>) {
        let (id, name) = named(&format!("att-{vpc}"));
        let mut zones = BTreeSet::new();
        let all: Vec<Subnet> = self.desired.iter::<Subnet>().filter(|subnet| subnet.vpc == vpc).cloned().collect();
        let subnets: Vec<Id<Subnet>> =
            all.into_iter().filter(|subnet| zones.insert(subnet.az.clone())).map(|subnet| subnet.id).collect();
        // Which zone a packet comes out in is only determined where there is one, or the sender's.
        let subnets = subnets.into_iter().take(1).collect();
        let kind = AttachmentKind::Vpc { vpc, subnets, appliance_mode: false };
        let propagates_to = if self.choices.is(20) { BTreeSet::new() } else { BTreeSet::from([table]) };
        let attachment = TransitAttachment { id, name, gateway, kind, table: Some(table), propagates_to };
        self.put([Change::put(attachment)]);
    }

    /// Routes last, when there is something to point at.
    fn routes(&mut self) {
        let tables: Vec<RouteTable> = self.desired.iter::<RouteTable>().cloned().collect();
        for table in tables {
            let targets = self.targets(table.vpc);
            let destinations = self.destinations(table.vpc);
            for number in 0..self.choices.below(6) {
                let destination = match number {
                    0 => destinations.first().copied(),
                    1 => destinations.get(1).copied(),
                    _ => self.choices.of(&destinations),
                };
                let (Some(destination), Some(target)) = (destination, self.choices.of(&targets)) else { continue };
                if let Some(mut table) = self.desired.get(table.id).cloned() {
                    table.routes.insert(destination, target);
                    self.put([Change::put(table)]);
                }
            }
        }
        let gateways: Vec<InternetGateway> = self.desired.iter::<InternetGateway>().cloned().collect();
        for mut gateway in gateways {
            let Some(vpc) = gateway.vpc.filter(|_| self.choices.is(20)) else { continue };
            let (id, name) = named(&format!("edge-{vpc}"));
            let subnets: Vec<Prefix> =
                self.desired.iter::<Subnet>().filter(|subnet| subnet.vpc == vpc).map(|subnet| subnet.cidr).collect();
            let appliances = self.ids::<Eni>(|eni| matches!(eni.kind, EniKind::Instance { .. }));
            let (subnet, appliance) = (self.choices.of(&subnets), self.choices.of(&appliances));
            let routes =
                subnet.zip(appliance).map(|(subnet, eni)| (Destination::Prefix(subnet), RouteTarget::Eni(eni)));
            gateway.edge_table = Some(id);
            let table = RouteTable { id, name, vpc, routes: routes.into_iter().collect() };
            self.put([Change::put(table), Change::put(gateway)]);
        }
    }

    fn targets(&self, vpc: Id<Vpc>) -> Vec<RouteTarget> {
        let of_vpc = |subnet: Id<Subnet>| self.desired.get(subnet).is_some_and(|subnet| subnet.vpc == vpc);
        let mut targets: Vec<RouteTarget> = Vec::new();
        targets.extend(self.ids::<InternetGateway>(|g| g.vpc == Some(vpc)).into_iter().map(RouteTarget::Internet));
        targets.extend(self.ids::<NatGateway>(|nat| of_vpc(nat.subnet)).into_iter().map(RouteTarget::Nat));
        targets.extend(self.ids::<EgressOnlyGateway>(|g| g.vpc == vpc).into_iter().map(RouteTarget::EgressOnly));
        targets.extend(self.ids::<Peering>(|_| true).into_iter().map(RouteTarget::Peering));
        targets.extend(self.ids::<TransitGateway>(|_| true).into_iter().map(RouteTarget::Transit));
        targets.extend(self.ids::<VirtualGateway>(|g| g.vpc == Some(vpc)).into_iter().map(RouteTarget::Virtual));
        let instance = |eni: &Eni| matches!(eni.kind, EniKind::Instance { .. }) && of_vpc(eni.subnet);
        targets.extend(self.ids::<Eni>(instance).into_iter().map(RouteTarget::Eni));
        targets.push(RouteTarget::Eni(Id::derived(&["gone"])));
        targets
    }

    fn destinations(&self, vpc: Id<Vpc>) -> Vec<Destination> {
        let texts = ["0.0.0.0/0", "::/0", "198.18.0.0/16", "198.51.100.0/28", "10.0.0.0/16", "10.1.0.0/16"];
        let more = [
            "10.1.1.0/24",
            "198.51.100.0/24",
            "198.18.0.0/28",
            "172.31.0.0/24",
            "203.0.113.0/24",
            "2001:db8::/32",
            "192.168.0.0/16",
        ];
        let prefixes = texts.iter().chain(&more).filter_map(|text| text.parse().ok());
        let subnets = self.desired.iter::<Subnet>().filter(|subnet| subnet.vpc == vpc).flat_map(Subnet::blocks);
        let lists = self.ids::<PrefixList>(|_| true).into_iter().map(Destination::List);
        prefixes.chain(subnets).map(Destination::Prefix).chain(lists).collect()
    }

    fn acl_entry(&mut self, vpc: Id<Vpc>) -> Option<(AclKey, AclEntry)> {
        let direction = self.direction();
        let number = RuleNumber::new(1 + self.choices.below(300) as u32).ok()?;
        let action = if self.choices.is(40) { Action::Deny } else { Action::Allow };
        let cidr = self.prefix(vpc)?;
        Some((AclKey { direction, number }, AclEntry { action, traffic: self.traffic(), cidr }))
    }

    fn group_rule(&mut self, key: &str, vpc: Id<Vpc>) -> SecurityGroupRule {
        let lists = self.ids::<PrefixList>(|_| true);
        let groups = self.ids::<SecurityGroup>(|group| group.vpc == vpc);
        let everybody = Peer::Prefix(v4(0, 0, 0, 0));
        let peer = match self.choices.below(6) {
            0..=2 => self.prefix(vpc).map(Peer::Prefix),
            3 => self.choices.of(&lists).map(Peer::List),
            _ => self.choices.of(&groups).map(Peer::Group),
        };
        SecurityGroupRule {
            id: Id::derived(&[key]),
            direction: self.direction(),
            traffic: self.traffic(),
            peer: peer.unwrap_or(everybody),
        }
    }

    fn direction(&mut self) -> Direction {
        if self.choices.is(50) { Direction::Ingress } else { Direction::Egress }
    }

    fn traffic(&mut self) -> Traffic {
        let high = PortRange::new(1_024, u16::MAX).unwrap_or(PortRange::ALL);
        let echo = IcmpMatch { kind: Some(8), code: None };
        let all = [
            Traffic::All,
            Traffic::Tcp(PortRange::ALL),
            Traffic::Tcp(PortRange::one(80)),
            Traffic::Tcp(high),
            Traffic::Udp(PortRange::ALL),
            Traffic::Udp(PortRange::one(53)),
            Traffic::Icmp(IcmpMatch::default()),
            Traffic::Icmp(echo),
            Traffic::Icmpv6(IcmpMatch::default()),
            Traffic::Other(47),
        ];
        self.choices.of(&all).unwrap_or(Traffic::All)
    }

    fn prefix(&mut self, vpc: Id<Vpc>) -> Option<Prefix> {
        let mut prefixes: Vec<Prefix> =
            ["0.0.0.0/0", "::/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.10/32", "198.18.0.0/15"]
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect();
        prefixes.extend(self.desired.get(vpc).into_iter().flat_map(Vpc::blocks));
        self.choices.of(&prefixes)
    }

    fn some_subnet(&mut self, vpc: Id<Vpc>) -> Option<Subnet> {
        let subnets = self.ids::<Subnet>(|subnet| subnet.vpc == vpc);
        self.choices.of(&subnets).and_then(|id| self.desired.get(id)).cloned()
    }

    fn some_groups(&mut self, vpc: Id<Vpc>) -> Vec<Id<SecurityGroup>> {
        let groups = self.ids::<SecurityGroup>(|group| group.vpc == vpc);
        let default = self.desired.get(vpc).map(|vpc| vpc.default_group);
        if self.choices.is(50) {
            let wanted = 1 + self.choices.below(2);
            let chosen: BTreeSet<_> = (0..wanted).filter_map(|_| self.choices.of(&groups)).collect();
            chosen.into_iter().collect()
        } else {
            default.into_iter().collect()
        }
    }

    fn public(&mut self) -> Ipv4Addr {
        self.publics += 1;
        Ipv4Addr::new(203, 0, 113, self.publics)
    }
}

fn named<K: Kind>(name: &str) -> (Id<K>, Option<Name>) {
    (Id::derived(&[name]), name.parse().ok())
}

fn v4(a: u8, b: u8, c: u8, len: u8) -> Prefix {
    let address = IpAddr::V4(Ipv4Addr::new(a, b, c, 0));
    Prefix::truncating(address, len).unwrap_or(Prefix::host(address))
}

fn v6(vpc: u16, subnet: u16, len: u8) -> Option<Prefix> {
    let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, vpc, subnet, 0, 0, 0, 0);
    Prefix::truncating(IpAddr::V6(address), len).ok()
}

/// One address of each of a subnet's blocks.
fn addresses(subnet: &Subnet, number: u8, public: Option<Ipv4Addr>) -> Vec<EniAddress> {
    let private = subnet.blocks().filter_map(|block| block.nth(number.into()));
    private.map(|private| EniAddress { private, public: public.filter(|_| private.is_ipv4()) }).collect()
}

fn open_acl() -> BTreeMap<AclKey, AclEntry> {
    let mut entries = BTreeMap::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for (number, cidr) in [(100, v4(0, 0, 0, 0)), (101, v6(0, 0, 0).unwrap_or(v4(0, 0, 0, 0)))] {
            if let Ok(number) = RuleNumber::new(number) {
                let entry = AclEntry { action: Action::Allow, traffic: Traffic::All, cidr };
                entries.insert(AclKey { direction, number }, entry);
            }
        }
    }
    entries
}

fn open_rules(key: &str) -> Vec<SecurityGroupRule> {
    let mut rules = Vec::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for cidr in [Some(v4(0, 0, 0, 0)), v6(0, 0, 0)].into_iter().flatten() {
            let id = Id::derived(&[key, &direction.to_string(), &cidr.to_string()]);
            rules.push(SecurityGroupRule { id, direction, traffic: Traffic::All, peer: Peer::Prefix(cidr) });
        }
    }
    rules
}
