use vpc_packet::PacketBuf;
use vpc_packet::checksum::complete_checksum;

use super::{Dice, Probability};
use crate::counters::{Counters, LinkDrop};
use crate::link::{Link, LinkError, Received, Sent};
use crate::software;

/// Flips one bit in some packets, received and sent alike, in a way the receiver can notice.
///
/// An unfinished checksum is completed first, or the receiver would be given one that matches the damage. A
/// super-packet cannot carry a wrong checksum at all, so it is lost instead, which is what its receiver
/// would have done with a damaged one; open the TUN without offloads to have single segments damaged.
#[derive(Debug)]
pub struct Corrupt {
    inner: Link,
    probability: Probability,
    dice: Dice,
    counters: Counters,
}

impl Corrupt {
    /// Damages each packet of `inner` with `probability`; the same `seed` damages the same bits.
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
            if self.pass(packet) {
                self.counters.rx.count(software::segments(packet), packet.len());
                return Ok(received);
            }
        }
    }

    pub(crate) fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        if !self.pass(packet) {
            return Ok(Sent::Dropped(LinkDrop::Injected));
        }
        let (segments, bytes) = (software::segments(packet), packet.len());
        let sent = self.inner.send(packet, header_length)?;
        if sent == Sent::Accepted {
            self.counters.tx.count(segments, bytes);
        }
        Ok(sent)
    }

    /// Perhaps damages `packet`; `false` when it is lost.
    fn pass(&mut self, packet: &mut PacketBuf) -> bool {
        if packet.is_empty() || !self.dice.hit(self.probability) {
            return true;
        }
        if packet.offload.gso.is_some() || complete_checksum(packet).is_err() {
            self.counters.drop(LinkDrop::Injected, software::segments(packet));
            return false;
        }
        let bit = self.dice.below(packet.len() as u64 * 8);
        let position = usize::try_from(bit / 8).unwrap_or_default();
        if let Some(byte) = packet.bytes_mut().get_mut(position) {
            *byte ^= 1 << (bit % 8);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use vpc_packet::{Gso, GsoKind};

    use super::*;
    use crate::memory::Memory;

    fn certain() -> (Corrupt, Memory) {
        let (left, right) = Memory::pair(64).unwrap();
        (Corrupt::new(Link::Memory(left), Probability::new(1.0).unwrap(), 3), right)
    }

    #[test]
    fn exactly_one_bit_is_flipped() {
        let (mut link, mut right) = certain();
        let mut packet = PacketBuf::new();
        for _ in 0..50 {
            let _ = link.send(&mut PacketBuf::from_packet(&[0; 40]), 20).unwrap();
            assert_eq!(right.recv(&mut packet), Received::Packet);
            let ones: u32 = packet.bytes().iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones, 1);
        }
    }

    #[test]
    fn a_super_packet_is_lost_instead() {
        let (mut link, mut right) = certain();
        let mut packet = PacketBuf::from_packet(&[0x45; 200]);
        packet.offload.gso = Some(Gso { kind: GsoKind::Udp, size: 50, ecn: false });
        assert_eq!(link.send(&mut packet, 28).unwrap(), Sent::Dropped(LinkDrop::Injected));
        assert_eq!(right.recv(&mut packet), Received::Empty);
    }
}
