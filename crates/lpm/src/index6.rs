//! `Index6`: from an IPv6 address to a number.
//!
//! A tree over the upper 64 bits answers nearly everything. Where an upper half holds more than one answer (its
//! prefixes are longer than /64), the tree's value is the number of a second tree over the lower 64 bits.

use crate::Prefix;
use crate::runs::{Run, runs, spans6};
use crate::tree::Tree64;

/// Values from here on are looked up in a second tree even where one answer holds for the whole upper half, so
/// that numbers above the small values are free to name second trees.
const LARGE: u32 = 1 << 31;
/// How many look-ups of a batch are cut into halves at a time.
const GROUP: usize = 64;

/// Frozen longest-prefix match from an IPv6 address to a number, for those who keep their next hops elsewhere.
#[derive(Clone, Debug)]
pub struct Index6 {
    upper: Tree64,
    /// Values of `upper` from here on number a tree of `lower`.
    first_lower: u32,
    lower: Box<[Tree64]>,
}

impl Index6 {
    /// Compiles the IPv6 prefixes of `routes`; IPv4 prefixes are passed over, later duplicates win.
    ///
    /// Shape: 0 is the answer for no route, so a route of value 0 hides the routes that cover it. Values below
    /// 2^31 are the fast ones; below 2^16 they also take a quarter less room.
    pub fn build(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Self {
        Self::from_runs(&runs(&spans6(routes)))
    }

    /// The value of the longest prefix that contains `addr`, 0 if there is none.
    #[inline]
    pub fn lookup(&self, addr: u128) -> u32 {
        self.below(self.upper.lookup(upper(addr)), addr)
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch(&self, addrs: &[u128], found: &mut [u32]) {
        for (addrs, found) in addrs.chunks(GROUP).zip(found.chunks_mut(GROUP)) {
            let len = addrs.len().min(found.len());
            let (addrs, found) = (&addrs[..len], &mut found[..len]);
            let mut uppers = [0; GROUP];
            for (half, &addr) in uppers.iter_mut().zip(addrs) {
                *half = upper(addr);
            }
            self.upper.lookup_batch(&uppers[..len], found);
            if !self.lower.is_empty() {
                for (found, &addr) in found.iter_mut().zip(addrs) {
                    *found = self.below(*found, addr);
                }
            }
        }
    }

    /// What the index occupies. Units: bytes.
    pub fn memory(&self) -> usize {
        let lower: usize = self.lower.iter().map(|tree| size_of::<Tree64>() + tree.memory()).sum();
        size_of::<Self>() + self.upper.memory() + lower
    }

    #[inline(always)]
    fn below(&self, value: u32, addr: u128) -> u32 {
        if value < self.first_lower {
            return value;
        }
        self.lower.get((value - self.first_lower) as usize).map_or(0, |tree| tree.lookup(lower(addr)))
    }

    /// Shape: the first run holds from address zero on, wherever it says it starts.
    pub(crate) fn from_runs(runs: &[Run<u128>]) -> Self {
        let small = runs.iter().map(|run| run.value).filter(|&value| value < LARGE).max();
        let first_lower = small.unwrap_or(0) + 1;
        let mut trees = Vec::new();
        let (mut ends, mut values) = (Vec::new(), Vec::new());
        for (first, inside) in upper_runs(runs) {
            let value = match inside {
                &[Run { value, .. }] if value < LARGE => value,
                several => {
                    trees.push(second_tree(several));
                    first_lower + (trees.len() - 1) as u32
                }
            };
            if values.last() != Some(&value) {
                ends.extend(first.checked_sub(1));
                values.push(value);
            }
        }
        Self { upper: Tree64::new(&ends, values.into_iter().collect()), first_lower, lower: trees.into() }
    }
}

/// Cuts the runs into runs of upper halves: the first half, and the runs that touch each half from there to the
/// next cut, of which the first may have started before.
fn upper_runs(runs: &[Run<u128>]) -> Vec<(u64, &[Run<u128>])> {
    let mut cut = Vec::new();
    let (mut half, mut rest) = (0_u64, runs);
    loop {
        let starts_here = rest.iter().skip(1).take_while(|next| upper(next.start) == half).count();
        cut.push((half, &rest[..=starts_here]));
        rest = &rest[starts_here..];
        let next_half = match (starts_here, rest.get(1)) {
            (0, Some(next)) => Some(upper(next.start)),
            (0, None) => None,
            _ => half.checked_add(1),
        };
        let Some(next_half) = next_half else {
            return cut;
        };
        half = next_half;
        if rest.get(1).is_some_and(|next| next.start == u128::from(half) << 64) {
            rest = &rest[1..];
        }
    }
}

/// The tree over the lower halves inside one upper half.
fn second_tree(runs: &[Run<u128>]) -> Tree64 {
    let ends: Vec<u64> = runs.iter().skip(1).map(|next| lower(next.start) - 1).collect();
    Tree64::new(&ends, runs.iter().map(|run| run.value).collect())
}

#[inline(always)]
fn upper(addr: u128) -> u64 {
    (addr >> 64) as u64
}

#[inline(always)]
fn lower(addr: u128) -> u64 {
    addr as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_cut_where_the_answer_changes_inside_them() {
        const HALF: u128 = 1 << 64;
        let starts: [u128; 12] = [
            0,
            1,
            2,
            HALF - 1,
            HALF,
            HALF + 7,
            3 * HALF,
            4 * HALF - 1,
            6 * HALF + 1,
            u128::MAX - HALF,
            u128::MAX - HALF + 1,
            u128::MAX,
        ];
        for values in [[0, 1, 2, 1], [u32::MAX, 0, 70_000, 1 << 31], [9, 8, 9, 8]] {
            let values = values.into_iter().cycle();
            let runs: Vec<Run<u128>> = starts.iter().zip(values).map(|(&start, value)| Run { start, value }).collect();
            let index = Index6::from_runs(&runs);
            let addrs: Vec<u128> =
                starts.iter().flat_map(|&s| [s.wrapping_sub(1), s, s.wrapping_add(1), s ^ HALF]).collect();
            let expected: Vec<u32> =
                addrs.iter().map(|&addr| runs[runs.partition_point(|run| run.start <= addr) - 1].value).collect();
            let one_by_one: Vec<u32> = addrs.iter().map(|&addr| index.lookup(addr)).collect();
            assert_eq!(one_by_one, expected);
            let mut found = vec![1; addrs.len()];
            index.lookup_batch(&addrs, &mut found);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_prefix_of_64_bits_needs_no_second_tree() {
        let routes = [("2001:db8::/64".parse().unwrap(), 1), ("2001:db8:0:1::/64".parse().unwrap(), 2)];
        assert_eq!(Index6::build(routes).lower.len(), 0);
        let longer = [("2001:db8::/65".parse().unwrap(), 3)];
        assert_eq!(Index6::build(routes.into_iter().chain(longer)).lower.len(), 1);
    }
}
