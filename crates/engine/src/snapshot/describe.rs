//! From ids to words, only when somebody reads them.

use std::net::SocketAddr;

use vpc_model::desired::Noun;
use vpc_model::explain::{Explanation, Step, Verdict};
use vpc_model::resource::{
    Destination, Direction, EffectiveRoute, Eni, NetworkAcl, Peer, RouteTable, RouteTarget, SecurityGroup,
    SecurityGroupRule, Service, TransitRouteTable, TransitTarget,
};
use vpc_model::{DropReason, Id, LinkId, ResourceRef, StageId};
use vpc_packet::FiveTuple;

use super::{Ingress, Snapshot};
use crate::path::Guarded;
use crate::stage::{Evidence, Nowhere};
use crate::trace::{Event, Trace};
use crate::walk::{Outcome, Place, Receiver};

impl Snapshot {
    /// A walk in words.
    pub(crate) fn explanation(
        &self,
        link: LinkId,
        tuple: &FiveTuple,
        trace: Trace,
        outcome: Result<Outcome, DropReason>,
        guarded: Option<Guarded>,
    ) -> Explanation {
        let mut steps: Vec<Step> = trace.events.into_iter().map(|event| self.step(event)).collect();
        let verdict = match (outcome, guarded) {
            (Err(reason), _) => drop_verdict(reason),
            (Ok(outcome), guarded) => match (outcome.verdict, guarded) {
                (Err(reason), _) => drop_verdict(reason),
                (Ok(_), Some(Guarded::Refuse(reason))) => {
                    let because = match (reason, outcome.ttl_counted_by) {
                        (DropReason::TtlExpired, Some(address)) => format!("{address} counts the TTL"),
                        _ => format!("the path takes packets of {} bytes", outcome.limit.mtu),
                    };
                    let (stage, outcome) = (StageId::Guard.to_string(), reason.to_string());
                    steps.push(Step::Stage { stage, outcome, because, resource: None, refused: true });
                    drop_verdict(reason)
                }
                (Ok(exit), _) => {
                    let to = match exit.to {
                        Receiver::Eni(id) => self.desired.label(id),
                        Receiver::Host(id) => self.desired.label(id),
                        Receiver::Service(id) => self.desired.label(id),
                        Receiver::Virtual(id) => self.desired.label(id),
                    };
                    Verdict::Send { to, packet: outcome.at.to_string(), mtu: outcome.limit.mtu }
                }
            },
        };
        let question = format!("{} > {}", self.sender(link), tuple);
        Explanation { question, steps, verdict, generation: self.generation }
    }

    /// What people call whoever sends on a link.
    #[must_use]
    pub fn sender(&self, link: LinkId) -> String {
        match self.ingress(link) {
            Some(Ingress::Eni(eni)) => self.desired.label(self.enis[eni].id),
            Some(Ingress::Host(host)) => self.desired.label(self.hosts[host].id),
            Some(Ingress::Service(service)) => self.desired.label(self.services[service].id),
            Some(Ingress::Virtual(gateway)) => self.desired.label(self.virtual_gateways[gateway].id),
            None => link.to_string(),
        }
    }

    fn step(&self, event: Event) -> Step {
        match event {
            Event::Hop { place, at } => Step::Hop { place: self.place(place), packet: at.to_string() },
            Event::Step { stage, because, refused } => {
                let (chosen, because, resource) = self.because(because);
                let outcome = refused.map_or(chosen, |reason| reason.to_string());
                Step::Stage {
                    stage: stage.to_string(),
                    outcome,
                    because,
                    resource: resource.map(|r| r.to_string()),
                    refused: refused.is_some(),
                }
            }
        }
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Endpoint(id) => format!("endpoint {}", self.desired.label(id)),
            Place::EnterSubnet(id, None) => format!("enter {}", self.desired.label(id)),
            Place::EnterSubnet(id, Some(as_what)) => {
                format!("enter {}, as {}", self.desired.label(id), self.label(as_what))
            }
            Place::Eni(id, direction) => format!("eni {}, {direction}", self.desired.label(id)),
            Place::Internet => "internet".to_owned(),
            Place::LeaveSubnet(id) => format!("leave {}", self.desired.label(id)),
            Place::Service(id) => format!("service {}", self.desired.label(id)),
            Place::TransitGateway(id) => format!("transit gateway, from {}", self.desired.label(id)),
            Place::Virtual(id) => format!("virtual gateway {}", self.desired.label(id)),
        }
    }

    /// What was chosen, why, and the resource that decided.
    fn because(&self, evidence: Evidence) -> (String, String, Option<ResourceRef>) {
        let pass = |because: String, resource: ResourceRef| ("pass".to_owned(), because, Some(resource));
        match evidence {
            Evidence::Address { eni, address, own } => {
                let is = if own { "is" } else { "is not" };
                pass(format!("{address} {is} an address of {}", self.desired.label(eni)), Eni::to_ref(eni))
            }
            Evidence::Bound { owner } => pass(format!("translated by {} before", self.label(owner)), owner),
            Evidence::CheckOff { eni } => {
                pass(format!("the check of {} is off", self.desired.label(eni)), Eni::to_ref(eni))
            }
            Evidence::Destination { address } => ("pass".to_owned(), format!("to {address}"), None),
            Evidence::FinalDeny { acl } => pass(
                format!("{} has no rule that matches: the final deny", self.desired.label(acl)),
                NetworkAcl::to_ref(acl),
            ),
            Evidence::Lease { owner, address, port } => (
                "new lease".to_owned(),
                format!("{} from {}", SocketAddr::new(address, port), self.label(owner)),
                Some(owner),
            ),
            Evidence::NoTranslation => {
                ("pass".to_owned(), "answers a flow that came over the internet".to_owned(), None)
            }
            Evidence::Nobody { place, address } => self.nobody(place, address),
            Evidence::NoRule { eni, direction } => self.no_rule(eni, direction),
            Evidence::NoRoute { table } => {
                pass(format!("{} has no route that matches", self.desired.label(table)), RouteTable::to_ref(table))
            }
            Evidence::NoTransitRoute { table } => pass(
                format!("{} has no route that matches", self.desired.label(table)),
                TransitRouteTable::to_ref(table),
            ),
            Evidence::NumberedRule { acl, direction, number } => {
                pass(format!("{} {direction} rule {number}", self.desired.label(acl)), NetworkAcl::to_ref(acl))
            }
            Evidence::Owner { eni } => (self.desired.label(eni), String::new(), Some(Eni::to_ref(eni))),
            Evidence::Property { owner } => pass(self.label(owner), owner),
            Evidence::Route { table, destination, prefix_len } => self.route(table, destination, prefix_len),
            Evidence::Rule { group, rule } => pass(self.rule(group, rule), SecurityGroup::to_ref(group)),
            Evidence::Service { service, address } => {
                (self.desired.label(service), format!("at {address}"), Some(Service::to_ref(service)))
            }
            Evidence::Subnet { subnet } => {
                (self.desired.label(subnet), String::new(), Some(ResourceRef::Subnet(subnet)))
            }
            Evidence::Tracked { eni } => pass(format!("tracked at {}", self.desired.label(eni)), Eni::to_ref(eni)),
            Evidence::TransitRoute { table, destination, prefix_len } => {
                self.transit_route(table, destination, prefix_len)
            }
            Evidence::Translated { from, to } => (to.to_string(), format!("stands for {from}"), None),
        }
    }

    fn nobody(&self, place: Nowhere, address: std::net::IpAddr) -> (String, String, Option<ResourceRef>) {
        let (place, resource) = match place {
            Nowhere::Internet => ("behind an internet gateway".to_owned(), None),
            Nowhere::Service(id) => (format!("of {}", self.desired.label(id)), Some(ResourceRef::Service(id))),
            Nowhere::Subnet(id) => (format!("in {}", self.desired.label(id)), Some(ResourceRef::Subnet(id))),
            Nowhere::Vpc(id) => (format!("in {}", self.desired.label(id)), Some(ResourceRef::Vpc(id))),
        };
        ("pass".to_owned(), format!("nobody {place} has {address}"), resource)
    }

    fn no_rule(&self, eni: Id<Eni>, direction: Direction) -> (String, String, Option<ResourceRef>) {
        let groups: Vec<String> =
            self.desired.get(eni).into_iter().flat_map(|eni| &eni.groups).map(|&id| self.desired.label(id)).collect();
        let because = format!("no {direction} rule of {} permits it", groups.join(", "));
        ("pass".to_owned(), because, Some(Eni::to_ref(eni)))
    }

    fn rule(&self, group: Id<SecurityGroup>, rule: Id<SecurityGroupRule>) -> String {
        let Some(found) = self.desired.get(group).and_then(|group| group.rules.iter().find(|r| r.id == rule)) else {
            return rule.to_string();
        };
        let peer = match found.peer {
            Peer::Group(id) => self.desired.label(id),
            Peer::List(id) => self.desired.label(id),
            Peer::Prefix(prefix) => prefix.to_string(),
        };
        let with = match found.direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        };
        format!("{}: {} {} {with} {peer}", self.desired.label(group), found.direction, found.traffic)
    }

    fn route(
        &self,
        table: Id<RouteTable>,
        destination: Destination,
        prefix_len: u8,
    ) -> (String, String, Option<ResourceRef>) {
        let routes = self.desired.get(table).map(|table| self.desired.effective_routes(table)).unwrap_or_default();
        let target = routes
            .iter()
            .find(|route| route.destination == destination)
            .map_or_else(String::new, |route| self.target(route));
        let because = format!("{} {}", self.desired.label(table), self.destination(destination, prefix_len));
        (target, because, Some(RouteTable::to_ref(table)))
    }

    fn transit_route(
        &self,
        table: Id<TransitRouteTable>,
        destination: Destination,
        prefix_len: u8,
    ) -> (String, String, Option<ResourceRef>) {
        let routes =
            self.desired.get(table).map(|table| self.desired.effective_transit_routes(table)).unwrap_or_default();
        let target =
            routes.iter().find(|route| route.destination == destination).map_or_else(String::new, |route| match route
                .target
            {
                TransitTarget::Attachment(id) => self.desired.label(id),
                TransitTarget::Blackhole => "blackhole".to_owned(),
            });
        let because = format!("{} {}", self.desired.label(table), self.destination(destination, prefix_len));
        (target, because, Some(TransitRouteTable::to_ref(table)))
    }

    fn destination(&self, destination: Destination, prefix_len: u8) -> String {
        match destination {
            Destination::Prefix(prefix) => prefix.to_string(),
            Destination::List(id) => format!("{} (/{prefix_len})", self.desired.label(id)),
        }
    }

    fn target(&self, route: &EffectiveRoute) -> String {
        match route.target {
            RouteTarget::EgressOnly(id) => self.desired.label(id),
            RouteTarget::Eni(id) => self.desired.label(id),
            RouteTarget::GatewayEndpoint(id) => self.desired.label(id),
            RouteTarget::Internet(id) => self.desired.label(id),
            RouteTarget::Local => "local".to_owned(),
            RouteTarget::Nat(id) => self.desired.label(id),
            RouteTarget::Peering(id) => self.desired.label(id),
            RouteTarget::Transit(id) => self.desired.label(id),
            RouteTarget::Virtual(id) => self.desired.label(id),
        }
    }

    fn label(&self, resource: ResourceRef) -> String {
        self.desired.label_of(resource)
    }
}

fn drop_verdict(reason: DropReason) -> Verdict {
    Verdict::Drop { reason: reason.to_string(), doc: reason.doc().to_owned(), aws: reason.aws().map(str::to_owned) }
}
