//! Gateway endpoints.

use vpc_model::desired::Noun;
use vpc_model::resource::{Endpoint, Service};
use vpc_model::{DropReason, StageId};
use vpc_packet::{FiveTuple, Protocol};

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// TCP and ICMP echo from the endpoint's own VPC, towards the service.
///
/// Source: R3.7 (own VPC only), R3.11 (protocols). The route that led here already matched the prefix list.
pub(crate) struct GatewayEndpoint {
    pub endpoint: Idx<Endpoint>,
}

impl Stage for GatewayEndpoint {
    const ID: StageId = StageId::GatewayEndpoint;
    type Out = Idx<Service>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Service>> {
        let endpoint = &view.snapshot.endpoints[self.endpoint];
        let because = Evidence::Property { owner: Endpoint::to_ref(endpoint.id) };
        let carried = at.protocol == Protocol::TCP || is_echo_request(at);
        if !carried {
            return Decision::refuse(DropReason::VpceGatewayProtocol, because);
        }
        if !view.snapshot.vpcs[endpoint.vpc].contains(at.src) {
            return Decision::refuse(DropReason::VpceGatewaySource, because);
        }
        Decision::pass(endpoint.service, because)
    }
}

fn is_echo_request(at: &FiveTuple) -> bool {
    let kind = at.icmp_type_code().map(|(kind, _)| kind);
    matches!((at.protocol, kind), (Protocol::ICMP, Some(8)) | (Protocol::ICMPV6, Some(128)))
}
