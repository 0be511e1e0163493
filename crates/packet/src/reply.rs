//! Packets a router originates in answer to one it will not forward.
//!
//! Every function takes the provoking packet and returns the answer, without offloads and with complete
//! checksums, or `None` where none may be sent.

use crate::checksum::write16;
use crate::parse::{tcp_ack, tcp_seq};
use crate::{Fragment, PacketBuf, Parsed, Protocol, TcpFlags, emit, quote};
use std::net::IpAddr;

/// "Too big" with the MTU that would have done: ICMP 3/4 or ICMPv6 2/0.
///
/// Shape: `from` is the router's address, of the packet's IP version. Quotes as [`time_exceeded`] does.
/// Units: `mtu` in bytes of layer 3.
/// Source: RFC 1191 §4, RFC 4443 §3.2.
#[must_use]
pub fn too_big(buf: &PacketBuf, parsed: &Parsed, from: IpAddr, mtu: u16) -> Option<Vec<u8>> {
    let mtu = u32::from(mtu).to_be_bytes();
    // RFC 4443 §2.4 (e.3): path MTU discovery works for multicast too.
    let multicast = parsed.tuple.dst.is_multicast() && parsed.tuple.dst.is_ipv6();
    match from {
        IpAddr::V4(_) => error(buf, parsed, from, [3, 4], mtu, false),
        IpAddr::V6(_) => error(buf, parsed, from, [2, 0], mtu, multicast),
    }
}

/// "Time exceeded in transit": ICMP 11/0 or ICMPv6 3/0.
///
/// Shape: quotes as much as keeps the answer at 576 (IPv4) or 1280 bytes (IPv6); of a super-packet the
/// headers only, with the lengths of its first segment, which is what its sender believes to have sent.
/// Errors: `None` for ICMP errors, later fragments, and packets from or to addresses that are no one host's.
/// Source: RFC 792, RFC 1812 §4.3.2, RFC 4443 §2.4 and §3.3.
#[must_use]
pub fn time_exceeded(buf: &PacketBuf, parsed: &Parsed, from: IpAddr) -> Option<Vec<u8>> {
    match from {
        IpAddr::V4(_) => error(buf, parsed, from, [11, 0], [0; 4], false),
        IpAddr::V6(_) => error(buf, parsed, from, [3, 0], [0; 4], false),
    }
}

/// The answer to an echo request, from the address it was sent to.
///
/// Errors: `None` for anything else, and for fragments.
/// Source: RFC 792, RFC 4443 §4.2.
#[must_use]
pub fn echo_reply(buf: &PacketBuf, parsed: &Parsed) -> Option<Vec<u8>> {
    let tuple = parsed.tuple;
    let reply = match (tuple.protocol, tuple.icmp_type_code()?) {
        (Protocol::ICMP, (8, _)) => 0,
        (Protocol::ICMPV6, (128, _)) => 129,
        _ => return None,
    };
    if parsed.packet.fragment != Fragment::Whole || parsed.packet.l4_len == 0 || !is_one_host(tuple.src) {
        return None;
    }
    let mut message = message(buf, parsed)?.to_vec();
    *message.first_mut()? = reply;
    *message.get_mut(1)? = 0;
    write16(&mut message, 2, 0);
    emit::packet(tuple.dst, tuple.src, tuple.protocol, &message)
}

/// The reset that answers a TCP segment for which there is no connection.
///
/// Shape: sent from the segment's destination to its source.
/// Errors: `None` for a reset, for other protocols and for fragments.
/// Source: RFC 9293 §3.10.7.1.
#[must_use]
pub fn reset(buf: &PacketBuf, parsed: &Parsed) -> Option<Vec<u8>> {
    let (tuple, flags) = (parsed.tuple, parsed.packet.tcp_flags);
    if flags.contains(TcpFlags::RST) || parsed.packet.fragment != Fragment::Whole || !is_one_host(tuple.src) {
        return None;
    }
    let (seq, ack) = (tcp_seq(buf, parsed)?, tcp_ack(buf, parsed)?);
    let ends = u32::from(flags.contains(TcpFlags::SYN)) + u32::from(flags.contains(TcpFlags::FIN));
    let (seq, ack, flags) = if flags.contains(TcpFlags::ACK) {
        (ack, 0, TcpFlags::RST)
    } else {
        let ack = seq.wrapping_add(parsed.packet.payload_len()).wrapping_add(ends);
        (0, ack, TcpFlags::RST.with(TcpFlags::ACK))
    };
    let mut segment = Vec::with_capacity(20);
    segment.extend(tuple.dst_port.to_be_bytes());
    segment.extend(tuple.src_port.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags.0, 0, 0, 0, 0, 0, 0]);
    emit::packet(tuple.dst, tuple.src, Protocol::TCP, &segment)
}

/// The largest answer that every IPv4 host takes (RFC 1812 §4.3.2.3).
const MOST_V4: usize = 576;
/// The smallest MTU of IPv6 (RFC 4443 §2.4 (c)).
const MOST_V6: usize = 1280;

fn error(
    buf: &PacketBuf,
    parsed: &Parsed,
    from: IpAddr,
    type_code: [u8; 2],
    rest: [u8; 4],
    to_a_group: bool,
) -> Option<Vec<u8>> {
    let to = parsed.tuple.src;
    if !is_one_host(to) || !(to_a_group || is_one_host(parsed.tuple.dst)) || is_silent(parsed) {
        return None;
    }
    let (protocol, room) = match from {
        IpAddr::V4(_) => (Protocol::ICMP, MOST_V4 - 28),
        IpAddr::V6(_) => (Protocol::ICMPV6, MOST_V6 - 48),
    };
    let mut message = type_code.to_vec();
    message.extend([0, 0]);
    message.extend(rest);
    message.extend(quoted(buf, parsed, room)?);
    emit::packet(from, to, protocol, &message)
}

/// What to quote of a packet.
fn quoted(buf: &PacketBuf, parsed: &Parsed, room: usize) -> Option<Vec<u8>> {
    let packet = &parsed.packet;
    if buf.offload.gso.is_none() {
        let len = (packet.len as usize).min(room);
        return buf.bytes().get(..len).map(<[u8]>::to_vec);
    }
    let headers = usize::from(packet.header_len()).min(room);
    let mut headers = buf.bytes().get(..headers)?.to_vec();
    let len = usize::from(packet.segment_len);
    emit::set_length(&mut headers, len);
    if parsed.tuple.protocol == Protocol::UDP {
        let l4 = usize::from(packet.l4);
        write16(&mut headers, l4 + 4, len.saturating_sub(l4) as u16);
    }
    Some(headers)
}

/// Whether no error may answer this packet, whatever its addresses.
fn is_silent(parsed: &Parsed) -> bool {
    if matches!(parsed.packet.fragment, Fragment::Later { .. }) {
        return true;
    }
    match (parsed.tuple.protocol, parsed.tuple.icmp_type_code()) {
        (Protocol::ICMPV6, Some((kind, _))) => kind < 128 || kind == REDIRECT_V6,
        (protocol, Some((kind, _))) => quote::is_error(protocol, kind),
        (_, None) => false,
    }
}

const REDIRECT_V6: u8 = 137;

fn is_one_host(address: IpAddr) -> bool {
    let no_host = match address {
        IpAddr::V4(a) => a.is_broadcast() || a.octets()[0] == 0,
        IpAddr::V6(_) => false,
    };
    !(no_host || address.is_multicast() || address.is_unspecified() || address.is_loopback())
}

fn message<'a>(buf: &'a PacketBuf, parsed: &Parsed) -> Option<&'a [u8]> {
    buf.bytes().get(usize::from(parsed.packet.l4)..parsed.packet.len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{self, Verification, read16, verify};
    use crate::parse::payload;
    use crate::parse::tests::{Build, build};
    use crate::{FiveTuple, Gso, GsoKind, PartialChecksum, parse};

    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 254));

    fn tcp(flags: TcpFlags, payload: &[u8]) -> (PacketBuf, Parsed) {
        let mut buf = PacketBuf::from_packet(&build(&Build { flags, payload, ..Build::default() }));
        write16(buf.bytes_mut(), 28, 0x1234);
        write16(buf.bytes_mut(), 30, 0x5678);
        let parsed = parse(&buf).unwrap();
        checksum::fill(buf.bytes_mut(), &parsed);
        (buf, parsed)
    }

    /// The answer, understood; its checksums must be right.
    fn understood(answer: Option<Vec<u8>>) -> (PacketBuf, Parsed) {
        let buf = PacketBuf::from_packet(&answer.unwrap());
        let parsed = parse(&buf).unwrap();
        assert_eq!(verify(&buf, &parsed), Verification::Good);
        (buf, parsed)
    }

    #[test]
    fn a_reset_takes_its_numbers_from_the_segment() {
        let numbers = |flags, payload: &[u8]| {
            let (buf, parsed) = tcp(flags, payload);
            let (answer, reset) = understood(reset(&buf, &parsed));
            assert_eq!(reset.tuple, parsed.tuple.reversed());
            (reset.packet.tcp_flags, tcp_seq(&answer, &reset).unwrap(), tcp_ack(&answer, &reset).unwrap())
        };
        let rst_ack = TcpFlags::RST.with(TcpFlags::ACK);
        assert_eq!(numbers(TcpFlags::SYN, b""), (rst_ack, 0, 1001));
        assert_eq!(numbers(TcpFlags::FIN, b"12345"), (rst_ack, 0, 1006));
        assert_eq!(numbers(TcpFlags::ACK, b"12345"), (TcpFlags::RST, 0x1234_5678, 0));
        let (buf, parsed) = tcp(rst_ack, b"");
        assert_eq!(reset(&buf, &parsed), None);
    }

    #[test]
    fn too_big_names_the_mtu_and_quotes_the_packet() {
        let (buf, parsed) = tcp(TcpFlags::ACK, &[7; 2000]);
        let (answer, icmp) = understood(too_big(&buf, &parsed, ROUTER, 1500));
        assert_eq!(icmp.tuple.icmp_type_code(), Some((3, 4)));
        assert_eq!((icmp.tuple.src, icmp.tuple.dst), (ROUTER, parsed.tuple.src));
        assert_eq!(read16(answer.bytes(), 26), Some(1500));
        assert_eq!(icmp.quoted, Some(parsed.tuple));
        assert_eq!(answer.len(), 576);
        assert_eq!(payload(&answer, &icmp), &buf.bytes()[..548]);
    }

    #[test]
    fn too_big_for_ipv6_stays_within_1280_bytes() {
        let tuple = FiveTuple { src: [1; 16].into(), dst: [2; 16].into(), ..Build::default().tuple };
        let buf = PacketBuf::from_packet(&build(&Build { tuple, payload: &[7; 2000], ..Build::default() }));
        let parsed = parse(&buf).unwrap();
        let (answer, icmp) = understood(too_big(&buf, &parsed, [3; 16].into(), 1500));
        assert_eq!((icmp.tuple.icmp_type_code(), icmp.quoted), (Some((2, 0)), Some(tuple)));
        assert_eq!((answer.len(), read16(answer.bytes(), 46)), (1280, Some(1500)));
        assert_eq!(too_big(&buf, &parsed, ROUTER, 1500), None);
        let (_, icmp) = understood(time_exceeded(&buf, &parsed, [3; 16].into()));
        assert_eq!(icmp.tuple.icmp_type_code(), Some((3, 0)));
    }

    #[test]
    fn a_super_packet_is_quoted_as_its_first_segment() {
        let (mut buf, _) = tcp(TcpFlags::ACK, &[7; 5000]);
        buf.offload.partial = Some(PartialChecksum { start: 20, offset: 16 });
        buf.offload.gso = Some(Gso { kind: GsoKind::Tcpv4, size: 1448, ecn: false });
        let parsed = parse(&buf).unwrap();
        let (answer, icmp) = understood(time_exceeded(&buf, &parsed, ROUTER));
        let quote = payload(&answer, &icmp);
        assert_eq!((quote.len(), read16(quote, 2)), (40, Some(1488)));
        assert_eq!(checksum::checksum(&quote[..20]), 0);
    }

    #[test]
    fn errors_groups_and_later_fragments_are_not_answered() {
        let answered = |tuple: FiveTuple| {
            let buf = PacketBuf::from_packet(&build(&Build { tuple, ..Build::default() }));
            time_exceeded(&buf, &parse(&buf).unwrap(), ROUTER).is_some()
        };
        let tuple = Build::default().tuple;
        assert!(answered(tuple));
        assert!(answered(FiveTuple { protocol: Protocol::ICMP, dst_port: 8 << 8, ..tuple }));
        assert!(!answered(FiveTuple { protocol: Protocol::ICMP, dst_port: 11 << 8, ..tuple }));
        assert!(!answered(FiveTuple { dst: [224, 0, 0, 1].into(), ..tuple }));
        assert!(!answered(FiveTuple { dst: [255; 4].into(), ..tuple }));
        assert!(!answered(FiveTuple { src: [0; 4].into(), ..tuple }));
        let mut bytes = build(&Build::default());
        bytes[6..8].copy_from_slice(&[0, 100]);
        emit::fill_ipv4(&mut bytes);
        let buf = PacketBuf::from_packet(&bytes);
        assert_eq!(time_exceeded(&buf, &parse(&buf).unwrap(), ROUTER), None);
    }

    #[test]
    fn an_echo_reply_returns_identifier_sequence_and_data() {
        for (src, dst, protocol, request) in [
            ([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), Protocol::ICMP, 8),
            (IpAddr::from([1; 16]), IpAddr::from([2; 16]), Protocol::ICMPV6, 128),
        ] {
            let tuple = FiveTuple { src, dst, protocol, src_port: 77, dst_port: request << 8 };
            let buf = PacketBuf::from_packet(&build(&Build { tuple, payload: b"ping", ..Build::default() }));
            let (answer, reply) = understood(echo_reply(&buf, &parse(&buf).unwrap()));
            assert_eq!(reply.tuple, tuple.reversed());
            assert_eq!(payload(&answer, &reply), b"ping");
            assert_eq!(echo_reply(&answer, &reply), None);
        }
    }
}
