//! Security groups.

use vpc_model::resource::{Direction, Eni};
use vpc_model::{DropReason, StageId};
use vpc_packet::{FiveTuple, Protocol};

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::{Idx, Permit};

/// The rules of all groups of one interface, ORed; a flow that was admitted and is tracked needs none.
///
/// Source: R8.1, R8.5, R8.9, R8.10.
pub(crate) struct SecurityGroupStage {
    pub eni: Idx<Eni>,
    pub direction: Direction,
    /// The packet came on by way of an appliance.
    pub relayed: bool,
}

/// Whether the flow outlives the rule that admitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    Tracked,
    /// Judged packet by packet: the rules admit everybody, and all responses (R8.9).
    Untracked,
}

impl Stage for SecurityGroupStage {
    const ID: StageId = StageId::SecurityGroup;
    type Out = Tracking;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Tracking> {
        let eni = &view.snapshot.enis[self.eni];
        if view.connection.is_some_and(|(connection, _)| connection.is_tracked_at(eni.id)) {
            return Decision::pass(Tracking::Tracked, Evidence::Tracked { eni: eni.id });
        }
        let groups = || eni.groups.iter().map(|&group| &view.snapshot.groups[group]);
        let permits = |direction| {
            groups().flat_map(move |group| group.rules(direction).iter().map(move |permit| (group, permit)))
        };
        let mut matches = permits(self.direction)
            .filter(|(_, permit)| permit.contains(self.direction, at) && !(self.relayed && permit.is_by_group()));
        let Some((group, permit)) = matches.next() else {
            let reason = match self.direction {
                Direction::Egress => DropReason::SgEgress,
                Direction::Ingress => DropReason::SgIngress,
            };
            return Decision::refuse(reason, Evidence::NoRule { eni: eni.id, direction: self.direction });
        };
        let because = Evidence::Rule { group: group.id, rule: permit.rule };
        let stateless = matches!(at.protocol, Protocol::TCP | Protocol::UDP);
        let admits_anybody = |permit: &Permit| permit.is_anybody(at);
        let tracking = if stateless
            && (admits_anybody(permit) || matches.any(|(_, permit)| admits_anybody(permit)))
            && permits(opposite(self.direction)).any(|(_, permit)| permit.is_all_responses(at))
        {
            Tracking::Untracked
        } else {
            Tracking::Tracked
        };
        Decision::pass(tracking, because)
    }
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Egress => Direction::Ingress,
        Direction::Ingress => Direction::Egress,
    }
}
