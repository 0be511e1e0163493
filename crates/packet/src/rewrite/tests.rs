use super::*;
use crate::checksum::{Verification, complete_checksum, verify};
use crate::parse::tests::{Build, build, tuples};
use crate::{Gso, GsoKind, PartialChecksum, TcpFlags, parse};
use proptest::prelude::*;

/// A packet of `tuple` as a fresh sender would build it.
fn packet(tuple: FiveTuple, payload: &[u8]) -> PacketBuf {
    PacketBuf::from_packet(&build(&Build { tuple, payload, ..Build::default() }))
}

/// The same with its checksum left to be finished by the kernel.
fn partial(tuple: FiveTuple, payload: &[u8]) -> PacketBuf {
    let mut buf = packet(tuple, payload);
    let parsed = parse(&buf).unwrap();
    let offset = checksum::field_of(tuple.protocol).unwrap();
    let len = parsed.packet.len - u32::from(parsed.packet.l4);
    let sum = Sum::new().pseudo_header(tuple.src, tuple.dst, tuple.protocol, len).fold();
    write16(buf.bytes_mut(), usize::from(parsed.packet.l4 + offset), sum);
    buf.offload.partial = Some(PartialChecksum { start: parsed.packet.l4, offset });
    buf
}

proptest! {
    #[test]
    fn a_rewritten_packet_is_the_packet_a_fresh_sender_would_build(
        (before, after) in tuples(),
        payload in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut buf = packet(before, &payload);
        let parsed = parse(&buf).unwrap();
        Rewrite::between(before, after).apply(&mut buf, &parsed);
        prop_assert!(buf.bytes() == packet(after, &payload).bytes());
        prop_assert_eq!(parse(&buf).unwrap().tuple, after);
    }

    #[test]
    fn a_partial_checksum_is_right_after_the_rewrite_and_when_finished(
        (before, after) in tuples().prop_filter("has a pseudo-header", |(t, _)| {
            t.protocol != Protocol::ICMP && checksum::field_of(t.protocol).is_some()
        }),
        payload in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut buf = partial(before, &payload);
        let parsed = parse(&buf).unwrap();
        prop_assert_eq!(verify(&buf, &parsed), Verification::GoodPartial);
        Rewrite::between(before, after).apply(&mut buf, &parsed);
        prop_assert_eq!(verify(&buf, &parse(&buf).unwrap()), Verification::GoodPartial);
        prop_assert!(buf.bytes() == partial(after, &payload).bytes());
        complete_checksum(&mut buf).unwrap();
        prop_assert!(buf.bytes() == packet(after, &payload).bytes());
    }

    #[test]
    fn there_and_back_again_changes_nothing((before, after) in tuples()) {
        let mut buf = packet(before, b"hobbit");
        let original = buf.bytes().to_vec();
        let parsed = parse(&buf).unwrap();
        Rewrite::between(before, after).apply(&mut buf, &parsed);
        let parsed = parse(&buf).unwrap();
        Rewrite::between(after, before).apply(&mut buf, &parsed);
        prop_assert_eq!(buf.bytes(), &original[..]);
        prop_assert!(Rewrite::between(before, before).is_identity());
        prop_assert_eq!(Rewrite::between(before, after).is_identity(), before == after);
    }

    #[test]
    fn an_icmp_error_is_rewritten_outside_and_inside(
        (before, after) in tuples().prop_filter("IPv4", |(t, _)| t.src.is_ipv4()),
        router: [u8; 4],
        // Cut in the middle of the quoted TCP checksum, half a field is left as it is.
        quoted_len in (28usize..60).prop_filter("no half checksum", |len| *len != 37),
    ) {
        let error = |tuple: FiveTuple| {
            let inner = packet(tuple, b"some payload");
            let quoted = &inner.bytes()[..quoted_len.min(inner.len())];
            let outer = FiveTuple {
                src: router.into(), dst: tuple.src, protocol: Protocol::ICMP, src_port: 0, dst_port: 3 << 8 | 1,
            };
            packet(outer, quoted)
        };
        let mut buf = error(before);
        let parsed = parse(&buf).unwrap();
        prop_assert_eq!(parsed.quoted, Some(before));
        let outer = Rewrite::between(parsed.tuple, FiveTuple { dst: after.src, ..parsed.tuple });
        apply_to_error(&mut buf, &parsed, &outer, &Rewrite::between(before, after));
        prop_assert!(buf.bytes() == error(after).bytes());
    }

    #[test]
    fn an_icmpv6_error_is_rewritten_outside_and_inside(
        (before, after) in tuples().prop_filter("IPv6", |(t, _)| t.src.is_ipv6()),
        router: [u8; 16],
    ) {
        let error = |tuple: FiveTuple| {
            let inner = packet(tuple, b"some payload");
            let outer = FiveTuple {
                src: router.into(), dst: tuple.src, protocol: Protocol::ICMPV6, src_port: 0, dst_port: 2 << 8,
            };
            packet(outer, inner.bytes())
        };
        let mut buf = error(before);
        let parsed = parse(&buf).unwrap();
        let outer = Rewrite::between(parsed.tuple, FiveTuple { dst: after.src, ..parsed.tuple });
        apply_to_error(&mut buf, &parsed, &outer, &Rewrite::between(before, after));
        prop_assert!(buf.bytes() == error(after).bytes());
    }

    #[test]
    fn ttl_is_taken_down_to_one_and_no_further((tuple, _) in tuples(), by in 0u8..70) {
        let mut buf = packet(tuple, b"");
        let left = decrement_ttl(&mut buf, by);
        prop_assert_eq!(left, 64u8.checked_sub(by).filter(|ttl| *ttl > 0));
        prop_assert_eq!(parse(&buf).unwrap().packet.ttl, left.unwrap_or(64));
    }

    #[test]
    fn a_clamped_syn_has_the_checksum_of_a_syn_built_so(mss: u16, max: u16, nops in 0usize..6, finished: bool) {
        let tuple = FiveTuple {
            src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), protocol: Protocol::TCP, src_port: 9, dst_port: 80,
        };
        let syn = |mss: u16| {
            let mut options = vec![1; nops];
            options.extend([2, 4]);
            options.extend(mss.to_be_bytes());
            options.resize(options.len().next_multiple_of(4), 0);
            PacketBuf::from_packet(&build(&Build { tuple, options: &options, ..Build::default() }))
        };
        let mut buf = syn(mss);
        let mut parsed = parse(&buf).unwrap();
        let mut expected = syn(mss.min(max)).bytes().to_vec();
        if !finished {
            parsed.checksum = L4Checksum::Partial;
            expected[36..38].copy_from_slice(&buf.bytes()[36..38]);
        }
        prop_assert_eq!(clamp_mss(&mut buf, &parsed, max), mss > max);
        prop_assert_eq!(buf.bytes(), &expected[..]);
    }

    #[test]
    fn any_options_are_walked_within_bounds(options in proptest::collection::vec(0u8..6, 0..10)) {
        let mut options = options;
        options.resize(options.len().next_multiple_of(4), 2);
        let tuple = FiveTuple {
            src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), protocol: Protocol::TCP, src_port: 9, dst_port: 80,
        };
        let mut buf = PacketBuf::from_packet(&build(&Build { tuple, options: &options, ..Build::default() }));
        let parsed = parse(&buf).unwrap();
        clamp_mss(&mut buf, &parsed, 1);
        prop_assert_eq!(verify(&buf, &parsed), Verification::Good);
    }
}

fn udp(src: [u8; 4], src_port: u16) -> FiveTuple {
    FiveTuple { src: src.into(), dst: [10, 0, 0, 2].into(), protocol: Protocol::UDP, src_port, dst_port: 53 }
}

#[test]
fn udp_sent_without_checksum_stays_so() {
    let (before, after) = (udp([10, 0, 0, 1], 5000), udp([203, 0, 113, 7], 61000));
    let mut buf = packet(before, b"x");
    write16(buf.bytes_mut(), 26, 0);
    let parsed = parse(&buf).unwrap();
    Rewrite::between(before, after).apply(&mut buf, &parsed);
    assert_eq!(read16(buf.bytes(), 26), Some(0));
    assert_eq!(verify(&buf, &parse(&buf).unwrap()), Verification::Absent);
}

#[test]
fn a_later_fragment_gets_addresses_and_keeps_its_payload() {
    let (before, after) = (udp([10, 0, 0, 1], 5000), udp([203, 0, 113, 7], 61000));
    let mut buf = packet(before, b"payload");
    write16(buf.bytes_mut(), 6, 185);
    write16(buf.bytes_mut(), 10, 0);
    let sum = checksum::checksum(&buf.bytes()[..20]);
    write16(buf.bytes_mut(), 10, sum);
    let payload = buf.bytes()[20..].to_vec();
    let parsed = parse(&buf).unwrap();
    Rewrite::between(before, after).apply(&mut buf, &parsed);
    let parsed = parse(&buf).unwrap();
    assert_eq!((parsed.tuple.src, parsed.tuple.src_port), (after.src, 0));
    assert_eq!(buf.bytes()[20..], payload[..]);
}

#[test]
fn a_first_fragment_keeps_the_checksum_of_the_whole_datagram_right() {
    let (before, after) = (udp([10, 0, 0, 1], 5000), udp([203, 0, 113, 7], 61000));
    let cut = |tuple| {
        let mut buf = packet(tuple, b"a payload of which only the front is here");
        buf.truncate(20 + 8 + 16);
        write16(buf.bytes_mut(), 2, 44);
        write16(buf.bytes_mut(), 6, 0x2000);
        write16(buf.bytes_mut(), 10, 0);
        let sum = checksum::checksum(&buf.bytes()[..20]);
        write16(buf.bytes_mut(), 10, sum);
        buf
    };
    let mut buf = cut(before);
    let parsed = parse(&buf).unwrap();
    Rewrite::between(before, after).apply(&mut buf, &parsed);
    assert_eq!(buf.bytes(), cut(after).bytes());
}

#[test]
fn a_checksum_deeper_inside_is_left_alone_and_the_outer_one_is_complete() {
    let (before, after) = (udp([10, 0, 0, 1], 5000), udp([203, 0, 113, 7], 61000));
    let mut buf = packet(before, &[0; 60]);
    buf.offload.partial = Some(PartialChecksum { start: 56, offset: 16 });
    let parsed = parse(&buf).unwrap();
    assert_eq!(parsed.checksum, L4Checksum::Complete);
    Rewrite::between(before, after).apply(&mut buf, &parsed);
    assert_eq!(buf.bytes(), packet(after, &[0; 60]).bytes());
    assert_eq!(buf.offload.partial, Some(PartialChecksum { start: 56, offset: 16 }));
}

#[test]
fn a_super_packet_counts_its_segments() {
    let tuple = FiveTuple { protocol: Protocol::TCP, ..udp([10, 0, 0, 1], 5000) };
    let mut buf = partial(tuple, &[0; 2500]);
    buf.offload.gso = Some(Gso { kind: GsoKind::Tcpv4, size: 1000, ecn: false });
    let parsed = parse(&buf).unwrap();
    assert_eq!((parsed.packet.segments, parsed.packet.segment_len), (3, 1040));
    assert_eq!(parsed.packet.len, 2540);
}

#[test]
fn another_ip_version_cannot_be_asked_for() {
    let before = udp([10, 0, 0, 1], 5000);
    let after = FiveTuple { src: [1; 16].into(), dst: [2; 16].into(), ..before };
    assert!(Rewrite::between(before, after).is_identity());
}

#[test]
fn only_a_syn_is_clamped() {
    let tuple = FiveTuple { protocol: Protocol::TCP, ..udp([10, 0, 0, 1], 5000) };
    let options = [2, 4, 0x22, 0xfc];
    let flags = TcpFlags::ACK;
    let build = build(&Build { tuple, options: &options, flags, ..Build::default() });
    let mut buf = PacketBuf::from_packet(&build);
    let parsed = parse(&buf).unwrap();
    assert!(!clamp_mss(&mut buf, &parsed, 1000));
    assert_eq!(buf.bytes(), build);
}
