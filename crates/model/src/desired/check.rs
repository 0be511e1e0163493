//! What has to hold for each noun, stated once, whichever way the change came.

mod connect;

use std::collections::BTreeSet;
use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::{Desired, Noun, Problem, Resource, ResourceRef, Violation};
use crate::Id;
use crate::resource::{
    Address, Destination, Direction, Endpoint, EndpointKind, Eni, EniKind, Family, InternetHost, NatGateway,
    NetworkAcl, Peer, PrefixList, Provider, RouteTable, RouteTarget, SecurityGroup, Service, Subnet,
    VirtualGateway, Vpc,
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
        self.violations.push(Violation {
            resource: self.resource,
            field,
            problem,
        });
    }
}

impl Desired {
    /// Checks a resource that was put or deleted, and what depends on it.
    pub(super) fn check(&self, id: ResourceRef, violations: &mut Vec<Violation>) {
        match self.tables.get(id) {
            Some(resource) => self.check_one(&resource, violations),
            None => {
                for by in self.dependents(id) {
                    let problem = Problem::DependencyViolation { what: id, by };
                    violations.push(Violation {
                        resource: id,
                        field: "id",
                        problem,
                    });
                }
            }
        }
    }

    fn check_one(&self, resource: &Resource, violations: &mut Vec<Violation>) {
        let mut report = Report {
            resource: resource.id(),
            violations,
        };
        let missing: Vec<ResourceRef> = resource
            .needs()
            .into_iter()
            .filter(|&id| !self.tables.contains(id))
            .collect();
        if !missing.is_empty() {
            missing
                .into_iter()
                .for_each(|what| report.add(field_of(what), Problem::NotFound { what }));
            return;
        }
        match resource {
            Resource::Address(r) => self.check_elastic(r, &mut report),
            Resource::Endpoint(r) => self.check_endpoint(r, &mut report),
            Resource::Eni(r) => self.check_eni(r, &mut report),
            Resource::Instance(r) => self.check_namespace(&r.namespace, &mut report),
            Resource::InternetHost(r) => self.check_internet_host(r, &mut report),
            Resource::NetworkAcl(r) => check_acl(r, &mut report),
            Resource::PrefixList(r) => check_prefix_list(r, &mut report),
            Resource::RouteTable(r) => self.check_route_table(r, &mut report),
            Resource::SecurityGroup(r) => self.check_security_group(r, &mut report),
            Resource::Service(r) => self.check_service(r, &mut report),
            Resource::Subnet(r) => self.check_subnet(r, &mut report),
            Resource::Vpc(r) => self.check_vpc(r, &mut report),
            Resource::InternetGateway(r) => self.check_edge(r.vpc, r.edge_table, &mut report),
            Resource::Peering(r) => self.check_peering(r, &mut report),
            Resource::TransitAttachment(r) => self.check_transit_attachment(r, &mut report),
            Resource::TransitRouteTable(r) => self.check_transit_route_table(r, &mut report),
            Resource::VirtualGateway(r) => self.check_virtual_gateway(r, &mut report),
            Resource::NatGateway(r) => self.check_nat_gateway(r, &mut report),
            Resource::EgressOnlyGateway(_) | Resource::TransitGateway(_) => {}
        }
    }

    fn check_elastic(&self, address: &Address, report: &mut Report<'_>) {
        let mut others = self.iter::<Address>().filter(|other| other.id != address.id);
        if let Some(other) = others.find(|other| other.public == address.public) {
            report.add(
                "public",
                Problem::AddressInUse {
                    address: address.public.into(),
                    by: Address::to_ref(other.id),
                },
            );
        }
    }

    fn check_vpc(&self, vpc: &Vpc, report: &mut Report<'_>) {
        if vpc.cidrs.is_empty() {
            report.add("cidr", Problem::None { what: "IPv4 block" });
        }
        for block in vpc.blocks() {
            check_size("vpc", block, report);
        }
        for (i, block) in vpc.blocks().enumerate() {
            for other in vpc.blocks().skip(i + 1).filter(|other| other.overlaps(block)) {
                report.add(
                    "cidr",
                    Problem::BlockConflict {
                        block: other,
                        other: block,
                        by: Vpc::to_ref(vpc.id),
                    },
                );
            }
        }
        // The VPC names its defaults and they name it, so none can be a hard need of the other.
        let mut own = |field, what: ResourceRef, theirs: Option<Id<Vpc>>| match theirs {
            None => report.add(field, Problem::NotFound { what }),
            Some(id) if id != vpc.id => report.add(field, another_vpc(what, id, vpc.id)),
            Some(_) => {}
        };
        own(
            "main_table",
            RouteTable::to_ref(vpc.main_table),
            self.get(vpc.main_table).map(|r| r.vpc),
        );
        own(
            "default_acl",
            NetworkAcl::to_ref(vpc.default_acl),
            self.get(vpc.default_acl).map(|r| r.vpc),
        );
        own(
            "default_group",
            SecurityGroup::to_ref(vpc.default_group),
            self.get(vpc.default_group).map(|r| r.vpc),
        );
        for subnet in self.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id)) {
            let mut report = Report {
                resource: Subnet::to_ref(subnet.id),
                violations: report.violations,
            };
            self.check_subnet(subnet, &mut report);
        }
    }

    fn check_subnet(&self, subnet: &Subnet, report: &mut Report<'_>) {
        let Some(vpc) = self.get(subnet.vpc) else { return };
        check_size("subnet", subnet.cidr, report);
        for block in subnet.blocks() {
            if !vpc.blocks().any(|outer| outer.covers(block)) {
                report.add(
                    "cidr",
                    Problem::BlockOutside {
                        block,
                        vpc: Vpc::to_ref(vpc.id),
                    },
                );
            }
            for sibling in self
                .dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id))
                .filter(|s| s.id != subnet.id)
            {
                for other in sibling.blocks().filter(|other| other.overlaps(block)) {
                    report.add(
                        "cidr",
                        Problem::BlockConflict {
                            block,
                            other,
                            by: Subnet::to_ref(sibling.id),
                        },
                    );
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
            let mut report = Report {
                resource: Eni::to_ref(eni.id),
                violations: report.violations,
            };
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
        for sibling in self
            .dependents_of_kind::<Eni>(Subnet::to_ref(subnet.id))
            .filter(|s| s.id != eni.id)
        {
            for address in own.clone().filter(|&address| sibling.has(address)) {
                report.add(
                    "address",
                    Problem::AddressInUse {
                        address,
                        by: Eni::to_ref(sibling.id),
                    },
                );
            }
        }
        for public in eni.addresses.iter().filter_map(|a| a.public) {
            let taken =
                |other: &&Eni| other.id != eni.id && other.addresses.iter().any(|a| a.public == Some(public));
            if let Some(other) = self.iter::<Eni>().find(taken) {
                report.add(
                    "public",
                    Problem::AddressInUse {
                        address: public.into(),
                        by: Eni::to_ref(other.id),
                    },
                );
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
            same_vpc(
                "security_groups",
                SecurityGroup::to_ref(group.id),
                group.vpc,
                vpc.id,
                report,
            );
        }
        if let EniKind::Instance { instance, device } = eni.kind {
            let siblings = self.dependents_of_kind::<Eni>(ResourceRef::Instance(instance));
            if let Some(other) = siblings.filter(|s| s.id != eni.id).find(|s| s.kind == eni.kind) {
                report.add(
                    "device",
                    Problem::DeviceTaken {
                        device,
                        by: Eni::to_ref(other.id),
                    },
                );
            }
        }
    }

    fn check_route_table(&self, table: &RouteTable, report: &mut Report<'_>) {
        let Some(vpc) = self.get(table.vpc) else { return };
        let mut counts = [0_usize; 2];
        for (&destination, &target) in &table.routes {
            match destination {
                Destination::Prefix(prefix) => {
                    counts[usize::from(!prefix.is_ipv4())] += 1;
                    self.check_prefix_route(vpc, prefix, target, report);
                }
                Destination::List(id) => match self.get(id) {
                    Some(list) => {
                        counts[usize::from(list.family == Family::V6)] += if list.aws_managed {
                            1
                        } else {
                            usize::from(list.max_entries)
                        };
                        check_target_family(list.family, target, report);
                    }
                    None => report.add(
                        "routes",
                        Problem::NotFound {
                            what: PrefixList::to_ref(id),
                        },
                    ),
                },
            }
            if matches!(target, RouteTarget::GatewayEndpoint(_)) {
                report.add("routes", Problem::RouteOfEndpoint { destination });
            }
            self.check_target_vpc(vpc, target, report);
        }
        counts.iter().for_each(|&count| {
            at_most(
                "routes of a table",
                count,
                limit::ROUTES_PER_TABLE,
                "RouteLimitExceeded",
                "routes",
                report,
            )
        });
        if self.is_edge_table(table.id) {
            self.check_edge_routes(table, report);
        }
        for endpoint in self.gateway_endpoints(table.id) {
            let list = self.get(endpoint.service).and_then(|service| service.prefix_list);
            if let Some(list) = list.filter(|&list| table.routes.contains_key(&Destination::List(list))) {
                report.add(
                    "routes",
                    Problem::RouteExists {
                        destination: Destination::List(list),
                    },
                );
            }
        }
    }

    fn check_prefix_route(&self, vpc: &Vpc, prefix: Prefix, target: RouteTarget, report: &mut Report<'_>) {
        if is_link_local_service(prefix) {
            report.add("routes", Problem::RoutesLinkLocal { destination: prefix });
        }
        check_target_family(Family::of(prefix), target, report);
        let to_appliance = matches!(target, RouteTarget::Eni(_) | RouteTarget::Nat(_));
        for block in vpc.blocks().filter(|block| block.covers(prefix)) {
            let whole_subnet = || {
                self.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id))
                    .any(|s| s.blocks().any(|b| b == prefix))
            };
            let fine = if block == prefix {
                to_appliance || target == RouteTarget::Local
            } else {
                to_appliance && whole_subnet()
            };
            if !fine {
                report.add("routes", Problem::MoreSpecificThanLocal { destination: prefix });
            }
        }
    }

    /// A target that exists must be of the table's VPC; one that is gone is a black hole, not an error (R2.11).
    fn check_target_vpc(&self, vpc: &Vpc, target: RouteTarget, report: &mut Report<'_>) {
        let (what, theirs) = match target {
            RouteTarget::EgressOnly(id) => (ResourceRef::EgressOnlyGateway(id), self.get(id).map(|g| g.vpc)),
            RouteTarget::Eni(id) => (ResourceRef::Eni(id), self.vpc_of_eni(id).map(|v| v.id)),
            RouteTarget::GatewayEndpoint(id) => (ResourceRef::Endpoint(id), self.get(id).map(|e| e.vpc)),
            RouteTarget::Internet(id) => (ResourceRef::InternetGateway(id), self.get(id).and_then(|g| g.vpc)),
            RouteTarget::Local => return,
            RouteTarget::Nat(id) => (
                ResourceRef::NatGateway(id),
                self.get(id).and_then(|g| self.vpc_of(g.subnet)).map(|v| v.id),
            ),
            RouteTarget::Peering(id) => {
                let elsewhere = self.get(id).filter(|peering| peering.other_end(vpc.id).is_none());
                (
                    ResourceRef::Peering(id),
                    elsewhere.map(|peering| peering.requester),
                )
            }
            RouteTarget::Transit(id) => {
                if self.get(id).is_some()
                    && self
                        .attachments(vpc.id)
                        .all(|attachment| attachment.gateway != id)
                {
                    report.add(
                        "routes",
                        Problem::NotAttached {
                            what: ResourceRef::TransitGateway(id),
                            vpc: Vpc::to_ref(vpc.id),
                        },
                    );
                }
                return;
            }
            RouteTarget::Virtual(id) => (ResourceRef::VirtualGateway(id), self.get(id).and_then(|g| g.vpc)),
        };
        if let Some(theirs) = theirs {
            same_vpc("routes", what, theirs, vpc.id, report);
        }
    }

    fn check_security_group(&self, group: &SecurityGroup, report: &mut Report<'_>) {
        for direction in [Direction::Egress, Direction::Ingress] {
            let rules: Vec<_> = group
                .rules
                .iter()
                .filter(|rule| rule.direction == direction)
                .collect();
            let mut counts = [0_usize; 2];
            let mut seen = BTreeSet::new();
            let field = if direction == Direction::Egress {
                "egress"
            } else {
                "ingress"
            };
            for rule in rules {
                if !seen.insert((rule.traffic, rule.peer)) {
                    report.add(field, Problem::RuleDuplicate);
                }
                let (family, weight) = match rule.peer {
                    Peer::Prefix(prefix) => (Family::of(prefix), 1),
                    Peer::Group(_) => (Family::V4, 1),
                    Peer::List(id) => match self.get(id) {
                        Some(list) => (list.family, usize::from(list.max_entries)),
                        None => (Family::V4, 0),
                    },
                };
                counts[usize::from(family == Family::V6)] += weight;
            }
            counts.iter().for_each(|&count| {
                at_most(
                    "rules of a security group",
                    count,
                    limit::RULES_PER_GROUP,
                    "RulesPerSecurityGroupLimitExceeded",
                    field,
                    report,
                )
            });
        }
    }

    /// The interface of a NAT gateway is its own, in its subnet, with an IPv4 address.
    fn check_nat_gateway(&self, gateway: &NatGateway, report: &mut Report<'_>) {
        let eni = self
            .get(gateway.eni)
            .filter(|eni| eni.kind == EniKind::NatGateway(gateway.id) && eni.subnet == gateway.subnet);
        match eni {
            None => report.add(
                "interface",
                Problem::NotFound {
                    what: Eni::to_ref(gateway.eni),
                },
            ),
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
                    same_vpc(
                        "route_tables",
                        RouteTable::to_ref(table.id),
                        table.vpc,
                        endpoint.vpc,
                        report,
                    );
                    let rival = |e: &&Endpoint| e.id != endpoint.id && e.service == endpoint.service;
                    if let Some(other) = self.gateway_endpoints(table.id).find(rival) {
                        let what = Endpoint::to_ref(other.id);
                        report.add(
                            "route_tables",
                            Problem::GatewayEndpointExists {
                                what,
                                service: service.service_name.clone(),
                            },
                        );
                    }
                    if let Some(list) = service
                        .prefix_list
                        .filter(|&list| table.routes.contains_key(&Destination::List(list)))
                    {
                        report.add(
                            "route_tables",
                            Problem::RouteExists {
                                destination: Destination::List(list),
                            },
                        );
                    }
                }
            }
            EndpointKind::Interface {
                enis,
                groups,
                private_dns: _,
            } => {
                if enis.is_empty() {
                    report.add("subnets", Problem::None { what: "subnet" });
                }
                let mut zones = BTreeSet::new();
                for &id in enis {
                    match self.get(id).and_then(|eni| self.get(eni.subnet)) {
                        None => report.add(
                            "subnets",
                            Problem::NotFound {
                                what: Eni::to_ref(id),
                            },
                        ),
                        Some(subnet) => {
                            same_vpc(
                                "subnets",
                                Subnet::to_ref(subnet.id),
                                subnet.vpc,
                                endpoint.vpc,
                                report,
                            );
                            if !zones.insert(&subnet.az) {
                                report.add(
                                    "subnets",
                                    Problem::DuplicateZone {
                                        az: subnet.az.clone(),
                                    },
                                );
                            }
                        }
                    }
                }
                for group in groups.iter().filter_map(|&id| self.get(id)) {
                    same_vpc(
                        "security_groups",
                        SecurityGroup::to_ref(group.id),
                        group.vpc,
                        endpoint.vpc,
                        report,
                    );
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
                report.add(
                    "addresses",
                    Problem::AddressInUse {
                        address,
                        by: InternetHost::to_ref(other.id),
                    },
                );
            }
        }
    }

    fn check_namespace(&self, namespace: &str, report: &mut Report<'_>) {
        let instances = self
            .iter::<crate::resource::Instance>()
            .map(|r| (ResourceRef::Instance(r.id), &r.namespace));
        let hosts = self
            .iter::<InternetHost>()
            .map(|r| (InternetHost::to_ref(r.id), &r.namespace));
        let services = self.iter::<Service>().map(|r| {
            let Provider::Host { namespace, .. } = &r.provider;
            (Service::to_ref(r.id), namespace)
        });
        let far = self
            .iter::<VirtualGateway>()
            .map(|r| (VirtualGateway::to_ref(r.id), &r.namespace));
        let mut others = instances
            .chain(hosts)
            .chain(services)
            .chain(far)
            .filter(|(id, _)| *id != report.resource);
        if let Some((by, _)) = others.find(|(_, other)| *other == namespace) {
            report.add(
                "namespace",
                Problem::NamespaceTaken {
                    namespace: namespace.to_owned(),
                    by,
                },
            );
        }
    }
}

/// Addresses inside the subnet, of which some are reserved (R1.3, R1.6).
fn check_addresses(eni: &Eni, subnet: &Subnet, report: &mut Report<'_>) {
    for address in eni.addresses.iter().map(|a| a.private) {
        let block = if address.is_ipv4() {
            Some(subnet.cidr)
        } else {
            subnet.ipv6_cidr
        };
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

fn check_acl(acl: &NetworkAcl, report: &mut Report<'_>) {
    for direction in [Direction::Egress, Direction::Ingress] {
        for v4 in [true, false] {
            let count = acl
                .entries
                .iter()
                .filter(|(key, entry)| key.direction == direction && entry.cidr.is_ipv4() == v4)
                .count();
            at_most(
                "entries of a network ACL",
                count,
                limit::ENTRIES_PER_ACL,
                "NetworkAclEntryLimitExceeded",
                "entries",
                report,
            );
        }
    }
}

fn check_prefix_list(list: &PrefixList, report: &mut Report<'_>) {
    let most = usize::from(list.max_entries).min(limit::ENTRIES_PER_LIST);
    at_most(
        "entries of a prefix list",
        list.entries.len(),
        most,
        "PrefixListMaxEntriesExceeded",
        "entries",
        report,
    );
    for pair in list.entries.windows(2).filter(|pair| pair[0] == pair[1]) {
        report.add("entries", Problem::EntryDuplicate { entry: pair[0] });
    }
    for entry in list
        .entries
        .iter()
        .filter(|&&entry| Family::of(entry) != list.family)
    {
        let (got, expected) = if list.family == Family::V4 {
            ("IPv6", "IPv4")
        } else {
            ("IPv4", "IPv6")
        };
        report.add(
            "entries",
            Problem::Family {
                value: entry.to_string(),
                got,
                expected,
            },
        );
    }
}

fn check_target_family(family: Family, target: RouteTarget, report: &mut Report<'_>) {
    let problem = match (family, target) {
        (Family::V4, RouteTarget::EgressOnly(_)) => Problem::Family {
            value: target.to_string(),
            got: "an IPv6 gateway",
            expected: "an IPv4 target",
        },
        (Family::V6, RouteTarget::Nat(_)) => Problem::Family {
            value: target.to_string(),
            got: "an IPv4 gateway",
            expected: "an IPv6 target",
        },
        (Family::V4 | Family::V6, _) => return,
    };
    report.add("routes", problem);
}

fn check_size(what: &'static str, block: Prefix, report: &mut Report<'_>) {
    let sizes = if block.is_ipv4() { 16..=28 } else { 44..=64 };
    if !sizes.contains(&block.len()) {
        report.add(
            "cidr",
            Problem::Size {
                what,
                block,
                length: block.len(),
            },
        );
    }
}

/// Inside 169.254.168.0/22 or fd00:ec2::/32, which cannot be routed (R1.12).
fn is_link_local_service(prefix: Prefix) -> bool {
    match prefix.addr() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            prefix.len() >= 22 && (a, b) == (169, 254) && (168..172).contains(&c)
        }
        IpAddr::V6(address) => prefix.len() >= 32 && address.segments()[..2] == [0xfd00, 0x0ec2],
    }
}

fn same_vpc(field: &'static str, what: ResourceRef, theirs: Id<Vpc>, ours: Id<Vpc>, report: &mut Report<'_>) {
    if theirs != ours {
        report.add(field, another_vpc(what, theirs, ours));
    }
}

fn another_vpc(what: ResourceRef, theirs: Id<Vpc>, ours: Id<Vpc>) -> Problem {
    Problem::AnotherVpc {
        what,
        theirs: Vpc::to_ref(theirs),
        ours: Vpc::to_ref(ours),
    }
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
        report.add(
            field,
            Problem::LimitExceeded {
                what,
                count,
                limit: most,
                code,
            },
        );
    }
}

/// The field in which lab files name a resource of this kind.
const fn field_of(what: ResourceRef) -> &'static str {
    match what {
        ResourceRef::Address(_) => "address",
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
