//! What a link counts.

/// Why a packet given to a link did not leave on it, or one that arrived was not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LinkDrop {
    /// A fault-injecting wrapper threw it away on purpose.
    Injected,
    /// The interface is administratively down (`EIO`).
    Down,
    /// The link had no room for it (`EAGAIN`, `ENOBUFS`).
    Full,
    /// The offload header of a received packet contradicts the packet.
    Malformed,
    /// The kernel did not accept it in any form (`EINVAL`), or it could not be cut into segments.
    Refused,
}

impl LinkDrop {
    /// Every reason, in the order of [`Counters::drops`].
    pub const ALL: [Self; 5] = [Self::Injected, Self::Down, Self::Full, Self::Malformed, Self::Refused];

    /// The reason as metrics and logs spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::Down => "down",
            Self::Full => "full",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
        }
    }
}

/// Traffic in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets as read or written; a super-packet is one.
    pub packets: u64,
    /// Packets as they would be on a wire; a super-packet is as many as it has segments.
    pub segments: u64,
    /// Bytes of IP; the headers of a super-packet are counted once.
    pub bytes: u64,
}

impl Traffic {
    #[inline]
    pub(crate) const fn count(&mut self, segments: u32, bytes: usize) {
        self.packets += 1;
        self.segments += segments as u64;
        self.bytes += bytes as u64;
    }
}

/// The counters of one link since it was opened.
///
/// Plain numbers: the link has one owner, who copies them out when somebody asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Received from the link.
    pub rx: Traffic,
    /// Accepted by the link.
    pub tx: Traffic,
    drops: [u64; LinkDrop::ALL.len()],
}

impl Counters {
    /// Segments dropped for `reason`.
    #[must_use]
    pub const fn dropped(&self, reason: LinkDrop) -> u64 {
        self.drops[reason as usize]
    }

    /// Segments dropped, by reason.
    pub fn drops(&self) -> impl Iterator<Item = (LinkDrop, u64)> {
        LinkDrop::ALL.into_iter().map(|reason| (reason, self.dropped(reason)))
    }

    #[inline]
    pub(crate) const fn drop(&mut self, reason: LinkDrop, segments: u32) {
        self.drops[reason as usize] += segments as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drop_reason_has_its_own_counter() {
        let mut counters = Counters::default();
        for (position, reason) in LinkDrop::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, position);
            counters.drop(reason, u32::try_from(position).unwrap() + 1);
        }
        let counts: Vec<u64> = counters.drops().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5]);
    }
}
