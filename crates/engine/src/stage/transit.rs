//! Transit gateways.

use std::net::IpAddr;

use vpc_model::desired::Noun;
use vpc_model::resource::{Subnet, TransitAttachment};
use vpc_model::{DropReason, StageId};
use vpc_packet::FiveTuple;

use super::{Decision, Evidence, Stage, View};
use crate::snapshot::{Idx, Zone};

/// The attachment subnet in the sender's own zone.
///
/// Source: R9.21 (a zone without one cannot reach the gateway).
pub(crate) struct TransitEntry<'a> {
    pub attachment: Idx<TransitAttachment>,
    pub subnets: &'a [Idx<Subnet>],
    pub zone: Zone,
}

impl Stage for TransitEntry<'_> {
    const ID: StageId = StageId::TransitZone;
    type Out = Idx<Subnet>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, _: &FiveTuple) -> Decision<Idx<Subnet>> {
        match in_zone(view, self.subnets, self.zone) {
            Some(subnet) => Decision::pass(subnet, Evidence::Subnet { subnet: view.snapshot.subnets[subnet].id }),
            None => {
                let owner = TransitAttachment::to_ref(view.snapshot.attachments[self.attachment].id);
                Decision::refuse(DropReason::TgwAz, Evidence::Property { owner })
            }
        }
    }
}

/// The attachment that a packet leaves the transit gateway by.
///
/// Source: R9.22–R9.24.
pub(crate) struct TransitLookup {
    pub from: Idx<TransitAttachment>,
}

impl Stage for TransitLookup {
    const ID: StageId = StageId::TransitLookup;
    type Out = Idx<TransitAttachment>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<TransitAttachment>> {
        let from = &view.snapshot.attachments[self.from];
        let Some(table) = from.table.map(|table| &view.snapshot.transit_tables[table]) else {
            return Decision::refuse(
                DropReason::TgwNoRoute,
                Evidence::Property { owner: TransitAttachment::to_ref(from.id) },
            );
        };
        let Some((prefix, route)) = table.routes.longest_match(at.dst) else {
            return Decision::refuse(DropReason::TgwNoRoute, Evidence::NoTransitRoute { table: table.id });
        };
        let because =
            Evidence::TransitRoute { table: table.id, destination: route.destination, prefix_len: prefix.len() };
        match route.target {
            Some(target) => Decision::pass(target, because),
            None => Decision::refuse(DropReason::TgwBlackhole, because),
        }
    }
}

/// The attachment subnet by which a packet comes into the target VPC.
///
/// Shape: the zone where it entered the gateway, if the VPC has it; otherwise, and always in appliance mode, one that
/// depends on the flow alone, in either direction.
/// Source: R9.21, R9.28. Deviation: appliance mode hashes also when both ends are in one zone.
pub(crate) struct TransitExit<'a> {
    pub subnets: &'a [Idx<Subnet>],
    pub appliance_mode: bool,
    pub zone: Option<Zone>,
}

impl Stage for TransitExit<'_> {
    const ID: StageId = StageId::TransitZone;
    type Out = Idx<Subnet>;

    #[inline(always)]
    fn decide(&self, view: View<'_>, at: &FiveTuple) -> Decision<Idx<Subnet>> {
        let stays = self.zone.filter(|_| !self.appliance_mode).and_then(|zone| in_zone(view, self.subnets, zone));
        // A VPC is attached by at least one subnet.
        let spread = || self.subnets[(symmetric_hash(at) % self.subnets.len() as u64) as usize];
        let subnet = stays.unwrap_or_else(spread);
        Decision::pass(subnet, Evidence::Subnet { subnet: view.snapshot.subnets[subnet].id })
    }
}

fn in_zone(view: View<'_>, subnets: &[Idx<Subnet>], zone: Zone) -> Option<Idx<Subnet>> {
    subnets.iter().copied().find(|&subnet| view.snapshot.subnets[subnet].zone == zone)
}

/// The same for both directions of a flow.
fn symmetric_hash(at: &FiveTuple) -> u64 {
    hash(at).wrapping_add(hash(&at.reversed()))
}

fn hash(at: &FiveTuple) -> u64 {
    let start = u64::from(at.protocol.0) ^ u64::from(at.src_port) << 16 ^ u64::from(at.dst_port) << 32;
    let mixed = [at.src, at.dst].into_iter().fold(start, |hash, address| {
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        (hash ^ bits as u64 ^ (bits >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    mixed ^ mixed >> 32
}
