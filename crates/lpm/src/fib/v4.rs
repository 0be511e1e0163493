//! The IPv4 half: a bitmap trie in an arena that only ever grows, until it is replaced.
//!
//! A slot of the trie owns what is below it. An update writes the slot's new nodes and answers behind all others,
//! where no reader looks yet, and then stores the slot's word: a reader sees all of the update or nothing. What
//! the slot owned before stays as it is for readers who are still in it. When the arena is full, what is in use is
//! copied into a new one, and readers follow at their next look-up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::published::{Published, Subscription};
use crate::Prefix;
use crate::kernel::Kernel;
use crate::runs::{Run, Span, runs_within, spans4};
use crate::trie::{Arena, SLOT_BITS, SLOTS, Width, Words, answer_in, compile, first_of, last_of, slot_of};

/// Room for updates in a new arena, beside as much again as is in use. Units: words.
const SPARE: usize = 1 << 16;

/// The routes, and the arena that readers see.
pub(super) struct Fib4 {
    routes: Routes,
    arena: Arc<Arena4>,
    /// What is being written behind what `arena` has; kept for its memory.
    words: Words,
    published: Published<Arena4>,
}

impl Fib4 {
    /// Shape: IPv4 only.
    pub(super) fn new(routes: Vec<(Prefix, u32)>) -> Self {
        let routes = Routes::new(&spans4(routes));
        let mut words = Words::new(Width::Wide);
        let slots: Vec<u32> = (0..SLOTS).map(|slot| compile(&mut words, &routes.runs(slot), slot)).collect();
        let arena = Arc::new(Arena4::new(&slots, &words, 0));
        let mut fib = Self { routes, words, published: Published::new(Arc::clone(&arena)), arena };
        fib.write_behind(fib.words.end());
        fib
    }

    pub(super) fn change(&mut self, first: u32, len: u8, value: Option<u32>) -> Option<u32> {
        if u32::from(len) < SLOT_BITS {
            let (before, changed) = self.routes.change_short(first, len, value);
            for slot in changed {
                self.update(slot);
            }
            before
        } else {
            let before = self.routes.change_inside(first, len, value);
            if before != value {
                self.update(slot_of(first));
            }
            before
        }
    }

    pub(super) fn get(&self, first: u32, len: u8) -> Option<u32> {
        self.routes.get(first, len)
    }

    pub(super) fn len(&self) -> usize {
        self.routes.len
    }

    pub(super) fn subscribe(&self) -> Subscription<Arena4> {
        self.published.subscribe()
    }

    pub(super) fn memory(&self) -> usize {
        self.arena.memory()
    }

    fn update(&mut self, slot: usize) {
        let runs = self.routes.runs(slot);
        let mut word = compile(&mut self.words, &runs, slot);
        if self.words.end() > self.arena.words.len() {
            self.renew();
            word = compile(&mut self.words, &runs, slot);
        }
        self.arena.write(&self.words);
        self.write_behind(self.words.end());
        self.arena.slots[slot].store(word, Ordering::Release);
    }

    fn write_behind(&mut self, end: usize) {
        self.words.words.clear();
        self.words.first = end;
    }

    /// Copies what is in use into a new arena, which has room for as much again and for what is being written.
    fn renew(&mut self) {
        let mut copied = Words::new(Width::Wide);
        let slots: Vec<u32> = (0..SLOTS)
            .map(|slot| match self.arena.slot(slot) {
                word if answer_in(word).is_some() => word,
                node => copied.copy(&*self.arena, node),
            })
            .collect();
        self.arena = Arc::new(Arena4::new(&slots, &copied, self.words.words.len()));
        self.write_behind(copied.end());
        self.published.replace(Arc::clone(&self.arena));
    }
}

/// What readers walk through. Only slots change once they are visible.
pub(super) struct Arena4 {
    slots: Box<[AtomicU32]>,
    words: Box<[AtomicU64]>,
    kernel: Kernel,
}

impl Arena4 {
    /// Shape: with room for `more` words, and for updates.
    fn new(slots: &[u32], words: &Words, more: usize) -> Self {
        let room = 2 * words.end() + more + SPARE;
        let arena = Self {
            slots: slots.iter().map(|&word| AtomicU32::new(word)).collect(),
            words: std::iter::repeat_with(AtomicU64::default).take(room).collect(),
            kernel: Kernel::detect(),
        };
        arena.write(words);
        arena
    }

    #[inline]
    pub(super) fn lookup(&self, addr: u32) -> u32 {
        self.kernel.find(self, addr)
    }

    /// Shape: the two are equally long.
    pub(super) fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        self.kernel.find_batch(self, addrs, found);
    }

    /// Shape: nothing here is visible yet; the store of the slot that follows makes it so.
    fn write(&self, words: &Words) {
        for (shared, &word) in self.words.iter().skip(words.first).zip(&words.words) {
            shared.store(word, Ordering::Relaxed);
        }
    }

    fn memory(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.words)
    }
}

impl Arena for Arena4 {
    #[inline(always)]
    fn width(&self) -> Width {
        Width::Wide
    }

    #[inline(always)]
    fn slot(&self, slot: usize) -> u32 {
        self.slots[slot].load(Ordering::Acquire)
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }
}

/// The routes, by the slots they concern.
struct Routes {
    /// Shorter than a slot, by first address and length.
    short: BTreeMap<(u32, u8), u32>,
    /// The longest of `short` around each slot: one more than its length (0 is none), and its value.
    around: Vec<(u8, u32)>,
    /// At least as long as a slot, by slot; in each sorted by first address and length.
    inside: Vec<Vec<Route>>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Route {
    first: u32,
    len: u8,
    value: u32,
}

impl Routes {
    fn new(spans: &[Span<u32>]) -> Self {
        let mut routes = Self {
            short: BTreeMap::new(),
            around: vec![(0, 0); SLOTS],
            inside: vec![Vec::new(); SLOTS],
            len: spans.len(),
        };
        for &(first, last, value) in spans {
            let len = (first ^ last).leading_zeros() as u8;
            if u32::from(len) < SLOT_BITS {
                routes.short.insert((first, len), value);
                // The spans come with the covering ones first.
                routes.around[slot_of(first)..=slot_of(last)].fill((len + 1, value));
            } else {
                routes.inside[slot_of(first)].push(Route { first, len, value });
            }
        }
        routes
    }

    /// Sets or takes out a route of a slot; returns its value before.
    fn change_inside(&mut self, first: u32, len: u8, value: Option<u32>) -> Option<u32> {
        let routes = &mut self.inside[slot_of(first)];
        let place = routes.binary_search_by_key(&(first, len), |route| (route.first, route.len));
        match (place, value) {
            (Ok(at), Some(value)) => Some(std::mem::replace(&mut routes[at].value, value)),
            (Ok(at), None) => {
                self.len -= 1;
                Some(routes.remove(at).value)
            }
            (Err(at), Some(value)) => {
                self.len += 1;
                routes.insert(at, Route { first, len, value });
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Sets or takes out a route around slots; returns its value before, and the slots in which answers change.
    fn change_short(&mut self, first: u32, len: u8, value: Option<u32>) -> (Option<u32>, Vec<usize>) {
        let before = match value {
            Some(value) => self.short.insert((first, len), value),
            None => self.short.remove(&(first, len)),
        };
        self.len = self.len + usize::from(value.is_some()) - usize::from(before.is_some());
        // What now holds where this route did: itself, or the next longest around it.
        let now = (0..=len)
            .rev()
            .find_map(|len| self.short.get(&(first & mask(len), len)).map(|&value| (len + 1, value)))
            .unwrap_or((0, 0));
        let last = first | !mask(len);
        let changed = (slot_of(first)..=slot_of(last))
            .filter(|&slot| {
                let around = &mut self.around[slot];
                // A longer one around the slot is not concerned.
                let concerned = around.0 <= len + 1 && *around != now;
                if concerned {
                    *around = now;
                }
                concerned
            })
            .collect();
        (before, changed)
    }

    fn get(&self, first: u32, len: u8) -> Option<u32> {
        if u32::from(len) < SLOT_BITS {
            return self.short.get(&(first, len)).copied();
        }
        let routes = &self.inside[slot_of(first)];
        let at = routes.binary_search_by_key(&(first, len), |route| (route.first, route.len)).ok()?;
        Some(routes[at].value)
    }

    fn runs(&self, slot: usize) -> Vec<Run<u32>> {
        let inside = self.inside[slot].iter().map(|route| (route.first, route.first | !mask(route.len), route.value));
        runs_within(first_of(slot), last_of(slot), self.around[slot].1, inside)
    }
}

fn mask(len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_arena_is_replaced_and_readers_follow() {
        let mut fib = Fib4::new(Vec::new());
        let mut reader = fib.subscribe();
        let first = Arc::as_ptr(&fib.arena);
        let mut replaced = 0;
        for i in 0..200_000_u32 {
            // A /32 needs three nodes; taking it out again gives back none of them.
            let addr = 0x0a00_0000 + i % 7;
            let value = (i % 3 != 0).then_some(i);
            fib.change(addr, 32, value);
            replaced += u32::from(Arc::as_ptr(&fib.arena) != first);
            assert_eq!(reader.latest().lookup(addr), value.unwrap_or(0), "after {i} updates");
        }
        assert!(replaced > 0);
        assert!(fib.memory() < 4 << 20, "{}", fib.memory());
    }

    #[test]
    fn a_reader_in_the_old_arena_still_finds_what_was_there() {
        let mut fib = Fib4::new(Vec::new());
        fib.change(0x0a00_0001, 32, Some(1));
        let old = Arc::clone(&fib.arena);
        fib.renew();
        fib.change(0x0a00_0001, 32, Some(2));
        assert_eq!((old.lookup(0x0a00_0001), fib.arena.lookup(0x0a00_0001)), (1, 2));
    }

    #[test]
    fn setting_what_is_set_changes_no_slot() {
        let mut routes = Routes::new(&[]);
        assert_eq!(routes.change_short(0x0a00_0000, 8, Some(1)).1.len(), 1 << 10);
        assert_eq!(routes.change_short(0x0a00_0000, 8, Some(1)), (Some(1), vec![]));
        assert_eq!(routes.change_short(0x0a00_0000, 10, Some(2)).1.len(), 1 << 8);
        // The /8 no longer holds in the quarter that the /10 took.
        assert_eq!(routes.change_short(0x0a00_0000, 8, Some(3)).1.len(), 3 << 8);
        assert_eq!(routes.change_short(0x0a00_0000, 10, None).1.len(), 1 << 8);
        assert_eq!(routes.change_short(0x0b00_0000, 16, None), (None, vec![]));
    }
}
