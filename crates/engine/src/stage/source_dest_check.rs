//! The source/destination check of an interface.

use vpc_model::resource::{Direction, Eni};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// The source of what leaves, and the destination of what arrives, is an address of the interface.
///
/// Source: R1.19; vpc-semantics §0.5 steps 3 and 10.
pub(crate) struct SourceDestCheck {
    pub eni: Idx<Eni>,
    pub direction: Direction,
}

impl Stage for SourceDestCheck {
    const ID: StageId = StageId::SourceDestCheck;
    type Out = ();

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<()> {
        let eni = &view.snapshot.enis[self.eni];
        let address = match self.direction {
            Direction::Egress => at.src,
            Direction::Ingress => at.dst,
        };
        let own = eni.addresses.contains(&address);
        let because = Evidence::Address { eni: eni.id, address, own };
        match (own, eni.source_dest_check) {
            (true, _) => Decision::pass((), because),
            (false, false) => Decision::pass((), Evidence::CheckOff { eni: eni.id }),
            (false, true) => Decision::refuse(DropReason::EniSourceDestCheck, because),
        }
    }
}
