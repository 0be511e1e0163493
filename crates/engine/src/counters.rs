//! Totals of one engine.

use vpc_model::DropReason;

/// What happened to packets since the engine started. A super-packet counts as its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came in.
    pub received: u64,
    /// Packets that were sent on.
    pub forwarded: u64,
    /// Bytes (layer 3) that were sent on.
    pub forwarded_bytes: u64,
    /// Packets the engine itself originated: ICMP errors and resets.
    pub originated: u64,
    /// Walks: packets for which no path was remembered.
    pub walks: u64,
    dropped: [u64; DropReason::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self { received: 0, forwarded: 0, forwarded_bytes: 0, originated: 0, walks: 0, dropped: [0; DropReason::COUNT] }
    }
}

impl Counters {
    /// How many packets were dropped for a reason.
    #[must_use]
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Every reason with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&reason| (reason, self.dropped(reason)))
    }

    #[inline]
    pub(crate) const fn drop(&mut self, reason: DropReason, segments: u16) {
        self.dropped[reason as usize] += segments as u64;
    }
}
