//! One pass from bytes to what the pipeline needs.

use crate::{FiveTuple, PacketBuf};
use std::fmt;

/// TCP flag bits as on the wire (FIN = 1 … CWR = 128); 0 for other protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

/// Where a packet stands in a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Not a fragment.
    Whole,
    /// The fragment with the layer-4 header.
    First {
        /// IP identification.
        id: u32,
    },
    /// A fragment without layer-4 header: the tuple's ports are 0 until the first fragment's are known.
    Later {
        /// IP identification.
        id: u32,
        /// No more fragments follow.
        last: bool,
    },
}

/// What differs from packet to packet of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerPacket {
    /// Offset of the layer-4 header from the start of the IP packet, in bytes.
    pub l4: u16,
    /// Length of the layer-4 header, in bytes (0 where there is none).
    pub l4_len: u16,
    /// Layer-3 length of the whole buffer, in bytes (for a super-packet, of all of it).
    pub len: u32,
    /// Packets on the wire this stands for; at least 1.
    pub segments: u16,
    /// Layer-3 length of the largest packet on the wire, in bytes.
    pub segment_len: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 "don't fragment"; true for IPv6.
    pub dont_fragment: bool,
    /// Fragmentation.
    pub fragment: Fragment,
    /// TCP flags.
    pub tcp_flags: TcpFlags,
}

/// A packet understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Who talks to whom.
    pub tuple: FiveTuple,
    /// What belongs to this packet only.
    pub packet: PerPacket,
    /// For an ICMP error: the tuple of the packet it quotes, as quoted (in the direction of the quoted packet).
    pub quoted: Option<FiveTuple>,
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset of the offending field from the start of the packet.
    pub offset: u16,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)
    }
}

impl std::error::Error for ParseError {}

/// Understands the packet in `buf`.
///
/// # Errors
/// [`ParseError`] names layer, offset and kind of the first thing that is wrong.
pub fn parse(buf: &PacketBuf) -> Result<Parsed, ParseError> {
    let _ = buf;
    Err(ParseError { offset: 0 })
}
