//! The static search tree behind small IPv4 tables and all IPv6 tables.
//!
//! The address line is cut into runs of one answer. The last address of every run but the last is a key, and
//! the answer's position is the number of keys below the address. The keys are laid out as a B+-tree of one
//! cache line per node without pointers: the child of node `k` that follows after `r` keys is node
//! `k * (N + 1) + r` of the next level. A level stores only the nodes it uses; keys that are missing in a
//! level's last node read as the largest number, which is below no address.

use crate::kernel::Kernel;
use crate::values::Values;

/// Enough for 2^32 keys at nine children a node.
const MAX_LEVELS: usize = 11;
/// How many look-ups of a batch go down the tree side by side.
const GROUP: usize = 16;

/// A number that fills one cache line as `[Self; N]`; signed because SIMD compares are.
pub(crate) trait Key: Copy + Ord + std::fmt::Debug {
    /// What an unsigned address part is stored and looked up as.
    type Unsigned: Copy + Ord;
    const MAX: Self;
    fn key(part: Self::Unsigned) -> Self;
}

impl Key for i32 {
    type Unsigned = u32;
    const MAX: Self = Self::MAX;
    #[inline(always)]
    fn key(part: u32) -> Self {
        (part ^ 1 << 31).cast_signed()
    }
}

impl Key for i64 {
    type Unsigned = u64;
    const MAX: Self = Self::MAX;
    #[inline(always)]
    fn key(part: u64) -> Self {
        (part ^ 1 << 63).cast_signed()
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line<K, const N: usize>([K; N]);

/// From a number to the value of the run it is in.
#[derive(Clone, Debug)]
pub(crate) struct Tree<K, const N: usize> {
    lines: Box<[Line<K, N>]>,
    /// Where each level starts in `lines`, the root's first.
    levels: [u32; MAX_LEVELS],
    depth: usize,
    values: Values,
    pub(crate) kernel: Kernel,
}

/// Sixteen 32-bit keys a node: IPv4 addresses.
pub(crate) type Tree32 = Tree<i32, 16>;
/// Eight 64-bit keys a node: halves of IPv6 addresses.
pub(crate) type Tree64 = Tree<i64, 8>;

impl<K: Key, const N: usize> Tree<K, N> {
    /// Shape: `ends` ascending, the last number of every run but the last; `values` one per run.
    pub(crate) fn new(ends: &[K::Unsigned], values: Values) -> Self {
        let mut levels = vec![Self::leaves(ends)];
        // How many keys are below one child of the level about to be made.
        let mut span = N;
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let nodes = below.len().div_ceil(N + 1);
            let level = (0..nodes).map(|node| Self::separators(ends, node * (N + 1), span)).collect();
            levels.push(level);
            span *= N + 1;
        }
        levels.reverse();
        let mut starts = [0; MAX_LEVELS];
        let mut start = 0;
        for (level, at) in levels.iter().zip(&mut starts) {
            *at = start;
            start += u32::try_from(level.len()).unwrap_or(u32::MAX);
        }
        Self { depth: levels.len(), lines: levels.concat().into(), levels: starts, values, kernel: Kernel::detect() }
    }

    fn leaves(ends: &[K::Unsigned]) -> Vec<Line<K, N>> {
        let leaves = ends.len().div_ceil(N).max(1);
        (0..leaves).map(|leaf| Line(std::array::from_fn(|i| key_or_max(ends, leaf * N + i)))).collect()
    }

    /// The inner node whose first child is number `child`; a separator is the last key below the child to its
    /// left.
    fn separators(ends: &[K::Unsigned], child: usize, span: usize) -> Line<K, N> {
        // A child that reaches the end of the keys is the last one and needs no separator after it.
        let last = |i: usize| match (child + i + 1) * span {
            past if past < ends.len() => past - 1,
            _ => usize::MAX,
        };
        Line(std::array::from_fn(|i| key_or_max(ends, last(i))))
    }

    /// The value of the run that holds `part`. Shape: `below` counts the keys of a node that are below a key.
    #[inline(always)]
    pub(crate) fn find(&self, part: K::Unsigned, below: impl Fn(&[K; N], K) -> usize) -> u32 {
        let key = K::key(part);
        let (leaf_level, inner) = self.split_levels();
        let mut node = 0;
        for &level in inner {
            node = node * (N + 1) + below(self.line(level, node), key);
        }
        self.values.at(node * N + below(self.line(leaf_level, node), key))
    }

    /// [`find`](Self::find) for each of `parts`, several at a time so that their cache misses overlap.
    ///
    /// Shape: the two are equally long.
    #[inline(always)]
    pub(crate) fn find_batch(
        &self,
        parts: &[K::Unsigned],
        found: &mut [u32],
        below: impl Fn(&[K; N], K) -> usize + Copy,
    ) {
        let (groups, rest) = parts.as_chunks::<GROUP>();
        let (found_groups, found_rest) = found.as_chunks_mut::<GROUP>();
        let (leaf_level, inner) = self.split_levels();
        for (parts, found) in groups.iter().zip(found_groups) {
            let keys = parts.map(K::key);
            let mut nodes = [0; GROUP];
            for &level in inner {
                for (node, &key) in nodes.iter_mut().zip(&keys) {
                    *node = *node * (N + 1) + below(self.line(level, *node), key);
                }
            }
            for (node, &key) in nodes.iter_mut().zip(&keys) {
                *node = *node * N + below(self.line(leaf_level, *node), key);
            }
            for (found, &at) in found.iter_mut().zip(&nodes) {
                *found = self.values.at(at);
            }
        }
        for (&part, found) in rest.iter().zip(found_rest) {
            *found = self.find(part, below);
        }
    }

    /// What the tree occupies outside itself. Units: bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.lines) + self.values.memory()
    }

    #[inline(always)]
    fn split_levels(&self) -> (u32, &[u32]) {
        match self.levels.get(..self.depth).and_then(<[u32]>::split_last) {
            Some((&leaf, inner)) => (leaf, inner),
            None => (0, &[]),
        }
    }

    #[inline(always)]
    fn line(&self, level: u32, node: usize) -> &[K; N] {
        &self.lines[level as usize + node].0
    }
}

fn key_or_max<K: Key>(ends: &[K::Unsigned], at: usize) -> K {
    ends.get(at).map_or(K::MAX, |&end| K::key(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key counts around every size at which a node, a level or a group is full.
    const SIZES: [usize; 18] = [0, 1, 7, 8, 9, 15, 16, 17, 72, 73, 143, 144, 272, 273, 288, 289, 1_000, 5_000];

    fn keys(len: usize) -> impl Iterator<Item = u64> {
        // Steps of one, two and three, so that every gap has a number to ask for; the last key is the largest
        // that a run can end at.
        (0..len as u64).map(move |i| if i + 1 == len as u64 { u32::MAX as u64 - 1 } else { i * 2 + i % 2 })
    }

    fn asked(ends: &[u64]) -> Vec<u64> {
        let near = ends.iter().flat_map(|&end| [end.saturating_sub(1), end, end + 1]);
        near.chain([0, u32::MAX as u64]).collect()
    }

    #[test]
    fn every_kernel_finds_the_run_a_sorted_list_says() {
        for (len, kernel) in SIZES.iter().flat_map(|&len| Kernel::available().into_iter().map(move |k| (len, k))) {
            let ends: Vec<u64> = keys(len).collect();
            let ends32: Vec<u32> = ends.iter().map(|&end| end as u32).collect();
            // Over 65,535 and under it, so that both widths of value are met.
            let value = |run: usize| {
                if len % 2 == 0 { run as u32 + 1 } else { run as u32 + 70_000 }
            };
            let values = || (0..=len).map(value).collect::<Values>();
            let (mut tree32, mut tree64) = (Tree32::new(&ends32, values()), Tree64::new(&ends, values()));
            (tree32.kernel, tree64.kernel) = (kernel, kernel);
            for part in asked(&ends) {
                let expected = value(ends.partition_point(|&end| end < part));
                assert_eq!(tree32.lookup(part as u32), expected, "{part} of {len} keys, {kernel:?}");
                assert_eq!(tree64.lookup(part), expected, "{part} of {len} keys, {kernel:?}");
            }
        }
    }

    #[test]
    fn every_kernel_answers_a_batch_of_any_length_as_one_by_one() {
        let ends: Vec<u64> = keys(400).collect();
        let ends32: Vec<u32> = ends.iter().map(|&end| end as u32).collect();
        let values = || (0..=400).collect::<Values>();
        let parts = asked(&ends);
        for (kernel, len) in Kernel::available().into_iter().flat_map(|k| (0..=33).map(move |len| (k, len))) {
            let (mut tree32, mut tree64) = (Tree32::new(&ends32, values()), Tree64::new(&ends, values()));
            (tree32.kernel, tree64.kernel) = (kernel, kernel);
            let parts32: Vec<u32> = parts.iter().skip(len * 7).take(len).map(|&part| part as u32).collect();
            let parts64: Vec<u64> = parts32.iter().map(|&part| part.into()).collect();
            let one_by_one: Vec<u32> = parts32.iter().map(|&part| tree32.lookup(part)).collect();
            let mut found = vec![u32::MAX; len];
            tree32.lookup_batch(&parts32, &mut found);
            assert_eq!(found, one_by_one, "{len} at a time, {kernel:?}");
            found.fill(u32::MAX);
            tree64.lookup_batch(&parts64, &mut found);
            assert_eq!(found, one_by_one, "{len} at a time, {kernel:?}");
        }
    }

    #[test]
    fn keys_cost_little_more_than_their_own_size() {
        let ends: Vec<u32> = (0..10_000).collect();
        let tree = Tree32::new(&ends, (0..=10_000).collect());
        assert!(tree.memory() < 10_000 * (4 + 2) + 10_000 * 4 / 14, "{}", tree.memory());
    }
}
