//! What a route table amounts to.

use std::collections::BTreeMap;

use super::Desired;
use crate::Id;
use crate::resource::{
    Destination, EffectiveRoute, Endpoint, EndpointKind, EndpointState, Eni, EniKind, RouteOrigin,
    RouteState, RouteTable, RouteTarget,
};

impl Desired {
    /// Every route in force in a table: local ones per VPC block, written ones, and those of gateway endpoints.
    ///
    /// Shape: each destination once, sorted. Source: R1.9, R2.10, R2.11, R3.3.
    #[must_use]
    pub fn effective_routes(&self, table: &RouteTable) -> Vec<EffectiveRoute> {
        let mut routes = BTreeMap::new();
        let blocks = self.get(table.vpc).into_iter().flat_map(|vpc| vpc.blocks());
        for block in blocks {
            routes.insert(
                Destination::Prefix(block),
                (RouteTarget::Local, RouteOrigin::Local),
            );
        }
        for (&destination, &target) in &table.routes {
            routes.insert(destination, (target, RouteOrigin::Static));
        }
        for endpoint in self.gateway_endpoints(table.id) {
            if let Some(list) = self.get(endpoint.service).and_then(|service| service.prefix_list) {
                let target = RouteTarget::GatewayEndpoint(endpoint.id);
                routes.insert(Destination::List(list), (target, RouteOrigin::Endpoint));
            }
        }
        let effective = |(destination, (target, origin))| {
            let state = self.route_state(target);
            EffectiveRoute {
                destination,
                target,
                origin,
                state,
            }
        };
        routes.into_iter().map(effective).collect()
    }

    /// The gateway endpoints that put their route into a table.
    pub fn gateway_endpoints(&self, table: Id<RouteTable>) -> impl Iterator<Item = &Endpoint> {
        self.dependents_of_kind::<Endpoint>(super::ResourceRef::RouteTable(table))
            .filter(move |endpoint| match &endpoint.kind {
                EndpointKind::Gateway { tables } => tables.contains(&table),
                EndpointKind::Interface { .. } => false,
            })
    }

    /// Whether a target can be used now (R2.11).
    #[must_use]
    pub fn route_state(&self, target: RouteTarget) -> RouteState {
        let usable = match target {
            RouteTarget::EgressOnly(id) => self.get(id).is_some(),
            RouteTarget::Eni(id) => self.get(id).is_some_and(is_attached),
            RouteTarget::GatewayEndpoint(id) => {
                self.get(id).is_some_and(|e| e.state == EndpointState::Available)
            }
            RouteTarget::Internet(id) => self.get(id).is_some_and(|gateway| gateway.vpc.is_some()),
            RouteTarget::Local => true,
            RouteTarget::Nat(id) => self.get(id).is_some(),
        };
        if usable {
            RouteState::Active
        } else {
            RouteState::Blackhole
        }
    }
}

/// Whether an interface is one that an appliance can sit behind.
const fn is_attached(eni: &Eni) -> bool {
    match eni.kind {
        EniKind::Instance { .. } => true,
        EniKind::Endpoint(_) | EniKind::NatGateway(_) => false,
    }
}
