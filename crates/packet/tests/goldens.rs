//! Small captures of our own making: dissected they give the text beside them, and built from that text they give
//! the same bytes again. `UPDATE_GOLDEN=1` rewrites captures and texts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside the test functions themselves")]

use std::path::{Path, PathBuf};
use vpc_packet::PacketSpec;
use vpc_packet::pcap::{Reader, Writer, ip_packet};

/// Lines to be built; the text golden has what comes back.
const CAPTURES: &[(&str, &[&str])] = &[
    (
        "tcp",
        &[
            "tcp 10.0.2.10:40000 > 198.18.0.9:443 S seq=1000 win=64240 mss=8460 opts=0x0402080a000000010000000001030307 df",
            "tcp 198.18.0.9:443 > 10.0.2.10:40000 SA seq=77 ack=1001 win=65160 mss=1460 df",
            "tcp 10.0.2.10:40000 > 198.18.0.9:443 PA seq=1001 ack=78 payload=\"GET / HTTP/1.1\" ttl=63",
            "tcp 10.0.2.10:40000 > 198.18.0.9:443 . seq=1015 ack=78 len=1500 df ecn=1",
            "tcp 198.18.0.9:443 > 10.0.2.10:40000 RA sum=0x1234",
            "tcp [2001:db8::10]:40000 > [2001:db8:1::9]:443 FAUEC urg=9 flow=0xabcde dscp=10",
            "tcp [2001:db8::10]:40000 > [2001:db8:1::9]:443 none",
        ],
    ),
    (
        "udp",
        &[
            "udp 10.0.0.1:5353 > 10.0.0.2:53 payload=\"query\"",
            "udp 10.0.0.1:5353 > 10.0.0.2:53 payload=0x00ff sum=0",
            "udp 10.0.0.1:5353 > 10.0.0.2:53 udplen=9 payload=\"a and options\"",
            "udp [fd00::1]:1 > [fd00::2]:65535 ttl=255",
            "udp 10.0.0.1:7 > 10.0.0.2:9 ipopts=0x94040000 dscp=46 ipid=51966",
        ],
    ),
    (
        "icmp",
        &[
            "icmp 10.0.0.1 > 10.0.0.2 echo request id=77 seq=1 payload=\"abcdefgh\"",
            "icmp 10.0.0.2 > 10.0.0.1 echo reply id=77 seq=1 payload=\"abcdefgh\"",
            "icmp 10.0.0.254 > 10.0.0.1 frag-needed mtu=1500 (tcp 10.0.0.1:40000 > 198.18.0.9:443)",
            "icmp 10.0.0.254 > 10.0.0.1 ttl-exceeded (icmp 10.0.0.1 > 198.18.0.9 echo request id=77)",
            "icmp 10.0.0.254 > 10.0.0.1 port-unreachable payload=0x4500",
            "icmp 10.0.0.1 > 10.0.0.2 type=13/0 rest=0x70001 len=40",
            "icmp 2001:db8::fe > 2001:db8::1 too-big mtu=1280 (udp [2001:db8::1]:5000 > [2001:db8::2]:53)",
            "icmp fe80::1 > ff02::1 type=134/0 rest=0x40000708 ttl=255 len=64",
        ],
    ),
    (
        "fragments",
        &[
            "udp 10.0.0.1:5000 > 10.0.0.2:53 ipid=7 frag=0+ udplen=2008 sum=0xbeef len=1500",
            "udp 10.0.0.1 > 10.0.0.2 ipid=7 frag=1480 len=548",
            "tcp 10.0.0.1 > 10.0.0.2 ipid=8 frag=1480+ payload=\"middle..\"",
            "udp [fd00::1]:5000 > [fd00::2]:53 ipid=305419896 frag=0+ udplen=2008 sum=0xbeef len=1280",
            "udp fd00::1 > fd00::2 ipid=305419896 frag=1232 payload=\"rest\"",
        ],
    ),
    (
        "others",
        &[
            "proto 47 10.0.0.1 > 10.0.0.2 payload=0x00000800",
            "proto 50 10.0.0.1 > 10.0.0.2 payload=0x0000000100000001",
            "proto 59 fd00::1 > fd00::2",
            "udp [fd00::1]:1 > [fd00::2]:2 ext=0:0x3c000104000000001100010400000000",
            "tcp [fd00::1]:1 > [fd00::2]:2 S ext=51:0x060400000000000100000001000000000000000000000000",
            "proto 132 10.0.0.1 > 10.0.0.2 len=60",
        ],
    ),
];

/// What no line can say, by hand.
const MALFORMED: &[&[u8]] = &[
    &[],
    &[0x45],
    // version 7
    &[0x70; 40],
    // header length of four words
    &[0x44, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    // total length 0
    &[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    // total length behind the end
    &[0x45, 0, 0, 21, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    // header checksum 0
    &[0x45, 0, 0, 20, 0, 0, 0, 0, 64, 47, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    // UDP over IPv6, eight bytes of header missing one
    &[
        0x60, 0, 0, 0, 0, 7, 17, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2, 0, 8, 0,
    ],
    // hop-by-hop options longer than the packet
    &[
        0x60, 0, 0, 0, 0, 8, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 2, 17, 200, 0, 0, 0, 0, 0, 0,
    ],
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pcaps")
}

/// Compares with the file, or writes it if asked to.
fn golden(name: &str, actual: &[u8]) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_else(|e| panic!("{name}: {e}; UPDATE_GOLDEN=1 writes it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(expected == actual, "{name} differs; now it is\n{}", text(actual));
}

fn capture(packets: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (index, packet) in packets.enumerate() {
        writer.write(index as u64 * 1_000_000, &packet).unwrap();
    }
    writer.finish().unwrap()
}

fn dissect(file: &[u8]) -> Vec<(Vec<u8>, String)> {
    let packets = Reader::new(file).unwrap().map(|record| {
        let record = record.unwrap();
        let packet = ip_packet(record.link_type, record.bytes).unwrap();
        let line = PacketSpec::dissect(packet).map_or_else(|e| format!("! {e}"), |spec| spec.to_string());
        (packet.to_vec(), line)
    });
    packets.collect()
}

fn text(packets: &[(Vec<u8>, String)]) -> String {
    packets.iter().map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn captures_are_what_their_lines_build_and_dissect_to_their_text() {
    for (name, lines) in CAPTURES {
        let specs = lines.iter().map(|line| line.parse::<PacketSpec>().unwrap_or_else(|e| panic!("{line}: {e}")));
        golden(&format!("{name}.pcap"), &capture(specs.map(|spec| spec.build())));
        let packets = dissect(&std::fs::read(folder().join(format!("{name}.pcap"))).unwrap());
        golden(&format!("{name}.txt"), text(&packets).as_bytes());
        for (bytes, line) in packets {
            assert_eq!(line.parse::<PacketSpec>().unwrap().build(), bytes, "{line}");
        }
    }
}

#[test]
fn malformed_packets_are_refused_with_a_sentence() {
    golden("malformed.pcap", &capture(MALFORMED.iter().map(|bytes| bytes.to_vec())));
    let packets = dissect(&std::fs::read(folder().join("malformed.pcap")).unwrap());
    assert!(packets.iter().all(|(_, line)| line.starts_with("! ")), "{packets:?}");
    golden("malformed.txt", text(&packets).as_bytes());
}
