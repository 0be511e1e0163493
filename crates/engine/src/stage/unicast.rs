//! One host, not many, and not this host's own services.

use std::net::IpAddr;

use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};

/// Refuses destinations that a VPC never forwards to.
///
/// Source: R1.5 (broadcast, multicast), R1.12 (link-local services).
pub(crate) struct Unicast;

impl Stage for Unicast {
    const ID: StageId = StageId::Unicast;
    type Out = ();

    #[inline(always)]
    fn decide(&self, _: View<'_>, at: &FiveTuple) -> Decision<()> {
        let because = Evidence::Destination { address: at.dst };
        match refused(at.dst) {
            Some(reason) => Decision::refuse(reason, because),
            None => Decision::pass((), because),
        }
    }
}

#[inline(always)]
fn refused(address: IpAddr) -> Option<DropReason> {
    match address {
        IpAddr::V4(v4) if v4.is_broadcast() => Some(DropReason::Broadcast),
        IpAddr::V4(v4) if v4.is_link_local() => Some(DropReason::LinkLocal),
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.segments()[..2] == [0xfd00, 0x0ec2] => {
            Some(DropReason::LinkLocal)
        }
        _ if address.is_multicast() => Some(DropReason::Multicast),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
