//! What stands for the internet.

use std::net::IpAddr;

use vpc_model::desired::Noun;
use vpc_model::resource::{InternetHost, Service};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Outside;

/// The internet host or service with the longest prefix around the destination.
///
/// Source: R10.14 (private addresses are nobody's on the internet, whatever prefix a host stands for).
pub(crate) struct FindInternetHost;

impl Stage for FindInternetHost {
    const ID: StageId = StageId::InternetHost;
    type Out = Outside;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Outside> {
        let found = view.snapshot.internet.hosts.longest_match(at.dst).filter(|_| !is_private(at.dst));
        match found {
            Some((_, &found)) => {
                let owner = match found {
                    Outside::Host(host) => InternetHost::to_ref(view.snapshot.hosts[host].id),
                    Outside::Service(service) => Service::to_ref(view.snapshot.services[service].id),
                };
                Decision::pass(found, Evidence::Property { owner })
            }
            None => Decision::refuse(
                DropReason::NoInternetHost,
                Evidence::Nobody { place: Nowhere::Internet, address: at.dst },
            ),
        }
    }
}

/// Source: RFC 1918, RFC 6598, RFC 4193.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64,
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}
