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
        Self { elapsed: 0, occupied: [0; LEVELS], heads: [NONE; DUE + 1], nodes: Vec::new() }
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
        self.nodes.extend(std::iter::repeat_n(Node { before: NONE, after: NONE, list: NOWHERE }, missing));
        self.disarm(slot);
        if list < DUE {
            self.occupied[list >> BITS] |= 1 << (list & 63);
        }
        let head = self.heads[list];
        self.nodes[slot as usize] = Node { before: NONE, after: head, list: list as u16 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400 * SECOND;
    const LENGTH: u64 = 1 << TICK;

    /// Pops until `now`, arming again what came before its time; what was really due.
    fn run(wheel: &mut Wheel, deadlines: &BTreeMap<u32, u64>, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(slot) = wheel.pop(Time(now)) {
            if deadlines[&slot] <= now {
                due.push(slot);
            } else {
                wheel.arm(slot, Time(deadlines[&slot]));
            }
        }
        due.sort_unstable();
        due
    }

    #[test]
    fn an_entry_comes_after_its_deadline_and_within_a_tick() {
        for deadline in [1, LENGTH - 1, LENGTH, 64 * LENGTH - 1, 64 * LENGTH, 5 * DAY, 4_095 * LENGTH] {
            let mut wheel = Wheel::new();
            wheel.arm(0, Time(deadline));
            let deadlines = BTreeMap::from([(0, deadline)]);
            let begins = (deadline / LENGTH + 1) * LENGTH;
            assert_eq!(run(&mut wheel, &deadlines, deadline - 1), [0_u32; 0], "{deadline}");
            assert_eq!(run(&mut wheel, &deadlines, begins), [0], "{deadline}");
            assert_eq!(wheel.next_look(), None);
        }
    }

    #[test]
    fn the_end_of_time_is_not_too_far() {
        let mut wheel = Wheel::new();
        wheel.arm(0, Time::FAR_FUTURE);
        let deadlines = BTreeMap::from([(0, u64::MAX)]);
        assert_eq!(run(&mut wheel, &deadlines, 36_500 * DAY), [0_u32; 0]);
        assert!(wheel.next_look().is_some());
    }

    #[test]
    fn five_days_cost_a_few_looks() {
        let mut wheel = Wheel::new();
        wheel.arm(0, Time(5 * DAY));
        let (mut looks, mut now) = (0, 0);
        while now < 5 * DAY {
            now = wheel.next_look().unwrap().0;
            assert_eq!(wheel.pop(Time(now)), Some(0));
            if now < 5 * DAY {
                wheel.arm(0, Time(5 * DAY));
            }
            looks += 1;
        }
        assert!(now < 5 * DAY + LENGTH && looks <= LEVELS, "{looks} looks until {now}");
    }

    #[test]
    fn entries_of_one_tick_come_together_and_the_disarmed_one_does_not() {
        let mut wheel = Wheel::new();
        for slot in 0..4 {
            wheel.arm(slot, Time(LENGTH / 2));
        }
        wheel.disarm(2);
        wheel.arm(1, Time(9 * LENGTH));
        wheel.arm_now(3);
        assert_eq!(wheel.pop(Time::ZERO), Some(3));
        assert_eq!(wheel.pop(Time::ZERO), None);
        let deadlines = BTreeMap::from([(0, 1), (1, 9 * LENGTH)]);
        assert_eq!(run(&mut wheel, &deadlines, LENGTH), [0]);
        assert_eq!(run(&mut wheel, &deadlines, 10 * LENGTH), [1]);
        assert_eq!(wheel.next_look(), None);
    }

    #[test]
    fn a_slot_left_half_emptied_is_finished_before_anything_later() {
        let mut wheel = Wheel::new();
        let far = 70 * LENGTH;
        let deadlines: BTreeMap<_, _> = (0..3).map(|slot| (slot, far)).collect();
        for slot in 0..3 {
            wheel.arm(slot, Time(far));
        }
        let slot = wheel.pop(Time(66 * LENGTH)).unwrap();
        wheel.arm(slot, Time(far + 5 * LENGTH));
        assert!(wheel.next_look().unwrap() <= Time(66 * LENGTH));
        let mut due = run(&mut wheel, &deadlines, 71 * LENGTH);
        due.push(slot);
        due.sort_unstable();
        assert_eq!(due, [0, 1, 2]);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Arm(u32, u64),
        ArmNow(u32),
        Advance(u64),
        Pop,
    }

    fn act() -> impl Strategy<Value = Act> {
        let span = prop_oneof![0..4 * LENGTH, 0..300 * LENGTH, 0..6 * DAY];
        prop_oneof![
            (0..20u32, span.clone()).prop_map(|(slot, after)| Act::Arm(slot, after)),
            (0..20u32).prop_map(Act::ArmNow),
            span.prop_map(Act::Advance),
            Just(Act::Pop),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost_and_nothing_is_more_than_a_tick_late(acts in prop::collection::vec(act(), 1..200)) {
            let mut wheel = Wheel::new();
            let mut deadlines = BTreeMap::new();
            let mut now = 0;
            for act in acts {
                match act {
                    Act::Arm(slot, after) => {
                        wheel.arm(slot, Time(now + after));
                        deadlines.insert(slot, now + after);
                    }
                    Act::ArmNow(slot) => {
                        wheel.arm_now(slot);
                        deadlines.insert(slot, 0);
                    }
                    // One look, as when the budget is spent.
                    Act::Pop => {
                        if let Some(slot) = wheel.pop(Time(now)) {
                            if deadlines[&slot] <= now {
                                deadlines.remove(&slot);
                            } else {
                                wheel.arm(slot, Time(deadlines[&slot]));
                            }
                        }
                    }
                    Act::Advance(by) => {
                        now += by;
                        for slot in run(&mut wheel, &deadlines, now) {
                            deadlines.remove(&slot);
                        }
                        let late = deadlines.values().min().copied().unwrap_or(u64::MAX);
                        prop_assert!(late >= now / LENGTH * LENGTH, "{late} at {now}");
                        let look = wheel.next_look();
                        prop_assert_eq!(look.is_some(), !deadlines.is_empty());
                        prop_assert!(look.is_none_or(|look| look.0 > now && look.0 <= (late / LENGTH + 1) * LENGTH));
                    }
                }
            }
        }
    }
}
