//! Addresses to look up, of the kinds that tables find easy and hard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vpc_lpm::Prefix;

use crate::random::Random;

/// How the addresses of a list were chosen, and the list.
pub(crate) type Kind<A> = (&'static str, Vec<A>);

/// IPv4: see [`kinds`]; `random` is uniform over all addresses.
pub(crate) fn kinds_v4(prefixes: &[Prefix], len: usize) -> Vec<Kind<u32>> {
    let number = |addr| match addr {
        IpAddr::V4(addr) => Some(Ipv4Addr::to_bits(addr)),
        IpAddr::V6(_) => None,
    };
    kinds(prefixes, len, number, |wide| wide as u32, |first, step| first.wrapping_add(64 * step as u32))
}

/// IPv6: see [`kinds`]; `random` is uniform over 2000::/3.
pub(crate) fn kinds_v6(prefixes: &[Prefix], len: usize) -> Vec<Kind<u128>> {
    let number = |addr| match addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(addr) => Some(Ipv6Addr::to_bits(addr)),
    };
    let unicast = |wide: u128| wide >> 3 | 1 << 125;
    kinds(prefixes, len, number, unicast, |first, step| first.wrapping_add((step as u128) << 70))
}

/// `random`: uniform. `match`: uniform inside a random prefix. `zipf`: one host in each prefix, the k-th most
/// popular 1/k as often as the first. `sequential`: 64 apart (IPv6: 64 times a /64) from the first prefix on.
fn kinds<A: Copy>(
    prefixes: &[Prefix],
    len: usize,
    number: impl Fn(IpAddr) -> Option<A>,
    uniform: impl Fn(u128) -> A,
    step: impl Fn(A, usize) -> A,
) -> Vec<Kind<A>> {
    let mut random = Random(2);
    let inside = |prefix: Prefix, random: &mut Random| {
        let hosts = prefix.size() - u128::from(prefix.len() > 0);
        prefix.nth(random.wide() & hosts).and_then(&number)
    };
    let uniform = (0..len).map(|_| uniform(random.wide())).collect();
    let matching = (0..len).filter_map(|_| inside(prefixes[random.below(prefixes.len())], &mut random)).collect();
    let mut popular: Vec<A> = prefixes.iter().filter_map(|&prefix| inside(prefix, &mut random)).collect();
    for i in (1..popular.len()).rev() {
        popular.swap(i, random.below(i + 1));
    }
    // A share of 1/k for the k-th of n is n to the power of a uniform number.
    let zipf = (0..len)
        .map(|_| {
            let unit = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
            popular[(popular.len() as f64).powf(unit) as usize - 1]
        })
        .collect();
    let first = prefixes.first().and_then(|prefix| number(prefix.first()));
    let sequential = first.map(|first| (0..len).map(|i| step(first, i)).collect()).unwrap_or_default();
    vec![("random", uniform), ("match", matching), ("zipf", zipf), ("sequential", sequential)]
}
