use vpc_packet::PacketBuf;

use super::{Dice, Probability};
use crate::counters::{Counters, LinkDrop};
use crate::link::{Link, LinkError, Received, Sent};
use crate::software;

/// Loses packets at random, received and sent alike; a super-packet is lost as a whole.
#[derive(Debug)]
pub struct Lossy {
    inner: Link,
    probability: Probability,
    dice: Dice,
    counters: Counters,
}

impl Lossy {
    /// Loses each packet of `inner` with `probability`; the same `seed` loses the same ones.
    #[must_use]
    pub fn new(inner: Link, probability: Probability, seed: u64) -> Self {
        Self { inner, probability, dice: Dice::new(seed), counters: Counters::default() }
    }

    pub(crate) const fn inner(&self) -> &Link {
        &self.inner
    }

    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        loop {
            let received = self.inner.recv(packet)?;
            if received != Received::Packet {
                return Ok(received);
            }
            let segments = software::segments(packet);
            if self.dice.hit(self.probability) {
                self.counters.drop(LinkDrop::Injected, segments);
                continue;
            }
            self.counters.rx.count(segments, packet.len());
            return Ok(received);
        }
    }

    pub(crate) fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        let (segments, bytes) = (software::segments(packet), packet.len());
        if self.dice.hit(self.probability) {
            self.counters.drop(LinkDrop::Injected, segments);
            return Ok(Sent::Dropped(LinkDrop::Injected));
        }
        let sent = self.inner.send(packet, header_length)?;
        if sent == Sent::Accepted {
            self.counters.tx.count(segments, bytes);
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    fn survivors(probability: f64, seed: u64) -> Vec<u8> {
        let (left, mut right) = Memory::pair(256).unwrap();
        let mut link = Lossy::new(Link::Memory(left), Probability::new(probability).unwrap(), seed);
        for n in 0..200 {
            let _ = link.send(&mut PacketBuf::from_packet(&[n; 20]), 20).unwrap();
        }
        let mut packet = PacketBuf::new();
        let mut numbers = Vec::new();
        while right.recv(&mut packet) == Received::Packet {
            numbers.push(packet.bytes()[0]);
        }
        let lost = link.counters().dropped(LinkDrop::Injected);
        assert_eq!(lost + link.counters().tx.packets, 200);
        assert_eq!(link.counters().tx.packets, numbers.len() as u64);
        numbers
    }

    #[test]
    fn about_as_many_packets_are_lost_as_asked_for_and_the_rest_keeps_its_order() {
        let numbers = survivors(0.25, 1);
        assert!((130..=170).contains(&numbers.len()), "{}", numbers.len());
        assert!(numbers.is_sorted());
        assert_eq!(survivors(0.0, 1).len(), 200);
        assert_eq!(survivors(1.0, 1).len(), 0);
    }

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        assert_eq!(survivors(0.5, 7), survivors(0.5, 7));
        assert_ne!(survivors(0.5, 7), survivors(0.5, 8));
    }

    #[test]
    fn received_packets_are_lost_too() {
        let (left, mut right) = Memory::pair(4).unwrap();
        let mut link = Lossy::new(Link::Memory(left), Probability::new(1.0).unwrap(), 0);
        let _ = right.send(&mut PacketBuf::from_packet(&[0; 20]));
        assert_eq!(link.recv(&mut PacketBuf::new()).unwrap(), Received::Empty);
        assert_eq!(link.counters().dropped(LinkDrop::Injected), 1);
    }
}
