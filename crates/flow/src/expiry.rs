//! When to look at an entry again: a wheel of coarse ticks.
//!
//! The wheel says "look", never "over": a packet only stores its time, and whoever looks arms the entry again if
//! packets have come meanwhile.

use vpc_model::Time;

/// Nanoseconds of one tick as a power of two: 134 ms.
const TICK: u32 = 27;
/// Slots of one level as a power of two.
const BITS: u32 = 6;
/// Enough levels for every tick there is, so no deadline is too far.
const LEVELS: usize = (u64::BITS - TICK).div_ceil(BITS) as usize;
/// The list of entries to be looked at whatever the time.
const DUE: usize = LEVELS << BITS;
const NOWHERE: u16 = u16::MAX;
const NONE: u32 = u32::MAX;

/// Entries (by slot number) in the order of the ticks at which to look at them.
///
/// Shape: arming, disarming and popping take constant time and allocate nothing once a slot number was seen. An
/// entry armed for later than the lowest level's reach is popped earlier than asked, at most once per level.
/// Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", scheme 7.
pub(crate) struct Wheel {
    /// Every tick up to here has been looked at.
    elapsed: u64,
    /// One bit per list that is not empty.
    occupied: [u64; LEVELS],
    heads: [u32; DUE + 1],
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    before: u32,
    after: u32,
    list: u16,
}

impl Wheel {
    pub(crate) const fn new() -> Self {
        Self {
            elapsed: 0,
            occupied: [0; LEVELS],
            heads: [NONE; DUE + 1],
            nodes: Vec::new(),
        }
    }

    /// Asks for a look at `slot` soon after `at`: in the first tick that begins after it.
    pub(crate) fn arm(&mut self, slot: u32, at: Time) {
        let tick = ((at.0 >> TICK) + 1).max(self.elapsed + 1);
        let level = (tick ^ self.elapsed).ilog2() / BITS;
        let digit = (tick >> (level * BITS)) & ((1 << BITS) - 1);
        self.put(slot, ((level as usize) << BITS) + digit as usize);
    }

    /// Asks for a look at `slot` at the next opportunity.
    pub(crate) fn arm_now(&mut self, slot: u32) {
        self.put(slot, DUE);
    }

    /// The next entry to look at, disarmed; `None` when there is none up to `now`.
    pub(crate) fn pop(&mut self, now: Time) -> Option<u32> {
        if self.heads[DUE] == NONE {
            let target = now.0 >> TICK;
            let Some((list, tick)) = self.next().filter(|(_, tick)| *tick <= target) else {
                self.elapsed = self.elapsed.max(target);
                return None;
            };
            self.elapsed = self.elapsed.max(tick);
            return self.take(list);
        }
        self.take(DUE)
    }

    /// When [`Self::pop`] has something to give.
    pub(crate) fn next_look(&self) -> Option<Time> {
        if self.heads[DUE] != NONE {
            return Some(Time::ZERO);
        }
        self.next().map(|(_, tick)| Time(tick << TICK))
    }

    /// The list with the earliest first tick, and that tick.
    ///
    /// Usually the lowest level's, but a slot that was left half emptied has begun before all others.
    fn next(&self) -> Option<(usize, u64)> {
        let lists = self.occupied.iter().zip(0..).filter(|(bits, _)| **bits != 0);
        lists
            .map(|(bits, level)| {
                let digit = bits.trailing_zeros();
                let shift = level * BITS;
                let above = self.elapsed >> (shift + BITS) << (shift + BITS);
                let list = ((level << BITS) + digit) as usize;
                (list, above | u64::from(digit) << shift)
            })
            .min_by_key(|(_, tick)| *tick)
    }

    fn take(&mut self, list: usize) -> Option<u32> {
        let slot = self.heads[list];
        if slot == NONE {
            return None;
        }
        self.disarm(slot);
        Some(slot)
    }

    fn put(&mut self, slot: u32, list: usize) {
        let missing = (slot as usize + 1).saturating_sub(self.nodes.len());
        self.nodes.extend(std::iter::repeat_n(
            Node {
                before: NONE,
                after: NONE,
                list: NOWHERE,
            },
            missing,
        ));
        self.disarm(slot);
        if list < DUE {
            self.occupied[list >> BITS] |= 1 << (list & 63);
        }
        let head = self.heads[list];
        self.nodes[slot as usize] = Node {
            before: NONE,
            after: head,
            list: list as u16,
        };
        if head != NONE {
            self.nodes[head as usize].before = slot;
        }
        self.heads[list] = slot;
    }

    fn disarm(&mut self, slot: u32) {
        let Node { before, after, list } = self.nodes[slot as usize];
        if list == NOWHERE {
            return;
        }
        if before == NONE {
            self.heads[list as usize] = after;
            if after == NONE && (list as usize) < DUE {
                self.occupied[list as usize >> BITS] &= !(1 << (list & 63));
            }
        } else {
            self.nodes[before as usize].after = after;
        }
        if after != NONE {
            self.nodes[after as usize].before = before;
        }
        self.nodes[slot as usize].list = NOWHERE;
    }
}
