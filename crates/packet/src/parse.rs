//! One pass from bytes to what the pipeline needs.

use crate::buf::{GsoKind, MAX_PACKET, Offload};
use crate::checksum::{self, Sum};
use crate::{FiveTuple, PacketBuf, Protocol, quote};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod error;
mod field;

pub use error::{Layer, ParseError, ParseErrorKind};
pub use field::{payload, tcp_ack, tcp_seq, tcp_window};

/// TCP flag bits as on the wire (FIN = 1 … CWR = 128); 0 for other protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(1);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(2);
    /// Reset the connection.
    pub const RST: Self = Self(4);
    /// Push.
    pub const PSH: Self = Self(8);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(16);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(32);
    /// ECN echo.
    pub const ECE: Self = Self(64);
    /// Congestion window reduced.
    pub const CWR: Self = Self(128);

    /// Whether all bits of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// These bits except those of `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// Where a packet stands in a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Not a fragment (also an IPv6 "atomic fragment", RFC 6946).
    Whole,
    /// The fragment with the layer-4 header.
    First {
        /// IP identification.
        id: u32,
    },
    /// A fragment without layer-4 header: the tuple's ports are 0 until the first fragment's are known.
    Later {
        /// IP identification.
        id: u32,
        /// No more fragments follow.
        last: bool,
    },
}

/// What the layer-4 checksum field of a packet holds, and so which arithmetic keeps it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4Checksum {
    /// There is no such field here: a later fragment, or a protocol that is not looked into.
    Absent,
    /// A finished checksum (or UDP's 0 for none). Also when the virtio header speaks of a checksum deeper
    /// inside, as of a packet tunnelled by the instance.
    Complete,
    /// Only the pseudo-header sum, not inverted; the virtio header tells where the rest is to be summed.
    Partial,
}

/// What differs from packet to packet of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerPacket {
    /// Offset of the layer-4 header from the start of the IP packet, in bytes.
    pub l4: u16,
    /// Length of the layer-4 header, in bytes (0 where there is none).
    pub l4_len: u16,
    /// Layer-3 length of the whole buffer, in bytes (for a super-packet, of all of it). What the IP header
    /// says: bytes behind it are no part of the packet.
    pub len: u32,
    /// Packets on the wire this stands for; at least 1.
    pub segments: u16,
    /// Layer-3 length of the largest packet on the wire, in bytes.
    pub segment_len: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 "don't fragment"; true for IPv6.
    pub dont_fragment: bool,
    /// Fragmentation.
    pub fragment: Fragment,
    /// TCP flags.
    pub tcp_flags: TcpFlags,
}

impl PerPacket {
    /// Length of all headers, in bytes: what the virtio header's `hdr_len` is set to on write.
    #[must_use]
    pub const fn header_len(&self) -> u16 {
        self.l4.saturating_add(self.l4_len)
    }

    /// Bytes behind the layer-4 header (for a super-packet, of all segments together).
    #[must_use]
    pub const fn payload_len(&self) -> u32 {
        self.len.saturating_sub(self.header_len() as u32)
    }
}

/// A packet understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Who talks to whom.
    pub tuple: FiveTuple,
    /// What belongs to this packet only.
    pub packet: PerPacket,
    /// For an ICMP error: the tuple of the packet it quotes, as quoted (in the direction of the quoted packet).
    pub quoted: Option<FiveTuple>,
    /// What the layer-4 checksum field holds.
    pub checksum: L4Checksum,
}

/// The most IPv6 extension headers in front of layer 4.
pub const MAX_EXTENSIONS: usize = 8;

/// Understands the packet in `buf`.
///
/// Shape: looks at headers only and allocates nothing. Bytes behind the length of the IP header are allowed
/// (Ethernet padding) and ignored; `buf.truncate(parsed.packet.len as usize)` removes them. IPv6 extension
/// headers are skipped, AH among them; over IPv4, AH is a protocol like any other, and so is ESP over both.
/// Layer-4 checksums are not verified ([`checksum::verify`]); the IPv4 header's is.
/// A quote too short to name its flow leaves `quoted` at `None`.
/// Source: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443; RFC 1858 and RFC 7112 for fragments.
///
/// # Errors
/// [`ParseError`] names layer, offset and kind of the first thing that is wrong.
#[inline]
pub fn parse(buf: &PacketBuf) -> Result<Parsed, ParseError> {
    parse_bytes(buf.bytes(), buf.offload)
}

/// [`parse`] for bytes that are not in a [`PacketBuf`].
///
/// # Errors
/// As [`parse`].
#[inline]
pub fn parse_bytes(bytes: &[u8], offload: Offload) -> Result<Parsed, ParseError> {
    let bytes = bytes.get(..MAX_PACKET).unwrap_or(bytes);
    let Some(first) = bytes.first() else {
        return Err(ParseError::truncated(Layer::Ip, 0, 1, 0));
    };
    match first >> 4 {
        // Each version on its own, so that what is known of one is known while its layer 4 is read.
        4 => finish(&ipv4(bytes)?, bytes, offload),
        6 => finish(&ipv6(bytes)?, bytes, offload),
        version => Err(Layer::Ip.error(0, ParseErrorKind::Version { version })),
    }
}

/// The layers above IP.
#[inline(always)]
fn finish(network: &Network, bytes: &[u8], offload: Offload) -> Result<Parsed, ParseError> {
    let transport = transport(network, bytes)?;
    let mut parsed = Parsed {
        tuple: FiveTuple {
            src: network.src,
            dst: network.dst,
            protocol: network.protocol,
            src_port: transport.src_port,
            dst_port: transport.dst_port,
        },
        packet: PerPacket {
            l4: network.l4 as u16,
            l4_len: transport.len,
            len: network.len as u32,
            segments: 1,
            segment_len: network.len as u16,
            ttl: network.ttl,
            dont_fragment: network.dont_fragment,
            fragment: network.fragment,
            tcp_flags: transport.tcp_flags,
        },
        quoted: transport.quoted,
        checksum: if transport.len == 0 { L4Checksum::Absent } else { L4Checksum::Complete },
    };
    if offload.partial.is_some() || offload.gso.is_some() {
        apply_offload(&mut parsed, offload)?;
    }
    Ok(parsed)
}

/// What the IP header (and its extensions) say.
struct Network {
    src: IpAddr,
    dst: IpAddr,
    protocol: Protocol,
    l4: usize,
    len: usize,
    ttl: u8,
    dont_fragment: bool,
    fragment: Fragment,
}

/// What the layer-4 header says.
#[derive(Default)]
struct Transport {
    len: u16,
    src_port: u16,
    dst_port: u16,
    tcp_flags: TcpFlags,
    quoted: Option<FiveTuple>,
}

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

#[inline(always)]
fn ipv4(bytes: &[u8]) -> Result<Network, ParseError> {
    let fail = |offset, kind| Err(Layer::Ipv4.error(offset, kind));
    let Some(h) = bytes.first_chunk::<IPV4_HEADER>() else {
        return Err(ParseError::truncated(Layer::Ipv4, 0, IPV4_HEADER, bytes.len()));
    };
    let words = h[0] & 0x0f;
    let l4 = usize::from(words) * 4;
    if l4 < IPV4_HEADER {
        return fail(0, ParseErrorKind::HeaderLength { words, least: 5 });
    }
    let len = usize::from(u16::from_be_bytes([h[2], h[3]]));
    if len < l4 {
        return fail(2, ParseErrorKind::LengthBelowHeader { claimed: len, header: l4 });
    }
    if len > bytes.len() {
        return fail(2, ParseErrorKind::LengthPastEnd { claimed: len, available: bytes.len() });
    }
    let mut sum = Sum::new().header(h);
    if l4 > IPV4_HEADER {
        sum = sum.bytes(bytes.get(IPV4_HEADER..l4).unwrap_or_default());
    }
    if sum.fold() != 0xffff {
        let found = u16::from_be_bytes([h[10], h[11]]);
        let expected = checksum::Delta::NONE.word(found, 0).complete(sum.checksum());
        return fail(10, ParseErrorKind::Checksum { found, expected });
    }
    let flags = u16::from_be_bytes([h[6], h[7]]);
    let offset = usize::from(flags & 0x1fff) * 8;
    let more = flags & 0x2000 != 0;
    let id = u32::from(u16::from_be_bytes([h[4], h[5]]));
    let protocol = Protocol(h[9]);
    if offset + len - l4 > MAX_PACKET {
        return fail(6, ParseErrorKind::FragmentPastEnd { offset, len: len - l4 });
    }
    if offset == 8 && protocol == Protocol::TCP {
        return fail(6, ParseErrorKind::TinyFragment);
    }
    Ok(Network {
        src: IpAddr::V4(Ipv4Addr::new(h[12], h[13], h[14], h[15])),
        dst: IpAddr::V4(Ipv4Addr::new(h[16], h[17], h[18], h[19])),
        protocol,
        l4,
        len,
        ttl: h[8],
        dont_fragment: flags & 0x4000 != 0,
        fragment: match (offset, more) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First { id },
            (_, more) => Fragment::Later { id, last: !more },
        },
    })
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

#[inline(never)]
fn ipv6(bytes: &[u8]) -> Result<Network, ParseError> {
    let Some(h) = bytes.first_chunk::<IPV6_HEADER>() else {
        return Err(ParseError::truncated(Layer::Ipv6, 0, IPV6_HEADER, bytes.len()));
    };
    let payload = usize::from(u16::from_be_bytes([h[4], h[5]]));
    let len = IPV6_HEADER + payload;
    let Some(packet) = bytes.get(..len) else {
        let available = bytes.len() - IPV6_HEADER;
        return Err(Layer::Ipv6.error(4, ParseErrorKind::LengthPastEnd { claimed: payload, available }));
    };
    let mut src = [0; 16];
    let mut dst = [0; 16];
    src.copy_from_slice(&h[8..24]);
    dst.copy_from_slice(&h[24..40]);
    let mut network = Network {
        src: IpAddr::V6(Ipv6Addr::from(src)),
        dst: IpAddr::V6(Ipv6Addr::from(dst)),
        protocol: Protocol(h[6]),
        l4: IPV6_HEADER,
        len,
        ttl: h[7],
        dont_fragment: true,
        fragment: Fragment::Whole,
    };
    if matches!(h[6], HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS) {
        extensions(packet, &mut network)?;
    }
    Ok(network)
}

/// Skips the extension headers of `packet`, which ends where the IPv6 header says.
fn extensions(packet: &[u8], network: &mut Network) -> Result<(), ParseError> {
    let mut fragmented = false;
    for _ in 0..MAX_EXTENSIONS {
        let (next, at) = (network.protocol.0, network.l4);
        let fail = |offset: usize, kind| Err(Layer::Ipv6Extension.error(offset, kind));
        if !matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS) {
            return Ok(());
        }
        if next == HOP_BY_HOP && at != IPV6_HEADER {
            return fail(at, ParseErrorKind::HopByHopNotFirst);
        }
        let rest = packet.get(at..).unwrap_or_default();
        let Some(h) = rest.first_chunk::<8>() else {
            return Err(ParseError::truncated(Layer::Ipv6Extension, at, 8, rest.len()));
        };
        let header = match next {
            FRAGMENT => 8,
            AUTHENTICATION => (usize::from(h[1]) + 2) * 4,
            _ => (usize::from(h[1]) + 1) * 8,
        };
        if header > rest.len() {
            let kind = ParseErrorKind::LengthPastEnd { claimed: header, available: rest.len() };
            return fail(at + 1, kind);
        }
        network.protocol = Protocol(h[0]);
        network.l4 = at + header;
        if next == FRAGMENT {
            if fragmented {
                return fail(at, ParseErrorKind::SecondFragmentHeader);
            }
            fragmented = true;
            let word = u16::from_be_bytes([h[2], h[3]]);
            let (offset, more) = (usize::from(word & 0xfff8), word & 1 != 0);
            let id = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
            let len = rest.len() - header;
            if offset + len > MAX_PACKET {
                return fail(at + 2, ParseErrorKind::FragmentPastEnd { offset, len });
            }
            if offset != 0 {
                // What follows is the middle of the datagram, whatever its next-header field says.
                network.fragment = Fragment::Later { id, last: !more };
                return Ok(());
            }
            if more {
                network.fragment = Fragment::First { id };
            }
        }
    }
    let extension =
        matches!(network.protocol.0, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS);
    if !extension {
        return Ok(());
    }
    let kind = ParseErrorKind::TooManyExtensions { limit: MAX_EXTENSIONS };
    Err(Layer::Ipv6Extension.error(network.l4, kind))
}

#[inline(always)]
fn transport(network: &Network, bytes: &[u8]) -> Result<Transport, ParseError> {
    if matches!(network.fragment, Fragment::Later { .. }) {
        return Ok(Transport::default());
    }
    let at = network.l4;
    let message = bytes.get(at..network.len).unwrap_or_default();
    match (network.protocol, network.src) {
        (Protocol::TCP, _) => tcp(message, at),
        (Protocol::UDP, _) => udp(message, at, network.fragment == Fragment::Whole),
        (Protocol::ICMP, IpAddr::V4(_)) => icmp(message, at, Layer::Icmp),
        (Protocol::ICMPV6, IpAddr::V6(_)) => icmp(message, at, Layer::Icmpv6),
        _ => Ok(Transport::default()),
    }
}

#[inline(always)]
fn tcp(message: &[u8], at: usize) -> Result<Transport, ParseError> {
    let Some(h) = message.first_chunk::<20>() else {
        return Err(ParseError::truncated(Layer::Tcp, at, 20, message.len()));
    };
    let words = h[12] >> 4;
    let len = usize::from(words) * 4;
    if len < 20 {
        return Err(Layer::Tcp.error(at + 12, ParseErrorKind::HeaderLength { words, least: 5 }));
    }
    if len > message.len() {
        let kind = ParseErrorKind::LengthPastEnd { claimed: len, available: message.len() };
        return Err(Layer::Tcp.error(at + 12, kind));
    }
    Ok(Transport {
        len: len as u16,
        src_port: u16::from_be_bytes([h[0], h[1]]),
        dst_port: u16::from_be_bytes([h[2], h[3]]),
        tcp_flags: TcpFlags(h[13]),
        quoted: None,
    })
}

#[inline(always)]
fn udp(message: &[u8], at: usize, whole: bool) -> Result<Transport, ParseError> {
    let Some(h) = message.first_chunk::<8>() else {
        return Err(ParseError::truncated(Layer::Udp, at, 8, message.len()));
    };
    let claimed = usize::from(u16::from_be_bytes([h[4], h[5]]));
    if claimed < 8 {
        return Err(Layer::Udp.error(at + 4, ParseErrorKind::LengthBelowHeader { claimed, header: 8 }));
    }
    // The length of a fragmented datagram is that of all its fragments.
    if whole && claimed > message.len() {
        let kind = ParseErrorKind::LengthPastEnd { claimed, available: message.len() };
        return Err(Layer::Udp.error(at + 4, kind));
    }
    Ok(Transport {
        len: 8,
        src_port: u16::from_be_bytes([h[0], h[1]]),
        dst_port: u16::from_be_bytes([h[2], h[3]]),
        ..Transport::default()
    })
}

#[inline(never)]
fn icmp(message: &[u8], at: usize, layer: Layer) -> Result<Transport, ParseError> {
    let Some(h) = message.first_chunk::<8>() else {
        return Err(ParseError::truncated(layer, at, 8, message.len()));
    };
    let protocol = if layer == Layer::Icmp { Protocol::ICMP } else { Protocol::ICMPV6 };
    let quoted = if quote::is_error(protocol, h[0]) {
        quote::tuple(protocol, message.get(8..).unwrap_or_default())
    } else {
        None
    };
    Ok(Transport {
        len: 8,
        src_port: if quote::is_echo(protocol, h[0]) { u16::from_be_bytes([h[4], h[5]]) } else { 0 },
        dst_port: u16::from_be_bytes([h[0], h[1]]),
        quoted,
        ..Transport::default()
    })
}

/// Checks the virtio header against the packet and takes over what it says.
///
/// Source: io.md §1.3, §1.5.
#[inline(always)]
fn apply_offload(parsed: &mut Parsed, offload: Offload) -> Result<(), ParseError> {
    let packet = &mut parsed.packet;
    let fail = |offset: u16, kind| Err(Layer::Offload.error(offset.into(), kind));
    if let Some(partial) = offload.partial {
        let field = u32::from(partial.start) + u32::from(partial.offset);
        if field + 2 > packet.len || partial.start < packet.l4 {
            return fail(partial.start, ParseErrorKind::ChecksumPlace { start: partial.start, field });
        }
        if packet.fragment != Fragment::Whole {
            return fail(partial.start, ParseErrorKind::OffloadOnFragment);
        }
        if partial.start == packet.l4 && packet.l4_len != 0 {
            if checksum::field_of(parsed.tuple.protocol) != Some(partial.offset)
                || parsed.tuple.protocol == Protocol::ICMP
            {
                return fail(partial.start, ParseErrorKind::ChecksumPlace { start: partial.start, field });
            }
            parsed.checksum = L4Checksum::Partial;
        }
    }
    let Some(gso) = offload.gso else { return Ok(()) };
    let fits = match gso.kind {
        GsoKind::Tcpv4 => parsed.tuple.protocol == Protocol::TCP && parsed.tuple.src.is_ipv4(),
        GsoKind::Tcpv6 => parsed.tuple.protocol == Protocol::TCP && parsed.tuple.src.is_ipv6(),
        GsoKind::Udp => parsed.tuple.protocol == Protocol::UDP,
    };
    if !fits {
        return fail(packet.l4, ParseErrorKind::GsoKind { kind: gso.kind });
    }
    if packet.fragment != Fragment::Whole {
        return fail(packet.l4, ParseErrorKind::OffloadOnFragment);
    }
    if parsed.checksum != L4Checksum::Partial {
        return fail(packet.l4, ParseErrorKind::GsoWithoutPartial);
    }
    if gso.size == 0 {
        return fail(packet.l4, ParseErrorKind::GsoSize);
    }
    let (payload, size) = (packet.payload_len(), u32::from(gso.size));
    // Both fit: the packet is at most MAX_PACKET bytes and a segment no longer than the packet.
    packet.segments = payload.div_ceil(size).max(1) as u16;
    packet.segment_len = (u32::from(packet.header_len()) + payload.min(size)) as u16;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
