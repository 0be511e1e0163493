//! DIR-24-8: one array step for everything up to /24, one more below; fast and 64 MiB large.

use crate::runs::Run;

/// In a slot: the other bits number a group, they are not the answer.
const GROUP: u32 = 1 << 31;
const SLOTS: usize = 1 << 24;
/// How many look-ups of a batch go side by side.
const BATCH: usize = 32;

/// A frozen table of 2^24 slots, and a group of 256 answers for each slot that holds more than one.
#[derive(Clone, Debug)]
pub(crate) struct Dir24 {
    slots: Box<[u32]>,
    groups: Box<[[u32; 256]]>,
}

impl Dir24 {
    pub(crate) fn new(runs: &[Run<u32>]) -> Self {
        let mut slots = vec![0; SLOTS];
        let mut groups: Vec<[u32; 256]> = Vec::new();
        let ends = runs.iter().skip(1).map(|next| next.start as usize).chain([SLOTS << 8]);
        for (run, end) in runs.iter().zip(ends) {
            let word = match run.value {
                large if large & GROUP != 0 => push(&mut groups, [large; 256]),
                value => value,
            };
            let whole = (run.start as usize).div_ceil(256)..end / 256;
            slots.get_mut(whole).unwrap_or_default().fill(word);
        }
        // The slots that are cut inside; before the first cut, the run before holds.
        let mut rest = runs;
        while let [before, cut, ..] = rest {
            if cut.start & 0xff == 0 {
                rest = &rest[1..];
                continue;
            }
            let mut group = [before.value; 256];
            while let [_, cut_inside, ..] = rest
                && cut_inside.start >> 8 == cut.start >> 8
            {
                group[(cut_inside.start & 0xff) as usize..].fill(cut_inside.value);
                rest = &rest[1..];
            }
            slots[(cut.start >> 8) as usize] = push(&mut groups, group);
        }
        Self { slots: slots.into(), groups: groups.into() }
    }

    #[inline]
    pub(crate) fn lookup(&self, addr: u32) -> u32 {
        self.below(self.slots[(addr >> 8) as usize], addr)
    }

    /// Shape: the two are equally long.
    pub(crate) fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        let (batches, rest) = addrs.as_chunks::<BATCH>();
        let (found_batches, found_rest) = found.as_chunks_mut::<BATCH>();
        for (addrs, found) in batches.iter().zip(found_batches) {
            let slots = addrs.map(|addr| self.slots[(addr >> 8) as usize]);
            for ((found, &slot), &addr) in found.iter_mut().zip(&slots).zip(addrs) {
                *found = self.below(slot, addr);
            }
        }
        for (found, &addr) in found_rest.iter_mut().zip(rest) {
            *found = self.lookup(addr);
        }
    }

    /// What the table occupies outside itself. Units: bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.groups)
    }

    #[inline(always)]
    fn below(&self, slot: u32, addr: u32) -> u32 {
        if slot & GROUP == 0 { slot } else { self.groups[(slot & !GROUP) as usize][(addr & 0xff) as usize] }
    }
}

/// Adds a group and returns the slot word that names it.
fn push(groups: &mut Vec<[u32; 256]>, group: [u32; 256]) -> u32 {
    groups.push(group);
    GROUP | (groups.len() - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_a_sorted_list() {
        let starts = [
            0_u32,
            1,
            255,
            256,
            512,
            513,
            514,
            0x1_0000,
            0x1_00ff,
            0x2_0080,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ff00,
            0xffff_ffff,
        ];
        let values = [0, 5, u32::MAX, 70_000, 1 << 31].into_iter().cycle();
        let runs: Vec<Run<u32>> = starts.iter().zip(values).map(|(&start, value)| Run { start, value }).collect();
        let table = Dir24::new(&runs);
        let addrs: Vec<u32> =
            starts.iter().flat_map(|&s| [s.wrapping_sub(1), s, s.wrapping_add(1), s ^ 0x80]).collect();
        let expected: Vec<u32> =
            addrs.iter().map(|&addr| runs[runs.partition_point(|run| run.start <= addr) - 1].value).collect();
        let one_by_one: Vec<u32> = addrs.iter().map(|&addr| table.lookup(addr)).collect();
        assert_eq!(one_by_one, expected);
        let mut found = vec![1; addrs.len()];
        table.lookup_batch(&addrs, &mut found);
        assert_eq!(found, expected);
    }
}
