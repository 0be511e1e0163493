//! What has to hold for each noun, stated once, whichever way the change came.

mod connect;
mod routes;
mod rules;

use std::collections::BTreeSet;
use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::claim::Claim;
use super::{Desired, Noun, Problem, Resource, ResourceRef, Violation};
use crate::Id;
use crate::resource::{
    AttachmentKind, Destination, EgressOnlyGateway, Endpoint, EndpointKind, Eni, EniKind, Family, InternetGateway,
    InternetHost, NatGateway, NetworkAcl, Peer, Provider, RouteTable, SecurityGroup, Service, Subnet,
    TransitAttachment, Vpc,
};

/// Quotas of an account's default settings. Source: vpc-semantics §19.
mod limit {
    pub(super) const ROUTES_PER_TABLE: usize = 500;
    pub(super) const RULES_PER_GROUP: usize = 60;
    pub(super) const GROUPS_PER_ENI: usize = 5;
    pub(super) const ENTRIES_PER_ACL: usize = 20;
    pub(super) const ENTRIES_PER_LIST: usize = 1_000;
}

/// Collects what is wrong with one resource.
struct Report<'a> {
    resource: ResourceRef,
    violations: &'a mut Vec<Violation>,
}

impl Report<'_> {
    fn add(&mut self, field: &'static str, problem: Problem) {
        self.violations.push(Violation { resource: self.resource, field, problem });
    }
}

impl Desired {
    /// What has to be checked again because a resource was put.
    pub(super) fn affected_by(&self, id: ResourceRef) -> Vec<ResourceRef> {
        if self.tables.contains(id) { self.dependents(id).chain(self.mentions(id)).collect() } else { Vec::new() }
    }

    /// What names a resource that cannot be one of its needs, mostly because that one needs it in turn.
    fn mentions(&self, id: ResourceRef) -> Vec<ResourceRef> {
        let vpcs = |by: &dyn Fn(&Vpc) -> bool| {
            let vpcs = self.iter::<Vpc>().filter(|vpc| by(vpc));
            vpcs.map(|vpc| Vpc::to_ref(vpc.id)).collect()
        };
        match id {
            ResourceRef::Eni(id) => self.claimants(&Claim::Interface(id)).collect(),
            ResourceRef::NetworkAcl(id) => vpcs(&|vpc| vpc.default_acl == id),
            ResourceRef::PrefixList(id) => {
                let routed = |table: &&RouteTable| table.routes.contains_key(&Destination::List(id));
                let allowed = |group: &&SecurityGroup| group.rules.iter().any(|rule| rule.peer == Peer::List(id));
                let tables = self.iter::<RouteTable>().filter(routed);
                let groups = self.iter::<SecurityGroup>().filter(allowed);
                tables
                    .map(|table| RouteTable::to_ref(table.id))
                    .chain(groups.map(|group| SecurityGroup::to_ref(group.id)))
                    .collect()
            }
            ResourceRef::RouteTable(id) => vpcs(&|vpc| vpc.main_table == id),
            ResourceRef::SecurityGroup(id) => vpcs(&|vpc| vpc.default_group == id),
            ResourceRef::TransitAttachment(id) => {
                let peered = |other: &&TransitAttachment| match &other.kind {
                    AttachmentKind::Peering { peer } => *peer == id,
                    AttachmentKind::Vpc { .. } => false,
                };
                let others = self.iter::<TransitAttachment>().filter(peered);
                others.map(|other| TransitAttachment::to_ref(other.id)).collect()
            }
            ResourceRef::EgressOnlyGateway(_)
            | ResourceRef::Endpoint(_)
            | ResourceRef::Instance(_)
            | ResourceRef::InternetGateway(_)
            | ResourceRef::InternetHost(_)
            | ResourceRef::NatGateway(_)
            | ResourceRef::Peering(_)
            | ResourceRef::Service(_)
            | ResourceRef::Subnet(_)
            | ResourceRef::TransitGateway(_)
            | ResourceRef::TransitRouteTable(_)
            | ResourceRef::VirtualGateway(_)
            | ResourceRef::Vpc(_) => Vec::new(),
        }
    }

    /// Checks a resource that was put or deleted.
    pub(super) fn check(&self, id: ResourceRef, violations: &mut Vec<Violation>) {
        match self.tables.get(id) {
            Some(resource) => self.check_one(&resource, violations),
            None => {
                for by in self.dependents(id).chain(self.mentions(id)) {
                    let problem = Problem::DependencyViolation { what: id, by };
                    violations.push(Violation { resource: id, field: "id", problem });
                }
            }
        }
    }

    fn check_one(&self, resource: &Resource, violations: &mut Vec<Violation>) {
        let mut report = Report { resource: resource.id(), violations };
        let missing: Vec<ResourceRef> = resource.needs().into_iter().filter(|&id| !self.tables.contains(id)).collect();
        if !missing.is_empty() {
            missing.into_iter().for_each(|what| report.add(field_of(what), Problem::NotFound { what }));
            return;
        }
        match resource {
            Resource::Endpoint(r) => self.check_endpoint(r, &mut report),
            Resource::Eni(r) => self.check_eni(r, &mut report),
            Resource::Instance(r) => self.check_namespace(&r.namespace, &mut report),
            Resource::InternetHost(r) => self.check_internet_host(r, &mut report),
            Resource::NetworkAcl(r) => rules::check_acl(r, &mut report),
            Resource::PrefixList(r) => rules::check_prefix_list(r, &mut report),
            Resource::RouteTable(r) => self.check_route_table(r, &mut report),
            Resource::SecurityGroup(r) => self.check_security_group(r, &mut report),
            Resource::Service(r) => self.check_service(r, &mut report),
            Resource::Subnet(r) => self.check_subnet(r, &mut report),
            Resource::Vpc(r) => self.check_vpc(r, &mut report),
            Resource::EgressOnlyGateway(r) => {
                let of_vpc = self.dependents_of_kind::<EgressOnlyGateway>(Vpc::to_ref(r.vpc));
                let rival = of_vpc.map(|other| other.id).find(|&id| id != r.id);
                check_alone(rival.map(EgressOnlyGateway::to_ref), &mut report);
            }
            Resource::InternetGateway(r) => {
                let vpcs = r.vpc.iter().map(|&vpc| Vpc::to_ref(vpc));
                let of_vpc = vpcs.flat_map(|vpc| self.dependents_of_kind::<InternetGateway>(vpc));
                let rival = of_vpc.map(|other| other.id).find(|&id| id != r.id);
                check_alone(rival.map(InternetGateway::to_ref), &mut report);
                self.check_edge(r.vpc, r.edge_table, &mut report);
            }
            Resource::Peering(r) => self.check_peering(r, &mut report),
            Resource::TransitAttachment(r) => self.check_transit_attachment(r, &mut report),
            Resource::TransitRouteTable(r) => self.check_transit_route_table(r, &mut report),
            Resource::VirtualGateway(r) => self.check_virtual_gateway(r, &mut report),
            Resource::NatGateway(r) => self.check_nat_gateway(r, &mut report),
            Resource::TransitGateway(_) => {}
        }
    }

    fn check_vpc(&self, vpc: &Vpc, report: &mut Report<'_>) {
        if vpc.cidrs.is_empty() {
            report.add("cidr", Problem::None { what: "IPv4 block" });
        }
        for block in vpc.blocks() {
            check_size("VPC", block, report);
        }
        check_family("cidr", &vpc.cidrs, Family::V4, report);
        check_family("cidr", &vpc.ipv6_cidrs, Family::V6, report);
        for (i, block) in vpc.blocks().enumerate() {
            for other in vpc.blocks().skip(i + 1).filter(|other| other.overlaps(block)) {
                report.add("cidr", Problem::BlockConflict { block: other, other: block, by: Vpc::to_ref(vpc.id) });
            }
        }
        // The VPC names its defaults and they name it, so none can be a hard need of the other.
        let mut own = |field, what: ResourceRef, theirs: Option<Id<Vpc>>| match theirs {
            None => report.add(field, Problem::NotFound { what }),
            Some(id) if id != vpc.id => report.add(field, another_vpc(what, id, vpc.id)),
            Some(_) => {}
        };
        own("main_table", RouteTable::to_ref(vpc.main_table), self.get(vpc.main_table).map(|r| r.vpc));
        own("default_acl", NetworkAcl::to_ref(vpc.default_acl), self.get(vpc.default_acl).map(|r| r.vpc));
        own("default_group", SecurityGroup::to_ref(vpc.default_group), self.get(vpc.default_group).map(|r| r.vpc));
        for subnet in self.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id)) {
            let mut report = Report { resource: Subnet::to_ref(subnet.id), violations: report.violations };
            self.check_subnet(subnet, &mut report);
        }
    }

    fn check_subnet(&self, subnet: &Subnet, report: &mut Report<'_>) {
        let Some(vpc) = self.get(subnet.vpc) else { return };
        check_family("cidr", &[subnet.cidr], Family::V4, report);
        check_family("cidr", subnet.ipv6_cidr.as_slice(), Family::V6, report);
        if *subnet.az.region() != vpc.region {
            report.add("az", Problem::Unsupported("the zone is not in the VPC's Region"));
        }
        for block in subnet.blocks() {
            check_size("subnet", block, report);
            if !vpc.blocks().any(|outer| outer.covers(block)) {
                report.add("cidr", Problem::BlockOutside { block, vpc: Vpc::to_ref(vpc.id) });
            }
            for sibling in self.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id)).filter(|s| s.id != subnet.id) {
                for other in sibling.blocks().filter(|other| other.overlaps(block)) {
                    report.add("cidr", Problem::BlockConflict { block, other, by: Subnet::to_ref(sibling.id) });
                }
            }
        }
        if let Some(table) = subnet.table.and_then(|id| self.get(id)) {
            same_vpc("routes", RouteTable::to_ref(table.id), table.vpc, vpc.id, report);
        }
        if let Some(acl) = subnet.acl.and_then(|id| self.get(id)) {
            same_vpc("network_acl", NetworkAcl::to_ref(acl.id), acl.vpc, vpc.id, report);
        }
        for eni in self.dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id)) {
            let mut report = Report { resource: Eni::to_ref(eni.id), violations: report.violations };
            check_addresses(eni, subnet, &mut report);
        }
    }

    fn check_eni(&self, eni: &Eni, report: &mut Report<'_>) {
        let (Some(subnet), Some(vpc)) = (self.get(eni.subnet), self.vpc_of(eni.subnet)) else {
            return;
        };
        if eni.addresses.is_empty() {
            report.add("address", Problem::None { what: "address" });
        }
        check_addresses(eni, subnet, report);
        let own = eni.addresses.iter().map(|a| a.private);
        for sibling in self.dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id)).filter(|s| s.id != eni.id) {
            for address in own.clone().filter(|&address| sibling.has(address)) {
                report.add("address", Problem::AddressInUse { address, by: Eni::to_ref(sibling.id) });
            }
        }
        for public in eni.addresses.iter().filter_map(|a| a.public) {
            let mut others = self.claimants(&Claim::Public(public)).filter(|other| *other != report.resource);
            if let Some(by) = others.next() {
                report.add("public", Problem::AddressInUse { address: public.into(), by });
            }
        }
        at_most(
            "security groups of a network interface",
            eni.groups.len(),
            limit::GROUPS_PER_ENI,
            "SecurityGroupsPerInterfaceLimitExceeded",
            "security_groups",
            report,
        );
        for group in eni.groups.iter().filter_map(|&id| self.get(id)) {
            same_vpc("security_groups", SecurityGroup::to_ref(group.id), group.vpc, vpc.id, report);
        }
        let needs_group = match eni.kind {
            EniKind::Endpoint(_) | EniKind::Instance { .. } => true,
            EniKind::NatGateway(_) => false,
        };
        if needs_group && eni.groups.is_empty() {
            report.add("security_groups", Problem::None { what: "security group" });
        }
        if let EniKind::Instance { instance, device } = eni.kind {
            let siblings = self.dependents_of_kind::<Eni>(ResourceRef::Instance(instance));
            if let Some(other) = siblings.filter(|s| s.id != eni.id).find(|s| s.kind == eni.kind) {
                report.add("device", Problem::DeviceTaken { device, by: Eni::to_ref(other.id) });
            }
        }
    }

    /// The interface of a NAT gateway is its own, in its subnet, with an IPv4 address.
    fn check_nat_gateway(&self, gateway: &NatGateway, report: &mut Report<'_>) {
        let eni = self
            .get(gateway.eni)
            .filter(|eni| eni.kind == EniKind::NatGateway(gateway.id) && eni.subnet == gateway.subnet);
        match eni {
            None => report.add("interface", Problem::NotFound { what: Eni::to_ref(gateway.eni) }),
            Some(eni) if !eni.addresses.iter().any(|a| a.private.is_ipv4()) => {
                report.add("address", Problem::None { what: "IPv4 address" })
            }
            Some(_) => {}
        }
    }

    fn check_endpoint(&self, endpoint: &Endpoint, report: &mut Report<'_>) {
        let Some(service) = self.get(endpoint.service) else {
            return;
        };
        match &endpoint.kind {
            EndpointKind::Gateway { tables } => {
                if service.prefix_list.is_none() {
                    report.add(
                        "service",
                        Problem::Unsupported(
                            "the service has no prefix list, so it cannot be reached by a gateway endpoint",
                        ),
                    );
                }
                for table in tables.iter().filter_map(|&id| self.get(id)) {
                    same_vpc("route_tables", RouteTable::to_ref(table.id), table.vpc, endpoint.vpc, report);
                    let rival = |e: &&Endpoint| e.id != endpoint.id && e.service == endpoint.service;
                    if let Some(other) = self.gateway_endpoints(table.id).find(rival) {
                        let what = Endpoint::to_ref(other.id);
                        report.add(
                            "route_tables",
                            Problem::GatewayEndpointExists { what, service: service.service_name.clone() },
                        );
                    }
                    if let Some(list) =
                        service.prefix_list.filter(|&list| table.routes.contains_key(&Destination::List(list)))
                    {
                        report.add("route_tables", Problem::RouteExists { destination: Destination::List(list) });
                    }
                }
            }
            EndpointKind::Interface { enis, groups, private_dns: _ } => {
                if enis.is_empty() {
                    report.add("subnets", Problem::None { what: "subnet" });
                }
                let mut zones = BTreeSet::new();
                for &id in enis {
                    match self.get(id).and_then(|eni| self.get(eni.subnet)) {
                        None => report.add("subnets", Problem::NotFound { what: Eni::to_ref(id) }),
                        Some(subnet) => {
                            same_vpc("subnets", Subnet::to_ref(subnet.id), subnet.vpc, endpoint.vpc, report);
                            if !zones.insert(&subnet.az) {
                                report.add("subnets", Problem::DuplicateZone { az: subnet.az.clone() });
                            }
                        }
                    }
                }
                for group in groups.iter().filter_map(|&id| self.get(id)) {
                    same_vpc("security_groups", SecurityGroup::to_ref(group.id), group.vpc, endpoint.vpc, report);
                }
            }
        }
    }

    fn check_service(&self, service: &Service, report: &mut Report<'_>) {
        let Provider::Host { namespace, addresses } = &service.provider;
        self.check_namespace(namespace, report);
        if addresses.is_empty() {
            report.add("addresses", Problem::None { what: "address" });
        }
    }

    fn check_internet_host(&self, host: &InternetHost, report: &mut Report<'_>) {
        self.check_namespace(&host.namespace, report);
        for other in self.iter::<InternetHost>().filter(|other| other.id != host.id) {
            for &address in host.addresses.iter().filter(|a| other.addresses.contains(a)) {
                report.add("addresses", Problem::AddressInUse { address, by: InternetHost::to_ref(other.id) });
            }
        }
    }

    fn check_namespace(&self, namespace: &str, report: &mut Report<'_>) {
        let mut others = self.claimants(&Claim::Namespace(namespace.to_owned())).filter(|by| *by != report.resource);
        if let Some(by) = others.next() {
            report.add("namespace", Problem::NamespaceTaken { namespace: namespace.to_owned(), by });
        }
    }
}

/// A VPC has one gateway of a kind (R10.14, R10.18).
fn check_alone(rival: Option<ResourceRef>, report: &mut Report<'_>) {
    if let Some(what) = rival {
        report.add("vpc", Problem::AttachmentExists { what });
    }
}

/// Addresses inside the subnet, of which some are reserved (R1.3, R1.6).
fn check_addresses(eni: &Eni, subnet: &Subnet, report: &mut Report<'_>) {
    for address in eni.addresses.iter().map(|a| a.private) {
        let block = if address.is_ipv4() { Some(subnet.cidr) } else { subnet.ipv6_cidr };
        match block {
            None => report.add(
                "address",
                Problem::Family {
                    value: address.to_string(),
                    got: "IPv6",
                    expected: "an IPv4 address (the subnet has no IPv6 block)",
                },
            ),
            Some(block) if !block.contains(address) => {
                report.add("address", Problem::AddressOutside { address, block })
            }
            Some(block) if is_reserved(address, block) => {
                report.add("address", Problem::AddressReserved { address, block })
            }
            Some(_) => {}
        }
    }
}

fn is_reserved(address: IpAddr, block: Prefix) -> bool {
    (0..4).any(|n| block.nth(n) == Some(address)) || block.last() == address
}

/// Blocks of the family that their field is for.
fn check_family(field: &'static str, blocks: &[Prefix], family: Family, report: &mut Report<'_>) {
    for &block in blocks.iter().filter(|&&block| Family::of(block) != family) {
        let (got, expected) = match family {
            Family::V4 => ("an IPv6 block", "an IPv4 one"),
            Family::V6 => ("an IPv4 block", "an IPv6 one"),
        };
        report.add(field, Problem::Family { value: block.to_string(), got, expected });
    }
}

/// Source: R1.1, R1.6.
fn check_size(what: &'static str, block: Prefix, report: &mut Report<'_>) {
    let length = block.len();
    let fine = match (block.is_ipv4(), what) {
        (true, _) => (16..=28).contains(&length),
        (false, "VPC") => (44..=60).contains(&length) && length.is_multiple_of(4),
        (false, _) => (44..=64).contains(&length) && length.is_multiple_of(4),
    };
    if !fine {
        report.add(
            "cidr",
            Problem::Size {
                what,
                block,
                length,
                expected: match (block.is_ipv4(), what) {
                    (true, _) => "/16 to /28",
                    (false, "VPC") => "/44 to /60 in steps of 4",
                    (false, _) => "/44 to /64 in steps of 4",
                },
            },
        );
    }
}

fn same_vpc(field: &'static str, what: ResourceRef, theirs: Id<Vpc>, ours: Id<Vpc>, report: &mut Report<'_>) {
    if theirs != ours {
        report.add(field, another_vpc(what, theirs, ours));
    }
}

fn another_vpc(what: ResourceRef, theirs: Id<Vpc>, ours: Id<Vpc>) -> Problem {
    Problem::AnotherVpc { what, theirs: Vpc::to_ref(theirs), ours: Vpc::to_ref(ours) }
}

fn at_most(
    what: &'static str,
    count: usize,
    most: usize,
    code: &'static str,
    field: &'static str,
    report: &mut Report<'_>,
) {
    if count > most {
        report.add(field, Problem::LimitExceeded { what, count, limit: most, code });
    }
}

/// The field in which lab files name a resource of this kind.
const fn field_of(what: ResourceRef) -> &'static str {
    match what {
        ResourceRef::EgressOnlyGateway(_) => "egress_only_gateway",
        ResourceRef::Endpoint(_) => "endpoint",
        ResourceRef::Eni(_) => "interface",
        ResourceRef::Instance(_) => "instance",
        ResourceRef::InternetGateway(_) => "internet_gateway",
        ResourceRef::InternetHost(_) => "internet",
        ResourceRef::NatGateway(_) => "nat_gateway",
        ResourceRef::NetworkAcl(_) => "network_acl",
        ResourceRef::Peering(_) => "peering",
        ResourceRef::PrefixList(_) => "prefix_list",
        ResourceRef::RouteTable(_) => "routes",
        ResourceRef::SecurityGroup(_) => "security_groups",
        ResourceRef::Service(_) => "service",
        ResourceRef::Subnet(_) => "subnet",
        ResourceRef::TransitAttachment(_) => "attachment",
        ResourceRef::TransitGateway(_) => "transit_gateway",
        ResourceRef::TransitRouteTable(_) => "table",
        ResourceRef::VirtualGateway(_) => "virtual_gateway",
        ResourceRef::Vpc(_) => "vpc",
    }
}
