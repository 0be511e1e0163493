use super::*;
use proptest::prelude::*;

fn records(file: &[u8]) -> Vec<(u64, LinkType, Vec<u8>)> {
    let reader = Reader::new(file).unwrap();
    reader.map(|r| r.map(|r| (r.time, r.link_type, r.bytes.to_vec())).unwrap()).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(packets in proptest::collection::vec((0u64..1 << 60, proptest::collection::vec(any::<u8>(), 0..50)), 0..9)) {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (time, packet) in &packets {
            writer.write(*time, packet).unwrap();
        }
        let expected: Vec<_> = packets.into_iter().map(|(t, p)| (t % (NANOSECONDS << 32), LinkType::RAW, p)).collect();
        prop_assert_eq!(records(&writer.finish().unwrap()), expected);
    }

    #[test]
    fn any_file_ends(mut file in proptest::collection::vec(any::<u8>(), 0..300), magic in 0usize..5) {
        let magics = [0xa1b2_c3d4_u32, 0xa1b2_3c4d, 0xd4c3_b2a1, 0x4d3c_b2a1, pcapng::SECTION];
        let magic = magics[magic].to_be_bytes();
        let front = file.len().min(4);
        file[..front].copy_from_slice(&magic[..front]);
        if let Ok(reader) = Reader::new(&file) {
            prop_assert!(reader.count() <= file.len());
        }
    }

    #[test]
    fn a_damaged_file_ends(at in any::<proptest::sample::Index>(), value: u8, cut in any::<proptest::sample::Index>()) {
        let mut file = pcapng(true);
        let at = at.index(file.len());
        file[at] = value;
        let cut = cut.index(file.len());
        for file in [&file[..], &file[..cut]] {
            if let Ok(reader) = Reader::new(file) {
                prop_assert!(reader.count() <= file.len());
            }
        }
    }
}

/// Two packets at 1.5 s, one of them a simple packet block, in nanosecond resolution.
fn pcapng(big_endian: bool) -> Vec<u8> {
    let u16s = |v: u16| {
        if big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    };
    let u32s = |v: u32| {
        if big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    };
    let block = |kind: u32, body: &[u8]| {
        let len = u32s(12 + body.len() as u32);
        [&u32s(kind)[..], &len, body, &len].concat()
    };
    let section = [&u32s(0x1a2b_3c4d)[..], &u16s(1), &u16s(0), &[0xff; 8]].concat();
    let interface = [&u16s(101)[..], &[0; 2], &u32s(0), &u16s(9), &u16s(1), &[9, 0, 0, 0], &[0; 4]].concat();
    let packet = [&u32s(0)[..], &u32s(0), &u32s(1_500_000_000), &u32s(3), &u32s(60), b"abc\0"].concat();
    let simple = [&u32s(2)[..], b"xy\0\0"].concat();
    [block(pcapng::SECTION, &section), block(1, &interface), block(5, &[0; 8]), block(6, &packet), block(3, &simple)]
        .concat()
}

#[test]
fn pcapng_is_read_in_both_byte_orders() {
    for big_endian in [false, true] {
        let expected = [(1_500_000_000, LinkType::RAW, b"abc".to_vec()), (0, LinkType::RAW, b"xy".to_vec())];
        assert_eq!(records(&pcapng(big_endian)), expected);
    }
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_resolutions() {
    for (magic, time) in [(0xa1b2_c3d4_u32, 2_000_007_000), (0xa1b2_3c4d, 2_000_000_007)] {
        let words = [magic, 0x0002_0004, 0, 0, 65_535, 1, 2, 7, 1, 1];
        let big: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).chain([9]).collect();
        let little: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).chain([9]).collect();
        for file in [big, little] {
            assert_eq!(records(&file), [(time, LinkType::ETHERNET, vec![9])]);
        }
    }
}

#[test]
fn an_error_ends_the_capture_and_names_the_place() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.write(0, &[1, 2, 3]).unwrap();
    let file = writer.finish().unwrap();
    let mut reader = Reader::new(&file[..file.len() - 1]).unwrap();
    assert_eq!(reader.next(), Some(Err(PcapError::Truncated { offset: 40, needed: 3 })));
    assert_eq!(reader.next(), None);
    assert_eq!(Reader::new(b"text").err(), Some(PcapError::Magic { magic: 0x7465_7874 }));
}

#[test]
fn every_link_type_leads_to_the_packet() {
    let behind = |front: &[u8]| [front, b"IP"].concat();
    let mac = [0; 12];
    for (link_type, front) in [
        (LinkType::RAW, vec![]),
        (LinkType::IPV4, vec![]),
        (LinkType::ETHERNET, [&mac[..], &[8, 0]].concat()),
        (LinkType::ETHERNET, [&mac[..], &[0x81, 0, 0, 5, 0x86, 0xdd]].concat()),
        (LinkType::ETHERNET, [&mac[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat()),
        (LinkType::LINUX_SLL, [&[0; 14][..], &[8, 0]].concat()),
        (LinkType::LINUX_SLL2, [&[8, 0][..], &[0; 18]].concat()),
        (LinkType::NULL, vec![2, 0, 0, 0]),
        (LinkType::NULL, vec![0, 0, 0, 30]),
        (LinkType::LOOP, vec![0, 0, 0, 2]),
    ] {
        assert_eq!(ip_packet(link_type, &behind(&front)), Some(&b"IP"[..]), "{link_type:?} {front:?}");
    }
    assert_eq!(ip_packet(LinkType::ETHERNET, &behind(&[&mac[..], &[8, 6]].concat())), None);
    assert_eq!(ip_packet(LinkType::ETHERNET, &mac), None);
    assert_eq!(ip_packet(LinkType::IPV6, b"IP"), None);
    assert_eq!(ip_packet(LinkType(147), b"anything"), None);
}
