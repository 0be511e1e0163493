//! Whose address it is.

use vpc_model::resource::{Eni, Subnet};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Idx;

/// The interface of a subnet that owns the destination.
///
/// Source: R1.11, vpc-semantics §0.5 step 9.
pub(crate) struct LocalDelivery {
    pub subnet: Idx<Subnet>,
}

impl Stage for LocalDelivery {
    const ID: StageId = StageId::LocalDelivery;
    type Out = Idx<Eni>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Eni>> {
        let subnet = &view.snapshot.subnets[self.subnet];
        match subnet.owners.get(&at.dst) {
            Some(&eni) => Decision::pass(eni, Evidence::Owner { eni: view.snapshot.enis[eni].id }),
            None => Decision::refuse(
                DropReason::NoSuchEni,
                Evidence::Nobody { place: Nowhere::Subnet(subnet.id), address: at.dst },
            ),
        }
    }
}
