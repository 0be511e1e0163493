//! Traps of super-packets and of merging that need no kernel to fall into.

// The helpers fail as the tests do.
#![allow(clippy::unwrap_used)]

use vpc_io::{Link, LinkDrop, Memory, Offloads, Received, Sent, TrainPool, Writer};
use vpc_packet::checksum::{Verification, verify};
use vpc_packet::{PacketBuf, PacketSpec, TcpFlags, parse};

fn packet(line: &str) -> PacketBuf {
    line.parse::<PacketSpec>().unwrap().to_buf()
}

/// What comes out of a link that carries `offloads` when `packets` are one burst, and the link's other end.
fn sent(packets: &[PacketBuf], offloads: Offloads) -> (Vec<PacketBuf>, Writer) {
    let (near, far) = Memory::pair(1_000).unwrap();
    let mut writer = Writer::new(Link::Memory(near.with_offloads(offloads)));
    let (mut far, mut pool) = (Link::Memory(far), TrainPool::default());
    for packet in packets {
        let header = parse(packet).unwrap().packet.header_len();
        writer.push(&mut pool, &mut packet.clone(), header).unwrap();
    }
    writer.flush(&mut pool).unwrap();
    let (mut out, mut received) = (Vec::new(), PacketBuf::new());
    while far.recv(&mut received).unwrap() == Received::Packet {
        out.push(received.clone());
    }
    (out, writer)
}

fn flags(packet: &PacketBuf) -> TcpFlags {
    parse(packet).unwrap().packet.tcp_flags
}

#[test]
fn trap_3_a_super_packet_is_as_long_as_its_segments_not_as_its_total() {
    let whole = packet("tcp 10.0.0.1:1 > 10.0.0.2:2 . df gso=536 len=40000");
    let parsed = parse(&whole).unwrap().packet;
    assert_eq!((parsed.len, parsed.segment_len), (40_000, 576));
    let (segments, _) = sent(&[whole], Offloads::NONE);
    assert_eq!(segments.len(), usize::from(parsed.segments));
    assert!(segments.iter().all(|segment| segment.len() <= 576));
    assert!(segments.iter().all(|segment| verify(segment, &parse(segment).unwrap()) == Verification::Good));
}

#[test]
fn trap_6_cwr_is_on_the_first_segment_only_and_the_code_point_on_all() {
    let mut whole = packet("tcp 10.0.0.1:1 > 10.0.0.2:2 AC ecn=2 df gso=1000 len=4040");
    if let Some(gso) = &mut whole.offload.gso {
        gso.ecn = true;
    }
    let (segments, _) = sent(&[whole], Offloads::NONE);
    let cwr: Vec<bool> = segments.iter().map(|segment| flags(segment).contains(TcpFlags::CWR)).collect();
    assert_eq!(cwr, [true, false, false, false]);
    assert!(segments.iter().all(|segment| segment.bytes()[1] & 3 == 2));
}

#[test]
fn trap_6_fin_and_push_are_on_the_last_segment_only() {
    let (segments, _) = sent(&[packet("tcp 10.0.0.1:1 > 10.0.0.2:2 FPA df gso=1000 len=3040")], Offloads::NONE);
    let ends = TcpFlags::FIN.with(TcpFlags::PSH);
    let last: Vec<u8> = segments.iter().map(|segment| flags(segment).0 & ends.0).collect();
    assert_eq!(last, [0, 0, ends.0]);
}

#[test]
fn trap_6_packets_of_tcp_leave_as_they_came_whatever_their_flags() {
    let lines = ["S", "SA", "A", "A", "PA", "UA urg=1", "RA", "A", "FA", "AE", "AC"];
    let burst: Vec<PacketBuf> = (0..)
        .zip(lines)
        .map(|(n, flags)| packet(&format!("tcp 10.0.0.1:1 > 10.0.0.2:2 {flags} df seq={} len=1040", n * 1000)))
        .collect();
    let (out, writer) = sent(&burst, Offloads::ALL);
    assert_eq!(writer.merged(), 0);
    let bytes = |packets: &[PacketBuf]| packets.iter().map(|p| p.bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(bytes(&out), bytes(&burst));
}

#[test]
fn trap_6_datagrams_with_different_code_points_do_not_travel_together() {
    let burst = [0, 2, 3, 3].map(|ecn| packet(&format!("udp 10.0.0.1:1 > 10.0.0.2:2 df ecn={ecn} len=128")));
    let (out, writer) = sent(&burst, Offloads::ALL);
    assert_eq!(out.iter().map(|packet| packet.bytes()[1] & 3).collect::<Vec<_>>(), [0, 2, 3]);
    assert_eq!(writer.merged(), 2);
}

#[test]
fn trap_8_a_super_packet_counts_as_its_segments_when_sent_received_and_dropped() {
    let whole = packet("udp 10.0.0.1:1 > 10.0.0.2:2 df gso=100 len=1028");
    let (near, far) = Memory::pair(1).unwrap();
    let (mut near, mut far) = (Link::Memory(near), Link::Memory(far));
    for expected in [Sent::Accepted, Sent::Dropped(LinkDrop::Full)] {
        assert_eq!(near.send(&mut whole.clone(), 28).unwrap(), expected);
    }
    assert_eq!(far.recv(&mut PacketBuf::new()).unwrap(), Received::Packet);
    for traffic in [near.counters().tx, far.counters().rx] {
        assert_eq!((traffic.packets, traffic.segments, traffic.bytes), (1, 10, 1_028));
    }
    assert_eq!(near.counters().dropped(LinkDrop::Full), 10);
}
