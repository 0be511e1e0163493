//! Why bytes are not a packet.

use crate::GsoKind;
use std::fmt;

/// The header an error was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// ICMP for IPv4.
    Icmp,
    /// ICMP for IPv6.
    Icmpv6,
    /// Before the IP version is known.
    Ip,
    /// The IPv4 header.
    Ipv4,
    /// The IPv6 header.
    Ipv6,
    /// An IPv6 extension header.
    Ipv6Extension,
    /// The virtio header in front of the packet.
    Offload,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Layer {
    /// An error in this layer.
    pub(super) fn error(self, offset: usize, kind: ParseErrorKind) -> ParseError {
        ParseError { layer: self, offset: offset.min(u16::MAX.into()) as u16, kind }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Ip => "ip",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv6Extension => "ipv6 extension",
            Self::Offload => "virtio",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// What is wrong.
///
/// Units: lengths and offsets in bytes unless called words (of four bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// The IPv4 header checksum does not fit the header.
    Checksum {
        /// In the packet.
        found: u16,
        /// Computed.
        expected: u16,
    },
    /// The virtio header's checksum field is outside the packet, in front of layer 4, or not where the
    /// protocol has it.
    ChecksumPlace {
        /// `csum_start`.
        start: u16,
        /// `csum_start` + `csum_offset`.
        field: u32,
    },
    /// The fragment would end behind the largest datagram ("ping of death").
    FragmentPastEnd {
        /// Offset in the datagram.
        offset: usize,
        /// Length of the fragment's data.
        len: usize,
    },
    /// Segmentation of another protocol than the packet's.
    GsoKind {
        /// What the virtio header says.
        kind: GsoKind,
    },
    /// Segments of no bytes.
    GsoSize,
    /// A super-packet whose checksum is not left to be computed per segment.
    GsoWithoutPartial,
    /// The header's own length field is below its fixed part.
    HeaderLength {
        /// In the packet.
        words: u8,
        /// The least there is.
        least: u8,
    },
    /// Hop-by-hop options elsewhere than directly behind the IPv6 header (RFC 8200 §4.1).
    HopByHopNotFirst,
    /// A length field that does not cover the header it is in.
    LengthBelowHeader {
        /// In the packet.
        claimed: usize,
        /// Length of the header.
        header: usize,
    },
    /// A length field that says more than there is.
    LengthPastEnd {
        /// In the packet.
        claimed: usize,
        /// What there is.
        available: usize,
    },
    /// Checksum or segmentation offload on a fragment.
    OffloadOnFragment,
    /// Two fragment headers in one packet.
    SecondFragmentHeader,
    /// A TCP fragment at offset 8, which would overwrite the flags of the first (RFC 1858 §3.2.2).
    TinyFragment,
    /// More extension headers than looked through.
    TooManyExtensions {
        /// How many are.
        limit: usize,
    },
    /// The packet ends inside the header.
    Truncated {
        /// Bytes the header has at least.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// Neither IPv4 nor IPv6.
    Version {
        /// In the packet.
        version: u8,
    },
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { found, expected } => {
                write!(f, "header checksum is {found:#06x}, should be {expected:#06x}")
            }
            Self::ChecksumPlace { start, field } => {
                write!(f, "checksum start {start} and field {field} do not fit the packet")
            }
            Self::FragmentPastEnd { offset, len } => {
                write!(f, "fragment of {len} bytes at {offset} ends behind the largest datagram")
            }
            Self::GsoKind { kind } => write!(f, "segmentation {kind:?} does not fit the protocol"),
            Self::GsoSize => f.write_str("segments of 0 bytes"),
            Self::GsoWithoutPartial => f.write_str("super-packet without partial checksum"),
            Self::HeaderLength { words, least } => {
                write!(f, "header length is {words} words, at least {least} are needed")
            }
            Self::HopByHopNotFirst => f.write_str("hop-by-hop options are not the first extension"),
            Self::LengthBelowHeader { claimed, header } => {
                write!(f, "length {claimed} does not cover the header of {header} bytes")
            }
            Self::LengthPastEnd { claimed, available } => {
                write!(f, "length is {claimed} bytes, only {available} are there")
            }
            Self::OffloadOnFragment => f.write_str("offload on a fragment"),
            Self::SecondFragmentHeader => f.write_str("second fragment header"),
            Self::TinyFragment => f.write_str("tcp fragment at offset 8 would overwrite the flags"),
            Self::TooManyExtensions { limit } => write!(f, "more than {limit} extension headers"),
            Self::Truncated { needed, available } => {
                write!(f, "header needs {needed} bytes, only {available} are there")
            }
            Self::Version { version } => write!(f, "version {version} is neither 4 nor 6"),
        }
    }
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The header it was found in.
    pub layer: Layer,
    /// Byte offset of the offending field from the start of the packet.
    pub offset: u16,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

impl ParseError {
    /// The packet ends inside the header at `offset`.
    pub(super) fn truncated(layer: Layer, offset: usize, needed: usize, available: usize) -> Self {
        layer.error(offset, ParseErrorKind::Truncated { needed, available })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.layer, self.offset, self.kind)
    }
}

impl std::error::Error for ParseError {}
