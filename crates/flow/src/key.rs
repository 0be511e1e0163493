//! What a packet is looked up by.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use foldhash::quality::FixedState;
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

impl FlowKey {
    /// By value: the hash of a reference is a call of its own.
    #[inline(always)]
    pub(crate) fn hash_with(self, hasher: &FixedState) -> u64 {
        hasher.hash_one(self)
    }
}

impl Hash for FlowKey {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_tuple(&self.tuple, self.link.0, state);
    }
}

/// Feeds a tuple and 32 bits more in few whole words; the derived form would feed every byte array and its length.
///
/// The protocol shares a word with the highest bits of `with`, which are 0 but in networks of millions of links.
#[inline(always)]
pub(crate) fn hash_tuple<H: Hasher>(tuple: &FiveTuple, with: u32, state: &mut H) {
    let ports = u32::from(tuple.src_port) << 16 | u32::from(tuple.dst_port);
    let rest = u64::from(ports) << 32 | u64::from(with ^ u32::from(tuple.protocol.0) << 24);
    match (tuple.src, tuple.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            state.write_u64(u64::from(src.to_bits()) << 32 | u64::from(dst.to_bits()))
        }
        (src, dst) => {
            for address in [src, dst] {
                state.write_u128(match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
                    IpAddr::V6(v6) => v6.to_bits(),
                });
            }
        }
    }
    state.write_u64(rest);
}
