//! `Fib`: a full table that is updated while others look up in it.

mod published;
mod v4;
mod v6;

use std::fmt;
use std::net::IpAddr;

use crate::Prefix;
use v4::{Arena4, Fib4};
use v6::{Fib6, View6};

/// A routing table of internet size that is updated route by route while readers look up in it.
///
/// Holds the routes and, derived from them, the form that readers see. Small tables are better rebuilt and
/// swapped as a [`Table`](crate::Table): a `Fib` takes 8 MiB when empty.
///
/// Shape: values are the caller's next-hop numbers; 0 is the answer for no route.
pub struct Fib {
    v4: Fib4,
    v6: Fib6,
}

impl Fib {
    /// No routes.
    pub fn new() -> Self {
        Self::from_iter([])
    }

    /// Sets the value of `prefix`, for readers too, and hands back the one it had.
    pub fn insert(&mut self, prefix: Prefix, value: u32) -> Option<u32> {
        self.change(prefix, Some(value))
    }

    /// Takes `prefix` out, for readers too, and hands back its value; a prefix not present is no error.
    pub fn remove(&mut self, prefix: Prefix) -> Option<u32> {
        self.change(prefix, None)
    }

    /// Sets (`Some`) or takes out (`None`) many prefixes, later changes of a prefix winning.
    ///
    /// Shape: readers see the IPv4 changes one after the other and the IPv6 changes all at once at the end.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = (Prefix, Option<u32>)>) {
        for (prefix, value) in changes {
            match (prefix.first(), prefix.last()) {
                (IpAddr::V4(first), _) => {
                    self.v4.change(first.to_bits(), prefix.len(), value);
                }
                (IpAddr::V6(first), _) => {
                    self.v6.change(first.to_bits(), prefix.len(), value);
                }
            }
        }
        self.v6.publish();
    }

    /// The value of exactly this prefix.
    pub fn get(&self, prefix: Prefix) -> Option<u32> {
        match prefix.first() {
            IpAddr::V4(first) => self.v4.get(first.to_bits(), prefix.len()),
            IpAddr::V6(first) => self.v6.get(first.to_bits(), prefix.len()),
        }
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A view that follows the updates, for one thread.
    pub fn reader(&self) -> FibReader {
        FibReader { v4: self.v4.subscribe(), v6: self.v6.subscribe() }
    }

    /// What readers walk through, without the routes it is derived from. Units: bytes.
    pub fn memory(&self) -> usize {
        self.v4.memory() + self.v6.memory()
    }

    fn change(&mut self, prefix: Prefix, value: Option<u32>) -> Option<u32> {
        match prefix.first() {
            IpAddr::V4(first) => self.v4.change(first.to_bits(), prefix.len(), value),
            IpAddr::V6(first) => {
                let before = self.v6.change(first.to_bits(), prefix.len(), value);
                self.v6.publish();
                before
            }
        }
    }
}

impl Default for Fib {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fib").field("v4", &self.v4.len()).field("v6", &self.v6.len()).finish()
    }
}

/// Later values of a prefix win. Much faster than one insertion after the other.
impl FromIterator<(Prefix, u32)> for Fib {
    fn from_iter<I: IntoIterator<Item = (Prefix, u32)>>(routes: I) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = routes.into_iter().partition(|(prefix, _)| prefix.is_ipv4());
        Self { v4: Fib4::new(v4), v6: Fib6::new(v6) }
    }
}

/// One thread's view of a [`Fib`]: sees every update, and never waits for one.
#[derive(Clone)]
pub struct FibReader {
    v4: published::Subscription<Arena4>,
    v6: published::Subscription<View6>,
}

impl FibReader {
    /// The value of the longest IPv4 prefix that contains `addr`, 0 if there is none.
    #[inline]
    pub fn lookup_v4(&mut self, addr: u32) -> u32 {
        self.v4.latest().lookup(addr)
    }

    /// The value of the longest IPv6 prefix that contains `addr`, 0 if there is none.
    #[inline]
    pub fn lookup_v6(&mut self, addr: u128) -> u32 {
        self.v6.latest().lookup(addr)
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch_v4(&mut self, addrs: &[u32], found: &mut [u32]) {
        let len = addrs.len().min(found.len());
        self.v4.latest().lookup_batch(&addrs[..len], &mut found[..len]);
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch_v6(&mut self, addrs: &[u128], found: &mut [u32]) {
        let view = self.v6.latest();
        for (found, &addr) in found.iter_mut().zip(addrs) {
            *found = view.lookup(addr);
        }
    }
}

impl fmt::Debug for FibReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FibReader").finish_non_exhaustive()
    }
}
