//! What has to hold where networks are connected: peering, transit gateways, far networks, edge tables.

use std::collections::BTreeSet;

use super::{Report, another_vpc, same_vpc};
use crate::Id;
use crate::desired::{Desired, Noun, Problem, ResourceRef};
use crate::resource::{
    AttachmentKind, Destination, InternetGateway, Peering, PeeringState, RouteTable, RouteTarget, Subnet,
    TransitAttachment, TransitRouteTable, TransitTarget, VirtualGateway, Vpc,
};

impl Desired {
    pub(super) fn check_peering(&self, peering: &Peering, report: &mut Report<'_>) {
        let (Some(requester), Some(accepter)) = (self.get(peering.requester), self.get(peering.accepter)) else {
            return;
        };
        if requester.id == accepter.id {
            report.add("accepter", Problem::Unsupported("a VPC cannot be peered with itself"));
            return;
        }
        let ends = BTreeSet::from([requester.id, accepter.id]);
        let rival =
            |other: &&Peering| other.id != peering.id && BTreeSet::from([other.requester, other.accepter]) == ends;
        if let Some(other) = self.dependents_of_kind::<Peering>(Vpc::to_ref(requester.id)).find(rival) {
            report.add("accepter", Problem::PeeringExists { what: Peering::to_ref(other.id) });
        }
        if peering.state == PeeringState::Failed {
            return;
        }
        for block in requester.blocks() {
            for other in accepter.blocks().filter(|other| other.overlaps(block)) {
                report.add("accepter", Problem::BlockConflict { block, other, by: Vpc::to_ref(accepter.id) });
            }
        }
    }

    pub(super) fn check_transit_attachment(&self, attachment: &TransitAttachment, report: &mut Report<'_>) {
        for table in attachment.table.iter().chain(&attachment.propagates_to).filter_map(|&id| self.get(id)) {
            self.same_gateway(attachment, table, report);
        }
        match &attachment.kind {
            AttachmentKind::Peering { peer } => match self.get(*peer) {
                None => report.add("peer", Problem::NotFound { what: TransitAttachment::to_ref(*peer) }),
                Some(other) if other.gateway == attachment.gateway => {
                    report.add("peer", Problem::Unsupported("a transit gateway cannot be peered with itself"));
                }
                Some(other) if other.kind != (AttachmentKind::Peering { peer: attachment.id }) => {
                    report.add("peer", Problem::Unsupported("the other attachment does not name this one as its peer"));
                }
                Some(_) => {}
            },
            AttachmentKind::Vpc { vpc, subnets, appliance_mode: _ } => {
                self.check_vpc_attachment(attachment, *vpc, subnets, report)
            }
        }
    }

    fn check_vpc_attachment(
        &self,
        attachment: &TransitAttachment,
        vpc: Id<Vpc>,
        subnets: &[Id<Subnet>],
        report: &mut Report<'_>,
    ) {
        if subnets.is_empty() {
            report.add("subnets", Problem::None { what: "subnet" });
        }
        let mut zones = BTreeSet::new();
        for subnet in subnets.iter().filter_map(|&id| self.get(id)) {
            same_vpc("subnets", Subnet::to_ref(subnet.id), subnet.vpc, vpc, report);
            if !zones.insert(&subnet.az) {
                report.add("subnets", Problem::DuplicateZone { az: subnet.az.clone() });
            }
        }
        let regions =
            self.get(vpc).map(|vpc| &vpc.region).zip(self.get(attachment.gateway).map(|gateway| &gateway.region));
        if regions.is_some_and(|(ours, theirs)| ours != theirs) {
            report.add(
                "vpc",
                Problem::Unsupported(
                    "the VPC is in another Region than the transit gateway; peer two transit gateways instead",
                ),
            );
        }
        if let Some(other) =
            self.attachments(vpc).find(|other| other.gateway == attachment.gateway && other.id != attachment.id)
        {
            report.add("vpc", Problem::AttachmentExists { what: TransitAttachment::to_ref(other.id) });
        }
    }

    fn same_gateway(&self, attachment: &TransitAttachment, table: &TransitRouteTable, report: &mut Report<'_>) {
        if table.gateway != attachment.gateway {
            let (what, ours) = (TransitRouteTable::to_ref(table.id), ResourceRef::TransitGateway(attachment.gateway));
            report.add("table", Problem::AnotherGateway { what, ours });
        }
    }

    pub(super) fn check_transit_route_table(&self, table: &TransitRouteTable, report: &mut Report<'_>) {
        for target in table.routes.values() {
            // An attachment that is gone leaves a black hole (R9.25).
            if let TransitTarget::Attachment(id) = target
                && self.get(*id).is_some_and(|attachment| attachment.gateway != table.gateway)
            {
                let (what, ours) = (TransitAttachment::to_ref(*id), ResourceRef::TransitGateway(table.gateway));
                report.add("routes", Problem::AnotherGateway { what, ours });
            }
        }
    }

    pub(super) fn check_virtual_gateway(&self, gateway: &VirtualGateway, report: &mut Report<'_>) {
        self.check_namespace(&gateway.namespace, report);
        if let Some(vpc) = gateway.vpc {
            let rival = |other: &&VirtualGateway| other.id != gateway.id;
            if let Some(other) = self.dependents_of_kind::<VirtualGateway>(Vpc::to_ref(vpc)).find(rival) {
                report.add("vpc", Problem::AttachmentExists { what: VirtualGateway::to_ref(other.id) });
            }
            for table in gateway.propagates_to.iter().filter_map(|&id| self.get(id)) {
                same_vpc("propagates_to", RouteTable::to_ref(table.id), table.vpc, vpc, report);
            }
        }
        self.check_edge(gateway.vpc, gateway.edge_table, report);
    }

    /// A gateway's edge table leads into its VPC and nowhere else (R2.20).
    pub(super) fn check_edge(&self, vpc: Option<Id<Vpc>>, table: Option<Id<RouteTable>>, report: &mut Report<'_>) {
        let Some(table) = table.and_then(|id| self.get(id)) else {
            return;
        };
        match vpc {
            Some(vpc) if vpc != table.vpc => {
                report.add("edge_table", another_vpc(RouteTable::to_ref(table.id), table.vpc, vpc))
            }
            Some(_) => {}
            None => {
                report.add("edge_table", Problem::Unsupported("a gateway needs a VPC before it can have an edge table"))
            }
        }
        if let Some(by) = self.dependents_of_kind::<Subnet>(RouteTable::to_ref(table.id)).next() {
            report.add("edge_table", Problem::EdgeTableShared { by: Subnet::to_ref(by.id) });
        }
        if self.get(table.vpc).is_some_and(|vpc| vpc.main_table == table.id) {
            report.add("edge_table", Problem::EdgeTableShared { by: Vpc::to_ref(table.vpc) });
        }
        let mut report = Report { resource: RouteTable::to_ref(table.id), violations: report.violations };
        self.check_edge_routes(table, &mut report);
    }

    /// Whether a table is some gateway's edge table.
    pub(super) fn is_edge_table(&self, table: Id<RouteTable>) -> bool {
        let users = RouteTable::to_ref(table);
        self.dependents_of_kind::<InternetGateway>(users).any(|gateway| gateway.edge_table == Some(table))
            || self.dependents_of_kind::<VirtualGateway>(users).any(|gateway| gateway.edge_table == Some(table))
    }

    pub(super) fn check_edge_routes(&self, table: &RouteTable, report: &mut Report<'_>) {
        let Some(vpc) = self.get(table.vpc) else { return };
        for (&destination, target) in &table.routes {
            let inside = match destination {
                Destination::Prefix(prefix) => {
                    let subnets = self
                        .dependents_of_kind::<Subnet>(Vpc::to_ref(vpc.id))
                        .flat_map(|subnet| subnet.blocks().collect::<Vec<_>>());
                    vpc.blocks().chain(subnets).any(|block| block == prefix)
                }
                Destination::List(_) => false,
            };
            let leads_in = matches!(target, RouteTarget::Local | RouteTarget::Eni(_));
            if !inside || !leads_in {
                report.add("routes", Problem::EdgeRoute { destination });
            }
        }
    }
}
