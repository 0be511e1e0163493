//! The host that answers for a service.

use vpc_flow::FlowKey;
use vpc_model::resource::Service;
use vpc_model::{DropReason, ResourceRef, StageId};
use vpc_packet::{FiveTuple, Protocol};

use super::{Decision, Evidence, Nowhere, Stage, View};
use crate::snapshot::Idx;

/// The tuple under which the service's host sees the flow.
///
/// Shape: the client's own address and, unless another client of the same address and port got there first (two
/// VPCs may overlap), its own port.
/// Source: R3.8 (the service sees the private address), R4.15 (a namespace stands for the service).
pub(crate) struct ServiceAttach {
    pub service: Idx<Service>,
    /// Through what the flow came: an endpoint, or its interface.
    pub owner: ResourceRef,
    /// Where the host is addressed.
    pub to: Attach,
}

/// How the host is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// By the address the client used: a gateway endpoint.
    AsGiven,
    /// By the service's own address: an interface endpoint.
    Own,
}

/// How many other ports are tried before giving up; half of them taken is 1 in 2^64.
const TRIES: u64 = 64;
const FIRST_PORT: u64 = 1_024;
const PORTS: u64 = 65_536 - FIRST_PORT;

impl Stage for ServiceAttach {
    const ID: StageId = StageId::ServiceAttach;
    type Out = FiveTuple;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<FiveTuple> {
        let service = &view.snapshot.services[self.service];
        let address = match self.to {
            Attach::AsGiven => service.addresses.iter().copied().find(|&a| a == at.dst),
            Attach::Own => service.addresses.iter().copied().find(|a| a.is_ipv4() == at.dst.is_ipv4()),
        };
        let Some(dst) = address else {
            return Decision::refuse(
                DropReason::ServiceNoHost,
                Evidence::Nobody { place: Nowhere::Service(service.id), address: at.dst },
            );
        };
        let wanted = FiveTuple { dst, ..*at };
        let kept =
            view.opened().and_then(|connection| connection.binding(self.owner)).filter(|binding| binding.before == *at);
        if let Some(binding) = kept.filter(|binding| binding.after.dst == dst) {
            if view.lapsed && at.protocol == Protocol::TCP {
                return Decision::refuse(DropReason::VpceIdle, Evidence::Bound { owner: self.owner });
            }
            return Decision::pass(binding.after, Evidence::Service { service: service.id, address: dst });
        }
        let free = |after: &FiveTuple| {
            let key = FlowKey { link: service.link, tuple: after.reversed() };
            // A refused flow is in nobody's way.
            let other = view.flows.find(&key).and_then(|at| view.flows.connection(at));
            let mine = view.connection.map(|(connection, _)| connection.initiator());
            other.is_none_or(|other| mine == Some(other.initiator()))
        };
        if free(&wanted) {
            return Decision::pass(wanted, Evidence::Service { service: service.id, address: dst });
        }
        let has_ports = at.protocol.has_ports() || at.protocol.is_icmp();
        let other_ports = (0..if has_ports { TRIES } else { 0 }).map(|n| {
            let port = FIRST_PORT + (view.salt.wrapping_add(n)) % PORTS;
            FiveTuple { src_port: port as u16, ..wanted }
        });
        match other_ports.into_iter().find(free) {
            Some(after) => {
                let lease = Evidence::Lease { owner: self.owner, address: after.src, port: after.src_port };
                Decision::pass(after, lease)
            }
            None => Decision::refuse(
                DropReason::ServicePortExhausted,
                Evidence::Service { service: service.id, address: dst },
            ),
        }
    }
}
