//! Every structure on tables of real size and shape, at every address where an answer changes.
//!
//! `VPC_FULL_TESTS=1` takes the real tables whole and asks for all 2^32 IPv4 addresses (use `--release`); without
//! it, a part of each, and generated tables.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use prefix_trie::PrefixMap;
use vpc_lpm::{Fib, Index4, Index6, Layout4, Prefix, Table};

#[path = "support/random.rs"]
mod random;
#[path = "support/tables.rs"]
mod tables;

fn full() -> bool {
    std::env::var_os("VPC_FULL_TESTS").is_some_and(|value| value == "1")
}

/// One map for each length, asked from the longest on.
struct Oracle {
    by_length: Vec<(u8, HashMap<u128, u32>)>,
    bits: u8,
}

impl Oracle {
    fn new(routes: &[(Prefix, u32)]) -> Self {
        let bits = if routes.iter().all(|(prefix, _)| prefix.is_ipv4()) { 32 } else { 128 };
        let mut by_length: Vec<(u8, HashMap<u128, u32>)> = (0..=bits).rev().map(|len| (len, HashMap::new())).collect();
        for &(prefix, value) in routes {
            by_length[usize::from(bits - prefix.len())].1.insert(number(prefix.first()), value);
        }
        by_length.retain(|(_, of_length)| !of_length.is_empty());
        Self { by_length, bits }
    }

    fn lookup(&self, addr: u128) -> u32 {
        self.by_length
            .iter()
            .find_map(|(len, of_length)| {
                let host = u32::from(self.bits - len);
                of_length.get(&addr.checked_shr(host).map_or(0, |top| top << host)).copied()
            })
            .unwrap_or(0)
    }
}

fn number(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_bits().into(),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

/// Both ends of every prefix and their neighbours, cut to the family's width.
fn boundaries(routes: &[(Prefix, u32)], max: u128) -> Vec<u128> {
    let mut addrs: Vec<u128> = routes
        .iter()
        .map(|(prefix, _)| (number(prefix.first()), number(prefix.last())))
        .flat_map(|(first, last)| [first.wrapping_sub(1) & max, first, last, last.wrapping_add(1) & max])
        .chain([0, max])
        .collect();
    addrs.sort_unstable();
    addrs.dedup();
    addrs
}

fn check_v4(name: &str, routes: &[(Prefix, u32)]) {
    let oracle = Oracle::new(routes);
    let addrs: Vec<u32> = boundaries(routes, u32::MAX.into()).into_iter().map(|addr| addr as u32).collect();
    let expected: Vec<u32> = addrs.iter().map(|&addr| oracle.lookup(addr.into())).collect();
    let mut found = vec![0; addrs.len()];
    for layout in [Layout4::Tree, Layout4::Trie, Layout4::Dir24] {
        let index = Index4::with_layout(layout, routes.iter().copied());
        for (&addr, &expected) in addrs.iter().zip(&expected) {
            assert_eq!(index.lookup(addr), expected, "{name}, {layout:?}, {}", Ipv4Addr::from_bits(addr));
        }
        found.fill(u32::MAX);
        index.lookup_batch(&addrs, &mut found);
        assert!(found == expected, "{name}, {layout:?}: a batch answers otherwise than one by one");
    }
    let mut reader = routes.iter().copied().collect::<Fib>().reader();
    reader.lookup_batch_v4(&addrs, &mut found);
    assert!(found == expected, "{name}: the updatable form answers otherwise");

    let table: Table<u32> = routes.iter().copied().collect();
    let peer: PrefixMap<ipnet::Ipv4Net, u32> =
        routes.iter().filter_map(|&(prefix, value)| peer_v4(prefix, value)).collect();
    for (&addr, &expected) in addrs.iter().zip(&expected) {
        let addr = Ipv4Addr::from_bits(addr);
        let answer = table.longest_match_v4(addr);
        assert_eq!(answer.map_or(0, |(_, value)| *value), expected, "{name}, table, {addr}");
        let peers = peer.get_lpm(&addr.into()).map(|(prefix, value)| (prefix.to_string(), value));
        assert_eq!(answer.map(|(prefix, value)| (prefix.to_string(), value)), peers, "{name}, prefix-trie, {addr}");
    }
    eprintln!("{name}: {} prefixes, {} addresses", routes.len(), addrs.len());
}

fn check_v6(name: &str, routes: &[(Prefix, u32)]) {
    let oracle = Oracle::new(routes);
    let addrs = boundaries(routes, u128::MAX);
    let expected: Vec<u32> = addrs.iter().map(|&addr| oracle.lookup(addr)).collect();
    let index = Index6::build(routes.iter().copied());
    let mut reader = routes.iter().copied().collect::<Fib>().reader();
    let table: Table<u32> = routes.iter().copied().collect();
    let peer: PrefixMap<ipnet::Ipv6Net, u32> =
        routes.iter().filter_map(|&(prefix, value)| peer_v6(prefix, value)).collect();
    for (&addr, &expected) in addrs.iter().zip(&expected) {
        let ip = Ipv6Addr::from_bits(addr);
        assert_eq!(index.lookup(addr), expected, "{name}, {ip}");
        assert_eq!(reader.lookup_v6(addr), expected, "{name}, updatable form, {ip}");
        let answer = table.longest_match_v6(ip);
        assert_eq!(answer.map_or(0, |(_, value)| *value), expected, "{name}, table, {ip}");
        let peers = peer.get_lpm(&ip.into()).map(|(prefix, value)| (prefix.to_string(), value));
        assert_eq!(answer.map(|(prefix, value)| (prefix.to_string(), value)), peers, "{name}, prefix-trie, {ip}");
    }
    let mut found = vec![u32::MAX; addrs.len()];
    index.lookup_batch(&addrs, &mut found);
    assert!(found == expected, "{name}: a batch answers otherwise than one by one");
    eprintln!("{name}: {} prefixes, {} addresses", routes.len(), addrs.len());
}

fn peer_v4(prefix: Prefix, value: u32) -> Option<(ipnet::Ipv4Net, u32)> {
    match prefix.to_ipnet() {
        ipnet::IpNet::V4(net) => Some((net, value)),
        ipnet::IpNet::V6(_) => None,
    }
}

fn peer_v6(prefix: Prefix, value: u32) -> Option<(ipnet::Ipv6Net, u32)> {
    match prefix.to_ipnet() {
        ipnet::IpNet::V4(_) => None,
        ipnet::IpNet::V6(net) => Some((net, value)),
    }
}

/// All of a table in a full run, else one clump of neighbours in every eighty.
fn part(mut routes: Vec<(Prefix, u32)>) -> Vec<(Prefix, u32)> {
    let all = full() || routes.len() < 20_000;
    let mut at = 0..;
    routes.retain(|_| all || at.next().is_some_and(|at: usize| at / 500 % 80 == 7));
    routes
}

#[test]
fn generated_tables_answer_as_the_oracle_does() {
    let sizes = if full() { [169, 8_000, 300_000] } else { [169, 4_000, 16_000] };
    for (seed, len) in (1..).zip(sizes) {
        check_v4(&format!("generated IPv4, {len}"), &tables::generated_v4(len, seed));
        check_v6(&format!("generated IPv6, {len}"), &tables::generated_v6(len / 2, seed));
    }
}

#[test]
fn real_tables_answer_as_the_oracle_does() {
    for name in ["tier1-20230204.v4", "pch-20151023-nexthop.v4", "routeviews-20140513-originas.v4"] {
        if let Some(routes) = tables::real(&format!("rib/{name}.txt.xz")) {
            check_v4(name, &part(routes));
        }
    }
    for name in ["tier1-20230204.v6", "linx-20141225-p69-nexthop.v6"] {
        if let Some(routes) = tables::real(&format!("rib/{name}.txt.xz")) {
            check_v6(name, &part(routes));
        }
    }
}

#[test]
fn published_cloud_ranges_answer_as_the_oracle_does() {
    for name in ["aws-ip-ranges-2026-08-22.json", "azure-service-tags-2025-07-22.json"] {
        let Some(text) = tables::shared(&format!("ip-ranges/{name}.xz")) else {
            continue;
        };
        // Every quoted string that is a prefix, whatever the document's structure.
        let mut routes: Vec<(Prefix, u32)> =
            text.split('"').filter_map(|word| word.parse().ok()).zip((1..=64).cycle()).collect();
        routes.sort_by_key(|route| route.0);
        routes.dedup_by_key(|route| route.0);
        let (v4, v6): (Vec<_>, Vec<_>) = routes.into_iter().partition(|(prefix, _)| prefix.is_ipv4());
        assert!(v4.len() > 7_000 && v6.len() > 2_000, "{name}: {} and {}", v4.len(), v6.len());
        check_v4(name, &v4);
        check_v6(name, &v6);
    }
}

/// Takes minutes without optimisation, so it is part of the full run only.
#[test]
fn every_ipv4_address_is_answered_as_the_oracle_does() {
    if !full() {
        eprintln!("2^32 addresses: only with VPC_FULL_TESTS=1");
        return;
    }
    let routes = tables::real("rib/tier1-20230204.v4.txt.xz").unwrap_or_else(|| tables::generated_v4(200_000, 9));
    let oracle = Oracle::new(&routes);
    let index = Index4::build(routes.iter().copied());
    let mut cuts: Vec<u64> = boundaries(&routes, u32::MAX.into()).into_iter().map(|addr| addr as u64).collect();
    cuts.push(1 << 32);
    let (mut addrs, mut found) = (Vec::new(), Vec::new());
    for cut in cuts.windows(2) {
        let expected = oracle.lookup(cut[0].into());
        for from in (cut[0]..cut[1]).step_by(1 << 16) {
            addrs.clear();
            addrs.extend((from..cut[1].min(from + (1 << 16))).map(|addr| addr as u32));
            found.resize(addrs.len(), u32::MAX);
            index.lookup_batch(&addrs, &mut found);
            assert!(found.iter().all(|&found| found == expected), "{from:#x}..{:#x}: not all {expected}", cut[1]);
        }
    }
    eprintln!("2^32 addresses of {} prefixes", routes.len());
}
