//! Every packet of the shared captures, compared with what TShark says about it.
//!
//! Compared for each packet that both understand: IP version, addresses, protocol (behind IPv6 extension headers),
//! TCP and UDP ports, ICMP type and code, TTL, "don't fragment", fragment place, TCP flags and sequence number, the
//! verdict on the layer-4 checksum, and the addresses of the packet an ICMP error quotes.
//! What only one side understands must fall into a category of [`Difference`] whose condition is read from TShark's
//! row, not from our own answer. Anything else fails the test.
//! The captures are not part of the project; without them the test says so and passes.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use vpc_packet::checksum::{Verification, verify_bytes};
use vpc_packet::pcap::{LinkType, Reader, Record, ip_packet};
use vpc_packet::{
    Fragment, Layer, Offload, PacketSpec, ParseError, ParseErrorKind, Parsed, Protocol, TcpFlags, parse_bytes,
};

/// Why one side understands a packet and the other does not, or differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// The IPv4 header checksum is wrong: TShark reads on, a router drops (RFC 1812 §5.2.2).
    BadHeaderChecksum,
    /// The packet ends inside an IP, extension or layer-4 header: TShark finds no ports there either, or
    /// reports it as malformed.
    CutHeader,
    /// IPv6 extension headers against the rules of RFC 8200, or more of them than anyone needs.
    ForgedExtensions,
    /// A fragment that makes no sense: behind 64 KiB, or over the TCP flags (RFC 1858). TShark does not judge.
    ForgedFragment,
    /// The IP length is below the header's, as with segmentation offload at the capturing host (length 0).
    IpLengthBelowHeader,
    /// The IP length says more than was captured: a cut or forged packet. A TUN never hands over such a one.
    IpLengthPastEnd,
    /// A layer-4 length field that cannot be; TShark shows the ports all the same.
    Layer4Length,
    /// Not IP directly behind the link layer (MPLS, PPPoE, LLC …): not for a TUN.
    OtherLinkProtocol,
    /// The checksum counts another address than the IPv6 header's: the last one of a routing header (RFC 8200
    /// §8.1) or the home address of a mobile host (RFC 6275 §6.3). Nothing else is different.
    OtherPseudoHeader,
    /// An IP version that is neither 4 nor 6, or not the one the capture's link type promises.
    OtherVersion,
}

#[test]
fn every_captured_packet_is_understood_as_tshark_understands_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pcap");
    let Some(table) = Table::read(&folder) else {
        println!("{} or the xz command is absent: nothing compared", folder.display());
        return;
    };
    let mut tally = Tally::default();
    for (file, rows) in &table.rows {
        let bytes = std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let reader = Reader::new(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
        let mut packets = 0;
        for (record, row) in reader.zip(rows) {
            let record = record.unwrap_or_else(|e| panic!("{file}: {e}"));
            packets += 1;
            let row = Row { columns: &table.columns, cells: row };
            if let Err(what) = compare(&record, &row, &mut tally) {
                tally.unexplained.push(format!("{file} #{packets}: {what}"));
            }
        }
        assert_eq!(packets, rows.len(), "{file}: packets read and packets in the table");
    }
    println!("{} packets of {} captures", tally.packets, table.rows.len());
    println!("{} not IP for either side", tally.not_ip);
    println!("{} understood by both and compared", tally.equal);
    println!("{} layer-4 checksums judged, {} quotes compared", tally.checksums, tally.quotes);
    println!("{} rebuilt from the notation to identical bytes", tally.rebuilt);
    for (difference, count) in &tally.differences {
        println!("{count} {difference:?}");
    }
    assert!(tally.unexplained.is_empty(), "{} unexplained:\n{}", tally.unexplained.len(), tally.unexplained.join("\n"));
    assert!(tally.equal > tally.packets / 2, "most packets are plain ones");
}

#[derive(Default)]
struct Tally {
    packets: usize,
    not_ip: usize,
    equal: usize,
    checksums: usize,
    quotes: usize,
    rebuilt: usize,
    differences: BTreeMap<Difference, usize>,
    unexplained: Vec<String>,
}

fn compare(record: &Record<'_>, row: &Row<'_>, tally: &mut Tally) -> Result<(), String> {
    tally.packets += 1;
    let Some(packet) = ip_packet(record.link_type, record.bytes) else {
        let version = match record.link_type {
            LinkType::IPV4 => Some("4"),
            LinkType::IPV6 => Some("6"),
            _ => None,
        };
        if version.is_some() && row.first("ip.version") != version {
            *tally.differences.entry(Difference::OtherVersion).or_default() += 1;
            return Ok(());
        }
        if row.is_ip_behind_link(record.link_type) {
            return Err(format!("no IP found in {}", row.text("frame.protocols")));
        }
        if row.text("ip.version").is_empty() && row.text("ipv6.nxt").is_empty() {
            tally.not_ip += 1;
        } else {
            *tally.differences.entry(Difference::OtherLinkProtocol).or_default() += 1;
        }
        return Ok(());
    };
    match parse_bytes(packet, Offload::default()) {
        Ok(parsed) => {
            equal(packet, &parsed, row, tally)?;
            tally.equal += 1;
            let spec = PacketSpec::dissect(packet).map_err(|e| e.to_string())?;
            let text = spec.to_string();
            if text.parse::<PacketSpec>().as_ref() != Ok(&spec) {
                return Err(format!("does not read as it prints: {text}"));
            }
            tally.rebuilt += usize::from(spec.build() == packet[..parsed.packet.len as usize]);
        }
        Err(error) => {
            let difference = explain(packet, error, row).ok_or_else(|| {
                format!("{error}, but TShark says {} {}", row.text("frame.protocols"), row.text("ip.proto"))
            })?;
            *tally.differences.entry(difference).or_default() += 1;
        }
    }
    Ok(())
}

/// The category of a refusal, if TShark's row bears it out.
fn explain(packet: &[u8], error: ParseError, row: &Row<'_>) -> Option<Difference> {
    let malformed = !row.text("_ws.malformed").is_empty();
    let number = |name: &str| row.first(name).and_then(|v| v.parse::<usize>().ok());
    let total = number("ip.len").or(number("ipv6.plen").map(|len| len + 40));
    let payload = match (number("ip.len"), number("ip.hdr_len")) {
        (Some(len), Some(header)) => len.checked_sub(header),
        _ => number("ipv6.plen"),
    };
    let (difference, holds) = match (error.layer, error.kind) {
        (Layer::Ipv4, ParseErrorKind::Checksum { .. }) => {
            (Difference::BadHeaderChecksum, row.first("ip.checksum.status") == Some("0"))
        }
        (Layer::Ipv4 | Layer::Ipv6, ParseErrorKind::LengthPastEnd { .. }) => {
            (Difference::IpLengthPastEnd, total.is_some_and(|len| len > packet.len()) || malformed)
        }
        (Layer::Ipv4, ParseErrorKind::LengthBelowHeader { .. }) => {
            (Difference::IpLengthBelowHeader, total < number("ip.hdr_len") || packet[2..4] == [0, 0])
        }
        (Layer::Ipv4, ParseErrorKind::HeaderLength { .. }) => {
            (Difference::CutHeader, number("ip.hdr_len").is_none_or(|len| len < 20))
        }
        (Layer::Ip, ParseErrorKind::Version { .. }) => {
            (Difference::OtherVersion, !matches!(row.first("ip.version"), Some("4" | "6")))
        }
        (Layer::Ip | Layer::Ipv4 | Layer::Ipv6, ParseErrorKind::Truncated { .. }) => {
            (Difference::CutHeader, malformed || total.is_none() || packet.len() < 40)
        }
        (_, ParseErrorKind::FragmentPastEnd { offset, len }) => {
            let place = number("ip.frag_offset").or(number("ipv6.fraghdr.offset"));
            (Difference::ForgedFragment, place.is_some_and(|o| o * 8 == offset) && offset + len > 65_535)
        }
        (Layer::Ipv4, ParseErrorKind::TinyFragment) => {
            (Difference::ForgedFragment, number("ip.frag_offset") == Some(1))
        }
        (Layer::Ipv6Extension, ParseErrorKind::Truncated { .. } | ParseErrorKind::LengthPastEnd { .. }) => {
            (Difference::CutHeader, malformed || row.ports().is_none())
        }
        (Layer::Ipv6Extension, _) => (Difference::ForgedExtensions, row.first("ipv6.nxt").is_some()),
        (layer, ParseErrorKind::Truncated { needed, .. }) => {
            let short = payload.is_some_and(|len| len < needed);
            let named = matches!(layer, Layer::Tcp | Layer::Udp) && row.ports().is_some();
            (Difference::CutHeader, short || malformed || !named)
        }
        (Layer::Tcp, ParseErrorKind::HeaderLength { .. } | ParseErrorKind::LengthPastEnd { .. }) => {
            let header = number("tcp.hdr_len");
            (Difference::Layer4Length, malformed || header.is_none_or(|len| len < 20 || payload < Some(len)))
        }
        (Layer::Udp, ParseErrorKind::LengthPastEnd { .. } | ParseErrorKind::LengthBelowHeader { .. }) => {
            let len = number("udp.length");
            (Difference::Layer4Length, malformed || len.is_none_or(|len| len < 8 || payload < Some(len)))
        }
        _ => return None,
    };
    holds.then_some(difference)
}

/// Compares a packet we understand with the row, outermost layer first.
fn equal(packet: &[u8], parsed: &Parsed, row: &Row<'_>, tally: &mut Tally) -> Result<(), String> {
    let (tuple, per) = (parsed.tuple, parsed.packet);
    let check = |what: &str, ours: &str, theirs: Option<&str>| {
        if theirs == Some(ours) { Ok(()) } else { Err(format!("{what}: {ours} is {theirs:?} for TShark")) }
    };
    let v4 = tuple.src.is_ipv4();
    let address = |name: &str, index: usize| {
        row.all(name).nth(index).and_then(|a| a.parse::<IpAddr>().ok()).map(|a| a.to_string())
    };
    let (src, dst) = if v4 { ("ip.src", "ip.dst") } else { ("ipv6.src", "ipv6.dst") };
    check("source", &tuple.src.to_string(), address(src, 0).as_deref())?;
    check("destination", &tuple.dst.to_string(), address(dst, 0).as_deref())?;
    check("ttl", &per.ttl.to_string(), row.first(if v4 { "ip.ttl" } else { "ipv6.hlim" }))?;
    let protocol = if v4 { row.first("ip.proto").map(str::to_owned) } else { row.ipv6_protocol() };
    check("protocol", &tuple.protocol.0.to_string(), protocol.as_deref())?;
    if v4 {
        let flag = |set: bool| if set { "1" } else { "0" };
        check("df", flag(per.dont_fragment), row.first("ip.flags.df"))?;
        let more = match per.fragment {
            Fragment::Whole | Fragment::Later { last: true, .. } => false,
            Fragment::First { .. } | Fragment::Later { last: false, .. } => true,
        };
        check("mf", flag(more), row.first("ip.flags.mf"))?;
        let later = matches!(per.fragment, Fragment::Later { .. });
        check("offset above 0", flag(later), row.first("ip.frag_offset").map(|o| flag(o != "0")))?;
    }
    if per.l4_len == 0 {
        return Ok(());
    }
    let status = match tuple.protocol {
        Protocol::TCP => {
            check("source port", &tuple.src_port.to_string(), row.first("tcp.srcport"))?;
            check("destination port", &tuple.dst_port.to_string(), row.first("tcp.dstport"))?;
            let theirs = row.first("tcp.flags").and_then(|f| u16::from_str_radix(f.trim_start_matches("0x"), 16).ok());
            let theirs = theirs.map(|f| TcpFlags(f as u8));
            if theirs != Some(per.tcp_flags) {
                return Err(format!("flags: {:?} is {theirs:?} for TShark", per.tcp_flags));
            }
            let seq = packet[usize::from(per.l4) + 4..].first_chunk().map(|b| u32::from_be_bytes(*b).to_string());
            check("sequence number", &seq.unwrap_or_default(), row.first("tcp.seq_raw"))?;
            row.first("tcp.checksum.status")
        }
        Protocol::UDP => {
            check("source port", &tuple.src_port.to_string(), row.first("udp.srcport"))?;
            check("destination port", &tuple.dst_port.to_string(), row.first("udp.dstport"))?;
            row.first("udp.checksum.status")
        }
        _ => {
            let [kind, code] = tuple.dst_port.to_be_bytes();
            let name = if v4 { "icmp" } else { "icmpv6" };
            check("type", &kind.to_string(), row.first(&format!("{name}.type")))?;
            check("code", &code.to_string(), row.first(&format!("{name}.code")))?;
            row.first(&format!("{name}.checksum.status"))
        }
    };
    let ours = verify_bytes(packet, parsed);
    // 2: TShark has not verified (fragments, cut frames); 3: there is none.
    let agrees = match (status, ours) {
        (Some("1"), Verification::Good) | (Some("0"), Verification::Bad) => {
            tally.checksums += 1;
            true
        }
        (Some("3"), ours) => ours == Verification::Absent,
        (Some("1" | "0"), _) => false,
        _ => true,
    };
    let elsewhere = row.first("ipv6.routing.nxt").or(row.first("ipv6.dstopts.nxt")).is_some();
    if !agrees && elsewhere {
        *tally.differences.entry(Difference::OtherPseudoHeader).or_default() += 1;
    } else if !agrees {
        return Err(format!("checksum: {ours:?} is {status:?} for TShark"));
    }
    if let Some(quoted) = parsed.quoted {
        tally.quotes += 1;
        check("quoted source", &quoted.src.to_string(), address(src, 1).as_deref())?;
        check("quoted destination", &quoted.dst.to_string(), address(dst, 1).as_deref())?;
    }
    Ok(())
}

/// TShark's table: the rows of each capture, in packet order.
struct Table {
    columns: HashMap<String, usize>,
    rows: BTreeMap<String, Vec<Vec<String>>>,
}

impl Table {
    fn read(folder: &Path) -> Option<Self> {
        let path: PathBuf = folder.join("expected-tshark.tsv.xz");
        if !path.exists() {
            return None;
        }
        let output = Command::new("xz").arg("-dc").arg(&path).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut lines = text.lines();
        let columns = lines.next()?.split('\t').enumerate().map(|(i, name)| (name.to_owned(), i)).collect();
        let mut rows: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for line in lines {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            rows.entry(cells[0].clone()).or_default().push(cells);
        }
        Some(Self { columns, rows })
    }
}

struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    cells: &'a [String],
}

impl<'a> Row<'a> {
    fn text(&self, name: &str) -> &'a str {
        let column = self.columns.get(name);
        assert!(column.is_some(), "no column {name}");
        column.and_then(|column| self.cells.get(*column)).map_or("", String::as_str)
    }

    /// All occurrences of a field, outermost first.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text(name).split(',').filter(|value| !value.is_empty())
    }

    fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn ports(&self) -> Option<(&'a str, &'a str)> {
        let tcp = self.first("tcp.srcport").zip(self.first("tcp.dstport"));
        tcp.or(self.first("udp.srcport").zip(self.first("udp.dstport")))
    }

    /// Whether TShark finds IP directly behind the link layer and its VLAN tags.
    fn is_ip_behind_link(&self, link_type: LinkType) -> bool {
        let protocols = self.text("frame.protocols");
        if link_type != LinkType::ETHERNET {
            return !(self.text("ip.version").is_empty() && self.text("ipv6.nxt").is_empty());
        }
        let mut parts = protocols.split(':').skip_while(|p| matches!(*p, "eth" | "ethertype" | "vlan"));
        matches!(parts.next(), Some("ip" | "ipv6"))
    }

    /// The protocol behind the extension headers of the outermost IPv6 header.
    fn ipv6_protocol(&self) -> Option<String> {
        let mut next = self.first("ipv6.nxt")?;
        let mut seen: HashMap<&str, usize> = HashMap::new();
        loop {
            let column = match next {
                "0" => "ipv6.hopopts.nxt",
                "43" => "ipv6.routing.nxt",
                "44" => "ipv6.fraghdr.nxt",
                "51" => "ah.next_header",
                "60" => "ipv6.dstopts.nxt",
                _ => return Some(next.to_owned()),
            };
            // What follows the header of a later fragment is data, whatever its number.
            let later = next == "44" && self.first("ipv6.fraghdr.offset").is_some_and(|offset| offset != "0");
            let index = seen.entry(column).or_default();
            next = self.all(column).nth(*index)?;
            *index += 1;
            if later {
                return Some(next.to_owned());
            }
        }
    }
}
