//! Egress-only gateways.

use vpc_model::resource::Vpc;
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Idx;

/// Answers pass; whatever was not asked for does not.
///
/// Source: R10.18.
pub(crate) struct EgressOnly {
    pub vpc: Idx<Vpc>,
}

impl Stage for EgressOnly {
    const ID: StageId = StageId::EgressOnly;
    type Out = ();

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<()> {
        match view.answered() {
            Some(_) => Decision::pass((), Evidence::Destination { address: at.dst }),
            None => {
                let place = Nowhere::Vpc(view.snapshot.vpcs[self.vpc].id);
                Decision::refuse(DropReason::EigwUnsolicited, Evidence::Nobody { place, address: at.dst })
            }
        }
    }
}
