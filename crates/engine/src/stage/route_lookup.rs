//! Routing.

use vpc_model::resource::RouteTable;
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::{Idx, Target};

/// Longest-prefix match in one route table.
///
/// Shape: destination → [`Target`]; the compiled table already holds the winner of each prefix.
/// Source: vpc-semantics §2.1 (AWS "Route priority"); RFC 1812 §5.2.4.3.
pub(crate) struct RouteLookup {
    pub table: Idx<RouteTable>,
}

impl Stage for RouteLookup {
    const ID: StageId = StageId::RouteLookup;
    type Out = Target;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Target> {
        let table = &view.snapshot.tables[self.table];
        let Some((prefix, route)) = table.routes.longest_match(at.dst) else {
            return Decision::refuse(DropReason::NoRoute, Evidence::NoRoute { table: table.id });
        };
        let because = Evidence::Route { table: table.id, destination: route.destination, prefix_len: prefix.len() };
        match route.target {
            Some(target) => Decision::pass(target, because),
            None => Decision::refuse(DropReason::Blackhole, because),
        }
    }
}
