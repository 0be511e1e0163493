//! Every answer of a table against a linear scan, at every address where an answer could change.
#![allow(clippy::unwrap_used, reason = "a test's own input is right or the test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use vpc_lpm::{Builder, Fib, Index4, Layout4, Prefix, Table};

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

/// Asks every structure at the boundaries.
fn check(routes: &[(Prefix, u32)]) {
    let table: Table<u32> = routes.iter().copied().collect();
    let trie = Index4::with_layout(Layout4::Trie, routes.iter().copied());
    let mut reader = routes.iter().copied().collect::<Fib>().reader();
    let addrs = boundaries(routes);
    let mut batch = Vec::new();
    table.longest_match_batch(&addrs, &mut batch);
    assert_eq!(batch.len(), addrs.len());
    for (&addr, found) in addrs.iter().zip(&batch) {
        let expected = scan(routes, addr);
        let value = expected.map_or(0, |(_, value)| value);
        assert_eq!(table.longest_match(addr).map(|(p, v)| (p, *v)), expected, "{addr} in {routes:?}");
        assert_eq!(found.map(|(p, v)| (p, *v)), expected, "{addr} in a batch, in {routes:?}");
        match addr {
            IpAddr::V4(addr) => {
                assert_eq!(trie.lookup(addr.to_bits()), value, "{addr} by trie in {routes:?}");
                assert_eq!(reader.lookup_v4(addr.to_bits()), value, "{addr} by reader in {routes:?}");
            }
            IpAddr::V6(addr) => {
                assert_eq!(reader.lookup_v6(addr.to_bits()), value, "{addr} by reader in {routes:?}");
            }
        }
    }
    check_batches(&table, &addrs);
}

/// A batch of one family, of any length, is as many single look-ups.
fn check_batches(table: &Table<u32>, addrs: &[IpAddr]) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for addr in addrs {
        match addr {
            IpAddr::V4(addr) => v4.push(*addr),
            IpAddr::V6(addr) => v6.push(*addr),
        }
    }
    let mut found = Vec::new();
    for len in [0, 1, 15, 16, 17, 31, 33, 64, 65, usize::MAX] {
        let v4 = &v4[..len.min(v4.len())];
        table.longest_match_batch_v4(v4, &mut found);
        assert_eq!(found, v4.iter().map(|&addr| table.longest_match_v4(addr)).collect::<Vec<_>>());
        let v6 = &v6[..len.min(v6.len())];
        table.longest_match_batch_v6(v6, &mut found);
        assert_eq!(found, v6.iter().map(|&addr| table.longest_match_v6(addr)).collect::<Vec<_>>());
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
    #![proptest_config(ProptestConfig::with_cases(40))]

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_less_specific_route_changes_only_what_had_no_longer_match(
        routes in prop::collection::vec(route(), 1..30),
        shorter in 0..128_u8,
    ) {
        let (inner, _) = routes[0];
        let outer = Prefix::truncating(inner.addr(), shorter.min(inner.len())).unwrap();
        let mut builder: Builder<u32> = routes.iter().copied().filter(|r| r.0 != outer).collect();
        let before = builder.build();
        builder.insert(outer, 99);
        let after = builder.freeze();
        for addr in boundaries(&routes) {
            let longer = before.longest_match(addr).filter(|(prefix, _)| prefix.len() > outer.len());
            let expected = if outer.contains(addr) && longer.is_none() { Some((outer, &99)) } else { before.longest_match(addr) };
            prop_assert_eq!(after.longest_match(addr), expected, "{}", addr);
        }
    }

    #[test]
    fn a_table_that_was_updated_answers_as_a_fresh_one(
        base in prop::collection::vec(route(), 0..30),
        changes in prop::collection::vec((route(), any::<bool>()), 0..30),
    ) {
        let mut routes: Builder<u32> = base.iter().copied().collect();
        let mut fib: Fib = base.into_iter().collect();
        let mut reader = fib.reader();
        for ((prefix, value), insert) in changes {
            let value = insert.then_some(value);
            let before = match value {
                Some(value) => routes.insert(prefix, value),
                None => routes.remove(prefix),
            };
            let of_fib = match value {
                Some(value) => fib.insert(prefix, value),
                None => fib.remove(prefix),
            };
            prop_assert_eq!(of_fib, before);
        }
        let routes: Vec<_> = routes.into_iter().collect();
        for addr in boundaries(&routes) {
            let found = match addr {
                IpAddr::V4(addr) => reader.lookup_v4(addr.to_bits()),
                IpAddr::V6(addr) => reader.lookup_v6(addr.to_bits()),
            };
            prop_assert_eq!(found, scan(&routes, addr).map_or(0, |(_, value)| value), "{}", addr);
        }
    }
}

#[test]
fn one_64_full_of_hosts_and_its_neighbours() {
    let net: Prefix = "2001:db8:0:1::/64".parse().unwrap();
    let mut routes: Vec<(Prefix, u32)> =
        (0..600).map(|i| (Prefix::host(net.nth(i * i * 3).unwrap()), i as u32 % 5 + 1)).collect();
    routes.push((net, 8));
    routes.push(("2001:db8::/56".parse().unwrap(), 9));
    routes.push((Prefix::host(net.last()), 10));
    check(&routes);
}

#[test]
fn two_halves_of_one_value_are_their_cover() {
    for cover in ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/31", "::/0", "2001:db8::/63", "2001:db8::/64", "::/127"] {
        let cover: Prefix = cover.parse().unwrap();
        let (low, high) = cover.halves().unwrap();
        check(&[(low, 1), (high, 1)]);
        check(&[(low, 1), (high, 2), (cover, 3)]);
    }
}

#[test]
fn an_empty_table_answers_nothing() {
    check(&[]);
    assert_eq!(Table::<u32>::default().longest_match("10.0.0.1".parse().unwrap()), None);
}
