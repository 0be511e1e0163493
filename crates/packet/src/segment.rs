//! Cutting a super-packet where the next link cannot carry it whole.

use crate::checksum::{self, complete_checksum, write16};
use crate::{L4Checksum, OffloadError, PacketBuf, Parsed, Protocol, TcpFlags, emit, parse};
use std::net::IpAddr;

/// Passes the packets `buf` stands for to `each`, in order, with complete checksums and no offloads.
///
/// Shape: `out` is overwritten for every segment, so nothing is allocated; `each` may change it. A packet
/// that is no super-packet comes out once, its partial checksum finished. Sequence numbers and IPv4
/// identifications count up, FIN and PSH stay on the last segment, CWR on the first.
/// Errors: a checksum field outside the packet (`parsed` does not belong to `buf`).
/// Source: io.md §1.5; RFC 9293 §3.4, RFC 3168 §6.1.2 (CWR), RFC 6864.
pub fn segment(
    buf: &PacketBuf,
    parsed: &Parsed,
    out: &mut PacketBuf,
    mut each: impl FnMut(&mut PacketBuf),
) -> Result<(), OffloadError> {
    let bytes = buf.bytes();
    let packet = bytes.get(..parsed.packet.len as usize).unwrap_or(bytes);
    let Some(gso) = buf.offload.gso else {
        out.set_packet(packet);
        out.offload.partial = buf.offload.partial;
        complete_checksum(out)?;
        each(out);
        return Ok(());
    };
    let header = usize::from(parsed.packet.header_len()).min(packet.len());
    let (headers, payload) = packet.split_at(header);
    let size = usize::from(gso.size.max(1));
    let count = payload.len().div_ceil(size).max(1);
    for index in 0..count {
        let start = index * size;
        let chunk = payload.get(start..payload.len().min(start + size)).unwrap_or_default();
        out.set_packet(headers);
        out.append(chunk);
        let place = Place { index, offset: start as u32, last: index + 1 == count };
        patch(out, parsed, &place);
        each(out);
    }
    Ok(())
}

/// Which segment of how many.
struct Place {
    index: usize,
    offset: u32,
    last: bool,
}

/// Makes the headers of the super-packet those of one segment.
fn patch(out: &mut PacketBuf, parsed: &Parsed, place: &Place) {
    let len = out.len();
    let l4 = usize::from(parsed.packet.l4);
    let bytes = out.bytes_mut();
    if matches!(parsed.tuple.src, IpAddr::V4(_))
        && let Some(id) = checksum::read16(bytes, 4)
    {
        write16(bytes, 4, id.wrapping_add(place.index as u16));
    }
    emit::set_length(bytes, len);
    if parsed.tuple.protocol == Protocol::UDP {
        write16(bytes, l4 + 4, (len - l4) as u16);
    } else if let Some(tcp) = bytes.get_mut(l4..).and_then(|b| b.first_chunk_mut::<20>()) {
        let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]).wrapping_add(place.offset);
        tcp[4..8].copy_from_slice(&seq.to_be_bytes());
        let mut flags = TcpFlags(tcp[13]);
        if !place.last {
            flags = flags.without(TcpFlags::FIN.with(TcpFlags::PSH));
        }
        if place.index > 0 {
            flags = flags.without(TcpFlags::CWR);
        }
        tcp[13] = flags.0;
    }
    let packet = parse::PerPacket { len: len as u32, ..parsed.packet };
    let parsed = Parsed { packet, checksum: L4Checksum::Complete, ..*parsed };
    checksum::fill(bytes, &parsed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{Sum, Verification, verify};
    use crate::parse::payload;
    use crate::parse::tests::{Build, build, tuples};
    use crate::{Gso, GsoKind, PartialChecksum};
    use proptest::prelude::*;

    /// A super-packet as the kernel hands it over.
    fn super_packet(build_of: &Build<'_>, size: u16) -> PacketBuf {
        let tuple = build_of.tuple;
        let mut buf = PacketBuf::from_packet(&build(build_of));
        let parsed = parse(&buf).unwrap();
        let offset = checksum::field_of(tuple.protocol).unwrap();
        let len = parsed.packet.len - u32::from(parsed.packet.l4);
        let sum = Sum::new().pseudo_header(tuple.src, tuple.dst, tuple.protocol, len).fold();
        write16(buf.bytes_mut(), usize::from(parsed.packet.l4 + offset), sum);
        buf.offload.partial = Some(PartialChecksum { start: parsed.packet.l4, offset });
        let kind = match (tuple.protocol, tuple.src) {
            (Protocol::UDP, _) => GsoKind::Udp,
            (_, IpAddr::V4(_)) => GsoKind::Tcpv4,
            (_, IpAddr::V6(_)) => GsoKind::Tcpv6,
        };
        buf.offload.gso = Some(Gso { kind, size, ecn: false });
        buf
    }

    proptest! {
        #[test]
        fn segments_carry_the_payload_in_order_with_right_headers(
            (tuple, _) in tuples().prop_filter("has ports", |(t, _)| t.protocol.has_ports()),
            bytes in proptest::collection::vec(any::<u8>(), 0..900),
            size in 1u16..400,
        ) {
            let flags = TcpFlags::FIN.with(TcpFlags::PSH).with(TcpFlags::ACK);
            let buf = super_packet(&Build { tuple, payload: &bytes, flags, ..Build::default() }, size);
            let parsed = parse(&buf).unwrap();
            let mut seen: Vec<u8> = Vec::new();
            let mut count = 0;
            segment(&buf, &parsed, &mut PacketBuf::new(), |out| {
                let one = parse(out).unwrap();
                assert_eq!(verify(out, &one), Verification::Good);
                assert_eq!((one.tuple, one.packet.segments), (tuple, 1));
                assert!(one.packet.segment_len <= parsed.packet.segment_len);
                if tuple.protocol == Protocol::TCP {
                    assert_eq!(parse::tcp_seq(out, &one), Some(1000 + seen.len() as u32));
                    let last = seen.len() + one.packet.payload_len() as usize == bytes.len();
                    assert_eq!(one.packet.tcp_flags, if last { flags } else { TcpFlags::ACK });
                }
                seen.extend(payload(out, &one));
                if tuple.src.is_ipv4() {
                    assert_eq!(checksum::read16(out.bytes(), 4), Some(count));
                }
                count += 1;
            }).unwrap();
            prop_assert_eq!(seen, bytes);
            prop_assert_eq!(count, parsed.packet.segments);
        }
    }

    #[test]
    fn cwr_stays_on_the_first_segment() {
        let build_of = Build { payload: &[0; 30], flags: TcpFlags::ACK, ..Build::default() };
        let mut buf = super_packet(&build_of, 10);
        buf.bytes_mut()[33] |= TcpFlags::CWR.0;
        let parsed = parse(&buf).unwrap();
        let mut flags = Vec::new();
        segment(&buf, &parsed, &mut PacketBuf::new(), |out| flags.push(out.bytes()[33])).unwrap();
        assert_eq!(flags, [0x90, 0x10, 0x10]);
    }

    #[test]
    fn a_plain_packet_comes_out_once_and_finished() {
        let plain = build(&Build { payload: b"abc", ..Build::default() });
        let mut buf = super_packet(&Build { payload: b"abc", ..Build::default() }, 9);
        buf.offload.gso = None;
        let parsed = parse(&buf).unwrap();
        let mut seen = Vec::new();
        segment(&buf, &parsed, &mut PacketBuf::new(), |out| seen.push(out.bytes().to_vec())).unwrap();
        assert_eq!(seen, [plain]);
    }
}
