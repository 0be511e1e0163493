//! The direct-18 bitmap trie behind large IPv4 tables.
//!
//! An array of 2^18 slots takes the first 18 bits of the address in one step; most answers of a full table are
//! there or one node below it, because 18 + 6 is exactly a /24. A node decides six bits: one bitmap says which
//! of the 64 places go on in a child, the other where a new answer starts, and counting bits gives the position.
//! A node's answers lie right behind its bitmaps, mostly in the same cache line, and its children's places behind
//! those:
//!
//! ```text
//! words:  children | starts | answers, two or four to a word … | place of a child, one to a word …
//! ```

use crate::kernel::Kernel;
use crate::runs::Run;

/// Bits decided by the slot array.
pub(crate) const SLOT_BITS: u32 = 18;
/// How many slots there are.
pub(crate) const SLOTS: usize = 1 << SLOT_BITS;
/// Bits left below a slot.
const BELOW_BITS: u32 = 32 - SLOT_BITS;
/// Bits decided by a node.
const NODE_BITS: u32 = 6;
/// In a slot: the other bits are the answer, not the place of a node.
const ANSWER: u32 = 1 << 31;
/// How many look-ups of a batch go down side by side.
const GROUP: usize = 32;

/// How many answers a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// Four of 16 bits.
    Narrow,
    /// Two of 32 bits.
    Wide,
}

impl Width {
    #[inline(always)]
    fn words(self, answers: usize) -> usize {
        match self {
            Self::Narrow => answers.div_ceil(4),
            Self::Wide => answers.div_ceil(2),
        }
    }
}

/// Where slots and nodes are kept: the frozen [`Trie`], or the shared form that is updated in place.
pub(crate) trait Arena {
    fn width(&self) -> Width;
    fn slot(&self, slot: usize) -> u32;
    fn word(&self, at: usize) -> u64;

    /// Shape: answer number `n` of a node whose answers start at `first`.
    #[inline(always)]
    fn answer(&self, first: usize, n: usize) -> u32 {
        match self.width() {
            Width::Narrow => (self.word(first + n / 4) >> (n % 4 * 16)) as u32 & 0xffff,
            Width::Wide => (self.word(first + n / 2) >> (n % 2 * 32)) as u32,
        }
    }
}

/// Nodes being written, each behind those it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(crate) words: Vec<u64>,
    /// Where `words` will lie.
    pub(crate) first: usize,
    pub(crate) width: Width,
}

impl Words {
    pub(crate) fn new(width: Width) -> Self {
        Self { words: Vec::new(), first: 0, width }
    }

    pub(crate) fn end(&self) -> usize {
        self.first + self.words.len()
    }

    /// Writes a node and returns its place. Shape: an answer and a child for each bit of the bitmaps, in order.
    fn node(&mut self, bitmaps: [u64; 2], answers: &[u32], children: &[u32]) -> u32 {
        let at = self.end();
        let joined =
            |bits: usize| move |part: &[u32]| part.iter().rev().fold(0, |word, &a| word << bits | u64::from(a));
        self.words.extend(bitmaps);
        match self.width {
            Width::Narrow => self.words.extend(answers.chunks(4).map(joined(16))),
            Width::Wide => self.words.extend(answers.chunks(2).map(joined(32))),
        }
        self.words.extend(children.iter().copied().map(u64::from));
        at as u32
    }

    /// Writes a node of another arena, with all below it, and returns its place.
    pub(crate) fn copy(&mut self, from: &impl Arena, node: u32) -> u32 {
        let at = node as usize;
        let bitmaps = [from.word(at), from.word(at + 1)];
        let [children, answers] = bitmaps.map(|bitmap| bitmap.count_ones() as usize);
        let first_child = at + 2 + from.width().words(answers);
        let answers: Vec<u32> = (0..answers).map(|n| from.answer(at + 2, n)).collect();
        let children: Vec<u32> = (0..children).map(|n| self.copy(from, from.word(first_child + n) as u32)).collect();
        self.node(bitmaps, &answers, &children)
    }
}

/// A frozen trie.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    slots: Box<[u32; SLOTS]>,
    words: Box<[u64]>,
    width: Width,
    pub(crate) kernel: Kernel,
}

impl Trie {
    pub(crate) fn new(runs: &[Run<u32>]) -> Self {
        let narrow = runs.iter().all(|run| u16::try_from(run.value).is_ok());
        let mut words = Words::new(if narrow { Width::Narrow } else { Width::Wide });
        let mut slots = vec![0; SLOTS];
        for_each_slot(runs, |slot, runs| slots[slot] = compile(&mut words, runs, slot));
        Self {
            slots: slots.try_into().unwrap_or_else(|_| Box::new([ANSWER; SLOTS])),
            width: words.width,
            words: words.words.into(),
            kernel: Kernel::detect(),
        }
    }

    /// The answer for `addr`.
    #[inline]
    pub(crate) fn lookup(&self, addr: u32) -> u32 {
        self.kernel.find(self, addr)
    }

    /// Shape: the two are equally long.
    pub(crate) fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        self.kernel.find_batch(self, addrs, found);
    }

    /// What the trie occupies outside itself. Units: bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.words)
    }
}

impl Arena for Trie {
    #[inline(always)]
    fn width(&self) -> Width {
        self.width
    }

    #[inline(always)]
    fn slot(&self, slot: usize) -> u32 {
        self.slots[slot]
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        self.words[at]
    }
}

/// The answer for one address.
#[inline(always)]
pub(crate) fn find(arena: &impl Arena, addr: u32) -> u32 {
    let slot = arena.slot(slot_of(addr));
    answer_in(slot).unwrap_or_else(|| descend(arena, slot, addr))
}

/// The slot that holds an address.
#[inline(always)]
pub(crate) fn slot_of(addr: u32) -> usize {
    (addr >> BELOW_BITS) as usize
}

/// The answer that holds for a whole slot.
#[inline(always)]
pub(crate) fn answer_in(slot: u32) -> Option<u32> {
    (slot & ANSWER != 0).then_some(slot & !ANSWER)
}

/// [`find`] for each of `addrs`, several at a time so that the slots' cache misses overlap; what follows a slot is
/// left to the processor, which guesses well that most addresses go one node deep.
///
/// Shape: the two are equally long.
#[inline(always)]
pub(crate) fn find_batch(arena: &impl Arena, addrs: &[u32], found: &mut [u32]) {
    let (groups, rest) = addrs.as_chunks::<GROUP>();
    let (found_groups, found_rest) = found.as_chunks_mut::<GROUP>();
    for (addrs, found) in groups.iter().zip(found_groups) {
        let slots = addrs.map(|addr| arena.slot(slot_of(addr)));
        for ((found, &slot), &addr) in found.iter_mut().zip(&slots).zip(addrs) {
            *found = answer_in(slot).unwrap_or_else(|| descend(arena, slot, addr));
        }
    }
    for (&addr, found) in rest.iter().zip(found_rest) {
        *found = find(arena, addr);
    }
}

/// From the node in a slot to the answer.
#[inline(always)]
pub(crate) fn descend(arena: &impl Arena, node: u32, addr: u32) -> u32 {
    // The bits not decided yet, at the top.
    let (mut at, mut bits) = (node as usize, addr << SLOT_BITS);
    loop {
        let place = bits >> (32 - NODE_BITS);
        let (children, starts) = (arena.word(at), arena.word(at + 1));
        if children >> place & 1 == 0 {
            return arena.answer(at + 2, count(starts, place) - 1);
        }
        let first_child = at + 2 + arena.width().words(starts.count_ones() as usize);
        at = arena.word(first_child + count(children, place) - 1) as usize;
        bits <<= NODE_BITS;
    }
}

/// How many bits are set up to and including `place`.
#[inline(always)]
fn count(bitmap: u64, place: u32) -> usize {
    (bitmap << (63 - place)).count_ones() as usize
}

/// Calls `each` with every slot and the runs that touch it, of which the first may have started before.
pub(crate) fn for_each_slot<'r>(runs: &'r [Run<u32>], mut each: impl FnMut(usize, &'r [Run<u32>])) {
    let mut rest = runs;
    for slot in 0..SLOTS {
        let touching = within(rest, last_of(slot));
        each(slot, touching);
        // The last one may reach into the next slot.
        rest = &rest[touching.len() - 1..];
        if let Some(next) = rest.get(1)
            && last_of(slot).checked_add(1) == Some(next.start)
        {
            rest = &rest[1..];
        }
    }
}

/// Writes what is below `slot` and returns the slot's word. Shape: `runs` as from [`for_each_slot`].
pub(crate) fn compile(words: &mut Words, runs: &[Run<u32>], slot: usize) -> u32 {
    match runs {
        &[Run { value, .. }] if value & ANSWER == 0 => value | ANSWER,
        _ => compile_node(words, runs, first_of(slot), BELOW_BITS),
    }
}

/// The first address of a slot.
pub(crate) fn first_of(slot: usize) -> u32 {
    (slot as u32) << BELOW_BITS
}

/// The last address of a slot.
pub(crate) fn last_of(slot: usize) -> u32 {
    first_of(slot) | ((1 << BELOW_BITS) - 1)
}

/// Shape: `runs` touch the `2^bits` addresses from `first` on, of which the first run has the first.
fn compile_node(words: &mut Words, runs: &[Run<u32>], first: u32, bits: u32) -> u32 {
    // Address bits below a place; with fewer than six bits left, they are the upper ones of the place.
    let below = bits.saturating_sub(NODE_BITS);
    let (places, stride) = (1_u32 << (bits - below), NODE_BITS - (bits - below));
    let (mut going_on, mut starts) = (0_u64, 0_u64);
    let mut children = Vec::new();
    let (mut answers, mut len) = ([0; 1 << NODE_BITS], 0);
    let (mut place, mut rest) = (0, runs);
    while place < places {
        let start = first + (place << below);
        let bit = 1 << (place << stride);
        let touching = within(rest, start + ((1 << below) - 1));
        rest = &rest[touching.len() - 1..];
        if let &[Run { value, .. }] = touching {
            if len == 0 || answers[len - 1] != value {
                starts |= bit;
                answers[len] = value;
                len += 1;
            }
            // It holds up to the place that the next run starts in.
            place = rest.get(1).map_or(places, |next| ((next.start - first) >> below).min(places));
        } else {
            going_on |= bit;
            children.push(compile_node(words, touching, start, below));
            place += 1;
        }
        if let Some(next) = rest.get(1)
            && place < places
            && next.start == first + (place << below)
        {
            rest = &rest[1..];
        }
    }
    words.node([going_on, starts], &answers[..len], &children)
}

/// The first of `runs`, and those after it that start no later than `last`.
fn within(runs: &[Run<u32>], last: u32) -> &[Run<u32>] {
    let len = 1 + runs.iter().skip(1).take_while(|run| run.start <= last).count();
    &runs[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u32, value: u32) -> Run<u32> {
        Run { start, value }
    }

    /// Cuts at every kind of place: slot and node borders, inside the last two bits, the ends of the line.
    fn awkward() -> Vec<Run<u32>> {
        let starts = [
            0,
            1,
            2,
            3,
            4,
            5,
            255,
            256,
            257,
            0x3f00,
            0x3fff,
            0x4000,
            0x4001,
            0x8000,
            0x1_0000,
            0x1_0100,
            0x1_0101,
            0x00ff_ffff,
            0x0100_0000,
            0x0a00_0000,
            0x0a00_0001,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_bfff,
            0xffff_c000,
            0xffff_fffe,
            0xffff_ffff,
        ];
        // No route, small and large values, and one above what a slot can hold.
        starts
            .iter()
            .zip([0, 1, 70_000, 3 << 30].into_iter().cycle())
            .map(|(&start, value)| run(start, value))
            .collect()
    }

    fn expected(runs: &[Run<u32>], addr: u32) -> u32 {
        runs[runs.partition_point(|run| run.start <= addr) - 1].value
    }

    #[test]
    fn every_kernel_finds_the_run_a_sorted_list_says() {
        let narrow: Vec<Run<u32>> = awkward().iter().map(|r| run(r.start, r.start & 0xff)).collect();
        for runs in [vec![run(0, 0)], vec![run(0, 9)], vec![run(0, u32::MAX)], awkward(), narrow] {
            let mut trie = Trie::new(&runs);
            let addrs: Vec<u32> = runs
                .iter()
                .flat_map(|r| [r.start.wrapping_sub(1), r.start, r.start.wrapping_add(1), r.start ^ 0x2000])
                .collect();
            for kernel in Kernel::available() {
                trie.kernel = kernel;
                for &addr in &addrs {
                    assert_eq!(trie.lookup(addr), expected(&runs, addr), "{addr:#x}, {kernel:?}");
                }
                for len in 0..=addrs.len().min(70) {
                    let mut found = vec![1; len];
                    trie.lookup_batch(&addrs[..len], &mut found);
                    let one_by_one: Vec<u32> = addrs[..len].iter().map(|&addr| expected(&runs, addr)).collect();
                    assert_eq!(found, one_by_one, "{len} at a time, {kernel:?}");
                }
            }
        }
    }

    #[test]
    fn a_slot_of_one_answer_takes_no_node() {
        assert_eq!(Trie::new(&[run(0, 0), run(0x4000, 1), run(0x8000, 2)]).words.len(), 0);
        assert_eq!(Trie::new(&[run(0, 0), run(0x4100, 1), run(0x8000, 2)]).words.len(), 3);
    }
}
