//! Look-ups a second, by kind of address.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use vpc_lpm::{Index4, Index6, Layout4, Prefix, Table};

use crate::keys::{Kind, kinds_v4, kinds_v6};
use crate::random::Random;

/// How many addresses one pass looks up.
const KEYS: usize = 1 << 20;
/// The fastest of this many passes counts: the others were disturbed.
const PASSES: usize = 15;

/// Prints a line per structure and kind of address, in million look-ups a second.
///
/// Shape: `addrs` are looked up as one more kind, as often as it takes.
pub(crate) fn run(routes: &[(Prefix, String)], addrs: &[IpAddr]) {
    let routes = number(routes);
    let (v4, v6): (Vec<Prefix>, Vec<Prefix>) =
        routes.iter().map(|(prefix, _)| *prefix).partition(|prefix| prefix.is_ipv4());
    let started = Instant::now();
    let table: Table<u32> = routes.iter().copied().collect();
    println!("{} prefixes; table: {} bytes, built in {:?}", table.len(), table.memory(), started.elapsed());
    println!("Mlookups/s                  scalar     batch dependent");
    if !v4.is_empty() {
        let kinds = with_file(kinds_v4(&v4, KEYS), addrs, |addr| match addr {
            IpAddr::V4(addr) => Some(addr.to_bits()),
            IpAddr::V6(_) => None,
        });
        let started = Instant::now();
        let index = Index4::build(routes.iter().copied());
        println!("IPv4, {:?}: {} bytes, built in {:?}", index.layout(), index.memory(), started.elapsed());
        rates(&kinds, |key, wait| index.lookup(key ^ wait), |keys, found| index.lookup_batch(keys, found));
        let started = Instant::now();
        let index = Index4::with_layout(Layout4::Dir24, routes.iter().copied());
        println!("IPv4, {:?}: {} bytes, built in {:?}", index.layout(), index.memory(), started.elapsed());
        rates(&kinds, |key, wait| index.lookup(key ^ wait), |keys, found| index.lookup_batch(keys, found));
        println!("IPv4, table with prefixes");
        let lookup = |key: u32, wait: u32| {
            let found = table.longest_match_v4(Ipv4Addr::from_bits(key ^ wait));
            found.map_or(0, |(prefix, value)| value ^ u32::from(prefix.len()))
        };
        rates(&kinds, lookup, |keys, found| table.index4().lookup_batch(keys, found));
    }
    if !v6.is_empty() {
        let kinds = with_file(kinds_v6(&v6, KEYS), addrs, |addr| match addr {
            IpAddr::V4(_) => None,
            IpAddr::V6(addr) => Some(addr.to_bits()),
        });
        let started = Instant::now();
        let index = Index6::build(routes.iter().copied());
        println!("IPv6: {} bytes, built in {:?}", index.memory(), started.elapsed());
        rates(&kinds, |key, wait| index.lookup(key ^ u128::from(wait)), |keys, found| index.lookup_batch(keys, found));
        println!("IPv6, table with prefixes");
        let lookup = |key: u128, wait: u32| {
            let found = table.longest_match_v6(Ipv6Addr::from_bits(key ^ u128::from(wait)));
            found.map_or(0, |(prefix, value)| value ^ u32::from(prefix.len()))
        };
        rates(&kinds, lookup, |keys, found| table.index6().lookup_batch(keys, found));
    }
}

/// Each distinct value gets a number; a table without values gets 64 next hops at random.
fn number(routes: &[(Prefix, String)]) -> Vec<(Prefix, u32)> {
    let mut random = Random(1);
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let bare = routes.iter().all(|(_, value)| value == "-");
    routes
        .iter()
        .map(|(prefix, value)| {
            let next = numbers.len() as u32 + 1;
            let number = if bare { random.below(64) as u32 + 1 } else { *numbers.entry(value).or_insert(next) };
            (*prefix, number)
        })
        .collect()
}

fn with_file<A: Copy>(mut kinds: Vec<Kind<A>>, addrs: &[IpAddr], number: impl Fn(IpAddr) -> Option<A>) -> Vec<Kind<A>> {
    let given: Vec<A> = addrs.iter().copied().filter_map(number).collect();
    if !given.is_empty() {
        kinds.push(("file", given.iter().copied().cycle().take(KEYS).collect()));
    }
    kinds
}

/// Shape: `lookup` takes an address and a zero that is to be mixed in.
fn rates<A: Copy>(kinds: &[Kind<A>], lookup: impl Fn(A, u32) -> u32, batch: impl Fn(&[A], &mut [u32])) {
    // The compiler does not know that it is zero, so an address waits for the answer before it.
    let zero = black_box(0);
    let mut found = vec![0; KEYS];
    for (kind, keys) in kinds {
        let scalar = rate(|| keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(lookup(key, 0))));
        let dependent = rate(|| keys.iter().fold(0, |last: u32, &key| lookup(key, last & zero)));
        let batch = rate(|| {
            batch(keys, &mut found);
            found[KEYS - 1]
        });
        println!("    {kind:20} {scalar:9.1} {batch:9.1} {dependent:9.1}");
    }
}

/// Millions a second, from the fastest pass.
fn rate(mut pass: impl FnMut() -> u32) -> f64 {
    let fastest = (0..PASSES)
        .map(|_| {
            let started = Instant::now();
            black_box(pass());
            started.elapsed()
        })
        .min()
        .unwrap_or_default();
    KEYS as f64 / fastest.as_secs_f64() / 1e6
}
