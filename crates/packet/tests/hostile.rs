//! Whatever bytes and headers come, nothing panics, and what is understood can be worked with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside the test functions themselves")]

use proptest::prelude::*;
use vpc_packet::checksum::{self, Verification, complete_checksum, verify};
use vpc_packet::fragment::fragment;
use vpc_packet::geneve::{AwsOptions, Geneve};
use vpc_packet::rewrite::{apply_to_error, clamp_mss, decrement_ttl};
use vpc_packet::segment::segment;
use vpc_packet::tunnel::Outer;
use vpc_packet::{FiveTuple, PacketBuf, PacketSpec, Rewrite, parse, reply};

const SEEDS: &[&str] = &[
    "tcp 10.0.0.1:1 > 10.0.0.2:2 S mss=1460 opts=0x0402080a000000010000000001030307 payload=\"data\"",
    "tcp [fd00::1]:1 > [fd00::2]:2 PA len=300",
    "udp 10.0.0.1:1 > 10.0.0.2:2 len=200",
    "udp [fd00::1]:1 > [fd00::2]:2 ext=0:0x3c000104000000001100010400000000",
    "udp 10.0.0.1:1 > 10.0.0.2:2 frag=0+ ipopts=0x94040000 len=80",
    "udp fd00::1 > fd00::2 frag=1232 len=90",
    "icmp 10.0.0.9 > 10.0.0.1 frag-needed mtu=1500 (tcp 10.0.0.1:1 > 10.0.0.2:2)",
    "icmp fd00::9 > fd00::1 too-big mtu=1280 (udp [fd00::1]:1 > [fd00::2]:2)",
    "icmp 10.0.0.1 > 10.0.0.2 echo request id=1 seq=2 payload=\"ping\"",
    "tcp 10.0.0.1:1 > 10.0.0.2:2 . gso=100 len=900",
    "udp [fd00::1]:1 > [fd00::2]:2 gso=100 len=900",
];

/// A packet with its virtio header, some bytes of both changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5);
    (prop::sample::select(SEEDS), changes, any::<prop::sample::Index>(), any::<bool>(), any::<bool>()).prop_map(
        |(line, changes, cut, whole, repair)| {
            let mut area = line.parse::<PacketSpec>().unwrap().to_buf().write_area(0).to_vec();
            for (at, value) in changes {
                let at = at.index(area.len());
                area[at] = value;
            }
            // With its header checksum right again a changed IPv4 packet gets further.
            if repair && area[10] >> 4 == 4 && area.len() >= 30 {
                let header = (usize::from(area[10] & 15) * 4).clamp(20, area.len() - 10);
                area[20..22].fill(0);
                let sum = checksum::checksum(&area[10..10 + header]);
                area[20..22].copy_from_slice(&sum.to_be_bytes());
            }
            if !whole {
                area.truncate(10 + cut.index(area.len() - 9));
            }
            area
        },
    )
}

fn random() -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(any::<u8>(), 10..400), 0u8..3).prop_map(|(mut area, version)| {
        if let Some(first) = area.get_mut(10).filter(|_| version > 0) {
            *first = if version == 1 { 0x45 } else { 0x60 };
        }
        area
    })
}

/// Everything that is done with a packet, in turn.
fn work(area: &[u8]) {
    let mut buf = PacketBuf::new();
    buf.read_area()[..area.len()].copy_from_slice(area);
    if buf.filled(area.len(), true).is_err() {
        return;
    }
    let Ok(parsed) = parse(&buf) else { return };
    let packet = parsed.packet;
    assert!(packet.segments >= 1 && u32::from(packet.segment_len) <= packet.len);
    assert!(u32::from(packet.header_len()) <= packet.len && packet.len as usize <= buf.len());
    buf.truncate(packet.len as usize);
    assert_eq!(parse(&buf), Ok(parsed));

    let spec = PacketSpec::dissect_buf(&buf).unwrap();
    assert_eq!(spec.to_string().parse(), Ok(spec.clone()));
    let again = spec.to_buf();
    assert_eq!(parse(&again).map(|p| p.tuple), Ok(parsed.tuple), "{spec}");

    let other = match parsed.tuple.src.is_ipv4() {
        true => FiveTuple { src: [203, 0, 113, 7].into(), src_port: 4242, ..parsed.tuple },
        false => FiveTuple { src: [0x20; 16].into(), src_port: 4242, ..parsed.tuple },
    };
    let before = verify(&buf, &parsed);
    let mut translated = buf.clone();
    let rewrite = Rewrite::between(parsed.tuple, other);
    rewrite.apply(&mut translated, &parsed);
    let after = parse(&translated).unwrap();
    assert_eq!(after.tuple.src, other.src);
    // Right stays right; wrong stays wrong, so that the receiver still finds out.
    assert_eq!(verify(&translated, &after), before);
    let mut error = buf.clone();
    if let Some(quoted) = parsed.quoted {
        let other = FiveTuple { dst: other.src, dst_port: 4242, ..quoted };
        apply_to_error(&mut error, &parsed, &rewrite, &Rewrite::between(quoted, other));
        let after = parse(&error).unwrap();
        assert_eq!(after.quoted.map(|q| q.dst), Some(other.dst));
        assert_eq!(verify(&error, &after), before);
    }
    clamp_mss(&mut translated, &parsed, 500);
    let _ = decrement_ttl(&mut translated, 1);
    assert!(parse(&translated).is_ok());

    let mut out = PacketBuf::new();
    let mut payload = 0;
    segment(&buf, &parsed, &mut out, |one| {
        let one = parse(one).unwrap();
        assert_eq!(one.packet.segments, 1);
        payload += one.packet.payload_len();
    })
    .unwrap();
    assert_eq!(payload, packet.payload_len());
    let _ = fragment(&mut buf.clone(), &parsed, 90, &mut out, |one| assert!(one.len() <= 90));

    for answer in [
        reply::echo_reply(&buf, &parsed),
        reply::reset(&buf, &parsed),
        reply::time_exceeded(&buf, &parsed, other.src),
        reply::too_big(&buf, &parsed, other.src, 1400),
    ]
    .into_iter()
    .flatten()
    {
        let answer = PacketBuf::from_packet(&answer);
        assert_eq!(verify(&answer, &parse(&answer).unwrap()), Verification::Good);
    }
    let outer = Outer { src: [1; 4].into(), dst: [2; 4].into(), src_port: 3 };
    let options = AwsOptions { endpoint: 1, attachment: 2, cookie: 3 };
    if options.encapsulate(&mut buf, outer).is_ok() {
        assert!(parse(&buf).is_ok());
        assert!(complete_checksum(&mut buf).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_mutated_packet_is_refused_or_works(area in mutated()) {
        work(&area);
    }

    #[test]
    fn random_bytes_are_refused_or_work(area in random()) {
        work(&area);
        if let Ok((header, _)) = Geneve::parse(&area) {
            let _ = AwsOptions::find(&header);
        }
    }
}
