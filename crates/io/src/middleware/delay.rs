use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use vpc_packet::Offload;
use vpc_packet::PacketBuf;

use crate::counters::{Counters, LinkDrop};
use crate::link::{Link, LinkError, Received};
use crate::software;

/// Packets held back at most; more are dropped, as by a full queue.
const CAPACITY: usize = 1000;

/// Holds every received packet back for a time, in order; what is sent passes at once, so an exchange across
/// one delayed link takes one delay longer.
///
/// A packet becomes due without the descriptor becoming readable: bound the wait by [`Link::due_in`].
pub struct Delay {
    inner: Link,
    delay: Duration,
    clock: Box<dyn Fn() -> Duration + Send>,
    held: VecDeque<Held>,
    free: Vec<Vec<u8>>,
    counters: Counters,
}

#[derive(Debug)]
struct Held {
    due: Duration,
    bytes: Vec<u8>,
    offload: Offload,
}

impl Delay {
    /// Delays `inner` by the machine's clock.
    #[must_use]
    pub fn new(inner: Link, delay: Duration) -> Self {
        // A link is where the outside world begins, and its clock with it.
        #[allow(clippy::disallowed_methods)]
        let start = std::time::Instant::now();
        Self::with_clock(inner, delay, move || start.elapsed())
    }

    /// Delays `inner` by a clock of the caller's: time since any fixed moment, never going back.
    #[must_use]
    pub fn with_clock(inner: Link, delay: Duration, clock: impl Fn() -> Duration + Send + 'static) -> Self {
        Self {
            inner,
            delay,
            clock: Box::new(clock),
            held: VecDeque::new(),
            free: Vec::new(),
            counters: Counters::default(),
        }
    }

    pub(crate) const fn inner(&self) -> &Link {
        &self.inner
    }

    pub(crate) const fn inner_mut(&mut self) -> &mut Link {
        &mut self.inner
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn due_in(&self) -> Option<Duration> {
        self.held.front().map(|held| held.due.saturating_sub((self.clock)()))
    }

    pub(crate) fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        let now = (self.clock)();
        loop {
            match self.inner.recv(packet)? {
                Received::Packet => self.hold(packet, now),
                Received::Empty => break,
                malformed @ Received::Malformed(_) => return Ok(malformed),
            }
        }
        if self.held.front().is_none_or(|held| held.due > now) {
            return Ok(Received::Empty);
        }
        let Some(held) = self.held.pop_front() else {
            return Ok(Received::Empty);
        };
        packet.set_packet(&held.bytes);
        packet.offload = held.offload;
        self.free.push(held.bytes);
        self.counters.rx.count(software::segments(packet), packet.len());
        Ok(Received::Packet)
    }

    fn hold(&mut self, packet: &PacketBuf, now: Duration) {
        if self.held.len() >= CAPACITY {
            self.counters.drop(LinkDrop::Full, software::segments(packet));
            return;
        }
        let mut bytes = self.free.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(packet.bytes());
        self.held.push_back(Held { due: now + self.delay, bytes, offload: packet.offload });
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay")
            .field("inner", &self.inner)
            .field("delay", &self.delay)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::memory::Memory;

    #[test]
    fn packets_come_out_in_order_when_they_are_due_and_not_before() {
        let millis = Arc::new(AtomicU64::new(0));
        let (left, mut right) = Memory::pair(8).unwrap();
        let clock = {
            let millis = Arc::clone(&millis);
            move || Duration::from_millis(millis.load(Ordering::Relaxed))
        };
        let delay = Delay::with_clock(Link::Memory(left), Duration::from_millis(10), clock);
        let mut link = Link::Delay(Box::new(delay));
        let mut packet = PacketBuf::new();
        assert_eq!(link.due_in(), None);

        let _ = right.send(&mut PacketBuf::from_packet(&[1; 20]));
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Empty);
        assert_eq!(link.due_in(), Some(Duration::from_millis(10)));

        millis.store(4, Ordering::Relaxed);
        let _ = right.send(&mut PacketBuf::from_packet(&[2; 20]));
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Empty);

        millis.store(10, Ordering::Relaxed);
        assert_eq!(link.due_in(), Some(Duration::ZERO));
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Packet);
        assert_eq!(packet.bytes(), [1; 20]);
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Empty);
        assert_eq!(link.due_in(), Some(Duration::from_millis(4)));

        millis.store(99, Ordering::Relaxed);
        assert_eq!(link.recv(&mut packet).unwrap(), Received::Packet);
        assert_eq!(packet.bytes(), [2; 20]);
    }

    #[test]
    fn more_than_a_queue_full_is_dropped() {
        let (left, mut right) = Memory::pair(CAPACITY + 5).unwrap();
        let mut link = Delay::with_clock(Link::Memory(left), Duration::from_secs(1), || Duration::ZERO);
        for _ in 0..CAPACITY + 5 {
            let _ = right.send(&mut PacketBuf::from_packet(&[1; 20]));
        }
        assert_eq!(link.recv(&mut PacketBuf::new()).unwrap(), Received::Empty);
        assert_eq!(link.counters().dropped(LinkDrop::Full), 5);
    }
}
