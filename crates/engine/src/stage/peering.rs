//! Peering connections.

use vpc_model::desired::Noun;
use vpc_model::resource::{Peering, Vpc};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// From an address of the one VPC to an address of the other.
///
/// Source: R9.4 (not transitive), R9.5 (no edge-to-edge).
pub(crate) struct CrossPeering {
    pub peering: Idx<Peering>,
    pub from: Idx<Vpc>,
}

impl Stage for CrossPeering {
    const ID: StageId = StageId::Peering;
    /// The VPC at the other end.
    type Out = Idx<Vpc>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Vpc>> {
        let peering = &view.snapshot.peerings[self.peering];
        let to = if peering.requester == self.from { peering.accepter } else { peering.requester };
        let because = Evidence::Property { owner: Peering::to_ref(peering.id) };
        if !view.snapshot.vpcs[self.from].contains(at.src) {
            return Decision::refuse(DropReason::PcxSource, because);
        }
        if !view.snapshot.vpcs[to].contains(at.dst) {
            return Decision::refuse(DropReason::PcxDestination, because);
        }
        Decision::pass(to, because)
    }
}
