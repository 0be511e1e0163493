//! NAT gateways, from outside.

use vpc_model::desired::Noun;
use vpc_model::resource::NatGateway;
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// The translation that an answer undoes. Source: R10.6 (unsolicited packets are dropped).
pub(crate) struct ReverseNat {
    pub gateway: Idx<NatGateway>,
}

impl Stage for ReverseNat {
    const ID: StageId = StageId::ReverseNat;
    /// The tuple of the answer before and after.
    type Out = (FiveTuple, FiveTuple);

    #[inline(always)]
    fn decide(&self, view: View<'_>, _: &FiveTuple) -> Decision<Self::Out> {
        let owner = NatGateway::to_ref(view.snapshot.nat_gateways[self.gateway].id);
        match view.answered().and_then(|connection| connection.binding(owner)) {
            Some(binding) => {
                Decision::pass((binding.after.reversed(), binding.before.reversed()), Evidence::Bound { owner })
            }
            None => Decision::refuse(DropReason::NatNoBinding, Evidence::Property { owner }),
        }
    }
}
