//! Route selection as vpc-semantics §2.1 and R9.23 write it down.

use std::net::IpAddr;

use vpc_lpm::Prefix;
use vpc_model::resource::{
    AttachmentKind, Destination, Endpoint, EndpointKind, EndpointState, EniKind, PeeringState, PrefixList, RouteTable,
    RouteTarget, TransitAttachment, TransitRouteTable, TransitTarget, VirtualGateway,
};
use vpc_model::{Desired, DropReason, Id};

/// Who wins at equal length, the first first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Cidr,
    WrittenList(Id<PrefixList>),
    EndpointList(Id<PrefixList>),
    Propagated,
}

/// The target of the route that a destination selects.
pub(super) fn select(desired: &Desired, table: &RouteTable, dst: IpAddr) -> Result<RouteTarget, DropReason> {
    let blocks: Vec<Prefix> = desired.get(table.vpc).map(|vpc| vpc.blocks().collect()).unwrap_or_default();
    let inside_vpc = |prefix: Prefix| blocks.iter().any(|block| block.covers(prefix));
    let longest_entry = |list: Id<PrefixList>| {
        let entries = desired.get(list).map(|list| list.entries.clone()).unwrap_or_default();
        // R2.38: entries inside the VPC are passed over.
        entries.into_iter().filter(|entry| entry.contains(dst) && !inside_vpc(*entry)).max_by_key(|entry| entry.len())
    };
    let mut candidates: Vec<(Prefix, Order, RouteTarget)> = Vec::new();
    for block in &blocks {
        let replaced = table.routes.get(&Destination::Prefix(*block)).copied();
        candidates.push((*block, Order::Cidr, replaced.unwrap_or(RouteTarget::Local)));
    }
    for (destination, target) in &table.routes {
        match destination {
            Destination::Prefix(prefix) => candidates.push((*prefix, Order::Cidr, *target)),
            Destination::List(list) => {
                candidates.extend(longest_entry(*list).map(|entry| (entry, Order::WrittenList(*list), *target)));
            }
        }
    }
    for endpoint in desired.iter::<Endpoint>() {
        let EndpointKind::Gateway { tables } = &endpoint.kind else { continue };
        let list = desired.get(endpoint.service).and_then(|service| service.prefix_list);
        if let Some(list) = list.filter(|_| tables.contains(&table.id)) {
            let target = RouteTarget::GatewayEndpoint(endpoint.id);
            candidates.extend(longest_entry(list).map(|entry| (entry, Order::EndpointList(list), target)));
        }
    }
    for gateway in desired.iter::<VirtualGateway>() {
        if gateway.vpc == Some(table.vpc) && gateway.propagates_to.contains(&table.id) {
            let announced = gateway.announces.iter().filter(|prefix| !inside_vpc(**prefix));
            candidates.extend(announced.map(|prefix| (*prefix, Order::Propagated, RouteTarget::Virtual(gateway.id))));
        }
    }
    candidates.retain(|(prefix, ..)| prefix.contains(dst));
    let best = candidates.into_iter().min_by_key(|(prefix, order, _)| (u8::MAX - prefix.len(), *order));
    let (_, _, target) = best.ok_or(DropReason::NoRoute)?;
    if is_usable(desired, table, target) { Ok(target) } else { Err(DropReason::Blackhole) }
}

/// The attachment that a transit gateway's table leads to.
pub(super) fn select_transit(
    desired: &Desired,
    table: &TransitRouteTable,
    dst: IpAddr,
) -> Result<Id<TransitAttachment>, DropReason> {
    let mut best: Option<(u8, bool, TransitTarget)> = None;
    let mut offer = |prefix: Prefix, written: bool, target: TransitTarget| {
        let better = best.is_none_or(|(len, was_written, _)| (prefix.len(), written) > (len, was_written));
        if prefix.contains(dst) && better {
            best = Some((prefix.len(), written, target));
        }
    };
    for attachment in desired.iter::<TransitAttachment>() {
        if let (AttachmentKind::Vpc { vpc, .. }, true) =
            (&attachment.kind, attachment.propagates_to.contains(&table.id))
        {
            let blocks = desired.get(*vpc).into_iter().flat_map(|vpc| vpc.blocks());
            blocks.for_each(|block| offer(block, false, TransitTarget::Attachment(attachment.id)));
        }
    }
    for (destination, target) in &table.routes {
        match destination {
            Destination::Prefix(prefix) => offer(*prefix, true, *target),
            Destination::List(list) => {
                let entries = desired.get(*list).into_iter().flat_map(|list| &list.entries);
                entries.for_each(|entry| offer(*entry, true, *target));
            }
        }
    }
    match best {
        None => Err(DropReason::TgwNoRoute),
        Some((_, _, TransitTarget::Attachment(id))) if desired.get(id).is_some() => Ok(id),
        Some(_) => Err(DropReason::TgwBlackhole),
    }
}

/// R2.11.
fn is_usable(desired: &Desired, table: &RouteTable, target: RouteTarget) -> bool {
    match target {
        RouteTarget::EgressOnly(id) => desired.get(id).is_some(),
        RouteTarget::Eni(id) => desired.get(id).is_some_and(|eni| matches!(eni.kind, EniKind::Instance { .. })),
        RouteTarget::GatewayEndpoint(id) => {
            desired.get(id).is_some_and(|endpoint| endpoint.state == EndpointState::Available)
        }
        RouteTarget::Internet(id) => desired.get(id).is_some_and(|gateway| gateway.vpc == Some(table.vpc)),
        RouteTarget::Local => true,
        RouteTarget::Nat(id) => desired.get(id).is_some(),
        RouteTarget::Peering(id) => desired.get(id).is_some_and(|peering| peering.state == PeeringState::Active),
        RouteTarget::Transit(id) => desired.iter::<TransitAttachment>().any(|attachment| {
            let ours = matches!(&attachment.kind, AttachmentKind::Vpc { vpc, .. } if *vpc == table.vpc);
            ours && attachment.gateway == id
        }),
        RouteTarget::Virtual(id) => desired.get(id).is_some_and(|gateway| gateway.vpc == Some(table.vpc)),
    }
}
