//! Look-ups a second, by kind of address.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use vpc_lpm::{Builder, Index4, Index6, Layout4, Prefix};

/// How many addresses one pass looks up.
const KEYS: usize = 1 << 20;
/// The fastest of this many passes counts: the others were disturbed.
const PASSES: usize = 15;

/// Prints a line per structure and kind of address.
pub(crate) fn run(routes: &[(Prefix, String)], addrs: &[IpAddr]) -> Result<(), String> {
    let numbered = number(routes);
    // Makes an address wait for the answer before it.
    let zero = black_box(0);
    let started = Instant::now();
    let table: vpc_lpm::Table<u32> = numbered.iter().copied().collect::<Builder<u32>>().freeze();
    println!(
        "{} prefixes, table with prefixes: {} bytes, built in {:?}",
        table.len(),
        table.memory(),
        started.elapsed()
    );
    let v4: Vec<Prefix> = numbered.iter().map(|r| r.0).filter(|p| p.is_ipv4()).collect();
    let v6: Vec<Prefix> = numbered.iter().map(|r| r.0).filter(|p| !p.is_ipv4()).collect();
    println!("{:24} {:10} {:>9} {:>9} {:>9}  Mlookups/s", "", "addresses", "scalar", "batch", "dependent");
    if !v4.is_empty() {
        let keys = keys(
            &v4,
            addrs,
            |addr| match addr {
                IpAddr::V4(addr) => Some(addr.to_bits()),
                IpAddr::V6(_) => None,
            },
            |n| n as u32,
        );
        for layout in [None, Some(Layout4::Dir24)] {
            let started = Instant::now();
            let index = match layout {
                None => Index4::build(numbered.iter().copied()),
                Some(layout) => Index4::with_layout(layout, numbered.iter().copied()),
            };
            let name = format!("IPv4 {:?}", index.layout());
            println!("{name:24} {} bytes, built in {:?}", index.memory(), started.elapsed());
            for (kind, keys) in &keys {
                let mut found = vec![0; KEYS];
                let scalar = rate(|| keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(index.lookup(key))));
                let batch = rate(|| {
                    index.lookup_batch(keys, &mut found);
                    found[KEYS - 1]
                });
                let dependent = rate(|| keys.iter().fold(0, |last: u32, &key| index.lookup(key ^ (last & zero))));
                println!("{:24} {kind:10} {scalar:9.1} {batch:9.1} {dependent:9.1}", "");
            }
        }
        let (_, keys) = &keys[1];
        let addrs: Vec<Ipv4Addr> = keys.iter().map(|&key| Ipv4Addr::from_bits(key)).collect();
        let rate = rate(|| {
            addrs.iter().fold(0, |sum: u32, &addr| {
                sum.wrapping_add(
                    table.longest_match_v4(addr).map_or(0, |(prefix, value)| value + u32::from(prefix.len())),
                )
            })
        });
        println!("{:24} {:10} {rate:9.1}", "IPv4 with prefix", "match");
    }
    if !v6.is_empty() {
        let keys = keys(
            &v6,
            addrs,
            |addr| match addr {
                IpAddr::V6(addr) => Some(addr.to_bits()),
                IpAddr::V4(_) => None,
            },
            |n| n >> 3 | 1 << 125,
        );
        let started = Instant::now();
        let index = Index6::build(numbered.iter().copied());
        println!("{:24} {} bytes, built in {:?}", "IPv6", index.memory(), started.elapsed());
        for (kind, keys) in &keys {
            let mut found = vec![0; KEYS];
            let scalar = rate(|| keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(index.lookup(key))));
            let batch = rate(|| {
                index.lookup_batch(keys, &mut found);
                found[KEYS - 1]
            });
            let dependent = rate(|| keys.iter().fold(0, |last: u32, &key| index.lookup(key ^ u128::from(last & zero))));
            println!("{:24} {kind:10} {scalar:9.1} {batch:9.1} {dependent:9.1}", "");
        }
        let (_, keys) = &keys[1];
        let addrs: Vec<Ipv6Addr> = keys.iter().map(|&key| Ipv6Addr::from_bits(key)).collect();
        let rate = rate(|| {
            addrs.iter().fold(0, |sum: u32, &addr| {
                sum.wrapping_add(
                    table.longest_match_v6(addr).map_or(0, |(prefix, value)| value + u32::from(prefix.len())),
                )
            })
        });
        println!("{:24} {:10} {rate:9.1}", "IPv6 with prefix", "match");
    }
    Ok(())
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

/// The same kinds for both families: uniform over the unicast space; inside a random prefix; inside prefixes of
/// Zipf-distributed popularity, one host each; one after the other; and those of the file.
fn keys<A: Copy>(
    prefixes: &[Prefix],
    addrs: &[IpAddr],
    number: impl Fn(IpAddr) -> Option<A>,
    unicast: impl Fn(u128) -> A,
) -> Vec<(&'static str, Vec<A>)> {
    let mut random = Random(2);
    let inside = |prefix: Prefix, random: &mut Random| {
        let host = random.wide() & (prefix.size() - u128::from(prefix.len() > 0));
        prefix.nth(host).and_then(&number)
    };
    let uniform = (0..KEYS).map(|_| unicast(random.wide())).collect();
    let matching = (0..KEYS).filter_map(|_| inside(prefixes[random.below(prefixes.len())], &mut random)).collect();
    // The k-th most popular of n has a share of 1/k: draw k as n^u, u uniform.
    let mut popular: Vec<A> = prefixes.iter().filter_map(|&prefix| inside(prefix, &mut random)).collect();
    for i in (1..popular.len()).rev() {
        popular.swap(i, random.below(i + 1));
    }
    let zipf = (0..KEYS).map(|_| popular[((popular.len() as f64).powf(random.unit()) - 1.0) as usize]).collect();
    let first = prefixes.first().map_or(0, |prefix| match prefix.first() {
        IpAddr::V4(addr) => u128::from(addr.to_bits()),
        IpAddr::V6(addr) => addr.to_bits(),
    });
    let sequential = (0..KEYS as u128)
        .filter_map(|i| {
            let at = first.wrapping_add(i * 64);
            number(match prefixes.first()?.first() {
                IpAddr::V4(_) => Ipv4Addr::from_bits(at as u32).into(),
                IpAddr::V6(_) => Ipv6Addr::from_bits(at << 40).into(),
            })
        })
        .collect();
    let mut kinds = vec![("random", uniform), ("match", matching), ("zipf", zipf), ("sequential", sequential)];
    let given: Vec<A> = addrs.iter().copied().filter_map(&number).collect();
    if !given.is_empty() {
        kinds.push(("file", given.iter().copied().cycle().take(KEYS).collect()));
    }
    kinds
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

/// SplitMix64: the same keys on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// From 0 up to, not including, 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
