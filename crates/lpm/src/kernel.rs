//! The look-ups, compiled once per instruction set; which one is called is decided when a table is built.
//!
//! This is the only module with unsafe code: a function compiled for more than the baseline instruction set must
//! not be called on a processor without it. `Kernel` values are the proof that it is there.

#![allow(unsafe_code, reason = "decision record 0010")]

use crate::tree::{Tree32, Tree64};
use crate::trie::{self, Arena};

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kernel(Set);

/// Shape: private, so that outside this module the larger sets come from detection only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// What the compiler may use anywhere.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The best one.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Set::Avx512);
            }
            if has_avx2() {
                return Self(Set::Avx2);
            }
        }
        Self(Set::Baseline)
    }

    /// All of them, the best first.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        let mut sets = vec![Self(Set::Baseline)];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(has_avx2().then_some(Self(Set::Avx2)));
            sets.extend(has_avx512().then_some(Self(Set::Avx512)));
        }
        sets
    }
}

/// Each `set::NAME` feature list must be what `has_NAME` detects.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && has_avx2()
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
}

/// Calls the compilation of a function that `kernel` stands for.
macro_rules! dispatch {
    ($kernel:expr, $function:ident ( $($argument:expr),* )) => {
        match $kernel.0 {
            Set::Baseline => baseline::$function($($argument),*),
            // SAFETY: a `Kernel` of this set is only made after `has_avx2` found all its features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::$function($($argument),*) },
            // SAFETY: a `Kernel` of this set is only made after `has_avx512` found all its features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::$function($($argument),*) },
        }
    };
}

impl Tree32 {
    /// The value of the run that holds `addr`.
    #[inline]
    pub(crate) fn lookup(&self, addr: u32) -> u32 {
        dispatch!(self.kernel, tree32(self, addr))
    }

    /// Shape: the two are equally long.
    pub(crate) fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        dispatch!(self.kernel, tree32_batch(self, addrs, found))
    }
}

impl Tree64 {
    /// The value of the run that holds `half`.
    #[inline]
    pub(crate) fn lookup(&self, half: u64) -> u32 {
        dispatch!(self.kernel, tree64(self, half))
    }

    /// Shape: the two are equally long.
    pub(crate) fn lookup_batch(&self, halves: &[u64], found: &mut [u32]) {
        dispatch!(self.kernel, tree64_batch(self, halves, found))
    }
}

impl Kernel {
    /// The answer of a trie for `addr`.
    #[inline]
    pub(crate) fn find(self, arena: &impl Arena, addr: u32) -> u32 {
        let slot = arena.slot(trie::slot_of(addr));
        match trie::answer_in(slot) {
            Some(answer) => answer,
            None => dispatch!(self, descend(arena, slot, addr)),
        }
    }

    /// Shape: the two are equally long.
    pub(crate) fn find_batch(self, arena: &impl Arena, addrs: &[u32], found: &mut [u32]) {
        dispatch!(self, trie_batch(arena, addrs, found))
    }
}

/// The look-ups under one list of target features, with that set's way to count the keys below a key.
macro_rules! compilation {
    ($(#[$features:meta])? $below32:path, $below64:path) => {
        $(#[$features])?
        pub(super) fn tree32(tree: &Tree32, addr: u32) -> u32 {
            tree.find(addr, |line, key| $below32(line, key))
        }

        $(#[$features])?
        pub(super) fn tree32_batch(tree: &Tree32, addrs: &[u32], found: &mut [u32]) {
            tree.find_batch(addrs, found, |line, key| $below32(line, key));
        }

        $(#[$features])?
        pub(super) fn tree64(tree: &Tree64, half: u64) -> u32 {
            tree.find(half, |line, key| $below64(line, key))
        }

        $(#[$features])?
        pub(super) fn tree64_batch(tree: &Tree64, halves: &[u64], found: &mut [u32]) {
            tree.find_batch(halves, found, |line, key| $below64(line, key));
        }

        $(#[$features])?
        pub(super) fn descend(arena: &impl Arena, node: u32, addr: u32) -> u32 {
            trie::descend(arena, node, addr)
        }

        $(#[$features])?
        pub(super) fn trie_batch(arena: &impl Arena, addrs: &[u32], found: &mut [u32]) {
            trie::find_batch(arena, addrs, found);
        }
    };
}

mod baseline {
    use super::*;

    compilation!(below, below);

    #[inline(always)]
    fn below<K: PartialOrd + Copy, const N: usize>(line: &[K; N], key: K) -> usize {
        line.iter().map(|&end| u32::from(end < key)).sum::<u32>() as usize
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::*;

    compilation!(
        #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
        below32,
        below64
    );

    #[inline]
    #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
    fn below32(line: &[i32; 16], key: i32) -> usize {
        let key = _mm256_set1_epi32(key);
        // SAFETY: the line is two times 32 readable bytes, and the load needs no alignment.
        let (low, high) =
            unsafe { (_mm256_loadu_si256(line.as_ptr().cast()), _mm256_loadu_si256(line.as_ptr().add(8).cast())) };
        let mask = |ends| _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(key, ends)));
        (mask(low) | mask(high) << 8).count_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
    fn below64(line: &[i64; 8], key: i64) -> usize {
        let key = _mm256_set1_epi64x(key);
        // SAFETY: the line is two times 32 readable bytes, and the load needs no alignment.
        let (low, high) =
            unsafe { (_mm256_loadu_si256(line.as_ptr().cast()), _mm256_loadu_si256(line.as_ptr().add(4).cast())) };
        let mask = |ends| _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(key, ends)));
        (mask(low) | mask(high) << 4).count_ones() as usize
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::*;

    compilation!(
        #[target_feature(enable = "avx512f,avx512dq,avx2,popcnt,bmi1,bmi2")]
        below32,
        below64
    );

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx2,popcnt,bmi1,bmi2")]
    fn below32(line: &[i32; 16], key: i32) -> usize {
        // SAFETY: the line is 64 readable bytes, and the load needs no alignment.
        let ends = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
        _mm512_cmplt_epi32_mask(ends, _mm512_set1_epi32(key)).count_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx2,popcnt,bmi1,bmi2")]
    fn below64(line: &[i64; 8], key: i64) -> usize {
        // SAFETY: the line is 64 readable bytes, and the load needs no alignment.
        let ends = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
        _mm512_cmplt_epi64_mask(ends, _mm512_set1_epi64(key)).count_ones() as usize
    }
}
