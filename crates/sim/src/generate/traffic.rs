//! Packets and changes that suit a network.

use std::net::IpAddr;
use std::time::Duration;

use vpc_model::desired::Noun;
use vpc_model::resource::{
    Endpoint, EndpointState, Eni, InternetHost, NatGateway, NetworkAcl, Provider, RouteTable, SecurityGroup, Service,
    VirtualGateway,
};
use vpc_model::{Change, Desired, LinkId, ResourceRef};
use vpc_packet::text::Kind;
use vpc_packet::{PacketSpec, Protocol, TcpFlags};

use super::{Choices, Event};

/// Something that happens to a network, which it may change.
pub(super) fn event(choices: &mut Choices<'_>, network: &mut Desired) -> Event {
    match choices.below(20) {
        0..=9 => match packet(choices, network) {
            Some((link, packet)) => Event::Send(link, Box::new(packet)),
            None => Event::Wait(Duration::from_millis(1)),
        },
        10..=15 => Event::Answer(choices.below(64)),
        16..=17 => {
            *network = change(choices, network);
            Event::Change(Box::new(network.clone()))
        }
        _ => {
            let seconds = [0, 1, 29, 31, 119, 121, 181, 349, 351];
            Event::Wait(Duration::from_secs(choices.of(&seconds).unwrap_or(0)))
        }
    }
}

/// A packet that somebody sends, mostly from an address of their own to one that somebody has.
pub(super) fn packet(choices: &mut Choices<'_>, network: &Desired) -> Option<(LinkId, PacketSpec)> {
    let links: Vec<(LinkId, ResourceRef)> = network.links().collect();
    let interfaces: Vec<_> = links.iter().copied().filter(|(_, owner)| Eni::from_ref(*owner).is_some()).collect();
    let senders = if choices.is(25) { &links } else { &interfaces };
    let (link, sender) = choices.of(senders).or(choices.of(&links))?;
    let all = addresses(network);
    let dst = match choices.below(8) {
        0..=2 => choices.of(&addresses_of_interfaces(network)),
        3..=5 => choices.of(&addresses_outside(network)),
        _ => choices.of(&all),
    };
    let dst = dst.or(choices.of(&all))?;
    let own = own_addresses(network, sender);
    let same: Vec<IpAddr> = own.iter().copied().filter(|address| address.is_ipv4() == dst.is_ipv4()).collect();
    let others: Vec<IpAddr> = all.iter().copied().filter(|address| address.is_ipv4() == dst.is_ipv4()).collect();
    let may_spoof = Eni::from_ref(sender).and_then(|id| network.get(id)).is_some_and(|eni| !eni.source_dest_check);
    let src = if choices.is(if may_spoof { 50 } else { 8 }) {
        choices.of(&others)
    } else {
        choices.of(&same).or(choices.of(&others))
    }?;
    let src_port = choices.of(&[40_000, 40_001, 1_023, 80])?;
    let dst_port = choices.of(&[80, 53, 443, 22])?;
    let ports = Some((src_port, dst_port));
    let icmp = || Kind::Icmp { message: None, quoted: None };
    let flags = choices.of(&[TcpFlags::SYN, TcpFlags::ACK]);
    let kind = match choices.below(8) {
        0..=3 => Kind::Tcp { ports, flags },
        4 | 5 => Kind::Udp { ports },
        6 => icmp(),
        _ => Kind::Other(Protocol(47)),
    };
    let is_icmp = matches!(kind, Kind::Icmp { .. });
    let mut packet = PacketSpec { src, dst, kind, attributes: Default::default() };
    let attributes = &mut packet.attributes;
    attributes.id = is_icmp.then_some(src_port.into());
    attributes.ttl = choices.is(10).then_some(1);
    attributes.df = (src.is_ipv4() && choices.is(50)).then_some(true);
    let sizes = [1_500, 1_501, 8_500, 8_501, 9_001, 9_002];
    attributes.len = choices.is(25).then(|| choices.of(&sizes)).flatten();
    let carries_segments = matches!(packet.kind, Kind::Tcp { .. }) && attributes.len.is_none();
    if carries_segments && choices.is(15) {
        attributes.len = Some(6_000);
        attributes.gso = Some(1_000);
    }
    attributes.mss = (matches!(packet.kind, Kind::Tcp { .. }) && choices.is(20)).then_some(8_961);
    Some((link, packet))
}

/// Every address that means something, and some that do not.
fn addresses(network: &Desired) -> Vec<IpAddr> {
    let mut all = addresses_of_interfaces(network);
    all.extend(addresses_outside(network));
    let others = [
        "10.0.1.77",
        "10.0.99.1",
        "10.1.1.10",
        "10.2.0.1",
        "172.31.0.5",
        "192.168.1.1",
        "203.0.113.99",
        "255.255.255.255",
        "224.0.0.251",
        "169.254.170.9",
        "2001:db8:0:1::77",
        "2001:db8:1:1::10",
        "ff02::1",
        "fe80::1",
    ];
    all.extend(others.iter().filter_map(|text| text.parse::<IpAddr>().ok()));
    all
}

fn addresses_of_interfaces(network: &Desired) -> Vec<IpAddr> {
    network.iter::<Eni>().flat_map(|eni| eni.addresses.iter().map(|address| address.private)).collect()
}

/// Of services, of hosts on the internet, and public ones of interfaces.
fn addresses_outside(network: &Desired) -> Vec<IpAddr> {
    let mut outside: Vec<IpAddr> =
        ["198.18.0.77", "198.51.100.5", "2001:db8:f000::9"].iter().filter_map(|text| text.parse().ok()).collect();
    outside.extend(network.iter::<InternetHost>().flat_map(|host| host.addresses.iter().copied()));
    for service in network.iter::<Service>() {
        let Provider::Host { addresses, .. } = &service.provider;
        outside.extend(addresses);
    }
    let enis = network.iter::<Eni>().flat_map(|eni| &eni.addresses);
    outside.extend(enis.filter_map(|address| address.public.map(IpAddr::V4)));
    outside
}

fn own_addresses(network: &Desired, owner: ResourceRef) -> Vec<IpAddr> {
    if let Some(eni) = Eni::from_ref(owner).and_then(|id| network.get(id)) {
        return eni.addresses.iter().map(|address| address.private).collect();
    }
    let texts: &[&str] = if Service::from_ref(owner).is_some() {
        &["198.51.100.20"]
    } else if VirtualGateway::from_ref(owner).is_some() {
        &["172.31.0.5"]
    } else {
        &["198.18.0.9", "198.18.0.10", "2001:db8:f000::9"]
    };
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The network with something taken away or switched.
fn change(choices: &mut Choices<'_>, network: &Desired) -> Desired {
    let changes = match choices.below(7) {
        0 => some::<SecurityGroup>(choices, network).map(|mut group| {
            let rule = choices.below(group.rules.len());
            group.rules = group.rules.iter().enumerate().filter(|(i, _)| *i != rule).map(|(_, rule)| *rule).collect();
            vec![Change::put(group)]
        }),
        1 => some::<NetworkAcl>(choices, network).map(|mut acl| {
            let keys: Vec<_> = acl.entries.keys().copied().collect();
            choices.of(&keys).map(|key| acl.entries.remove(&key));
            vec![Change::put(acl)]
        }),
        2 => some::<Eni>(choices, network).map(|mut eni| {
            eni.source_dest_check = !eni.source_dest_check;
            vec![Change::put(eni)]
        }),
        3 => some::<Endpoint>(choices, network).map(|mut endpoint| {
            endpoint.state = match endpoint.state {
                EndpointState::Available => EndpointState::Rejected,
                EndpointState::PendingAcceptance | EndpointState::Rejected => EndpointState::Available,
            };
            vec![Change::put(endpoint)]
        }),
        4 => some::<RouteTable>(choices, network).map(|mut table| {
            let keys: Vec<_> = table.routes.keys().copied().collect();
            choices.of(&keys).map(|key| table.routes.remove(&key));
            vec![Change::put(table)]
        }),
        5 => some::<NatGateway>(choices, network).map(|nat| vec![Change::delete(nat.id), Change::delete(nat.eni)]),
        _ => some::<Eni>(choices, network).map(|eni| vec![Change::delete(eni.id)]),
    };
    changes.and_then(|changes| network.apply(changes).ok()).unwrap_or_else(|| network.clone())
}

fn some<K: Noun>(choices: &mut Choices<'_>, network: &Desired) -> Option<K> {
    let ids: Vec<_> = network.iter::<K>().map(Noun::id).collect();
    choices.of(&ids).and_then(|id| network.get(id)).cloned()
}
