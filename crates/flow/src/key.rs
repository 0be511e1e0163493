//! What a packet is looked up by.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use vpc_model::LinkId;
use vpc_packet::FiveTuple;

/// Where a packet came in, and who talks to whom: what the fast path looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// The link it was read from.
    pub link: LinkId,
    /// Its five-tuple as read.
    pub tuple: FiveTuple,
}

/// Who sent first, and who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side whose packet made the entry.
    Initiator,
    /// The side that answers.
    Responder,
}

impl Side {
    /// The one across.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tuple(&self.tuple, self.link.0, state);
    }
}

/// Feeds a tuple and 32 bits more in few whole words; the derived form would feed every byte array and its length.
#[inline]
pub(crate) fn hash_tuple<H: Hasher>(tuple: &FiveTuple, with: u32, state: &mut H) {
    let ports = u32::from(tuple.src_port) << 16 | u32::from(tuple.dst_port);
    let protocol = u64::from(tuple.protocol.0);
    match (tuple.src, tuple.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            state.write_u64(u64::from(src.to_bits()) << 32 | u64::from(dst.to_bits()));
            state.write_u64(u64::from(ports) << 32 | u64::from(with));
            state.write_u64(protocol);
        }
        (src, dst) => {
            for address in [src, dst] {
                let bits = match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
                    IpAddr::V6(v6) => v6.to_bits(),
                };
                state.write_u128(bits);
            }
            state.write_u64(u64::from(ports) << 32 | u64::from(with));
            state.write_u64(protocol | 0x100);
        }
    }
}
