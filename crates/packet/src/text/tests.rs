use super::attribute::{ICMP, NUMBERS, scope_of};
use super::*;
use crate::checksum::{Verification, verify};
use crate::parse;
use proptest::prelude::*;

fn read(text: &str) -> PacketSpec {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn lines_are_printed_as_they_are_read() {
    for line in [
        "tcp 10.0.2.10:40000 > 198.18.0.9:443 S",
        "tcp 10.0.2.10:40000 > 198.18.0.9:443",
        "tcp 198.18.0.9:443 > 10.0.2.10:40000 SA seq=1 ack=2 win=1000 mss=8460 opts=0x01010101",
        "tcp 10.0.0.1:1 > 10.0.0.2:2 . ttl=1 df len=9001",
        "tcp 10.0.0.1:1 > 10.0.0.2:2 none nodf",
        "tcp [2001:db8::1]:1 > [2001:db8::2]:2 FPAEC",
        "udp 10.0.0.1:5000 > 10.0.0.2:53 dscp=46 ecn=3 payload=\"a b=c > (d)\"",
        "udp 10.0.0.1:5000 > 10.0.0.2:53 payload=0x00ff22",
        "udp 10.0.0.1:5000 > 10.0.0.2:53 payload=\"\"",
        "udp 10.0.0.1:5000 > 10.0.0.2:53 ipid=7 frag=0+",
        "udp 10.0.0.1 > 10.0.0.2 frag=1480 len=620",
        "icmp 10.0.0.1 > 10.0.0.2",
        "icmp 10.0.0.1 > 10.0.0.2 echo request id=7 seq=1",
        "icmp 2001:db8::1 > 2001:db8::2 echo reply id=7 seq=1",
        "icmp 10.0.0.9 > 10.0.0.1 frag-needed mtu=1500 (udp 10.0.0.1:5000 > 198.18.0.9:53)",
        "icmp 10.0.0.9 > 10.0.0.1 ttl-exceeded (icmp 10.0.0.1 > 198.18.0.9 echo request id=5)",
        "icmp 2001:db8::9 > 2001:db8::1 too-big mtu=1280 (tcp [2001:db8::1]:1 > [2001:db8::2]:2)",
        "icmp 10.0.0.1 > 10.0.0.2 type=13/0 rest=0x70001",
        "proto 47 10.0.0.1 > 10.0.0.2 len=100",
        "proto 50 2001:db8::1 > 2001:db8::2 flow=0x12345 ext=0:0x3200010400000000",
        "tcp 10.0.0.1:1 > 10.0.0.2:2 . gso=1448 len=5000",
    ] {
        assert_eq!(read(line).to_string(), line);
        assert_eq!(read(&read(line).to_string()), read(line));
    }
}

#[test]
fn an_error_names_column_expectation_and_finding() {
    let error = |line: &str| line.parse::<PacketSpec>().unwrap_err().to_string();
    for (line, text) in [
        ("", "column 1: expected tcp, udp, icmp or proto, found the end"),
        ("tpc 10.0.0.1:1 > 10.0.0.2:2", "column 1: expected tcp, udp, icmp or proto, found `tpc`"),
        ("tcp 10.0.0.1:1 - 10.0.0.2:2", "column 16: expected `>`, found `-`"),
        ("tcp 10.0.0:1 > 10.0.0.2:2", "column 5: expected ADDRESS or ADDRESS:PORT, found `10.0.0:1`"),
        ("tcp 10.0.0.1:1 > 10.0.0.2", "column 18: expected an address with a port, found `10.0.0.2`"),
        ("tcp 10.0.0.1:1 > [::1]:2", "column 18: expected an address of the same IP version, found `[::1]:2`"),
        ("tcp 10.0.0.1 > 10.0.0.2", "column 5: expected ADDRESS:PORT, found `10.0.0.1`"),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 S", "column 29: expected an attribute, found `S`"),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 tll=1", "column 29: expected an attribute, found `tll=1`"),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 ttl=256", "column 29: expected a number up to 255, found `ttl=256`"),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 ttl=1 ttl=2", "column 35: expected this only once, found `ttl=2`"),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 mss=1", "column 29: expected an attribute that this packet has, found `mss=1`"),
        (
            "udp 10.0.0.1:1 > 10.0.0.2:2 len=29 payload=\"ab\"",
            "column 29: expected at least 30, the headers and the payload, found `len=29`",
        ),
        (
            "udp 10.0.0.1:1 > 10.0.0.2:2 frag=1480",
            "column 5: expected an address without a port: a later fragment has none, found `10.0.0.1:1`",
        ),
        ("icmp 10.0.0.1:1 > 10.0.0.2:2", "column 6: expected an address without a port, found `10.0.0.1:1`"),
        ("proto 6 10.0.0.1 > 10.0.0.2", "column 7: expected `tcp` for this protocol, found `6`"),
        (
            "icmp 10.0.0.1 > 10.0.0.2 frag-needed (udp 10.0.0.1:x > 10.0.0.2:2)",
            "column 43: expected ADDRESS or ADDRESS:PORT, found `10.0.0.1:x`",
        ),
    ] {
        assert_eq!(error(line), text, "{line}");
    }
}

#[test]
fn a_built_packet_parses_to_the_tuple_of_its_line() {
    for line in [
        "tcp 10.0.2.10:40000 > 198.18.0.9:443 S mss=1460",
        "udp [2001:db8::1]:5000 > [2001:db8::2]:53 payload=\"hello\"",
        "icmp 10.0.0.1 > 10.0.0.2 echo request id=7 seq=1",
        "icmp 2001:db8::1 > 2001:db8::2 echo reply id=7 seq=1",
        "icmp 10.0.0.9 > 10.0.0.1 frag-needed mtu=1500 (udp 10.0.0.1:5000 > 198.18.0.9:53)",
        "icmp 2001:db8::9 > 2001:db8::1 too-big mtu=1280 (tcp [2001:db8::1]:1 > [2001:db8::2]:2)",
    ] {
        let spec = read(line);
        let buf = spec.to_buf();
        let parsed = parse(&buf).unwrap();
        assert_eq!(parsed.tuple, spec.tuple(), "{line}");
        assert_eq!(verify(&buf, &parsed), Verification::Good, "{line}");
        assert_eq!(PacketSpec::dissect(buf.bytes()).unwrap().to_string(), line);
        if let Kind::Icmp { quoted, .. } = spec.kind {
            assert_eq!(parsed.quoted, quoted);
        }
    }
}

#[test]
fn a_super_packet_is_built_as_a_kernel_hands_it_over() {
    let spec = read("tcp 10.0.0.1:1 > 10.0.0.2:2 . gso=1448 len=5000");
    let buf = spec.to_buf();
    let parsed = parse(&buf).unwrap();
    assert_eq!((parsed.packet.segments, parsed.packet.segment_len), (4, 1488));
    assert_eq!(verify(&buf, &parsed), Verification::GoodPartial);
    assert_eq!(PacketSpec::dissect_buf(&buf).unwrap(), spec);
}

#[test]
fn what_is_not_said_does_not_matter_and_what_is_said_does() {
    let came = read("tcp 10.0.0.1:1 > 10.0.0.2:2 SA seq=5 ack=6 mss=1460 ttl=63 df payload=\"x\"");
    let differs = |line: &str| read(line).expect(&came).err().map(|m| m.to_string());
    assert_eq!(differs("tcp 10.0.0.1:1 > 10.0.0.2:2"), None);
    assert_eq!(differs("tcp 10.0.0.1:1 > 10.0.0.2:2 SA mss=1460 df win=65535 dscp=0 len=45"), None);
    let ends = "packet: expected tcp 10.0.0.1:1 > 10.0.0.2:3, got tcp 10.0.0.1:1 > 10.0.0.2:2";
    assert_eq!(differs("tcp 10.0.0.1:1 > 10.0.0.2:3").as_deref(), Some(ends));
    for (said, text) in [
        (". seq=5", "flags: expected ., got SA"),
        ("SA ttl=64", "ttl: expected 64, got 63"),
        ("SA nodf", "df: expected nodf, got df"),
        ("SA mss=1400", "mss: expected 1400, got 1460"),
        ("SA len=60", "len: expected 60, got 45"),
        ("SA payload=\"y\"", "payload: expected \"y\", got \"x\""),
        ("SA dscp=1", "dscp: expected 1, got 0"),
    ] {
        assert_eq!(differs(&format!("tcp 10.0.0.1:1 > 10.0.0.2:2 {said}")).as_deref(), Some(text));
    }
    let error = read("icmp 10.0.0.9 > 10.0.0.1 ttl-exceeded (udp 10.0.0.1:1 > 10.0.0.2:2)");
    assert_eq!(read("icmp 10.0.0.9 > 10.0.0.1 ttl-exceeded").expect(&error), Ok(()));
    let other = read("icmp 10.0.0.9 > 10.0.0.1 ttl-exceeded (udp 10.0.0.1:1 > 10.0.0.2:3)");
    assert!(other.expect(&error).unwrap_err().to_string().starts_with("quote: "));
}

#[test]
fn a_long_payload_is_put_briefly() {
    let spec = read("udp 10.0.0.1:1 > 10.0.0.2:2 payload=\"0123456789\"");
    assert_eq!(spec.clone().brief(10), spec);
    assert_eq!(spec.brief(9).to_string(), "udp 10.0.0.1:1 > 10.0.0.2:2 len=38");
}

fn bytes(most: usize, unit: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=most).prop_map(move |mut bytes| {
        bytes.truncate(bytes.len() / unit * unit);
        bytes
    }))
}

/// Anything the notation can say.
fn specs() -> impl Strategy<Value = PacketSpec> {
    let who = (any::<[[u8; 16]; 2]>(), any::<bool>(), 0u8..4, any::<[u16; 2]>());
    let what = (proptest::option::of(any::<u8>()), proptest::option::of((0u8..20, 0u8..5)), any::<u8>());
    let how = (
        any::<[Option<u32>; 16]>(),
        proptest::option::of(any::<bool>()),
        proptest::option::weighted(0.2, any::<(u16, bool)>()),
    );
    let raw = (bytes(36, 4), bytes(40, 4), bytes(40, 1), bytes(16, 8), any::<Option<u8>>());
    (who, what, how, raw).prop_map(|(who, what, how, raw)| {
        let ([src, dst], v6, kind, ports) = who;
        let address =
            |a: [u8; 16]| -> IpAddr { if v6 { a.into() } else { <[u8; 4]>::try_from(&a[..4]).unwrap().into() } };
        let (src, dst) = (address(src), address(dst));
        let piece = how.2.map(|(offset, more)| Piece { offset: offset & 0x7f8, more });
        let later = piece.is_some_and(|piece| piece.offset > 0);
        let ports = (!later).then_some((ports[0], ports[1]));
        let quoted = (what.2 % 4 == 0 && !later).then_some(FiveTuple {
            src: dst,
            dst: src,
            protocol: Protocol::UDP,
            src_port: 7,
            dst_port: 8,
        });
        let kind = match kind {
            0 => Kind::Tcp { ports, flags: what.0.map(TcpFlags).filter(|_| !later) },
            1 => Kind::Udp { ports },
            2 => Kind::Icmp { message: what.1.filter(|_| !later), quoted },
            _ => Kind::Other(Protocol(what.2 | 0x80)),
        };
        let mut spec = PacketSpec { src, dst, kind, attributes: Attributes { frag: piece, ..Attributes::default() } };
        let scope = scope_of(&spec);
        let a = &mut spec.attributes;
        for (number, value) in NUMBERS.iter().zip(how.0) {
            if number.scope & scope == scope {
                *(number.place)(a) = value.map(|value| value & number.most).filter(|_| number.name != "gso");
            }
        }
        if scope & ICMP != 0 {
            a.seq = a.seq.map(|seq| seq & 0xffff);
        }
        a.df = how.1.filter(|_| !v6);
        a.opts = raw.0.filter(|_| scope & super::attribute::TCP != 0);
        a.ipopts = raw.1.filter(|_| !v6);
        a.payload = raw.2;
        a.ext = raw.3.filter(|_| v6).map(|bytes| (200, bytes));
        if let Some(more) = raw.4 {
            let len = spec.build().len() as u32;
            spec.attributes.len = Some(len + u32::from(more));
        }
        spec
    })
}

proptest! {
    #[test]
    fn reading_what_was_printed_gives_the_same_packet(spec in specs()) {
        let text = spec.to_string();
        prop_assert_eq!(text.parse::<PacketSpec>(), Ok(spec), "{}", text);
    }

    #[test]
    fn building_what_was_dissected_gives_the_same_bytes(spec in specs()) {
        let bytes = spec.build();
        if let Ok(again) = PacketSpec::dissect(&bytes) {
            prop_assert!(again.build() == bytes, "{} {}", spec, again);
            let text = again.to_string();
            prop_assert!(text.parse::<PacketSpec>().as_ref() == Ok(&again), "{}", text);
            prop_assert_eq!(again.expect(&again), Ok(()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(tcp|udp|icmp|proto 4) (10.0.0.1|\\[::1\\])(:1)? > .{0,40}") {
        if let Ok(spec) = text.parse::<PacketSpec>() {
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }
    }

    #[test]
    fn a_tuple_reads_as_it_prints((tuple, _) in crate::parse::tests::tuples()) {
        prop_assert_eq!(tuple.to_string().parse(), Ok(tuple));
    }
}
