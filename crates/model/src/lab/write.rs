//! Prints a desired state as a lab file.

mod connect;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

use super::convert::{default_name, main_name};
use super::emit::Yaml;
use super::interfaces::{endpoint_interface_name, interface_name};
use super::names::Identity;
use super::rules::{allow_everything, allow_out, rule_id, rules_of_default_group};
use crate::Id;
use crate::desired::{Desired, Noun};
use crate::resource::{
    AccountId, AclEntry, AclKey, Action, Az, Destination, Direction, EgressOnlyGateway, Endpoint, EndpointKind,
    EndpointState, Eni, EniAddress, EniKind, Family, IcmpMatch, Instance, InternetGateway, InternetHost, Name,
    NatGateway, NetworkAcl, Peer, Peering, PortRange, PrefixList, Provider, Region, RouteTable, RouteTarget,
    SecurityGroup, SecurityGroupRule, Service, Subnet, Traffic, TransitGateway, VirtualGateway, Vpc,
};

/// Prints a desired state as a lab file: what is as it would be anyway is left out, and the order is always the same.
///
/// Shape: reading the text gives an equal state. What a lab cannot say is left out: instances without interfaces,
/// peering connections, transit gateways and what belongs to them, virtual private gateways.
#[must_use]
pub fn write(desired: &Desired) -> String {
    Writer { desired }.file().document()
}

type Fields = Vec<(&'static str, Yaml)>;

struct Writer<'d> {
    desired: &'d Desired,
}

/// The VPC that is being printed.
struct Scope<'d> {
    key: String,
    vpc: &'d Vpc,
}

impl<'d> Scope<'d> {
    const fn has_ipv6(&self) -> bool {
        !self.vpc.ipv6_cidrs.is_empty()
    }
}

impl<'d> Writer<'d> {
    fn file(&self) -> Yaml {
        let detached = |gateway: &&InternetGateway| gateway.vpc.is_none();
        let mut sections = vec![
            ("vpcs", self.section(self.desired.iter::<Vpc>(), |vpc| (self.key(vpc.id), self.vpc(vpc)))),
            ("internet_gateways", {
                self.section(self.desired.iter::<InternetGateway>().filter(detached), |gateway| {
                    let (key, id) = named("", gateway);
                    (key, Yaml::Map(id.into_iter().collect()))
                })
            }),
            ("virtual_gateways", {
                let detached = self.desired.iter::<VirtualGateway>().filter(|gateway| gateway.vpc.is_none());
                self.section(detached, |gateway| self.detached_virtual_gateway(gateway))
            }),
            ("peerings", self.section(self.desired.iter::<Peering>(), |peering| self.peering(peering))),
            ("transit_gateways", {
                self.section(self.desired.iter::<TransitGateway>(), |gateway| self.transit_gateway(gateway))
            }),
            ("prefix_lists", self.section(self.desired.iter::<PrefixList>(), |list| self.prefix_list(list))),
            ("services", self.section(self.desired.iter::<Service>(), |service| self.service(service))),
            ("internet", self.section(self.desired.iter::<InternetHost>(), |host| self.internet_host(host))),
        ];
        sections.retain(|(_, section)| !is_empty(section));
        Yaml::Section(sections.into_iter().map(|(key, section)| (key.to_owned(), section)).collect())
    }

    /// Things by name, in the order of their names.
    fn section<K>(&self, resources: impl Iterator<Item = &'d K>, print: impl Fn(&'d K) -> (String, Yaml)) -> Yaml
    where
        K: Noun,
    {
        let mut entries: Vec<(String, Yaml)> = resources.map(print).collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Yaml::Section(entries)
    }

    fn vpc(&self, vpc: &'d Vpc) -> Yaml {
        let scope = &Scope { key: self.key(vpc.id), vpc };
        let mut fields: Fields = named("", vpc).1.into_iter().collect();
        fields.push(("cidr", texts(&vpc.cidrs)));
        if scope.has_ipv6() {
            fields.push(("ipv6_cidr", texts(&vpc.ipv6_cidrs)));
        }
        if vpc.account != AccountId::DEFAULT {
            fields.push(("account", Yaml::text(&vpc.account)));
        }
        if vpc.region != Region::default() {
            fields.push(("region", Yaml::text(&vpc.region)));
        }
        if !vpc.dns_support {
            fields.push(("dns_support", Yaml::plain(&false)));
        }
        if vpc.dns_hostnames {
            fields.push(("dns_hostnames", Yaml::plain(&true)));
        }
        let default = default_name(&scope.key);
        let named_defaults = [
            ("main_route_table", self.key(vpc.main_table), main_name(&scope.key)),
            ("default_network_acl", self.key(vpc.default_acl), default.clone()),
            ("default_security_group", self.key(vpc.default_group), default),
        ];
        for (field, key, unnamed) in named_defaults {
            if key != unnamed {
                fields.push((field, Yaml::text(&key)));
            }
        }
        self.gateways(scope, &mut fields);
        let mut sections = vec![
            ("subnets", self.section(self.of_vpc::<Subnet>(vpc.id), |subnet| self.subnet(scope, subnet))),
            ("route_tables", self.route_tables(scope)),
            ("network_acls", self.network_acls(scope)),
            ("security_groups", self.security_groups(scope)),
            ("nat_gateways", {
                let nats = self.desired.iter::<NatGateway>();
                let of_vpc = nats.filter(|nat| self.desired.vpc_of(nat.subnet).is_some_and(|of| of.id == vpc.id));
                self.section(of_vpc, |nat| self.nat_gateway(scope, nat))
            }),
            ("instances", {
                let instances = self.desired.iter::<Instance>();
                self.section(instances.filter(|instance| self.home(instance) == Some(vpc.id)), |instance| {
                    self.instance(scope, instance)
                })
            }),
            ("endpoints", { self.section(self.of_vpc::<Endpoint>(vpc.id), |endpoint| self.endpoint(scope, endpoint)) }),
        ];
        sections.retain(|(_, section)| !is_empty(section));
        fields.extend(sections);
        Yaml::Map(fields)
    }

    fn of_vpc<K: Noun>(&self, vpc: Id<Vpc>) -> impl Iterator<Item = &'d K> {
        self.desired.dependents_of_kind::<K>(Vpc::to_ref(vpc))
    }

    fn gateways(&self, scope: &Scope<'_>, fields: &mut Fields) {
        for gateway in self.of_vpc::<InternetGateway>(scope.vpc.id) {
            let edge_table = gateway.edge_table.map(|table| ("edge_table", Yaml::text(&self.key(table))));
            fields.push(("internet_gateway", gateway_of(scope, gateway, edge_table.into_iter().collect())));
        }
        for gateway in self.of_vpc::<EgressOnlyGateway>(scope.vpc.id) {
            fields.push(("egress_only_gateway", gateway_of(scope, gateway, Vec::new())));
        }
        for gateway in self.of_vpc::<VirtualGateway>(scope.vpc.id) {
            let key = self.key(gateway.id);
            fields.push(("virtual_gateway", gateway_of(scope, gateway, self.far(&key, gateway))));
        }
    }

    fn subnet(&self, scope: &Scope<'_>, subnet: &Subnet) -> (String, Yaml) {
        let (key, id) = named(&scope.key, subnet);
        let mut fields: Fields = id.into_iter().collect();
        fields.push(("cidr", Yaml::text(&subnet.cidr)));
        fields.extend(subnet.ipv6_cidr.map(|block| ("ipv6_cidr", Yaml::text(&block))));
        if subnet.az != Az::new(scope.vpc.region.clone(), 'a') {
            fields.push(("az", Yaml::text(&subnet.az)));
        }
        fields.extend(subnet.table.map(|table| ("routes", Yaml::text(&self.key(table)))));
        fields.extend(subnet.acl.map(|acl| ("network_acl", Yaml::text(&self.key(acl)))));
        (key, Yaml::Map(fields))
    }

    fn route_tables(&self, scope: &Scope<'_>) -> Yaml {
        let made = main_name(&scope.key);
        let shown = |table: &&RouteTable| {
            table.id != scope.vpc.main_table || !table.routes.is_empty() || !is_made(scope, *table, &made)
        };
        self.section(self.of_vpc::<RouteTable>(scope.vpc.id).filter(shown), |table| {
            let (key, id) = named(&scope.key, table);
            let mut routes: Vec<(String, Yaml)> =
                id.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
            for (destination, target) in &table.routes {
                routes.push((self.destination(*destination), Yaml::text(&self.target(*target))));
            }
            (key, Yaml::Inline(routes))
        })
    }

    fn destination(&self, destination: Destination) -> String {
        match destination {
            Destination::Prefix(prefix) => prefix.to_string(),
            Destination::List(list) => match self.key(list) {
                key if key == "id" || key.parse::<IpAddr>().is_ok() => list.to_string(),
                key => key,
            },
        }
    }

    /// The name of a target, if it can be no other one's.
    fn target(&self, target: RouteTarget) -> String {
        let name = match target {
            RouteTarget::EgressOnly(id) => self.key(id),
            RouteTarget::Eni(id) => self.key(id),
            RouteTarget::Internet(id) => self.key(id),
            RouteTarget::Nat(id) => self.key(id),
            RouteTarget::GatewayEndpoint(id) => self.key(id),
            RouteTarget::Peering(id) => self.key(id),
            RouteTarget::Transit(id) => self.key(id),
            RouteTarget::Virtual(id) => self.key(id),
            RouteTarget::Local => return "local".to_owned(),
        };
        if name != "local" && super::names::target_of(self.desired, &name) == Some(target) {
            name
        } else {
            target.to_string()
        }
    }

    fn network_acls(&self, scope: &Scope<'_>) -> Yaml {
        let made = default_name(&scope.key);
        let shown = |acl: &&NetworkAcl| {
            acl.id != scope.vpc.default_acl
                || acl.entries != allow_everything(scope.has_ipv6())
                || !is_made(scope, *acl, &made)
        };
        self.section(self.of_vpc::<NetworkAcl>(scope.vpc.id).filter(shown), |acl| {
            let (key, id) = named(&scope.key, acl);
            let mut fields: Fields = id.into_iter().collect();
            for (direction, field) in [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")] {
                let of_direction = acl.entries.iter().filter(|(key, _)| key.direction == direction);
                let rules: Vec<Yaml> = of_direction.map(|(key, entry)| acl_rule(*key, entry)).collect();
                if !rules.is_empty() {
                    fields.push((field, Yaml::List(rules)));
                }
            }
            (key, Yaml::Map(fields))
        })
    }

    fn security_groups(&self, scope: &Scope<'_>) -> Yaml {
        let made = default_name(&scope.key);
        let shown = |group: &&SecurityGroup| {
            let default = rules_of_default_group(&scope.key, &made, group.id, scope.has_ipv6());
            group.id != scope.vpc.default_group || !same_rules(&group.rules, &default) || !is_made(scope, *group, &made)
        };
        self.section(self.of_vpc::<SecurityGroup>(scope.vpc.id).filter(shown), |group| {
            let (key, id) = named(&scope.key, group);
            let mut fields: Fields = id.into_iter().collect();
            let (egress, ingress): (Vec<SecurityGroupRule>, Vec<SecurityGroupRule>) =
                group.rules.iter().copied().partition(|rule| rule.direction == Direction::Egress);
            let print =
                |rules: &[SecurityGroupRule]| rules.iter().map(|rule| self.group_rule(scope, &key, rule)).collect();
            if !ingress.is_empty() {
                fields.push(("ingress", Yaml::List(print(&ingress))));
            }
            if !same_rules(&egress, &allow_out(&scope.key, &key, scope.has_ipv6())) {
                fields.push(("egress", Yaml::List(print(&egress))));
            }
            (key, Yaml::Map(fields))
        })
    }

    fn group_rule(&self, scope: &Scope<'_>, group: &str, rule: &SecurityGroupRule) -> Yaml {
        let mut fields = Vec::new();
        if rule.id != rule_id(&scope.key, group, rule.direction, rule.traffic, rule.peer) {
            fields.push(("id", Yaml::text(&rule.id)));
        }
        traffic(rule.traffic, &mut fields);
        let peer = match rule.peer {
            Peer::Prefix(prefix) => prefix.to_string(),
            Peer::Group(id) => self.unmistakable(id, |key| self.desired.find::<SecurityGroup>(key).map(|g| g.id)),
            Peer::List(id) => self.unmistakable(id, |key| {
                let group = self.desired.find::<SecurityGroup>(key);
                self.desired.find::<PrefixList>(key).filter(|_| group.is_none()).map(|list| list.id)
            }),
        };
        fields.push((side(rule.direction), Yaml::text(&peer)));
        Yaml::Map(fields)
    }

    /// The name of a rule's peer, or its id where the name would be taken for something else.
    fn unmistakable<K: Noun>(&self, id: Id<K>, found: impl Fn(&str) -> Option<Id<K>>) -> String {
        let key = self.key(id);
        if key.parse::<IpAddr>().is_err() && found(&key) == Some(id) { key } else { id.to_string() }
    }

    fn nat_gateway(&self, scope: &Scope<'_>, nat: &NatGateway) -> (String, Yaml) {
        let (key, id) = named(&scope.key, nat);
        let mut fields: Fields = id.into_iter().collect();
        if let Some(eni) = self.desired.get(nat.eni) {
            fields.extend(interface_identity(scope, eni, &key, ["interface_id", "interface_name"]));
            fields.push(("subnet", Yaml::text(&self.key(nat.subnet))));
            fields.extend(eni.addresses.first().map(|address| ("address", Yaml::text(&address.private))));
        }
        fields.extend(nat.public.map(|public| ("public", Yaml::text(&public))));
        (key, Yaml::Map(fields))
    }

    /// The VPC under which an instance is printed: that of its first interface.
    fn home(&self, instance: &Instance) -> Option<Id<Vpc>> {
        let eni = self.interfaces(instance).first().copied()?;
        self.desired.vpc_of(eni.subnet).map(|vpc| vpc.id)
    }

    fn interfaces(&self, instance: &Instance) -> Vec<&'d Eni> {
        let mut enis: Vec<&Eni> = self.desired.dependents_of_kind::<Eni>(Instance::to_ref(instance.id)).collect();
        enis.sort_by_key(|eni| device_of(eni));
        enis
    }

    fn instance(&self, scope: &Scope<'_>, instance: &Instance) -> (String, Yaml) {
        let (key, id) = named(&scope.key, instance);
        let mut fields: Fields = id.into_iter().collect();
        if instance.account != scope.vpc.account {
            fields.push(("account", Yaml::text(&instance.account)));
        }
        if instance.namespace != key {
            fields.push(("namespace", Yaml::text(&instance.namespace)));
        }
        let enis = self.interfaces(instance);
        match enis.as_slice() {
            [eni] if device_of(eni) == 0 && eni.name == key.parse().ok() => {
                fields.extend(interface_identity(scope, eni, &key, ["interface_id", ""]));
                self.interface(scope, eni, &mut fields);
            }
            enis => {
                let print = |(i, eni): (usize, &&Eni)| {
                    let name = interface_name(&key, i);
                    let mut fields = interface_identity(scope, eni, &name, ["id", "name"]);
                    let device = device_of(eni);
                    if usize::from(device) != i {
                        fields.push(("device", Yaml::plain(&device)));
                    }
                    self.interface(scope, eni, &mut fields);
                    Yaml::Map(fields)
                };
                fields.push(("interfaces", Yaml::List(enis.iter().enumerate().map(print).collect())));
            }
        }
        (key, Yaml::Map(fields))
    }

    fn interface(&self, scope: &Scope<'_>, eni: &Eni, fields: &mut Fields) {
        fields.push(("subnet", Yaml::text(&self.key(eni.subnet))));
        addresses(&eni.addresses, fields);
        if eni.groups != [scope.vpc.default_group] {
            fields.push(("security_groups", self.keys(&eni.groups)));
        }
        if !eni.source_dest_check {
            fields.push(("source_dest_check", Yaml::plain(&false)));
        }
    }

    fn endpoint(&self, scope: &Scope<'_>, endpoint: &Endpoint) -> (String, Yaml) {
        let (key, id) = named(&scope.key, endpoint);
        let mut fields: Fields = id.into_iter().collect();
        fields.push(("service", Yaml::text(&self.key(endpoint.service))));
        match &endpoint.kind {
            EndpointKind::Gateway { tables } => {
                fields.push(("type", Yaml::text(&"gateway")));
                let mut tables: Vec<String> = tables.iter().map(|&table| self.key(table)).collect();
                tables.sort();
                if !tables.is_empty() {
                    fields.push(("route_tables", Yaml::List(tables.into_iter().map(Yaml::Text).collect())));
                }
            }
            EndpointKind::Interface { enis, groups, private_dns } => {
                fields.push(("type", Yaml::text(&"interface")));
                let subnets = enis.iter().filter_map(|&eni| self.desired.get(eni));
                let subnets = subnets.map(|eni| self.endpoint_interface(scope, &key, eni)).collect();
                fields.push(("subnets", Yaml::Inline(subnets)));
                if *groups != [scope.vpc.default_group] {
                    fields.push(("security_groups", self.keys(groups)));
                }
                if *private_dns {
                    fields.push(("private_dns", Yaml::plain(&true)));
                }
            }
        }
        match endpoint.state {
            EndpointState::Available => {}
            EndpointState::PendingAcceptance => fields.push(("state", Yaml::text(&"pending_acceptance"))),
            EndpointState::Rejected => fields.push(("state", Yaml::text(&"rejected"))),
        }
        (key, Yaml::Map(fields))
    }

    fn endpoint_interface(&self, scope: &Scope<'_>, endpoint: &str, eni: &Eni) -> (String, Yaml) {
        let subnet = self.key(eni.subnet);
        let name = endpoint_interface_name(endpoint, &subnet);
        let mut fields = interface_identity(scope, eni, &name, ["id", "name"]);
        let short = fields.is_empty();
        addresses(&eni.addresses, &mut fields);
        match (short, fields.as_slice()) {
            (true, [("address", address @ Yaml::Text(_))]) => (subnet, address.clone()),
            _ => (subnet, Yaml::Map(fields)),
        }
    }

    fn prefix_list(&self, list: &PrefixList) -> (String, Yaml) {
        let (key, id) = named("", list);
        let entries = Yaml::List(list.entries.iter().map(Yaml::text).collect());
        let mut fields: Fields = id.into_iter().collect();
        if list.entries.first().map_or(Family::V4, |&entry| Family::of(entry)) != list.family {
            fields.push(("family", Yaml::text(&if list.family == Family::V4 { "IPv4" } else { "IPv6" })));
        }
        if usize::from(list.max_entries) != list.entries.len().max(1) {
            fields.push(("max_entries", Yaml::plain(&list.max_entries)));
        }
        if list.aws_managed {
            fields.push(("aws_managed", Yaml::plain(&true)));
        }
        if fields.is_empty() {
            return (key, entries);
        }
        fields.push(("entries", entries));
        (key, Yaml::Map(fields))
    }

    fn service(&self, service: &Service) -> (String, Yaml) {
        let (key, id) = named("", service);
        let Provider::Host { namespace, addresses } = &service.provider;
        let mut fields: Fields = id.into_iter().collect();
        if service.service_name != format!("com.amazonaws.{}.{key}", service.region) {
            fields.push(("name", Yaml::text(&service.service_name)));
        }
        if service.region != Region::default() {
            fields.push(("region", Yaml::text(&service.region)));
        }
        fields.extend(service.prefix_list.map(|list| ("prefix_list", Yaml::text(&self.key(list)))));
        if *namespace != key {
            fields.push(("namespace", Yaml::text(&namespace)));
        }
        fields.push(("addresses", texts(addresses)));
        (key, Yaml::Map(fields))
    }

    fn internet_host(&self, host: &InternetHost) -> (String, Yaml) {
        let (key, id) = named("", host);
        let mut fields: Fields = id.into_iter().collect();
        if host.namespace != key {
            fields.push(("namespace", Yaml::text(&host.namespace)));
        }
        fields.push(("addresses", texts(&host.addresses)));
        fields.push(("prefixes", texts(&host.prefixes)));
        (key, Yaml::Map(fields))
    }

    fn key<K: Noun>(&self, id: Id<K>) -> String {
        self.desired.label(id)
    }

    fn keys<K: Noun>(&self, ids: &[Id<K>]) -> Yaml {
        Yaml::one_or_many(ids.iter().map(|&id| Yaml::text(&self.key(id))).collect())
    }
}

/// The key of a resource, and its id where that does not follow from the key.
fn named<K: Noun>(scope: &str, resource: &K) -> (String, Option<(&'static str, Yaml)>) {
    let Some(name) = resource.name() else {
        return (resource.id().to_string(), None);
    };
    let implied = Identity::<K>::new(scope, name.as_str(), None);
    let pinned = implied.id != resource.id() || implied.name.as_ref() != Some(name);
    (name.to_string(), pinned.then(|| ("id", Yaml::text(&resource.id()))))
}

/// Whether a resource is called as the one that every VPC is given.
fn is_made<K: Noun>(scope: &Scope<'_>, resource: &K, name: &str) -> bool {
    let made = Identity::<K>::new(&scope.key, name, None);
    made.id == resource.id() && made.name.as_ref() == resource.name()
}

fn gateway_of<K: Noun>(scope: &Scope<'_>, gateway: &K, more: Fields) -> Yaml {
    let (key, id) = named(&scope.key, gateway);
    if id.is_none() && more.is_empty() {
        return Yaml::Text(key);
    }
    let mut fields = vec![("name", Yaml::Text(key))];
    fields.extend(id);
    fields.extend(more);
    Yaml::Map(fields)
}

/// The fields for an interface's id and name, where they do not follow from where it stands.
fn interface_identity(scope: &Scope<'_>, eni: &Eni, implied: &str, [id, name]: [&'static str; 2]) -> Fields {
    let implied_name: Option<Name> = Identity::<Eni>::new(&scope.key, implied, None).name;
    let mut fields = Vec::new();
    let key = match &eni.name {
        own if *own == implied_name => implied.to_owned(),
        Some(own) => {
            fields.push((name, Yaml::text(&own)));
            own.to_string()
        }
        None => {
            fields.push((name, Yaml::text(&eni.id)));
            eni.id.to_string()
        }
    };
    if Identity::<Eni>::new(&scope.key, &key, None).id != eni.id {
        fields.push((id, Yaml::text(&eni.id)));
    }
    fields
}

fn addresses(addresses: &[EniAddress], fields: &mut Fields) {
    let ipv6_last = addresses.iter().rev().take_while(|a| a.private.is_ipv6() && a.public.is_none()).count();
    let in_order = addresses.len() > ipv6_last
        && addresses.iter().take(addresses.len() - ipv6_last).all(|address| address.private.is_ipv4());
    let first_list = if in_order { addresses.len() - ipv6_last } else { addresses.len() };
    let (first, ipv6) = addresses.split_at(first_list);
    let print = |(i, address): (usize, &EniAddress)| match address.public {
        Some(public) if i > 0 => {
            Yaml::Map(vec![("private", Yaml::text(&address.private)), ("public", Yaml::text(&public))])
        }
        Some(_) | None => Yaml::text(&address.private),
    };
    fields.push(("address", Yaml::one_or_many(first.iter().enumerate().map(print).collect())));
    if !ipv6.is_empty() {
        let ipv6: Vec<IpAddr> = ipv6.iter().map(|address| address.private).collect();
        fields.push(("ipv6_address", texts(&ipv6)));
    }
    let public = first.first().and_then(|address| address.public);
    fields.extend(public.map(|public| ("public", Yaml::text(&public))));
}

fn acl_rule(key: AclKey, entry: &AclEntry) -> Yaml {
    let action = match entry.action {
        Action::Allow => "allow",
        Action::Deny => "deny",
    };
    let mut fields = vec![("rule", Yaml::plain(&key.number)), ("action", Yaml::text(&action))];
    traffic(entry.traffic, &mut fields);
    fields.push((side(key.direction), Yaml::text(&entry.cidr)));
    Yaml::Map(fields)
}

fn traffic(traffic: Traffic, fields: &mut Fields) {
    let protocol = match traffic {
        Traffic::All => Yaml::text(&"all"),
        Traffic::Icmp(_) => Yaml::text(&"icmp"),
        Traffic::Icmpv6(_) => Yaml::text(&"icmpv6"),
        Traffic::Other(number) => Yaml::plain(&number),
        Traffic::Tcp(_) => Yaml::text(&"tcp"),
        Traffic::Udp(_) => Yaml::text(&"udp"),
    };
    fields.push(("protocol", protocol));
    match traffic {
        Traffic::Icmp(IcmpMatch { kind, code }) | Traffic::Icmpv6(IcmpMatch { kind, code }) => {
            fields.extend(kind.map(|kind| ("type", Yaml::plain(&kind))));
            fields.extend(code.map(|code| ("code", Yaml::plain(&code))));
        }
        Traffic::Tcp(ports) | Traffic::Udp(ports) if ports != PortRange::ALL => {
            fields.push(("ports", Yaml::plain(&ports)));
        }
        Traffic::All | Traffic::Other(_) | Traffic::Tcp(_) | Traffic::Udp(_) => {}
    }
}

const fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    }
}

fn device_of(eni: &Eni) -> u8 {
    match eni.kind {
        EniKind::Instance { device, .. } => device,
        EniKind::Endpoint(_) | EniKind::NatGateway(_) => 0,
    }
}

fn same_rules(a: &[SecurityGroupRule], b: &[SecurityGroupRule]) -> bool {
    let set = |rules: &[SecurityGroupRule]| -> BTreeSet<_> {
        rules.iter().map(|rule| (rule.direction, rule.traffic, rule.peer, rule.id)).collect()
    };
    a.len() == b.len() && set(a) == set(b)
}

fn texts<T: Display>(values: &[T]) -> Yaml {
    Yaml::one_or_many(values.iter().map(Yaml::text).collect())
}

fn is_empty(section: &Yaml) -> bool {
    matches!(section, Yaml::Section(entries) if entries.is_empty())
}
