//! Interface endpoints.

use vpc_model::desired::Noun;
use vpc_model::resource::{Endpoint, Service};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// TCP and UDP into an available endpoint.
///
/// Source: R4.10 (protocols; a ping is not answered), R4.22 (state).
pub(crate) struct InterfaceEndpoint {
    pub endpoint: Idx<Endpoint>,
}

impl Stage for InterfaceEndpoint {
    const ID: StageId = StageId::InterfaceEndpoint;
    type Out = Idx<Service>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Service>> {
        let endpoint = &view.snapshot.endpoints[self.endpoint];
        let because = Evidence::Property { owner: Endpoint::to_ref(endpoint.id) };
        if !endpoint.available {
            return Decision::refuse(DropReason::VpceNotAvailable, because);
        }
        if !at.protocol.has_ports() {
            return Decision::refuse(DropReason::VpceProtocol, because);
        }
        Decision::pass(endpoint.service, because)
    }
}
