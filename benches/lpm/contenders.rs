//! Ours and theirs behind one face.
//!
//! Every contender gets the same routes in the same order, holds `u32` values, and sums what it finds for the
//! same addresses in the same order, a pass at a time, so that no call through a pointer is in what is measured.

use std::net::{Ipv4Addr, Ipv6Addr};

use ip_network_table_deps_treebitmap::IpLookupTable;
use iptrie::map::RTrieMap;
use iptrie::{Ipv4Prefix, Ipv6Prefix};
use poptrie::Poptrie;
use prefix_trie::PrefixMap;
use routemap::RouteMap;
use vpc_lpm::{Fib, Index4, Index6, Layout4, Prefix, Table};

use crate::ALLOCATED;
use crate::keys::{Kind, kinds_v4, kinds_v6};

/// Address, length, value.
pub(crate) type Route<A> = (A, u8, u32);

/// Looks up every address and sums the values.
pub(crate) type Lookup<A> = Box<dyn Fn(&[A]) -> u32>;

/// Removes each route and inserts it again.
pub(crate) type Update<A> = Box<dyn FnMut(&[Route<A>])>;

/// A structure that holds a table.
pub(crate) struct Contender<A> {
    pub(crate) name: &'static str,
    /// What the structure holds on to. Units: bytes.
    pub(crate) memory: usize,
    pub(crate) lookup: Lookup<A>,
    /// None if the structure cannot be updated.
    pub(crate) update: Option<Update<A>>,
}

/// Builds a contender.
pub(crate) type Build<A> = fn(&[Route<A>]) -> Contender<A>;

/// An address as a number.
pub(crate) trait Family: Copy + 'static {
    fn prefix(route: &Route<Self>) -> Option<Prefix>;
    fn kinds(routes: &[Route<Self>], len: usize) -> Vec<Kind<Self>>;
    /// The index is the first, then the rest of ours, then the peers.
    fn contenders() -> Vec<Build<Self>>;
}

impl Family for u32 {
    fn prefix(&(addr, len, _): &Route<Self>) -> Option<Prefix> {
        Prefix::new(Ipv4Addr::from_bits(addr).into(), len).ok()
    }

    fn kinds(routes: &[Route<Self>], len: usize) -> Vec<Kind<Self>> {
        kinds_v4(&routes.iter().filter_map(Self::prefix).collect::<Vec<_>>(), len)
    }

    fn contenders() -> Vec<Build<Self>> {
        vec![
            index4,
            index4_batch,
            dir24_batch,
            table4,
            fib4,
            v4::prefix_trie,
            v4::poptrie,
            v4::treebitmap,
            v4::iptrie,
            v4::routemap,
        ]
    }
}

impl Family for u128 {
    fn prefix(&(addr, len, _): &Route<Self>) -> Option<Prefix> {
        Prefix::new(Ipv6Addr::from_bits(addr).into(), len).ok()
    }

    fn kinds(routes: &[Route<Self>], len: usize) -> Vec<Kind<Self>> {
        kinds_v6(&routes.iter().filter_map(Self::prefix).collect::<Vec<_>>(), len)
    }

    fn contenders() -> Vec<Build<Self>> {
        vec![index6, index6_batch, table6, fib6, v6::prefix_trie, v6::poptrie, v6::treebitmap, v6::iptrie, v6::routemap]
    }
}

fn prefixes<A: Family>(routes: &[Route<A>]) -> impl Iterator<Item = (Prefix, u32)> {
    routes.iter().filter_map(|route| Some((A::prefix(route)?, route.2)))
}

/// What `build` leaves allocated.
fn weighed<T>(build: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.allocated();
    let built = build();
    (built, ALLOCATED.allocated().saturating_sub(before))
}

fn sum<A: Copy>(keys: &[A], lookup: impl Fn(A) -> u32) -> u32 {
    keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(lookup(key)))
}

/// Looks up in groups as a packet vector has, not all at once.
fn sum_batch<A: Copy>(keys: &[A], lookup: impl Fn(&[A], &mut [u32])) -> u32 {
    let mut found = [0_u32; 256];
    keys.chunks(found.len()).fold(0, |sum: u32, group| {
        lookup(group, &mut found);
        found.iter().take(group.len()).fold(sum, |sum, &value| sum.wrapping_add(value))
    })
}

fn index4(routes: &[Route<u32>]) -> Contender<u32> {
    let (index, memory) = weighed(|| Index4::build(prefixes(routes)));
    let lookup = Box::new(move |keys: &[u32]| sum(keys, |key| index.lookup(key)));
    Contender { name: "ours", memory, lookup, update: None }
}

fn index4_batch(routes: &[Route<u32>]) -> Contender<u32> {
    let (index, memory) = weighed(|| Index4::build(prefixes(routes)));
    let lookup = Box::new(move |keys: &[u32]| sum_batch(keys, |keys, found| index.lookup_batch(keys, found)));
    Contender { name: "ours, batch", memory, lookup, update: None }
}

fn dir24_batch(routes: &[Route<u32>]) -> Contender<u32> {
    let (index, memory) = weighed(|| Index4::with_layout(Layout4::Dir24, prefixes(routes)));
    let lookup = Box::new(move |keys: &[u32]| sum_batch(keys, |keys, found| index.lookup_batch(keys, found)));
    Contender { name: "ours, DIR-24-8, batch", memory, lookup, update: None }
}

fn table4(routes: &[Route<u32>]) -> Contender<u32> {
    let (table, memory) = weighed(|| prefixes(routes).collect::<Table<u32>>());
    let lookup = Box::new(move |keys: &[u32]| {
        sum(keys, |key| table.longest_match_v4(Ipv4Addr::from_bits(key)).map_or(0, |(_, value)| *value))
    });
    Contender { name: "ours, with prefix", memory, lookup, update: None }
}

fn fib4(routes: &[Route<u32>]) -> Contender<u32> {
    let (mut fib, memory) = weighed(|| prefixes(routes).collect::<Fib>());
    let reader = fib.reader();
    let lookup = Box::new(move |keys: &[u32]| {
        let mut reader = reader.clone();
        keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(reader.lookup_v4(key)))
    });
    let update = Box::new(move |routes: &[Route<u32>]| {
        for (prefix, value) in prefixes(routes) {
            fib.remove(prefix);
            fib.insert(prefix, value);
        }
    });
    Contender { name: "ours, updatable", memory, lookup, update: Some(update) }
}

fn index6(routes: &[Route<u128>]) -> Contender<u128> {
    let (index, memory) = weighed(|| Index6::build(prefixes(routes)));
    let lookup = Box::new(move |keys: &[u128]| sum(keys, |key| index.lookup(key)));
    Contender { name: "ours", memory, lookup, update: None }
}

fn index6_batch(routes: &[Route<u128>]) -> Contender<u128> {
    let (index, memory) = weighed(|| Index6::build(prefixes(routes)));
    let lookup = Box::new(move |keys: &[u128]| sum_batch(keys, |keys, found| index.lookup_batch(keys, found)));
    Contender { name: "ours, batch", memory, lookup, update: None }
}

fn table6(routes: &[Route<u128>]) -> Contender<u128> {
    let (table, memory) = weighed(|| prefixes(routes).collect::<Table<u32>>());
    let lookup = Box::new(move |keys: &[u128]| {
        sum(keys, |key| table.longest_match_v6(Ipv6Addr::from_bits(key)).map_or(0, |(_, value)| *value))
    });
    Contender { name: "ours, with prefix", memory, lookup, update: None }
}

fn fib6(routes: &[Route<u128>]) -> Contender<u128> {
    let (mut fib, memory) = weighed(|| prefixes(routes).collect::<Fib>());
    let reader = fib.reader();
    let lookup = Box::new(move |keys: &[u128]| {
        let mut reader = reader.clone();
        keys.iter().fold(0, |sum: u32, &key| sum.wrapping_add(reader.lookup_v6(key)))
    });
    let update = Box::new(move |routes: &[Route<u128>]| {
        for (prefix, value) in prefixes(routes) {
            fib.apply([(prefix, None), (prefix, Some(value))]);
        }
    });
    Contender { name: "ours, updatable", memory, lookup, update: Some(update) }
}

/// The peers' types are the same for both families but for the address.
macro_rules! peers {
    ($module:ident, $number:ty, $addr:ty, $trie_prefix:ty) => {
        mod $module {
            use super::*;

            pub(super) fn prefix_trie(routes: &[Route<$number>]) -> Contender<$number> {
                let build = || {
                    let mut map: PrefixMap<($number, u8), u32> = PrefixMap::new();
                    for &(addr, len, value) in routes {
                        map.insert((addr, len), value);
                    }
                    map
                };
                let (map, memory) = weighed(build);
                let mut updated = build();
                let lookup = Box::new(move |keys: &[$number]| {
                    sum(keys, |key| map.get_lpm(&(key, <$number>::BITS as u8)).map_or(0, |(_, value)| *value))
                });
                let update = Box::new(move |routes: &[Route<$number>]| {
                    for &(addr, len, value) in routes {
                        updated.remove(&(addr, len));
                        updated.insert((addr, len), value);
                    }
                });
                Contender { name: "prefix-trie", memory, lookup, update: Some(update) }
            }

            pub(super) fn poptrie(routes: &[Route<$number>]) -> Contender<$number> {
                let build = || -> Poptrie<($number, u8), u32> {
                    routes.iter().map(|&(addr, len, value)| ((addr, len), value)).collect()
                };
                let (trie, memory) = weighed(build);
                let mut updated = build();
                let lookup =
                    Box::new(move |keys: &[$number]| sum(keys, |key| trie.lookup(key).copied().unwrap_or_default()));
                let update = Box::new(move |routes: &[Route<$number>]| {
                    for &(addr, len, value) in routes {
                        updated.remove((addr, len));
                        updated.insert((addr, len), value);
                    }
                });
                Contender { name: "poptrie", memory, lookup, update: Some(update) }
            }

            pub(super) fn treebitmap(routes: &[Route<$number>]) -> Contender<$number> {
                let build = || {
                    let mut table: IpLookupTable<$addr, u32> = IpLookupTable::new();
                    for &(addr, len, value) in routes {
                        table.insert(<$addr>::from_bits(addr), len.into(), value);
                    }
                    table
                };
                let (table, memory) = weighed(build);
                let mut updated = build();
                let lookup = Box::new(move |keys: &[$number]| {
                    sum(keys, |key| table.longest_match(<$addr>::from_bits(key)).map_or(0, |(_, _, value)| *value))
                });
                let update = Box::new(move |routes: &[Route<$number>]| {
                    for &(addr, len, value) in routes {
                        updated.remove(<$addr>::from_bits(addr), len.into());
                        updated.insert(<$addr>::from_bits(addr), len.into(), value);
                    }
                });
                Contender { name: "treebitmap", memory, lookup, update: Some(update) }
            }

            pub(super) fn iptrie(routes: &[Route<$number>]) -> Contender<$number> {
                let (map, memory) = weighed(|| {
                    let mut map: RTrieMap<$trie_prefix, u32> = RTrieMap::with_root(0);
                    for &(addr, len, value) in routes {
                        if let Ok(prefix) = <$trie_prefix>::new(<$addr>::from_bits(addr), len) {
                            map.insert(prefix, value);
                        }
                    }
                    map.compress()
                });
                let lookup = Box::new(move |keys: &[$number]| sum(keys, |key| *map.lookup(&<$addr>::from_bits(key)).1));
                Contender { name: "iptrie LC", memory, lookup, update: None }
            }

            pub(super) fn routemap(routes: &[Route<$number>]) -> Contender<$number> {
                let prefix = |addr, len| format!("{}/{len}", <$addr>::from_bits(addr)).parse().ok();
                let build = || {
                    let mut map: RouteMap<$addr, u32> = RouteMap::new();
                    for &(addr, len, value) in routes {
                        if let Some(prefix) = prefix(addr, len) {
                            map.insert(prefix, value);
                        }
                    }
                    map
                };
                let (map, memory) = weighed(build);
                let mut updated = build();
                let lookup = Box::new(move |keys: &[$number]| {
                    sum(keys, |key| map.longest_match(<$addr>::from_bits(key)).copied().unwrap_or_default())
                });
                let update = Box::new(move |routes: &[Route<$number>]| {
                    for &(addr, len, value) in routes {
                        if let (Some(old), Some(new)) = (prefix(addr, len), prefix(addr, len)) {
                            updated.remove(old);
                            updated.insert(new, value);
                        }
                    }
                });
                Contender { name: "routemap", memory, lookup, update: Some(update) }
            }
        }
    };
}

peers!(v4, u32, Ipv4Addr, Ipv4Prefix);
peers!(v6, u128, Ipv6Addr, Ipv6Prefix);
