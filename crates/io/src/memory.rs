//! Links without a kernel: two ends joined by two queues, for tests and simulations.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use vpc_packet::{Offload, PacketBuf};

use crate::counters::{Counters, LinkDrop};
use crate::link::{Received, Sent};
use crate::software::{self, Segmenter};
use crate::tun::Offloads;

/// One end of a pair; what one end sends, the other receives, in order and with its offload state.
///
/// The descriptor is readable exactly while there is something to receive, so an end can be polled like a
/// TUN.
#[derive(Debug)]
pub struct Memory {
    receive: Arc<Queue>,
    transmit: Arc<Queue>,
    offloads: Offloads,
    segmenter: Segmenter,
    counters: Counters,
}

impl Memory {
    /// Two joined ends, each direction holding at most `capacity` packets.
    ///
    /// Errors: no descriptor to be had.
    pub fn pair(capacity: usize) -> io::Result<(Self, Self)> {
        let one = Arc::new(Queue::new(capacity)?);
        let other = Arc::new(Queue::new(capacity)?);
        let end = |receive: &Arc<Queue>, transmit: &Arc<Queue>| Self {
            receive: Arc::clone(receive),
            transmit: Arc::clone(transmit),
            offloads: Offloads::ALL,
            segmenter: Segmenter::default(),
            counters: Counters::default(),
        };
        Ok((end(&one, &other), end(&other, &one)))
    }

    /// This end carrying no more than `offloads`: what it sends besides is finished in software, as by a TUN.
    #[must_use]
    pub fn with_offloads(self, offloads: Offloads) -> Self {
        Self { offloads: offloads.and(Offloads::ALL), ..self }
    }

    /// What this end sends unfinished.
    #[must_use]
    pub const fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// What has been counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn recv(&mut self, packet: &mut PacketBuf) -> Received {
        let Some((bytes, offload)) = self.receive.pop() else {
            return Received::Empty;
        };
        packet.set_packet(&bytes);
        packet.offload = offload;
        self.receive.give_back(bytes);
        self.counters.rx.count(software::segments(packet), packet.len());
        Received::Packet
    }

    pub(crate) fn send(&mut self, packet: &mut PacketBuf) -> Sent {
        if !software::must_finish(packet.offload, self.offloads) {
            return self.put(packet);
        }
        let segments = software::segments(packet);
        let mut segmenter = std::mem::take(&mut self.segmenter);
        let mut outcome = Sent::Accepted;
        let cut = segmenter.for_each(packet, |segment| match self.put(segment) {
            Sent::Accepted => {}
            dropped @ Sent::Dropped(_) => outcome = dropped,
        });
        self.segmenter = segmenter;
        if cut.is_err() {
            self.counters.drop(LinkDrop::Refused, segments);
            return Sent::Dropped(LinkDrop::Refused);
        }
        outcome
    }

    fn put(&mut self, packet: &PacketBuf) -> Sent {
        let segments = software::segments(packet);
        if self.transmit.push(packet) {
            self.counters.tx.count(segments, packet.len());
            Sent::Accepted
        } else {
            self.counters.drop(LinkDrop::Full, segments);
            Sent::Dropped(LinkDrop::Full)
        }
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receive.readable.as_fd()
    }
}

/// One direction.
#[derive(Debug)]
struct Queue {
    packets: Mutex<Packets>,
    capacity: usize,
    readable: OwnedFd,
}

#[derive(Debug, Default)]
struct Packets {
    waiting: VecDeque<(Vec<u8>, Offload)>,
    /// Memory of packets received, for the next ones.
    free: Vec<Vec<u8>>,
}

impl Queue {
    fn new(capacity: usize) -> io::Result<Self> {
        let readable = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { packets: Mutex::default(), capacity, readable })
    }

    fn push(&self, packet: &PacketBuf) -> bool {
        let mut packets = self.lock();
        if packets.waiting.len() >= self.capacity {
            return false;
        }
        let mut bytes = packets.free.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(packet.bytes());
        packets.waiting.push_back((bytes, packet.offload));
        if packets.waiting.len() == 1 {
            // Cannot fail: the counter is 0 while the queue is empty.
            let _ = rustix::io::write(&self.readable, &1_u64.to_ne_bytes());
        }
        true
    }

    fn pop(&self) -> Option<(Vec<u8>, Offload)> {
        let mut packets = self.lock();
        let packet = packets.waiting.pop_front()?;
        if packets.waiting.is_empty() {
            // Cannot fail: the counter is 1 while the queue is not empty.
            let _ = rustix::io::read(&self.readable, &mut [0; 8]);
        }
        Some(packet)
    }

    fn give_back(&self, bytes: Vec<u8>) {
        self.lock().free.push(bytes);
    }

    /// A panic elsewhere leaves the queue whole: every change is one push or pop.
    fn lock(&self) -> MutexGuard<'_, Packets> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vpc_packet::{Gso, GsoKind, PartialChecksum};

    use super::*;
    use crate::poll::Poller;

    #[test]
    fn packets_arrive_in_order_with_their_offload_state() {
        let (mut left, mut right) = Memory::pair(8).unwrap();
        let mut first = PacketBuf::from_packet(&[0x45; 60]);
        first.offload = Offload {
            partial: Some(PartialChecksum { start: 20, offset: 6 }),
            gso: Some(Gso { kind: GsoKind::Udp, size: 8, ecn: false }),
        };
        assert_eq!(left.send(&mut first.clone()), Sent::Accepted);
        assert_eq!(left.send(&mut PacketBuf::from_packet(&[2; 40])), Sent::Accepted);

        let mut packet = PacketBuf::new();
        assert_eq!(right.recv(&mut packet), Received::Packet);
        assert_eq!((packet.bytes(), packet.offload), (first.bytes(), first.offload));
        assert_eq!(right.recv(&mut packet), Received::Packet);
        assert_eq!((packet.bytes(), packet.offload), (&[2; 40][..], Offload::default()));
        assert_eq!(right.recv(&mut packet), Received::Empty);
        assert_eq!(left.recv(&mut packet), Received::Empty);
        assert_eq!(right.counters().rx, left.counters().tx);
        assert_eq!(right.counters().rx.segments, 4 + 1);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (mut left, _right) = Memory::pair(1).unwrap();
        let mut packet = PacketBuf::from_packet(&[1; 20]);
        assert_eq!(left.send(&mut packet), Sent::Accepted);
        assert_eq!(left.send(&mut packet), Sent::Dropped(LinkDrop::Full));
        assert_eq!(left.counters().dropped(LinkDrop::Full), 1);
    }

    #[test]
    fn an_end_is_readable_exactly_while_something_waits() {
        let (mut left, mut right) = Memory::pair(4).unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&right, 3).unwrap();
        let mut readable = || {
            poller.wait(Some(Duration::ZERO)).unwrap();
            !poller.events().is_empty()
        };
        assert!(!readable());
        for _ in 0..2 {
            let _ = left.send(&mut PacketBuf::from_packet(&[1; 20]));
        }
        let mut packet = PacketBuf::new();
        assert!(readable());
        right.recv(&mut packet);
        assert!(readable());
        right.recv(&mut packet);
        assert!(!readable());
    }
}
