//! 1:1 translation at an internet gateway.

use std::net::IpAddr;

use vpc_model::resource::InternetGateway;
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Idx;

/// The public address that stands for the source.
///
/// Source: R10.12 (none: dropped, silently), R10.13 (IPv6 is not translated).
pub(crate) struct PublicAddress {
    pub gateway: Idx<InternetGateway>,
}

impl Stage for PublicAddress {
    const ID: StageId = StageId::PublicAddress;
    type Out = IpAddr;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<IpAddr> {
        let gateway = &view.snapshot.internet_gateways[self.gateway];
        let public = match at.src {
            IpAddr::V4(private) => gateway.public.get(&private).copied().map(IpAddr::V4),
            IpAddr::V6(address) => Some(IpAddr::V6(address)),
        };
        match public {
            Some(public) => Decision::pass(public, Evidence::Translated { from: at.src, to: public }),
            None => {
                let place = Nowhere::Vpc(view.snapshot.vpcs[gateway.vpc].id);
                Decision::refuse(DropReason::IgwNoPublic, Evidence::Nobody { place, address: at.src })
            }
        }
    }
}

/// The private address that a public destination stands for, behind which gateway.
///
/// Source: R10.12, R10.14 (no way in to addresses that are not public).
pub(crate) struct PrivateAddress;

impl Stage for PrivateAddress {
    const ID: StageId = StageId::PublicAddress;
    type Out = (Idx<InternetGateway>, IpAddr);

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Self::Out> {
        let found = match at.dst {
            IpAddr::V4(public) => view.snapshot.internet.public.get(&public),
            IpAddr::V6(_) => None,
        };
        match found {
            Some(&(gateway, private)) => {
                let private = IpAddr::V4(private);
                Decision::pass((gateway, private), Evidence::Translated { from: at.dst, to: private })
            }
            None => Decision::refuse(
                DropReason::NoSuchPublic,
                Evidence::Nobody { place: Nowhere::Internet, address: at.dst },
            ),
        }
    }
}
