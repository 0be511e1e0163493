//! NAT gateways, from inside.

use std::net::IpAddr;

use vpc_model::desired::Noun;
use vpc_model::resource::NatGateway;
use vpc_model::{DropReason, StageId};
use vpc_packet::{FiveTuple, Protocol};

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::Idx;

/// The gateway's private address and a port that is free towards this destination.
///
/// Source: R10.1 (protocols), R10.2 (ports 1024–65535), R10.3 (55,000 per destination), R10.7 (own subnet).
pub(crate) struct SourceNat {
    pub gateway: Idx<NatGateway>,
}

/// Connections towards one destination (address, port, protocol). Source: R10.3.
const PER_DESTINATION: u32 = 55_000;
const FIRST_PORT: u16 = 1_024;

impl Stage for SourceNat {
    const ID: StageId = StageId::SourceNat;
    type Out = FiveTuple;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<FiveTuple> {
        let gateway = &view.snapshot.nat_gateways[self.gateway];
        let owner = NatGateway::to_ref(gateway.id);
        if let Some(binding) = view
            .opened()
            .and_then(|connection| connection.binding(owner))
            .filter(|binding| view.related || binding.before == *at)
        {
            // R10.4: the inside gets a reset for TCP, and a new translation for everything else.
            if view.lapsed && at.protocol == Protocol::TCP {
                return Decision::refuse(DropReason::NatIdle, Evidence::Bound { owner });
            }
            return Decision::pass(binding.after, Evidence::Bound { owner });
        }
        let because = Evidence::Property { owner };
        if !matches!(at.protocol, Protocol::TCP | Protocol::UDP | Protocol::ICMP) {
            return Decision::refuse(DropReason::NatProtocol, because);
        }
        if view.snapshot.subnets[gateway.subnet].contains(at.src) {
            return Decision::refuse(DropReason::NatSameSubnet, because);
        }
        let after = FiveTuple { src: IpAddr::V4(gateway.address), ..*at };
        let keep = at.src_port >= FIRST_PORT && view.flows.is_free(owner, after);
        let port = if keep {
            view.flows.peek_port(owner, after, at.src_port..=at.src_port, PER_DESTINATION, view.salt)
        } else {
            view.flows.peek_port(owner, after, FIRST_PORT..=u16::MAX, PER_DESTINATION, view.salt)
        };
        match port {
            Some(src_port) => {
                let address = IpAddr::V4(gateway.address);
                Decision::pass(FiveTuple { src_port, ..after }, Evidence::Lease { owner, address, port: src_port })
            }
            None => Decision::refuse(DropReason::NatPortAllocation, because),
        }
    }
}
