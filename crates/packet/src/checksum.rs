//! Internet checksums: in full, by difference, and in the unfinished form the kernel hands over.

use crate::buf::OffloadError;
use crate::{L4Checksum, PacketBuf, Parsed, Protocol};
use std::net::IpAddr;

/// A ones'-complement sum being taken.
///
/// Shape: add slices and words in any order, then [`Sum::fold`] or [`Sum::checksum`].
/// Source: RFC 1071.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds a slice that begins at an even offset of the message; an odd last byte is padded with zero.
    #[must_use]
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, tail) = bytes.as_chunks::<4>();
        // Native order first, one swap at the end: the sum does not care (RFC 1071 §2(B)).
        let mut sum: u64 = words.iter().map(|w| u64::from(u32::from_ne_bytes(*w))).sum();
        if !tail.is_empty() {
            let mut last = [0; 4];
            for (to, from) in last.iter_mut().zip(tail) {
                *to = *from;
            }
            sum += u64::from(u32::from_ne_bytes(last));
        }
        Self(self.0 + u64::from(u16::from_be(fold(sum))))
    }

    /// Adds an IPv4 header without options.
    #[must_use]
    #[inline(always)]
    pub(crate) fn header(self, header: &[u8; 20]) -> Self {
        // Its length is known here, so that nothing is left of the loop.
        let (words, _) = header.as_chunks::<4>();
        let sum: u64 = words.iter().map(|w| u64::from(u32::from_ne_bytes(*w))).sum();
        Self(self.0 + u64::from(u16::from_be(fold(sum))))
    }

    /// Adds one 16-bit word.
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Self(self.0 + word as u64)
    }

    /// Adds an address.
    #[must_use]
    pub fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(a) => Self(self.0 + u64::from(u32::from(a))),
            IpAddr::V6(a) => self.bytes(&a.octets()),
        }
    }

    /// Adds the pseudo-header of a TCP, UDP or ICMPv6 message of `len` bytes.
    ///
    /// Source: RFC 9293 §3.1, RFC 768, RFC 8200 §8.1.
    #[must_use]
    pub fn pseudo_header(self, src: IpAddr, dst: IpAddr, protocol: Protocol, len: u32) -> Self {
        let sum = self.address(src).address(dst).word(protocol.0.into());
        Self(sum.0 + u64::from(len))
    }

    /// The folded sum, not inverted: what a partial checksum's field holds.
    #[must_use]
    pub const fn fold(self) -> u16 {
        fold(self.0)
    }

    /// The checksum: the folded sum, inverted.
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !fold(self.0)
    }
}

/// The difference some changed words make to a checksum.
///
/// Shape: collect the changes, then apply them to a complete or to a partial checksum.
/// Source: RFC 1624 §3 eqn 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta(u16);

impl Delta {
    /// No difference.
    pub const NONE: Self = Self(0);

    /// Adds the change of one 16-bit word.
    #[must_use]
    pub const fn word(self, old: u16, new: u16) -> Self {
        if old == new {
            return self;
        }
        Self(fold_few(self.0 as u32 + !old as u32 + new as u32))
    }

    /// Adds the change of an address; the two are of the same IP version.
    #[must_use]
    pub fn address(self, old: IpAddr, new: IpAddr) -> Self {
        if old == new {
            return self;
        }
        self.sums(Sum::new().address(old), Sum::new().address(new))
    }

    /// Adds the change from one summed region to another.
    #[must_use]
    pub const fn sums(self, old: Sum, new: Sum) -> Self {
        self.word(old.fold(), new.fold())
    }

    /// Adds both differences.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(fold_few(self.0 as u32 + other.0 as u32))
    }

    /// A complete (inverted) checksum, changed.
    #[must_use]
    #[inline]
    pub const fn complete(self, checksum: u16) -> u16 {
        !fold_few(!checksum as u32 + self.0 as u32)
    }

    /// A complete UDP checksum, changed: 0 ("not computed") stays 0, a result of 0 is sent as 0xffff.
    ///
    /// Source: RFC 768.
    #[must_use]
    #[inline]
    pub const fn complete_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        udp_zero(self.complete(checksum))
    }

    /// A partial (pseudo-header, not inverted) sum, changed. Only addresses may be in the difference:
    /// everything else is still to be summed.
    #[must_use]
    #[inline]
    pub const fn partial(self, sum: u16) -> u16 {
        fold_few(sum as u32 + self.0 as u32)
    }
}

/// Folds the change of one 16-bit word into a complete checksum, without the payload.
///
/// Shape: all three as numbers read in network order; returns the new checksum.
/// Source: RFC 1624 §3 eqn 3 (eqn 2, RFC 1141's form, can yield the other zero).
#[must_use]
pub const fn update16(checksum: u16, old: u16, new: u16) -> u16 {
    Delta::NONE.word(old, new).complete(checksum)
}

/// Folds the change of one 32-bit word into a complete checksum.
///
/// Source: RFC 1624 §3 eqn 3.
#[must_use]
pub const fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    let high = Delta::NONE.word((old >> 16) as u16, (new >> 16) as u16);
    high.word(old as u16, new as u16).complete(checksum)
}

/// The checksum of `bytes`, whose own checksum field is 0; over bytes with the field filled in, 0 means good.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::new().bytes(bytes).checksum()
}

/// A computed UDP checksum as it is sent: 0 would mean "not computed".
///
/// Source: RFC 768.
#[must_use]
pub const fn udp_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}

/// What a layer-4 checksum turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// There is none: another protocol, or UDP sent without.
    Absent,
    /// The field does not fit the bytes.
    Bad,
    /// The field fits the bytes.
    Good,
    /// A partial checksum whose pseudo-header sum is right.
    GoodPartial,
    /// A fragment: the checksum covers bytes that are not here.
    Unverifiable,
}

/// Checks the layer-4 checksum of a parsed packet, complete or partial.
///
/// Deviation: the pseudo-header has the addresses of the IP header, also where IPv6 would take the last one of a
/// routing header (RFC 8200 §8.1) or a mobile host's home address (RFC 6275 §6.3).
#[must_use]
pub fn verify(buf: &PacketBuf, parsed: &Parsed) -> Verification {
    verify_bytes(buf.bytes(), parsed)
}

/// [`verify`] on bytes that are not in a [`PacketBuf`].
#[must_use]
pub fn verify_bytes(bytes: &[u8], parsed: &Parsed) -> Verification {
    let Some(field) = field_offset(parsed) else {
        return match parsed.packet.fragment {
            crate::Fragment::Later { .. } => Verification::Unverifiable,
            crate::Fragment::First { .. } | crate::Fragment::Whole => Verification::Absent,
        };
    };
    let at = usize::from(parsed.packet.l4);
    let Some(message) = bytes.get(at..at + message_len(bytes, parsed)) else {
        return Verification::Bad;
    };
    let Some(found) = read16(bytes, field) else {
        return Verification::Bad;
    };
    let pseudo = pseudo_sum(parsed, message.len());
    if parsed.checksum == L4Checksum::Partial {
        let good = found == pseudo.fold();
        return if good { Verification::GoodPartial } else { Verification::Bad };
    }
    if parsed.tuple.protocol == Protocol::UDP && found == 0 {
        return Verification::Absent;
    }
    if matches!(parsed.packet.fragment, crate::Fragment::First { .. }) {
        return Verification::Unverifiable;
    }
    if pseudo.bytes(message).fold() == 0xffff { Verification::Good } else { Verification::Bad }
}

/// Computes the layer-4 checksum of a whole packet into its field, complete.
///
/// Shape: a packet without a checksum field, or a fragment, stays as it is.
pub fn fill(bytes: &mut [u8], parsed: &Parsed) {
    let Some(field) = field_offset(parsed) else { return };
    let at = usize::from(parsed.packet.l4);
    write16(bytes, field, 0);
    let len = message_len(bytes, parsed);
    let Some(message) = bytes.get(at..at + len) else {
        return;
    };
    let sum = pseudo_sum(parsed, len).bytes(message).checksum();
    let sum = if parsed.tuple.protocol == Protocol::UDP { udp_zero(sum) } else { sum };
    write16(bytes, field, sum);
}

/// Finishes a partial checksum in software: the one place where payload is read.
///
/// Shape: `buf.offload.partial` is `None` afterwards; a buffer without a partial checksum stays as it is.
/// Errors: a super-packet (each segment needs a checksum of its own: segment it), a field outside the packet.
/// Source: io.md §1.3; RFC 768 for the zero of UDP.
pub fn complete_checksum(buf: &mut PacketBuf) -> Result<(), OffloadError> {
    let Some(partial) = buf.offload.partial else {
        return Ok(());
    };
    if let Some(gso) = buf.offload.gso {
        return Err(OffloadError::SuperPacket { size: gso.size });
    }
    let (start, field) = (usize::from(partial.start), usize::from(partial.start) + usize::from(partial.offset));
    let len = buf.bytes().len();
    if field + 2 > len {
        return Err(OffloadError::ChecksumField { field, len });
    }
    let sum = checksum(buf.bytes().get(start..).unwrap_or_default());
    let sum = if partial.offset == UDP_FIELD { udp_zero(sum) } else { sum };
    write16(buf.bytes_mut(), field, sum);
    buf.offload.partial = None;
    Ok(())
}

/// Offset of the checksum in a TCP header.
pub(crate) const TCP_FIELD: u16 = 16;
/// Offset of the checksum in a UDP header.
pub(crate) const UDP_FIELD: u16 = 6;
/// Offset of the checksum in an ICMP header.
pub(crate) const ICMP_FIELD: u16 = 2;

/// Where the layer-4 checksum field of a protocol is, from the start of its header.
pub(crate) const fn field_of(protocol: Protocol) -> Option<u16> {
    match protocol {
        Protocol::TCP => Some(TCP_FIELD),
        Protocol::UDP => Some(UDP_FIELD),
        Protocol::ICMP | Protocol::ICMPV6 => Some(ICMP_FIELD),
        _ => None,
    }
}

/// Where the layer-4 checksum field of a packet is, from the start of the packet.
pub(crate) fn field_offset(parsed: &Parsed) -> Option<usize> {
    if parsed.checksum == L4Checksum::Absent {
        return None;
    }
    field_of(parsed.tuple.protocol).map(|field| usize::from(parsed.packet.l4) + usize::from(field))
}

/// Reads a 16-bit field.
pub(crate) fn read16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

/// Writes a 16-bit field that lies inside `bytes`.
pub(crate) fn write16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<2>()) {
        *field = value.to_be_bytes();
    }
}

/// Bytes the layer-4 checksum covers: the IP payload, or what the UDP header says if that is less.
fn message_len(bytes: &[u8], parsed: &Parsed) -> usize {
    let at = usize::from(parsed.packet.l4);
    let whole = (parsed.packet.len as usize).saturating_sub(at);
    match parsed.tuple.protocol {
        Protocol::UDP if parsed.packet.fragment == crate::Fragment::Whole => {
            read16(bytes, at + 4).map_or(whole, |len| whole.min(len.into()))
        }
        _ => whole,
    }
}

fn pseudo_sum(parsed: &Parsed, len: usize) -> Sum {
    let tuple = parsed.tuple;
    if tuple.protocol == Protocol::ICMP {
        return Sum::new();
    }
    Sum::new().pseudo_header(tuple.src, tuple.dst, tuple.protocol, len as u32)
}

/// Folds any sum of 16-bit words into one, carries added back.
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

/// Folds the sum of a few 16-bit words.
const fn fold_few(sum: u32) -> u16 {
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let sum = Sum::new().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.fold(), 0xddf2);
    }

    #[test]
    fn the_example_of_rfc_1624_does_not_become_the_other_zero() {
        // RFC 1624 §4: HC = 0xdd2f, m = 0x5555, m' = 0x3285.
        assert_eq!(update16(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn a_udp_checksum_of_zero_stays_and_a_result_of_zero_is_sent_as_ffff() {
        let delta = Delta::NONE.word(0x5555, 0x3285);
        assert_eq!(delta.complete_udp(0), 0);
        assert_eq!(delta.complete_udp(0xdd2f), 0xffff);
    }

    #[test]
    fn folding_the_largest_sum_loses_no_carry() {
        assert_eq!(fold(u64::MAX), 0xffff);
        assert_eq!(fold(0xffff_0000_0001_0000), 1);
        assert_eq!(fold(0x1_ffff_ffff), 1);
        for words in 0..=4 {
            let sum = words * 0xffff;
            assert_eq!(fold_few(sum), fold(sum.into()));
            assert_eq!(fold_few(sum + 1), fold(u64::from(sum) + 1));
        }
    }

    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    proptest! {
        #[test]
        fn the_full_sum_equals_the_word_by_word_one(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(checksum(&bytes), reference(&bytes));
            let oracle = etherparse::checksum::Sum16BitWords::new().add_slice(&bytes).ones_complement();
            // The oracle's result is "in native byte order": swap as its own headers do.
            prop_assert_eq!(checksum(&bytes), u16::from_be(oracle));
        }

        #[test]
        fn the_incremental_update_equals_recomputing(
            mut words in proptest::collection::vec(any::<u16>(), 2..40),
            at in any::<proptest::sample::Index>(),
            new in any::<u16>(),
        ) {
            let sum = |words: &[u16]| {
                let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
                checksum(&bytes)
            };
            words.push(0x4500); // a message of zeros only has two right checksums
            let at = at.index(words.len() - 1);
            let before = sum(&words);
            let old = std::mem::replace(&mut words[at], new);
            prop_assert_eq!(update16(before, old, new), sum(&words));
            let partial = !before;
            prop_assert_eq!(Delta::NONE.word(old, new).partial(partial), !sum(&words));
        }

        #[test]
        fn thirty_two_bits_are_two_words(checksum: u16, old: u32, new: u32) {
            let twice = update16(update16(checksum, (old >> 16) as u16, (new >> 16) as u16), old as u16, new as u16);
            let once = update32(checksum, old, new);
            prop_assert!(once == twice || [once, twice].iter().all(|c| [0, 0xffff].contains(c)));
        }

        #[test]
        fn an_address_update_equals_recomputing(old: [u8; 16], new: [u8; 16], rest in 1u16..) {
            let full = |a: [u8; 16]| Sum::new().bytes(&a).word(rest).checksum();
            let delta = Delta::NONE.address(IpAddr::from(old), IpAddr::from(new));
            prop_assert_eq!(delta.complete(full(old)), full(new));
        }
    }
}
