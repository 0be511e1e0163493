//! What route tables amount to.

use std::collections::BTreeMap;

use vpc_lpm::Prefix;

use super::{Desired, Noun, ResourceRef};
use crate::Id;
use crate::resource::{
    AttachmentKind, Destination, EffectiveRoute, EffectiveTransitRoute, Endpoint, EndpointKind, EndpointState, Eni,
    EniKind, PeeringState, RouteOrigin, RouteState, RouteTable, RouteTarget, TransitAttachment, TransitRouteTable,
    TransitTarget, VirtualGateway, Vpc,
};

impl Desired {
    /// Every route in force in a table: local ones per VPC block, written ones, propagated ones, and those of
    /// gateway endpoints.
    ///
    /// Shape: each destination once, sorted; where a written route has the same destination as a propagated one, the
    /// written one. Source: R1.9, R2.2, R2.3, R2.10, R2.11, R3.3.
    #[must_use]
    pub fn effective_routes(&self, table: &RouteTable) -> Vec<EffectiveRoute> {
        let mut routes = BTreeMap::new();
        let blocks: Vec<Prefix> = self.get(table.vpc).into_iter().flat_map(Vpc::blocks).collect();
        for (prefix, gateway) in self.propagated(table) {
            // Local wins even against a longer propagated prefix (R2.2).
            if !blocks.iter().any(|block| block.covers(prefix)) {
                routes.insert(Destination::Prefix(prefix), (RouteTarget::Virtual(gateway), RouteOrigin::Propagated));
            }
        }
        for block in blocks {
            routes.insert(Destination::Prefix(block), (RouteTarget::Local, RouteOrigin::Local));
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
            let state = self.route_state(table.vpc, target);
            EffectiveRoute { destination, target, origin, state }
        };
        routes.into_iter().map(effective).collect()
    }

    /// What virtual gateways announce into a table.
    fn propagated(&self, table: &RouteTable) -> impl Iterator<Item = (Prefix, Id<VirtualGateway>)> {
        let gateways = self.dependents_of_kind::<VirtualGateway>(RouteTable::to_ref(table.id));
        let learnt =
            gateways.filter(|gateway| gateway.vpc == Some(table.vpc) && gateway.propagates_to.contains(&table.id));
        learnt.flat_map(|gateway| gateway.announces.iter().map(|&prefix| (prefix, gateway.id)))
    }

    /// The gateway endpoints that put their route into a table.
    pub fn gateway_endpoints(&self, table: Id<RouteTable>) -> impl Iterator<Item = &Endpoint> {
        self.dependents_of_kind::<Endpoint>(RouteTable::to_ref(table)).filter(move |endpoint| match &endpoint.kind {
            EndpointKind::Gateway { tables } => tables.contains(&table),
            EndpointKind::Interface { .. } => false,
        })
    }

    /// Whether a target can be used now by the tables of a VPC (R2.11).
    #[must_use]
    pub fn route_state(&self, vpc: Id<Vpc>, target: RouteTarget) -> RouteState {
        let is_ours = |theirs: Option<&Vpc>| theirs.is_some_and(|theirs| theirs.id == vpc);
        let usable = match target {
            RouteTarget::EgressOnly(id) => self.get(id).is_some_and(|gateway| gateway.vpc == vpc),
            RouteTarget::Eni(id) => self.get(id).is_some_and(is_attached) && is_ours(self.vpc_of_eni(id)),
            RouteTarget::GatewayEndpoint(id) => self.get(id).is_some_and(|e| e.state == EndpointState::Available),
            RouteTarget::Internet(id) => self.get(id).is_some_and(|gateway| gateway.vpc == Some(vpc)),
            RouteTarget::Local => true,
            RouteTarget::Nat(id) => is_ours(self.get(id).and_then(|gateway| self.vpc_of(gateway.subnet))),
            RouteTarget::Peering(id) => self
                .get(id)
                .is_some_and(|peering| peering.state == PeeringState::Active && peering.other_end(vpc).is_some()),
            RouteTarget::Transit(id) => {
                self.get(id).is_some() && self.attachments(vpc).any(|attachment| attachment.gateway == id)
            }
            RouteTarget::Virtual(id) => self.get(id).is_some_and(|gateway| gateway.vpc == Some(vpc)),
        };
        if usable { RouteState::Active } else { RouteState::Blackhole }
    }

    /// A VPC's attachments to transit gateways.
    pub fn attachments(&self, vpc: Id<Vpc>) -> impl Iterator<Item = &TransitAttachment> {
        self.dependents_of_kind::<TransitAttachment>(Vpc::to_ref(vpc))
    }

    /// Every route in force in a transit gateway's table.
    ///
    /// Shape: each destination once, sorted; a static route hides a propagated one of the same destination, and of
    /// two VPCs whose blocks overlap the attachment with the lower id is learnt.
    /// Source: R9.22–R9.26.
    #[must_use]
    pub fn effective_transit_routes(&self, table: &TransitRouteTable) -> Vec<EffectiveTransitRoute> {
        let mut routes = BTreeMap::new();
        let mut learnt: Vec<(Prefix, Id<TransitAttachment>)> = Vec::new();
        let attachments = self.dependents_of_kind::<TransitAttachment>(ResourceRef::TransitRouteTable(table.id));
        for attachment in attachments.filter(|attachment| attachment.propagates_to.contains(&table.id)) {
            let AttachmentKind::Vpc { vpc, .. } = attachment.kind else {
                continue;
            };
            for block in self.get(vpc).into_iter().flat_map(Vpc::blocks) {
                if learnt.iter().all(|&(other, by)| by == attachment.id || !other.overlaps(block)) {
                    learnt.push((block, attachment.id));
                }
            }
        }
        for (block, attachment) in learnt {
            routes.insert(Destination::Prefix(block), (TransitTarget::Attachment(attachment), RouteOrigin::Propagated));
        }
        for (&destination, &target) in &table.routes {
            routes.insert(destination, (target, RouteOrigin::Static));
        }
        let effective = |(destination, (target, origin))| {
            let state = match target {
                TransitTarget::Attachment(id) if self.get(id).is_some() => RouteState::Active,
                TransitTarget::Attachment(_) | TransitTarget::Blackhole => RouteState::Blackhole,
            };
            EffectiveTransitRoute { destination, target, origin, state }
        };
        routes.into_iter().map(effective).collect()
    }
}

/// Whether an interface is one that an appliance can sit behind.
const fn is_attached(eni: &Eni) -> bool {
    match eni.kind {
        EniKind::Instance { .. } => true,
        EniKind::Endpoint(_) | EniKind::NatGateway(_) => false,
    }
}
