use super::*;
use crate::{Gso, PartialChecksum};
use etherparse::PacketBuilder;
use proptest::prelude::*;

/// What etherparse shall build: a second implementation, so that ours is not its own witness.
pub(crate) struct Build<'a> {
    pub(crate) tuple: FiveTuple,
    pub(crate) payload: &'a [u8],
    pub(crate) flags: TcpFlags,
    pub(crate) options: &'a [u8],
}

impl Default for Build<'_> {
    fn default() -> Self {
        let tuple = FiveTuple {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            protocol: Protocol::TCP,
            src_port: 40_000,
            dst_port: 443,
        };
        Self { tuple, payload: &[], flags: TcpFlags::SYN, options: &[] }
    }
}

pub(crate) fn build(b: &Build<'_>) -> Vec<u8> {
    let t = b.tuple;
    let ip = match (t.src, t.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => PacketBuilder::ipv4(src.octets(), dst.octets(), 64),
        (IpAddr::V6(src), IpAddr::V6(dst)) => PacketBuilder::ipv6(src.octets(), dst.octets(), 64),
        mixed => panic!("{mixed:?}"),
    };
    let mut out = Vec::new();
    let (kind, code) = ((t.dst_port >> 8) as u8, t.dst_port as u8);
    let id = t.src_port.to_be_bytes();
    let id = [id[0], id[1], 0, 7];
    match t.protocol {
        Protocol::TCP => {
            let mut tcp = etherparse::TcpHeader::new(t.src_port, t.dst_port, 1000, 65_000);
            tcp.fin = b.flags.contains(TcpFlags::FIN);
            tcp.syn = b.flags.contains(TcpFlags::SYN);
            tcp.rst = b.flags.contains(TcpFlags::RST);
            tcp.psh = b.flags.contains(TcpFlags::PSH);
            tcp.ack = b.flags.contains(TcpFlags::ACK);
            tcp.set_options_raw(b.options).unwrap();
            ip.tcp_header(tcp).write(&mut out, b.payload).unwrap();
        }
        Protocol::UDP => ip.udp(t.src_port, t.dst_port).write(&mut out, b.payload).unwrap(),
        Protocol::ICMP => ip.icmpv4_raw(kind, code, id).write(&mut out, b.payload).unwrap(),
        Protocol::ICMPV6 => ip.icmpv6_raw(kind, code, id).write(&mut out, b.payload).unwrap(),
        Protocol(n) => ip.write(&mut out, n.into(), b.payload).unwrap(),
    }
    out
}

/// Two tuples of one IP version and protocol; ICMP is an echo of the same type.
pub(crate) fn tuples() -> impl Strategy<Value = (FiveTuple, FiveTuple)> {
    let ends = (any::<[[u8; 16]; 4]>(), any::<[u16; 4]>(), any::<bool>(), 0u8..4, 0u8..16);
    ends.prop_map(|(a, p, v6, protocol, keep)| {
        let address =
            |i: usize| -> IpAddr { if v6 { a[i].into() } else { <[u8; 4]>::try_from(&a[i][..4]).unwrap().into() } };
        let protocol = match (protocol, v6) {
            (0, _) => Protocol::TCP,
            (1, _) => Protocol::UDP,
            (2, false) => Protocol::ICMP,
            (2, true) => Protocol::ICMPV6,
            _ => Protocol(47),
        };
        let (src_port, dst_port, other_src, other_dst) = match protocol {
            Protocol::TCP | Protocol::UDP => (p[0], p[1], p[2], p[3]),
            Protocol::ICMP => (p[0], 8 << 8, p[2], 8 << 8),
            Protocol::ICMPV6 => (p[0], 128 << 8, p[2], 128 << 8),
            _ => (0, 0, 0, 0),
        };
        let before = FiveTuple { src: address(0), dst: address(1), protocol, src_port, dst_port };
        let mut after =
            FiveTuple { src: address(2), dst: address(3), protocol, src_port: other_src, dst_port: other_dst };
        // Each of the four numbers stays in half of the cases, as with source NAT.
        if keep & 1 != 0 {
            after.src = before.src;
        }
        if keep & 2 != 0 {
            after.dst = before.dst;
        }
        if keep & 4 != 0 {
            after.src_port = before.src_port;
        }
        if keep & 8 != 0 {
            after.dst_port = before.dst_port;
        }
        (before, after)
    })
}

proptest! {
    #[test]
    fn what_etherparse_builds_is_understood(
        (tuple, _) in tuples(),
        payload in proptest::collection::vec(any::<u8>(), 0..50),
        flags in (0u8..32).prop_map(TcpFlags),
    ) {
        let bytes = build(&Build { tuple, payload: &payload, flags, options: &[1, 1, 1, 0] });
        let parsed = parse_bytes(&bytes, Offload::default()).unwrap();
        prop_assert_eq!(parsed.tuple, tuple);
        prop_assert_eq!(parsed.packet.len as usize, bytes.len());
        prop_assert_eq!(parsed.packet.l4, if tuple.src.is_ipv4() { 20 } else { 40 });
        let header = match tuple.protocol {
            Protocol::TCP => 24,
            Protocol(47) => 0,
            _ => 8,
        };
        prop_assert_eq!(parsed.packet.l4_len, header);
        let flags = if tuple.protocol == Protocol::TCP { flags } else { TcpFlags(0) };
        prop_assert_eq!(parsed.packet.tcp_flags, flags);
        prop_assert_eq!(parsed.packet.payload_len() as usize, payload.len());
    }

    #[test]
    fn every_truncation_is_an_error((tuple, _) in tuples(), cut in any::<proptest::sample::Index>()) {
        let bytes = build(&Build { tuple, payload: b"12345678", ..Build::default() });
        let cut = cut.index(bytes.len());
        prop_assert!(parse_bytes(&bytes[..cut], Offload::default()).is_err());
    }

    #[test]
    fn bytes_behind_the_packet_are_ignored((tuple, _) in tuples(), tail in proptest::collection::vec(any::<u8>(), 1..50)) {
        let mut bytes = build(&Build { tuple, ..Build::default() });
        let len = bytes.len();
        let parsed = parse_bytes(&bytes, Offload::default()).unwrap();
        bytes.extend(tail);
        prop_assert_eq!(parse_bytes(&bytes, Offload::default()).unwrap(), parsed);
        prop_assert_eq!(parsed.packet.len as usize, len);
    }
}

fn error(bytes: &[u8]) -> ParseError {
    parse_bytes(bytes, Offload::default()).unwrap_err()
}

fn v4() -> Vec<u8> {
    build(&Build { payload: &[0; 40], ..Build::default() })
}

/// Writes bytes into an IPv4 header and makes its checksum right again.
fn with(mut bytes: Vec<u8>, at: usize, value: &[u8]) -> Vec<u8> {
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes[10..12].fill(0);
    let sum = checksum::checksum(&bytes[..20]).to_be_bytes();
    bytes[10..12].copy_from_slice(&sum);
    bytes
}

/// An IPv6 packet with the given chain of extension headers and a UDP header behind.
fn v6(first: u8, extensions: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, first, 64];
    bytes.extend([1; 16]);
    bytes.extend([2; 16]);
    bytes.extend(extensions);
    bytes.extend([0x12, 0x34, 0, 53, 0, 8, 0, 0]);
    let len = (bytes.len() - 40) as u16;
    bytes[4..6].copy_from_slice(&len.to_be_bytes());
    bytes
}

#[test]
fn an_error_is_a_sentence_with_layer_byte_and_value() {
    assert_eq!(error(&[]).to_string(), "ip at byte 0: header needs 1 bytes, only 0 are there");
    assert_eq!(error(&[0x51]).to_string(), "ip at byte 0: version 5 is neither 4 nor 6");
    assert_eq!(error(&[0x45; 8]).to_string(), "ipv4 at byte 0: header needs 20 bytes, only 8 are there");
    let mut bytes = v4();
    bytes[8] ^= 1;
    assert!(error(&bytes).to_string().starts_with("ipv4 at byte 10: header checksum is 0x"));
}

#[test]
fn the_expected_checksum_in_the_error_is_the_right_one() {
    let mut bytes = v4();
    let right = u16::from_be_bytes([bytes[10], bytes[11]]);
    bytes[10] ^= 0x5a;
    let found = u16::from_be_bytes([bytes[10], bytes[11]]);
    assert_eq!(error(&bytes).kind, ParseErrorKind::Checksum { found, expected: right });
}

#[test]
fn impossible_ipv4_lengths_are_named() {
    let kind = |bytes: Vec<u8>| error(&bytes).kind;
    assert_eq!(kind(with(v4(), 0, &[0x44])), ParseErrorKind::HeaderLength { words: 4, least: 5 });
    assert_eq!(kind(with(v4(), 2, &[0, 19])), ParseErrorKind::LengthBelowHeader { claimed: 19, header: 20 });
    assert_eq!(kind(with(v4(), 2, &[0, 0])), ParseErrorKind::LengthBelowHeader { claimed: 0, header: 20 });
    assert_eq!(kind(with(v4(), 2, &[0, 81])), ParseErrorKind::LengthPastEnd { claimed: 81, available: 80 });
    assert_eq!(kind(with(v4(), 2, &[0, 30])), ParseErrorKind::Truncated { needed: 20, available: 10 });
    assert_eq!(kind(with(v4(), 6, &[0, 1])), ParseErrorKind::TinyFragment);
    let far = kind(with(v4(), 6, &[0x1f, 0xff]));
    assert_eq!(far, ParseErrorKind::FragmentPastEnd { offset: 65_528, len: 60 });
}

#[test]
fn impossible_tcp_and_udp_lengths_are_named() {
    let mut bytes = v4();
    bytes[32] = 0x40;
    assert_eq!((error(&bytes).layer, error(&bytes).offset), (Layer::Tcp, 32));
    assert_eq!(error(&bytes).kind, ParseErrorKind::HeaderLength { words: 4, least: 5 });
    let mut bytes = build(&Build::default());
    bytes[32] = 0x60;
    assert_eq!(error(&bytes).kind, ParseErrorKind::LengthPastEnd { claimed: 24, available: 20 });
    let mut bytes = v6(17, &[]);
    bytes[45] = 7;
    assert_eq!(error(&bytes).kind, ParseErrorKind::LengthBelowHeader { claimed: 7, header: 8 });
    bytes[45] = 9;
    assert_eq!(error(&bytes).kind, ParseErrorKind::LengthPastEnd { claimed: 9, available: 8 });
}

#[test]
fn fragments_are_told_apart() {
    let fragment = |word: [u8; 2]| {
        let parsed = parse_bytes(&with(v4(), 4, &[0xab, 0xcd, word[0], word[1]]), Offload::default());
        parsed.map(|p| (p.packet.fragment, p.tuple.src_port, p.packet.l4_len, p.checksum))
    };
    assert_eq!(fragment([0x40, 0]).unwrap().0, Fragment::Whole);
    let first = (Fragment::First { id: 0xabcd }, 40_000, 20, L4Checksum::Complete);
    assert_eq!(fragment([0x20, 0]).unwrap(), first);
    let later = |last| (Fragment::Later { id: 0xabcd, last }, 0, 0, L4Checksum::Absent);
    assert_eq!(fragment([0x20, 185]).unwrap(), later(false));
    assert_eq!(fragment([0x00, 185]).unwrap(), later(true));
}

#[test]
fn ipv6_extensions_are_skipped_in_any_legal_order() {
    // hop-by-hop, destination options, routing, fragment (atomic), AH of 16 bytes
    let chain = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..],
        &[43, 0, 1, 4, 0, 0, 0, 0],
        &[44, 0, 4, 0, 0, 0, 0, 0],
        &[51, 0, 0, 0, 1, 2, 3, 4],
        &[17, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0],
    ]
    .concat();
    let parsed = parse_bytes(&v6(0, &chain), Offload::default()).unwrap();
    assert_eq!((parsed.packet.l4, parsed.tuple.protocol, parsed.tuple.dst_port), (88, Protocol::UDP, 53));
    assert_eq!(parsed.packet.fragment, Fragment::Whole);
}

#[test]
fn ipv6_chains_that_break_a_rule_are_refused() {
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let kind = |first, chain: &[[u8; 8]]| error(&v6(first, &chain.concat())).kind;
    assert_eq!(kind(60, &[options(0), options(17)]), ParseErrorKind::HopByHopNotFirst);
    assert_eq!(kind(44, &[[44, 0, 0, 1, 0, 0, 0, 1], options(17)]), ParseErrorKind::SecondFragmentHeader);
    let nine = [[options(60); 8].as_flattened(), &options(17)].concat();
    assert_eq!(error(&v6(60, &nine)).kind, ParseErrorKind::TooManyExtensions { limit: 8 });
    let eight = [[options(60); 7].as_flattened(), &options(17)].concat();
    assert!(parse_bytes(&v6(60, &eight), Offload::default()).is_ok());
    let long = error(&v6(60, &[17, 9, 0, 0, 0, 0, 0, 0])).kind;
    assert_eq!(long, ParseErrorKind::LengthPastEnd { claimed: 80, available: 16 });
}

#[test]
fn ipv6_fragments_no_next_header_and_esp_have_no_ports() {
    let later = parse_bytes(&v6(44, &[17, 0, 0, 0xb9, 0, 0, 0, 7]), Offload::default()).unwrap();
    assert_eq!(later.packet.fragment, Fragment::Later { id: 7, last: false });
    assert_eq!((later.tuple.protocol, later.tuple.dst_port), (Protocol::UDP, 0));
    let first = parse_bytes(&v6(44, &[17, 0, 0, 1, 0, 0, 0, 7]), Offload::default()).unwrap();
    assert_eq!((first.packet.fragment, first.tuple.dst_port), (Fragment::First { id: 7 }, 53));
    for opaque in [50, 59, 132, 135, 1, 253] {
        let parsed = parse_bytes(&v6(opaque, &[]), Offload::default()).unwrap();
        assert_eq!((parsed.tuple.protocol, parsed.tuple.dst_port), (Protocol(opaque), 0));
        assert_eq!((parsed.packet.l4_len, parsed.checksum), (0, L4Checksum::Absent));
    }
}

#[test]
fn a_quote_of_eight_bytes_names_the_flow_and_a_shorter_one_does_not() {
    let inner = v4();
    let error = |quoted: usize| {
        let tuple = FiveTuple { protocol: Protocol::ICMP, src_port: 0, dst_port: 11 << 8, ..Build::default().tuple };
        let bytes = build(&Build { tuple, payload: &inner[..quoted], ..Build::default() });
        parse_bytes(&bytes, Offload::default()).unwrap().quoted
    };
    assert_eq!(error(28), Some(Build::default().tuple));
    assert_eq!(error(24), Some(Build::default().tuple));
    assert_eq!(error(23), None);
    assert_eq!(error(0), None);
}

#[test]
fn an_offload_that_does_not_fit_the_packet_is_refused() {
    let bytes = v4();
    let partial = PartialChecksum { start: 20, offset: 16 };
    let gso = Gso { kind: GsoKind::Tcpv4, size: 10, ecn: false };
    let kind = |partial, gso| parse_bytes(&bytes, Offload { partial, gso }).map_err(|e| e.kind);
    assert_eq!(kind(Some(partial), Some(gso)).unwrap().packet.segments, 4);
    assert_eq!(kind(None, Some(gso)), Err(ParseErrorKind::GsoWithoutPartial));
    let other = Gso { kind: GsoKind::Tcpv6, ..gso };
    assert_eq!(kind(Some(partial), Some(other)), Err(ParseErrorKind::GsoKind { kind: GsoKind::Tcpv6 }));
    let place = |start, offset| kind(Some(PartialChecksum { start, offset }), None);
    let wrong = |start, field| Err(ParseErrorKind::ChecksumPlace { start, field });
    assert_eq!(place(20, 6), wrong(20, 26));
    assert_eq!(place(16, 20), wrong(16, 36));
    assert_eq!(place(64, 15), wrong(64, 79));
    assert_eq!(place(65_535, 65_535), wrong(65_535, 131_070));
    assert_eq!(place(40, 16).unwrap().checksum, L4Checksum::Complete);
}

#[test]
fn tcp_fields_are_read_when_asked_for() {
    let buf = PacketBuf::from_packet(&v4());
    let parsed = parse(&buf).unwrap();
    assert_eq!(tcp_seq(&buf, &parsed), Some(1000));
    assert_eq!(tcp_ack(&buf, &parsed), Some(0));
    assert_eq!(tcp_window(&buf, &parsed), Some(65_000));
    assert_eq!(payload(&buf, &parsed), [0; 40]);
    let buf = PacketBuf::from_packet(&v6(17, &[]));
    assert_eq!(tcp_seq(&buf, &parse(&buf).unwrap()), None);
}
