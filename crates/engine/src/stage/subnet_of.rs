//! Which subnet an address of the VPC is in.

use vpc_model::resource::{Subnet, Vpc};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Idx;

/// The subnet of a VPC that holds the destination.
///
/// Source: R1.11 (inside the VPC's block but in no subnet: dropped, never sent to a default route).
pub(crate) struct SubnetOf {
    pub vpc: Idx<Vpc>,
}

impl Stage for SubnetOf {
    const ID: StageId = StageId::SubnetOf;
    type Out = Idx<Subnet>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Subnet>> {
        let vpc = &view.snapshot.vpcs[self.vpc];
        match vpc.subnets.longest_match(at.dst) {
            Some((_, &subnet)) => Decision::pass(subnet, Evidence::Subnet { subnet: view.snapshot.subnets[subnet].id }),
            None => Decision::refuse(
                DropReason::NoSuchSubnet,
                Evidence::Nobody { place: Nowhere::Vpc(vpc.id), address: at.dst },
            ),
        }
    }
}
