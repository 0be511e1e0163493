//! The tables: real ones where they are at hand, generated ones of the same size otherwise.

use std::net::IpAddr;

use vpc_lpm::Prefix;

use crate::tables::{generated_v4, generated_v6, real, shared};

/// A name, and routes as address, length, value.
pub(crate) type Named<A> = (String, Vec<(A, u8, u32)>);

/// From a subnet's table to the internet's.
pub(crate) fn tables_v4() -> Vec<Named<u32>> {
    let full = ("rib/tier1-20230204.v4.txt.xz", "v4 full");
    let hops = ("rib/pch-20151023-nexthop.v4.txt.xz", "v4 pch");
    let mut tables = vec![("v4 vpc".to_owned(), vpc()), ("v4 aws".to_owned(), aws())];
    for (file, name) in [full, hops] {
        tables.push(real(file).map_or_else(
            || (format!("{name}, generated"), generated_v4(600_000, 1)),
            |routes| (name.to_owned(), routes),
        ));
    }
    tables.into_iter().map(|(name, routes)| (name, split(&routes, v4))).collect()
}

/// The internet's.
pub(crate) fn tables_v6() -> Vec<Named<u128>> {
    let (name, routes) = real("rib/tier1-20230204.v6.txt.xz").map_or_else(
        || ("v6 full, generated".to_owned(), generated_v6(160_000, 1)),
        |routes| ("v6 full".to_owned(), routes),
    );
    vec![(name, split(&routes, v6))]
}

/// 169 routes: a VPC, its subnets, peered VPCs, hosts, a service's list, the default.
fn vpc() -> Vec<(Prefix, u32)> {
    let texts = (0..40)
        .map(|i| format!("10.0.{i}.0/24"))
        .chain((1..28).map(|i| format!("10.{i}.0.0/16")))
        .chain((0..20).map(|i| format!("10.1.{}.{}/32", i / 4, i % 4 * 61 + 3)))
        .chain((0..80).map(|i| format!("198.51.{}.{}/{}", 100 + i / 16, i % 16 * 16, 28 + i % 4)))
        .chain(["10.0.0.0/16".to_owned(), "0.0.0.0/0".to_owned()]);
    texts.filter_map(|text| text.parse().ok()).zip((1..=64).cycle()).collect()
}

/// The published IPv4 ranges of AWS, or as many generated ones.
fn aws() -> Vec<(Prefix, u32)> {
    let Some(text) = shared("ip-ranges/aws-ip-ranges-2026-08-22.json.xz") else {
        return generated_v4(7_905, 2);
    };
    let mut prefixes: Vec<Prefix> = text.split('"').filter_map(|word| word.parse().ok()).collect();
    prefixes.retain(|prefix| prefix.is_ipv4());
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes.into_iter().zip((1..=64).cycle()).collect()
}

fn split<A>(routes: &[(Prefix, u32)], number: impl Fn(IpAddr) -> Option<A>) -> Vec<(A, u8, u32)> {
    routes.iter().filter_map(|&(prefix, value)| Some((number(prefix.addr())?, prefix.len(), value))).collect()
}

fn v4(addr: IpAddr) -> Option<u32> {
    match addr {
        IpAddr::V4(addr) => Some(addr.to_bits()),
        IpAddr::V6(_) => None,
    }
}

fn v6(addr: IpAddr) -> Option<u128> {
    match addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(addr) => Some(addr.to_bits()),
    }
}
