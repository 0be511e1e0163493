//! What stands for the internet.

use vpc_model::desired::Noun;
use vpc_model::resource::{InternetHost, Service};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Outside;

/// The internet host or service with the longest prefix around the destination.
pub(crate) struct FindInternetHost;

impl Stage for FindInternetHost {
    const ID: StageId = StageId::InternetHost;
    type Out = Outside;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Outside> {
        match view.snapshot.internet.hosts.longest_match(at.dst) {
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
