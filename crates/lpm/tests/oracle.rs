//! Every answer of a table against a linear scan, at every address where an answer could change.
#![allow(clippy::unwrap_used, reason = "a test's own input is right or the test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use vpc_lpm::{Builder, Prefix, Table};

/// The longest match by looking at every route.
fn scan(routes: &[(Prefix, u32)], addr: IpAddr) -> Option<(Prefix, u32)> {
    let mut best: Option<(Prefix, u32)> = None;
    for &(prefix, value) in routes {
        if prefix.contains(addr) && best.is_none_or(|(b, _)| b.len() <= prefix.len()) {
            best = Some((prefix, value));
        }
    }
    best
}

fn step(addr: IpAddr, by: i8) -> IpAddr {
    match addr {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits().wrapping_add_signed(by.into())).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits().wrapping_add_signed(by.into())).into(),
    }
}

/// Both ends of every prefix, and the addresses beside them.
fn boundaries(routes: &[(Prefix, u32)]) -> Vec<IpAddr> {
    routes
        .iter()
        .flat_map(|(p, _)| [step(p.first(), -1), p.first(), p.last(), step(p.last(), 1)])
        .chain(
            ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].map(|a| a.parse().unwrap()),
        )
        .collect()
}

fn check(routes: &[(Prefix, u32)]) {
    let table: Table<u32> = routes.iter().copied().collect();
    let addrs = boundaries(routes);
    let mut batch = Vec::new();
    table.longest_match_batch(&addrs, &mut batch);
    assert_eq!(batch.len(), addrs.len());
    for (addr, found) in addrs.iter().zip(&batch) {
        assert_eq!(table.longest_match(*addr).map(|(p, v)| (p, *v)), scan(routes, *addr), "{addr} in {routes:?}");
        assert_eq!(found.map(|(p, v)| (p, *v)), scan(routes, *addr), "{addr} in a batch, in {routes:?}");
    }
}

fn addr4() -> impl Strategy<Value = IpAddr> {
    // Few distinct top and bottom bits, so that routes nest and touch.
    (0..4_u32, any::<u8>(), any::<u32>())
        .prop_map(|(top, bits, low)| Ipv4Addr::from_bits(top << 30 | low & (0xff << (bits % 25))).into())
}

fn addr6() -> impl Strategy<Value = IpAddr> {
    (0..3_u128, 0..120_u32, any::<u8>())
        .prop_map(|(top, shift, low)| Ipv6Addr::from_bits(top << 125 | u128::from(low) << shift).into())
}

fn route() -> impl Strategy<Value = (Prefix, u32)> {
    let v4 = (addr4(), 0..=32_u8);
    let v6 = (addr6(), 0..=128_u8);
    (prop_oneof![v4, v6], 1..5_u32).prop_map(|((addr, len), value)| (Prefix::truncating(addr, len).unwrap(), value))
}

proptest! {
    #[test]
    fn the_table_answers_as_a_linear_scan_does(routes in prop::collection::vec(route(), 0..60)) {
        check(&routes);
    }

    #[test]
    fn insertion_order_does_not_matter(mut routes in prop::collection::vec(route(), 0..40)) {
        routes.sort_by_key(|r| r.0);
        routes.dedup_by_key(|r| r.0);
        let forward: Table<u32> = routes.iter().copied().collect();
        let backward: Table<u32> = routes.iter().rev().copied().collect();
        for addr in boundaries(&routes) {
            prop_assert_eq!(forward.longest_match(addr), backward.longest_match(addr));
        }
    }

    #[test]
    fn inserting_and_removing_leaves_no_trace(routes in prop::collection::vec(route(), 0..30), extra in route()) {
        let mut builder: Builder<u32> = routes.iter().copied().filter(|r| r.0 != extra.0).collect();
        let before = builder.build();
        prop_assert_eq!(builder.insert(extra.0, extra.1), None);
        let with = builder.build();
        prop_assert_eq!(with.get(extra.0), Some(&extra.1));
        prop_assert_eq!(builder.remove(extra.0), Some(extra.1));
        prop_assert_eq!(builder.freeze(), before);
    }
}

#[test]
fn an_empty_table_answers_nothing() {
    check(&[]);
    assert_eq!(Table::<u32>::default().longest_match("10.0.0.1".parse().unwrap()), None);
}
