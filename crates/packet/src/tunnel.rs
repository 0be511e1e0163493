//! What the UDP tunnels have in common.

use crate::checksum::write16;
use crate::{PacketBuf, Protocol, emit};
use std::fmt;
use std::net::Ipv4Addr;

/// The outer addresses and the source port of a UDP tunnel over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// This end.
    pub src: Ipv4Addr,
    /// The other end.
    pub dst: Ipv4Addr,
    /// Chosen per inner flow, so that paths and queues spread.
    pub src_port: u16,
}

/// Why a tunnel header cannot be made or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelError {
    /// An option that must be understood and is not.
    CriticalOption {
        /// Option class.
        class: u16,
        /// Option type.
        kind: u8,
    },
    /// Flags that this version of the protocol does not have.
    Flags {
        /// As read.
        flags: u8,
    },
    /// An option is not there, or has another length.
    MissingOption {
        /// Option type.
        kind: u8,
    },
    /// The headroom or the size of a packet is exceeded.
    Room {
        /// Bytes the outer headers take.
        needed: usize,
    },
    /// A super-packet has to be segmented before it is encapsulated.
    SuperPacket,
    /// The bytes end inside the header or an option.
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A version other than 0.
    Version {
        /// As read.
        version: u8,
    },
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CriticalOption { class, kind } => {
                write!(f, "critical option {class:#06x}/{kind:#04x} is not known")
            }
            Self::Flags { flags } => write!(f, "flags are {flags:#04x}"),
            Self::MissingOption { kind } => write!(f, "option {kind} is missing or of another length"),
            Self::Room { needed } => write!(f, "no room for {needed} bytes of outer headers"),
            Self::SuperPacket => f.write_str("super-packet cannot be encapsulated whole"),
            Self::Truncated { needed, available } => {
                write!(f, "tunnel header needs {needed} bytes, only {available} are there")
            }
            Self::Version { version } => write!(f, "version is {version}"),
        }
    }
}

impl std::error::Error for TunnelError {}

/// Length of the outer IPv4 and UDP headers.
pub const UDP_OVERHEAD: usize = 28;

/// Puts IPv4, UDP and `header` in front of the packet.
///
/// Shape: the outer UDP checksum is 0 ("not computed"), so a partial checksum inside stays the only one.
pub(crate) fn encapsulate(buf: &mut PacketBuf, outer: Outer, port: u16, header: &[u8]) -> Result<(), TunnelError> {
    if buf.offload.gso.is_some() {
        return Err(TunnelError::SuperPacket);
    }
    let inner = buf.len();
    let needed = UDP_OVERHEAD + header.len();
    let room = buf.push_front(needed).ok_or(TunnelError::Room { needed })?;
    let udp_len = 8 + header.len() + inner;
    let ip = emit::ipv4_header(outer.src, outer.dst, Protocol::UDP, udp_len, emit::TTL);
    let (front, back) = room.split_at_mut(UDP_OVERHEAD);
    front[..20].copy_from_slice(&ip);
    write16(front, 20, outer.src_port);
    write16(front, 22, port);
    write16(front, 24, udp_len as u16);
    write16(front, 26, 0);
    back.copy_from_slice(header);
    Ok(())
}
