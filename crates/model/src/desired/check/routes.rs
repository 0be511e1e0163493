//! What has to hold for route tables.

use std::net::IpAddr;

use vpc_lpm::Prefix;

use super::{Report, at_most, limit, same_vpc};
use crate::desired::{Desired, Noun, Problem, ResourceRef};
use crate::resource::{Destination, Family, PrefixList, RouteTable, RouteTarget, Subnet, Vpc};

impl Desired {
    pub(super) fn check_route_table(&self, table: &RouteTable, report: &mut Report<'_>) {
        let Some(vpc) = self.get(table.vpc) else { return };
        let mut counts = [0_usize; 2];
        for (&destination, &target) in &table.routes {
            match destination {
                Destination::Prefix(prefix) => {
                    counts[usize::from(!prefix.is_ipv4())] += 1;
                    self.check_prefix_route(vpc, table, prefix, target, report);
                }
                Destination::List(id) => match self.get(id) {
                    Some(list) => {
                        counts[usize::from(list.family == Family::V6)] += list.weight();
                        check_target_family(list.family, target, report);
                    }
                    None => report.add("routes", Problem::NotFound { what: PrefixList::to_ref(id) }),
                },
            }
            let inside = match destination {
                Destination::Prefix(prefix) => vpc.blocks().any(|block| block.covers(prefix)),
                Destination::List(_) => false,
            };
            if target == RouteTarget::Local && !inside {
                report.add("routes", Problem::LocalElsewhere { destination });
            }
            if matches!(target, RouteTarget::GatewayEndpoint(_)) {
                report.add("routes", Problem::RouteOfEndpoint { destination });
            }
            self.check_target_vpc(vpc, target, report);
        }
        counts.iter().for_each(|&count| {
            at_most("routes of a table", count, limit::ROUTES_PER_TABLE, "RouteLimitExceeded", "routes", report)
        });
        if self.is_edge_table(table.id) {
            self.check_edge_routes(table, report);
        }
        for endpoint in self.gateway_endpoints(table.id) {
            let list = self.get(endpoint.service).and_then(|service| service.prefix_list);
            if let Some(list) = list.filter(|&list| table.routes.contains_key(&Destination::List(list))) {
                report.add("routes", Problem::RouteExists { destination: Destination::List(list) });
            }
        }
    }

    fn check_prefix_route(
        &self,
        vpc: &Vpc,
        table: &RouteTable,
        prefix: Prefix,
        target: RouteTarget,
        report: &mut Report<'_>,
    ) {
        if is_link_local_service(prefix) {
            report.add("routes", Problem::RoutesLinkLocal { destination: prefix });
        }
        check_target_family(Family::of(prefix), target, report);
        let to_appliance = matches!(target, RouteTarget::Eni(_) | RouteTarget::Nat(_));
        for block in vpc.blocks().filter(|block| block.covers(prefix)) {
            let whole_subnet =
                || self.dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id)).any(|s| s.blocks().any(|b| b == prefix));
            let fine = if block == prefix {
                to_appliance || target == RouteTarget::Local
            } else {
                // An edge table may say local of a subnet, too (R2.20).
                let to_local = target == RouteTarget::Local && self.is_edge_table(table.id);
                (to_appliance || to_local) && whole_subnet()
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
            RouteTarget::Nat(id) => {
                (ResourceRef::NatGateway(id), self.get(id).and_then(|g| self.vpc_of(g.subnet)).map(|v| v.id))
            }
            RouteTarget::Peering(id) => {
                let elsewhere = self.get(id).filter(|peering| peering.other_end(vpc.id).is_none());
                (ResourceRef::Peering(id), elsewhere.map(|peering| peering.requester))
            }
            RouteTarget::Transit(id) => {
                if self.get(id).is_some() && self.attachments(vpc.id).all(|attachment| attachment.gateway != id) {
                    report.add(
                        "routes",
                        Problem::NotAttached { what: ResourceRef::TransitGateway(id), vpc: Vpc::to_ref(vpc.id) },
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
}

fn check_target_family(family: Family, target: RouteTarget, report: &mut Report<'_>) {
    let problem = match (family, target) {
        (Family::V4, RouteTarget::EgressOnly(_)) => {
            Problem::Family { value: target.to_string(), got: "an IPv6 gateway", expected: "an IPv4 target" }
        }
        (Family::V6, RouteTarget::Nat(_)) => {
            Problem::Family { value: target.to_string(), got: "an IPv4 gateway", expected: "an IPv6 target" }
        }
        (Family::V4 | Family::V6, _) => return,
    };
    report.add("routes", problem);
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
