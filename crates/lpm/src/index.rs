//! `Index4` and `Index6`: from an address to a number, for those who keep their next hops elsewhere.

use crate::Prefix;
use crate::runs::{Number, Run, runs, spans4, spans6};

/// Frozen longest-prefix match from an IPv4 address to a number.
#[derive(Clone, Debug)]
pub struct Index4 {
    runs: Box<[Run<u32>]>,
}

impl Index4 {
    /// Compiles the IPv4 prefixes of `routes`; IPv6 prefixes are passed over, later duplicates win.
    ///
    /// Shape: 0 is the answer for no route, so a route of value 0 hides what it is inside of.
    pub fn build(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Self {
        Self {
            runs: runs(&spans4(routes)).into(),
        }
    }

    /// The value of the longest prefix that contains `addr`, 0 if there is none.
    pub fn lookup(&self, addr: u32) -> u32 {
        find(&self.runs, addr)
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        for (found, &addr) in found.iter_mut().zip(addrs) {
            *found = self.lookup(addr);
        }
    }

    /// What the structure occupies. Units: bytes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.runs)
    }
}

/// Frozen longest-prefix match from an IPv6 address to a number.
#[derive(Clone, Debug)]
pub struct Index6 {
    runs: Box<[Run<u128>]>,
}

impl Index6 {
    /// Compiles the IPv6 prefixes of `routes`; IPv4 prefixes are passed over, later duplicates win.
    ///
    /// Shape: 0 is the answer for no route, so a route of value 0 hides what it is inside of.
    pub fn build(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Self {
        Self {
            runs: runs(&spans6(routes)).into(),
        }
    }

    /// The value of the longest prefix that contains `addr`, 0 if there is none.
    pub fn lookup(&self, addr: u128) -> u32 {
        find(&self.runs, addr)
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch(&self, addrs: &[u128], found: &mut [u32]) {
        for (found, &addr) in found.iter_mut().zip(addrs) {
            *found = self.lookup(addr);
        }
    }

    /// What the structure occupies. Units: bytes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.runs)
    }
}

fn find<A: Number>(runs: &[Run<A>], addr: A) -> u32 {
    let after = runs.partition_point(|run| run.start <= addr);
    after
        .checked_sub(1)
        .and_then(|at| runs.get(at))
        .map_or(0, |run| run.value)
}
