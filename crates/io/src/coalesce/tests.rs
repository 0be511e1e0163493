use proptest::prelude::*;
use vpc_packet::Offload;
use vpc_packet::checksum::complete_checksum;

use super::*;
use crate::memory::Memory;
use crate::software::Segmenter;
use crate::tun::Offloads;

/// A datagram to be built.
#[derive(Clone, Debug)]
struct Sample {
    v6: bool,
    port: u16,
    tos: u8,
    ttl: u8,
    df: bool,
    id: u16,
    payload: Vec<u8>,
    checksum: Checksum,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Checksum {
    Complete,
    Partial,
    Wrong,
    Zero,
}

impl Default for Sample {
    fn default() -> Self {
        Self { v6: false, port: 1, tos: 0, ttl: 64, df: true, id: 0, payload: vec![7; 36], checksum: Checksum::Partial }
    }
}

impl Sample {
    fn sized(payload: usize) -> Self {
        Self { payload: vec![7; payload], ..Self::default() }
    }

    fn packet(&self) -> PacketBuf {
        let length = u16::try_from(self.payload.len() + UDP_HEADER).unwrap();
        let mut bytes;
        let pseudo;
        if self.v6 {
            bytes = vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0];
            bytes.extend(length.to_be_bytes());
            bytes.extend([UDP, self.ttl]);
            bytes.extend([0xFD; 16]);
            bytes.extend([0xFC; 16]);
            pseudo = Sum::new().bytes(&bytes[8..]);
        } else {
            bytes = vec![0x45, self.tos];
            bytes.extend((length + 20).to_be_bytes());
            bytes.extend(self.id.to_be_bytes());
            bytes.extend([if self.df { 0x40 } else { 0 }, 0, self.ttl, UDP, 0, 0]);
            bytes.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            let checksum = Sum::new().bytes(&bytes).checksum();
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
            pseudo = Sum::new().bytes(&bytes[12..]);
        }
        let start = bytes.len();
        bytes.extend([self.port.to_be_bytes(), [0, 9], length.to_be_bytes()].concat());
        bytes.extend(pseudo.word(u16::from(UDP)).word(length).fold().to_be_bytes());
        bytes.extend(&self.payload);
        let mut packet = PacketBuf::from_packet(&bytes);
        let start = u16::try_from(start).unwrap();
        packet.offload.partial = Some(PartialChecksum { start, offset: CHECKSUM_OFFSET });
        if self.checksum != Checksum::Partial {
            complete_checksum(&mut packet).unwrap();
        }
        let field = usize::from(start + CHECKSUM_OFFSET);
        match self.checksum {
            Checksum::Complete | Checksum::Partial => {}
            Checksum::Wrong => packet.bytes_mut()[field] ^= 0x10,
            Checksum::Zero => packet.bytes_mut()[field..field + 2].fill(0),
        }
        packet
    }
}

/// What the other end gets when `packets` are one burst.
fn written(packets: &[PacketBuf]) -> Vec<PacketBuf> {
    let (near, mut far) = Memory::pair(10_000).unwrap();
    let mut writer = Writer::new(Link::Memory(near));
    let mut pool = TrainPool::default();
    for packet in packets {
        writer.push(&mut pool, &mut packet.clone(), 28).unwrap();
    }
    writer.flush(&mut pool).unwrap();
    let mut got = Vec::new();
    let mut packet = PacketBuf::new();
    while far.recv(&mut packet) == Received::Packet {
        got.push(packet.clone());
    }
    got
}

fn written_samples(samples: &[Sample]) -> Vec<PacketBuf> {
    written(&samples.iter().map(Sample::packet).collect::<Vec<_>>())
}

/// How many datagrams each written packet stands for.
fn trains(samples: &[Sample]) -> Vec<u32> {
    written_samples(samples).iter().map(crate::software::segments).collect()
}

/// The packets on a wire, checksums completed; the identification of atomic datagrams blanked.
fn on_the_wire(packets: &[PacketBuf]) -> Vec<Vec<u8>> {
    let mut wire = Vec::new();
    for packet in packets {
        Segmenter::default()
            .for_each(&mut packet.clone(), |segment| {
                let mut bytes = segment.bytes().to_vec();
                if bytes[0] == 0x45 && bytes[6] & 0x40 != 0 {
                    assert_eq!(Sum::new().bytes(&bytes[..20]).checksum(), 0);
                    bytes[4..6].fill(0);
                    bytes[10..12].fill(0);
                }
                wire.push(bytes);
            })
            .unwrap();
    }
    wire
}

fn sample() -> impl Strategy<Value = Sample> {
    // Few values each, so that neighbours often match and often differ in one thing only.
    let header = (prop::bool::weighted(0.2), 1_u16..3, prop_oneof![9 => Just(0_u8), 1 => Just(2)]);
    let rest = (prop_oneof![9 => Just(64_u8), 1 => Just(63)], prop::bool::weighted(0.7), 0_u16..4);
    let length = prop_oneof![6 => Just(36_usize), 2 => 0_usize..40, 1 => Just(20_000)];
    let payload = (length, any::<u8>());
    let checksum = prop_oneof![
        12 => Just(Checksum::Partial),
        4 => Just(Checksum::Complete),
        1 => Just(Checksum::Wrong),
        1 => Just(Checksum::Zero),
    ];
    (header, rest, payload, checksum).prop_map(|((v6, port, tos), (ttl, df, id), (length, byte), checksum)| Sample {
        v6,
        port,
        tos,
        ttl,
        df,
        id,
        payload: (0..length).map(|n| byte.wrapping_add(n as u8)).collect(),
        checksum,
    })
}

proptest! {
    #[test]
    fn segmenting_what_was_written_gives_back_the_same_bytes_in_the_same_order(
        mut samples in prop::collection::vec(sample(), 1..200),
        consecutive in any::<bool>(),
    ) {
        if consecutive {
            for (n, sample) in (0..).zip(&mut samples) {
                sample.id = u16::MAX - 50_u16.wrapping_sub(n);
            }
        }
        let packets: Vec<PacketBuf> = samples.iter().map(Sample::packet).collect();
        let got = written(&packets);
        prop_assert!(on_the_wire(&got) == on_the_wire(&packets));
        for packet in &got {
            prop_assert!(crate::software::segments(packet) <= 128);
            if packet.offload.gso.is_some() {
                prop_assert!(vpc_packet::parse(packet).is_ok());
            }
        }
    }

    #[test]
    fn bytes_that_are_no_datagram_pass_as_they_are(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        first in prop_oneof![Just(0x45_u8), Just(0x46), Just(0x60), any::<u8>()],
        start in 0_u16..60,
        partial in any::<bool>(),
    ) {
        let mut packet = PacketBuf::from_packet(&bytes);
        if let Some(byte) = packet.bytes_mut().first_mut() {
            *byte = first;
        }
        packet.offload.partial = partial.then_some(PartialChecksum { start, offset: 6 });
        let got = written(&[packet.clone(), packet.clone()]);
        prop_assert_eq!(got.len(), 2);
        for got in got {
            prop_assert_eq!(got.bytes(), packet.bytes());
            prop_assert_eq!(got.offload, packet.offload);
        }
    }
}

#[test]
fn trap_5_a_train_is_128_segments_at_most() {
    let trains_of = |n| trains(&vec![Sample::default(); n]);
    assert_eq!(trains_of(1), [1]);
    assert_eq!(trains_of(127), [127]);
    assert_eq!(trains_of(128), [128]);
    assert_eq!(trains_of(129), [128, 1]);
    assert_eq!(trains_of(300), [128, 128, 44]);
}

#[test]
fn trap_5_a_train_is_the_largest_packet_at_most() {
    // 65535 - 28 bytes: 44 payloads of 1472 and some left over.
    assert_eq!(trains(&vec![Sample::sized(1472); 50]), [44, 6]);
    let v6 = Sample { v6: true, ..Sample::sized(1472) };
    assert_eq!(trains(&vec![v6; 50]), [44, 6]);
    assert_eq!(trains(&vec![Sample::sized(65_507); 2]), [1, 1]);
}

#[test]
fn trap_5_a_short_tail_ends_the_train_and_a_longer_one_does_not_join() {
    let lengths = |lengths: &[usize]| trains(&lengths.iter().map(|n| Sample::sized(*n)).collect::<Vec<_>>());
    assert_eq!(lengths(&[36, 36, 7, 36, 36]), [3, 2]);
    assert_eq!(lengths(&[36, 7, 7]), [2, 1]);
    assert_eq!(lengths(&[7, 36, 36]), [1, 2]);
    // An empty one has nothing to be cut off by.
    assert_eq!(lengths(&[36, 0, 36]), [1, 1, 1]);
}

#[test]
fn trap_5_only_datagrams_with_the_same_headers_travel_together() {
    let base = Sample::default();
    for other in [
        Sample { v6: true, ..base.clone() },
        Sample { port: 2, ..base.clone() },
        Sample { tos: 2, ..base.clone() },
        Sample { ttl: 63, ..base.clone() },
        Sample { df: false, ..base.clone() },
    ] {
        assert_eq!(trains(&[base.clone(), other.clone()]), [1, 1], "{other:?}");
        assert_eq!(
            trains(&[other.clone(), other.clone(), base.clone()])[..],
            match other.df {
                true => vec![2, 1],
                false => vec![1, 1, 1],
            },
            "{other:?}"
        );
    }
}

#[test]
fn trap_5_the_identification_matters_only_where_fragments_are_possible() {
    let with =
        |df, ids: &[u16]| trains(&ids.iter().map(|id| Sample { df, id: *id, ..Sample::default() }).collect::<Vec<_>>());
    assert_eq!(with(true, &[0, 0, 0]), [3]);
    assert_eq!(with(true, &[5, 9, 2]), [3]);
    assert_eq!(with(false, &[5, 6, 7]), [3]);
    assert_eq!(with(false, &[u16::MAX, 0, 1]), [3]);
    assert_eq!(with(false, &[5, 5, 6]), [1, 2]);
}

#[test]
fn trap_5_a_datagram_without_checksum_or_with_a_wrong_one_stays_as_it_is() {
    for checksum in [Checksum::Zero, Checksum::Wrong] {
        let odd = Sample { checksum, ..Sample::default() };
        let got = written_samples(&[Sample::default(), odd.clone(), odd.clone(), Sample::default()]);
        assert_eq!(got.len(), 4);
        assert_eq!(got[1].bytes(), odd.packet().bytes());
        assert_eq!(got[1].offload, Offload::default());
    }
    let complete = Sample { checksum: Checksum::Complete, ..Sample::default() };
    assert_eq!(trains(&[complete.clone(), Sample::default(), complete]), [3]);
}

#[test]
fn trap_5_order_across_flows_is_kept() {
    let of = |port| Sample { port, ..Sample::default() };
    let got = written_samples(&[of(1), of(1), of(2), of(1)]);
    let ports: Vec<u8> = got.iter().map(|packet| packet.bytes()[21]).collect();
    assert_eq!(ports, [1, 2, 1]);
}

#[test]
fn a_lone_datagram_is_written_as_it_came() {
    let sample = Sample::default();
    let got = written_samples(std::slice::from_ref(&sample));
    assert_eq!((got[0].bytes(), got[0].offload), (sample.packet().bytes(), sample.packet().offload));
}

#[test]
fn a_checksum_of_zero_means_none_even_where_zero_would_be_right() {
    let mut packet = Sample { checksum: Checksum::Zero, ..Sample::default() }.packet();
    let length = u16::try_from(packet.len() - 20).unwrap();
    let sum = |bytes: &[u8]| Sum::new().bytes(&bytes[12..]).word(u16::from(UDP)).word(length);
    let last = packet.len() - 2;
    packet.bytes_mut()[last..].fill(0);
    let missing = sum(packet.bytes()).checksum();
    packet.bytes_mut()[last..].copy_from_slice(&missing.to_be_bytes());
    assert_eq!(sum(packet.bytes()).checksum(), 0);
    assert_eq!(written(&[packet.clone(), packet]).len(), 2);
}

#[test]
fn fragments_and_super_packets_do_not_join() {
    let fragment = |id: u16| {
        let mut packet = Sample { df: false, id, ..Sample::default() }.packet();
        packet.bytes_mut()[6] = 0x20;
        packet.bytes_mut()[10..12].fill(0);
        let checksum = Sum::new().bytes(&packet.bytes()[..20]).checksum();
        packet.bytes_mut()[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet
    };
    let large = || {
        let mut packet = Sample::default().packet();
        packet.offload.gso = Some(Gso { kind: GsoKind::Udp, size: 18, ecn: false });
        packet
    };
    for packets in [[fragment(0), fragment(1)], [large(), large()]] {
        let got = written(&packets);
        assert_eq!(got.len(), 2);
        for (got, packet) in got.iter().zip(&packets) {
            assert_eq!((got.bytes(), got.offload), (packet.bytes(), packet.offload));
        }
    }
}

#[test]
fn nothing_is_merged_for_a_link_that_would_have_to_cut_it_again() {
    let (near, mut far) = Memory::pair(8).unwrap();
    let mut writer = Writer::new(Link::Memory(near.with_offloads(Offloads { udp: false, ..Offloads::ALL })));
    let mut pool = TrainPool::default();
    for _ in 0..3 {
        writer.push(&mut pool, &mut Sample::default().packet(), 28).unwrap();
        assert!(!writer.is_waiting());
    }
    let mut packet = PacketBuf::new();
    assert_eq!((0..5).filter(|_| far.recv(&mut packet) == Received::Packet).count(), 3);
}

#[test]
fn buffers_go_back_to_the_pool_and_are_used_again() {
    let (near, _far) = Memory::pair(10_000).unwrap();
    let mut writer = Writer::new(Link::Memory(near));
    let mut pool = TrainPool::default();
    for _ in 0..3 {
        for port in [1, 2, 3] {
            let mut packet = Sample { port, ..Sample::default() }.packet();
            writer.push(&mut pool, &mut packet, 28).unwrap();
            writer.push(&mut pool, &mut packet, 28).unwrap();
        }
        assert!(writer.is_waiting());
        writer.flush(&mut pool).unwrap();
    }
    assert!(!writer.is_waiting());
    assert_eq!(pool.free.len(), 1);
    assert_eq!(writer.merged(), 18);
}
