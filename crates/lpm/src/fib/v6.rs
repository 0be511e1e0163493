//! The IPv6 half: trees over parts of the address line, of which an update rebuilds one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::published::{Published, Subscription};
use crate::runs::{Span, runs_within, spans6};
use crate::tree::Tree64;
use crate::{Index6, Prefix};

/// A chunk of more routes than this is cut in two.
const MAX_ROUTES: usize = 2_048;

/// The routes, and the trees that readers see.
pub(super) struct Fib6 {
    /// By first address and length.
    routes: BTreeMap<(u128, u8), u32>,
    /// How many routes there are of each length.
    lengths: [usize; 129],
    /// Where each chunk starts (the first one at zero); upper halves, ascending.
    starts: Vec<u64>,
    view: View6,
    /// Chunks that no longer say what `routes` says.
    stale: BTreeSet<usize>,
    published: Published<View6>,
}

/// What readers walk through.
#[derive(Clone)]
pub(super) struct View6 {
    /// From an upper half to a chunk.
    chunk_of: Arc<Tree64>,
    chunks: Vec<Arc<Index6>>,
}

impl View6 {
    #[inline]
    pub(super) fn lookup(&self, addr: u128) -> u32 {
        let chunk = self.chunk_of.lookup((addr >> 64) as u64);
        self.chunks.get(chunk as usize).map_or(0, |index| index.lookup(addr))
    }
}

impl Fib6 {
    /// Shape: IPv6 only.
    pub(super) fn new(routes: Vec<(Prefix, u32)>) -> Self {
        let routes: BTreeMap<_, _> = spans6(routes)
            .into_iter()
            .map(|(first, last, value)| ((first, (first ^ last).leading_zeros() as u8), value))
            .collect();
        let mut lengths = [0; 129];
        for (_, len) in routes.keys() {
            lengths[usize::from(*len)] += 1;
        }
        // Half full, so that the first updates cut nothing.
        let mut starts: Vec<u64> =
            routes.keys().step_by(MAX_ROUTES / 2).skip(1).map(|(first, _)| upper(*first)).collect();
        starts.insert(0, 0);
        starts.dedup();
        let view = View6 { chunk_of: Arc::new(chunk_of(&starts)), chunks: Vec::new() };
        let published = Published::new(Arc::new(view.clone()));
        let mut fib = Self { routes, lengths, starts, view, stale: BTreeSet::new(), published };
        fib.view.chunks = (0..fib.starts.len()).map(|chunk| Arc::new(fib.compile(chunk))).collect();
        fib.published.replace(Arc::new(fib.view.clone()));
        fib
    }

    /// Sets or takes out a route; readers see it after [`publish`](Self::publish).
    pub(super) fn change(&mut self, first: u128, len: u8, value: Option<u32>) -> Option<u32> {
        let before = match value {
            Some(value) => self.routes.insert((first, len), value),
            None => self.routes.remove(&(first, len)),
        };
        let count = &mut self.lengths[usize::from(len)];
        *count = *count + usize::from(value.is_some()) - usize::from(before.is_some());
        if before != value {
            self.stale.extend(self.chunk_at(upper(first))..=self.chunk_at(upper(first | !mask(len))));
        }
        before
    }

    /// Shows readers what has changed.
    pub(super) fn publish(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        // From the last one on, so that a cut does not move those still to come.
        while let Some(chunk) = self.stale.pop_last() {
            if let Some(start) = self.middle_of(chunk) {
                self.starts.insert(chunk + 1, start);
                self.view.chunks.insert(chunk + 1, Arc::clone(&self.view.chunks[chunk]));
                self.view.chunk_of = Arc::new(chunk_of(&self.starts));
                self.stale.extend([chunk, chunk + 1]);
            } else {
                self.view.chunks[chunk] = Arc::new(self.compile(chunk));
            }
        }
        self.published.replace(Arc::new(self.view.clone()));
    }

    pub(super) fn get(&self, first: u128, len: u8) -> Option<u32> {
        self.routes.get(&(first, len)).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    pub(super) fn subscribe(&self) -> Subscription<View6> {
        self.published.subscribe()
    }

    pub(super) fn memory(&self) -> usize {
        self.view.chunk_of.memory() + self.view.chunks.iter().map(|index| index.memory()).sum::<usize>()
    }

    fn chunk_at(&self, half: u64) -> usize {
        self.starts.partition_point(|&start| start <= half) - 1
    }

    /// The first and the last address of a chunk.
    fn edges(&self, chunk: usize) -> (u128, u128) {
        let first = u128::from(self.starts[chunk]) << 64;
        let last = self.starts.get(chunk + 1).map_or(u128::MAX, |&next| (u128::from(next) << 64) - 1);
        (first, last)
    }

    fn inside(&self, chunk: usize) -> impl Iterator<Item = Span<u128>> {
        let (first, last) = self.edges(chunk);
        self.routes.range((first, 0)..=(last, 128)).map(|(&(first, len), &value)| (first, first | !mask(len), value))
    }

    fn compile(&self, chunk: usize) -> Index6 {
        let (chunk_first, chunk_last) = self.edges(chunk);
        // Routes that start before the chunk and reach into it, the shortest first.
        let around = (0..=128_u8).filter(|&len| self.lengths[usize::from(len)] > 0).filter_map(|len| {
            let first = chunk_first & mask(len);
            let value = *self.routes.get(&(first, len)).filter(|_| first < chunk_first)?;
            Some((chunk_first, first | !mask(len), value))
        });
        Index6::from_runs(&runs_within(chunk_first, chunk_last, 0, around.chain(self.inside(chunk))))
    }

    /// Where to cut a chunk that has become too large; not possible if all its routes are in one upper half.
    fn middle_of(&self, chunk: usize) -> Option<u64> {
        let routes = self.inside(chunk).count();
        let (middle, ..) = self.inside(chunk).nth(routes / 2)?;
        (routes > MAX_ROUTES && upper(middle) > self.starts[chunk]).then_some(upper(middle))
    }
}

fn chunk_of(starts: &[u64]) -> Tree64 {
    let ends: Vec<u64> = starts.iter().skip(1).map(|&start| start - 1).collect();
    Tree64::new(&ends, (0..starts.len() as u32).collect())
}

fn upper(addr: u128) -> u64 {
    (addr >> 64) as u64
}

fn mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_grows_is_cut_and_routes_reach_across_the_cut() {
        let mut fib = Fib6::new(Vec::new());
        let mut reader = fib.subscribe();
        let net = 0x2001_0db8_u128 << 96;
        fib.change(net, 32, Some(9));
        for i in 0..3 * MAX_ROUTES as u128 {
            fib.change(net | i << 81, 48, Some(i as u32 + 10));
        }
        fib.publish();
        assert!(fib.starts.len() > 3);
        for i in 0..3 * MAX_ROUTES as u128 {
            assert_eq!(reader.latest().lookup(net | i << 81), i as u32 + 10);
            // Every other /48 is the /32's own.
            assert_eq!(reader.latest().lookup(net | i << 81 | 1 << 80), 9);
        }
        fib.change(net, 32, None);
        fib.publish();
        assert_eq!(reader.latest().lookup(net | 1 << 80), 0);
    }

    #[test]
    fn a_chunk_of_one_upper_half_cannot_be_cut_and_answers_all_the_same() {
        let mut fib = Fib6::new(Vec::new());
        for i in 0..2 * MAX_ROUTES as u128 {
            fib.change(i, 128, Some(i as u32 + 1));
        }
        fib.publish();
        assert_eq!(fib.starts.len(), 1);
        assert_eq!(fib.subscribe().latest().lookup(4_000), 4_001);
    }
}
