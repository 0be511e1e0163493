//! Packets as one line of text: `tcp 10.0.2.10:40000 > 198.18.0.9:443 S`.
//!
//! ```text
//! tcp 10.0.2.10:40000 > 198.18.0.9:443 SA seq=1 ack=2 mss=8460     flags: letters of FSRPAUEC, `.` (ACK), `none`
//! udp [2001:db8::1]:5000 > [2001:db8::2]:53 payload="hello"        or payload=0x68656c6c6f
//! icmp 10.0.0.1 > 10.0.0.2 echo request id=7 seq=1                 for IPv6 addresses: ICMPv6
//! icmp 10.0.0.9 > 10.0.0.1 frag-needed mtu=1500 (udp 10.0.0.1:5000 > 198.18.0.9:53)
//! icmp 10.0.0.9 > 10.0.0.1 type=13/0 rest=0x00070001
//! proto 47 10.0.0.1 > 10.0.0.2 len=100
//! udp 10.0.0.1 > 10.0.0.2 frag=1480 len=620                        a later fragment has no ports; `frag=0+` has
//! ```
//!
//! Attributes follow in any order. An attribute that is not written has its default when a packet is built and is
//! "don't care" when one is expected ([`PacketSpec::expect`]); [`PacketSpec::dissect`] leaves defaults out.
//!
//! | attribute | meaning | default |
//! |---|---|---|
//! | `ttl=` | TTL or hop limit | 64 |
//! | `dscp=` `ecn=` | traffic class | 0 |
//! | `df` / `nodf` | IPv4 "don't fragment" | `nodf` |
//! | `ipid=` | IP identification | 0 |
//! | `frag=OFFSET` / `frag=OFFSET+` | fragment at this byte, `+`: more follow | whole |
//! | `flow=` | IPv6 flow label | 0 |
//! | `ipopts=0x…` | IPv4 options | none |
//! | `ext=N:0x…` | IPv6 extension headers, the first of type N | none |
//! | `seq=` `ack=` | TCP numbers; `seq=` also of an echo | 0 |
//! | `win=` `urg=` | TCP window and urgent pointer | 65535, 0 |
//! | `mss=` | TCP option, the first of them | none |
//! | `opts=0x…` | other TCP options | none |
//! | `id=` | identifier of an echo | 0 |
//! | `mtu=` | of `frag-needed` and `too-big` | 0 |
//! | `rest=` | second word of any other ICMP header | 0 |
//! | `udplen=` | UDP length | the right one |
//! | `sum=` | layer-4 checksum | the right one |
//! | `payload=` | what follows layer 4 | nothing; for an ICMP error, the quote |
//! | `len=` | layer-3 length; zeros follow the payload up to it | that of headers and payload |
//! | `gso=` | super-packet with segments of so many bytes | none |

use crate::{FiveTuple, PacketBuf, ParseError, Protocol, TcpFlags};
use std::fmt;
use std::net::IpAddr;

mod attribute;
mod build;
mod dissect;
mod print;
mod read;

pub use read::TextError;

/// A packet as a value: what one line of the notation says.
///
/// Shape: `Display` and `FromStr` are inverse. `Default`-like construction is from a [`FiveTuple`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketSpec {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same IP version.
    pub dst: IpAddr,
    /// Protocol and what identifies the flow.
    pub kind: Kind,
    /// Everything else.
    pub attributes: Attributes,
}

/// What kind of packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ICMP of the addresses' IP version.
    Icmp {
        /// Type and code; none for a later fragment, echo request if not said.
        message: Option<(u8, u8)>,
        /// For an error: the packet it quotes.
        quoted: Option<FiveTuple>,
    },
    /// Any other protocol.
    Other(Protocol),
    /// TCP.
    Tcp {
        /// Source and destination; none for a later fragment.
        ports: Option<(u16, u16)>,
        /// Flags; SYN if not said.
        flags: Option<TcpFlags>,
    },
    /// UDP.
    Udp {
        /// Source and destination; none for a later fragment.
        ports: Option<(u16, u16)>,
    },
}

/// A fragment's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset in the datagram, in bytes; a multiple of 8.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
}

/// The attributes of the notation; `None` is "not said".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// TCP acknowledgment number.
    pub ack: Option<u32>,
    /// IPv4 "don't fragment".
    pub df: Option<bool>,
    /// Differentiated services code point.
    pub dscp: Option<u32>,
    /// Explicit congestion notification.
    pub ecn: Option<u32>,
    /// IPv6 extension headers as bytes, and the type of the first.
    pub ext: Option<(u8, Vec<u8>)>,
    /// IPv6 flow label.
    pub flow: Option<u32>,
    /// Fragment.
    pub frag: Option<Piece>,
    /// Payload bytes per segment of a super-packet.
    pub gso: Option<u32>,
    /// Echo identifier.
    pub id: Option<u32>,
    /// IP identification.
    pub ipid: Option<u32>,
    /// IPv4 options as bytes.
    pub ipopts: Option<Vec<u8>>,
    /// Layer-3 length, in bytes.
    pub len: Option<u32>,
    /// TCP maximum segment size option.
    pub mss: Option<u32>,
    /// MTU of an ICMP error.
    pub mtu: Option<u32>,
    /// TCP options behind the MSS, as bytes.
    pub opts: Option<Vec<u8>>,
    /// What follows layer 4.
    pub payload: Option<Vec<u8>>,
    /// Second word of an ICMP header.
    pub rest: Option<u32>,
    /// TCP or echo sequence number.
    pub seq: Option<u32>,
    /// Layer-4 checksum.
    pub sum: Option<u32>,
    /// TTL or hop limit.
    pub ttl: Option<u32>,
    /// UDP length.
    pub udplen: Option<u32>,
    /// TCP urgent pointer.
    pub urg: Option<u32>,
    /// TCP window.
    pub win: Option<u32>,
}

impl PacketSpec {
    /// Whether this is a fragment without layer-4 header.
    #[must_use]
    pub fn is_later_fragment(&self) -> bool {
        self.attributes.frag.is_some_and(|piece| piece.offset > 0)
    }

    /// The protocol above IP.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::Tcp { .. } => Protocol::TCP,
            Kind::Udp { .. } => Protocol::UDP,
            Kind::Icmp { .. } if self.src.is_ipv4() => Protocol::ICMP,
            Kind::Icmp { .. } => Protocol::ICMPV6,
            Kind::Other(protocol) => protocol,
        }
    }

    /// The tuple a parser finds in the packet.
    #[must_use]
    pub fn tuple(&self) -> FiveTuple {
        let (src_port, dst_port) = match self.kind {
            _ if self.is_later_fragment() => (0, 0),
            Kind::Tcp { ports, .. } | Kind::Udp { ports } => ports.unwrap_or_default(),
            Kind::Icmp { message, .. } => {
                let (kind, code) = message.unwrap_or(self.echo_request());
                let echo = crate::quote::is_echo(self.protocol(), kind);
                let id = self.attributes.id.filter(|_| echo).unwrap_or_default() as u16;
                (id, u16::from_be_bytes([kind, code]))
            }
            Kind::Other(_) => (0, 0),
        };
        FiveTuple { src: self.src, dst: self.dst, protocol: self.protocol(), src_port, dst_port }
    }

    /// The packet in a buffer, as a kernel would hand it over: with `gso=`, a super-packet whose checksum is
    /// partial; without, as [`PacketSpec::build`].
    #[must_use]
    pub fn to_buf(&self) -> PacketBuf {
        build::to_buf(self)
    }

    /// The packet as bytes, with right checksums unless `sum=` says otherwise.
    ///
    /// Shape: `len` below headers and payload adds nothing; nothing goes beyond 65,535 bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        build::build(self)
    }

    /// Says in the notation what is in `bytes`, defaults left out.
    ///
    /// Shape: building the result gives `bytes` again, but for reserved bits and what follows the IP length.
    /// Errors: as [`crate::parse()`].
    pub fn dissect(bytes: &[u8]) -> Result<Self, ParseError> {
        dissect::dissect(bytes, crate::Offload::default())
    }

    /// [`PacketSpec::dissect`] of a buffer, super-packets included.
    ///
    /// Errors: as [`crate::parse()`].
    pub fn dissect_buf(buf: &PacketBuf) -> Result<Self, ParseError> {
        dissect::dissect(buf.bytes(), buf.offload)
    }

    /// The same with a payload of more than `most` bytes replaced by the length, to fit a line.
    #[must_use]
    pub fn brief(mut self, most: usize) -> Self {
        if self.attributes.payload.as_ref().is_some_and(|payload| payload.len() > most) {
            self.attributes.len = Some(self.build().len() as u32);
            self.attributes.payload = None;
            self.attributes.sum = None;
        }
        self
    }

    /// Compares a packet that came with this expectation: what is not said here does not matter.
    ///
    /// Shape: `actual` comes from [`PacketSpec::dissect`].
    /// Errors: the first thing that differs.
    pub fn expect(&self, actual: &Self) -> Result<(), Mismatch> {
        attribute::expect(self, actual)
    }

    const fn echo_request(&self) -> (u8, u8) {
        if self.src.is_ipv4() { (8, 0) } else { (128, 0) }
    }
}

impl From<FiveTuple> for PacketSpec {
    fn from(tuple: FiveTuple) -> Self {
        let ports = Some((tuple.src_port, tuple.dst_port));
        let mut attributes = Attributes::default();
        let kind = match (tuple.protocol, tuple.src) {
            (Protocol::TCP, _) => Kind::Tcp { ports, flags: None },
            (Protocol::UDP, _) => Kind::Udp { ports },
            (Protocol::ICMP, IpAddr::V4(_)) | (Protocol::ICMPV6, IpAddr::V6(_)) => {
                let [kind, code] = tuple.dst_port.to_be_bytes();
                if crate::quote::is_echo(tuple.protocol, kind) {
                    attributes.id = Some(tuple.src_port.into());
                }
                Kind::Icmp { message: Some((kind, code)), quoted: None }
            }
            (protocol, _) => Kind::Other(protocol),
        };
        Self { src: tuple.src, dst: tuple.dst, kind, attributes }
    }
}

/// In what a packet differs from what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which part or attribute.
    pub what: &'static str,
    /// What was expected, in the notation.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, actual } = self;
        write!(f, "{what}: expected {expected}, got {actual}")
    }
}

impl std::error::Error for Mismatch {}

/// The names of ICMP messages: type, code and name, by IP version.
const NAMES_V4: &[(u8, u8, &str)] = &[
    (0, 0, "echo reply"),
    (3, 0, "net-unreachable"),
    (3, 1, "host-unreachable"),
    (3, 2, "protocol-unreachable"),
    (3, 3, "port-unreachable"),
    (3, 4, "frag-needed"),
    (3, 13, "admin-prohibited"),
    (8, 0, "echo request"),
    (11, 0, "ttl-exceeded"),
    (11, 1, "reassembly-exceeded"),
];
const NAMES_V6: &[(u8, u8, &str)] = &[
    (1, 0, "no-route"),
    (1, 1, "admin-prohibited"),
    (1, 3, "address-unreachable"),
    (1, 4, "port-unreachable"),
    (2, 0, "too-big"),
    (3, 0, "ttl-exceeded"),
    (3, 1, "reassembly-exceeded"),
    (128, 0, "echo request"),
    (129, 0, "echo reply"),
];

const fn names(is_ipv4: bool) -> &'static [(u8, u8, &'static str)] {
    if is_ipv4 { NAMES_V4 } else { NAMES_V6 }
}

/// Flags in the order they are written.
const FLAG_LETTERS: [(TcpFlags, char); 8] = [
    (TcpFlags::FIN, 'F'),
    (TcpFlags::SYN, 'S'),
    (TcpFlags::RST, 'R'),
    (TcpFlags::PSH, 'P'),
    (TcpFlags::ACK, 'A'),
    (TcpFlags::URG, 'U'),
    (TcpFlags::ECE, 'E'),
    (TcpFlags::CWR, 'C'),
];

#[cfg(test)]
mod tests;
