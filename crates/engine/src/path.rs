//! What a walk amounts to for every further packet of one side of a flow.

use std::net::IpAddr;

use vpc_model::{DropReason, LinkId};
use vpc_packet::rewrite::{clamp_mss, decrement_ttl};
use vpc_packet::{Fragment, PacketBuf, Parsed, PerPacket, Rewrite, TcpFlags};

/// What the engine keeps with each side of a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memo {
    /// The last walk's result; of generation 0 before the first.
    pub path: Path,
}

/// Valid for one generation of the tables and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub generation: u64,
    /// Of the connection, when the walk saw it.
    pub revision: u32,
    pub verdict: Result<LinkId, DropReason>,
    pub rewrite: Rewrite,
    pub limit: Limit,
    /// The one hop that counts TTL, if any (R1.14).
    pub ttl_counted_by: Option<IpAddr>,
    /// Largest MSS a SYN may announce; 0 is no limit.
    pub mss: u16,
    /// An element on the way carries no fragments of this flow's protocol.
    pub whole_only: bool,
    /// What is larger than this, in bytes, is dropped before it comes to where it would be cut.
    pub uncut: u16,
}

impl Default for Path {
    fn default() -> Self {
        Self::dropped(0, DropReason::Malformed)
    }
}

/// The narrowest element of a path, and what it does with packets that do not fit.
///
/// Source: R1.16, R1.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Whether packets that allow it are fragmented.
    pub fragments: bool,
    /// Whether the sender is told, and in whose name.
    pub tells: Option<IpAddr>,
}

impl Limit {
    /// The widest element: a VPC's own network, which says nothing about what does not fit.
    pub(crate) const VPC: Self = Self { mtu: 9_001, fragments: false, tells: None };
}

/// What a path does with one packet, once the flow's verdict is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// It may pass.
    Pass,
    /// It has to be cut to the path's MTU.
    Fragment,
    /// It is dropped.
    Refuse(DropReason),
}

impl Path {
    pub(crate) fn dropped(generation: u64, reason: DropReason) -> Self {
        Self {
            generation,
            revision: 0,
            verdict: Err(reason),
            rewrite: Rewrite::default(),
            limit: Limit::VPC,
            ttl_counted_by: None,
            mss: 0,
            whole_only: false,
            uncut: Limit::VPC.mtu,
        }
    }

    /// Checks that differ from packet to packet.
    #[inline(always)]
    pub(crate) fn guard(&self, packet: &PerPacket) -> Guarded {
        if packet.ttl <= 1 && self.ttl_counted_by.is_some() {
            return Guarded::Refuse(DropReason::TtlExpired);
        }
        if self.whole_only && packet.fragment != Fragment::Whole {
            return Guarded::Refuse(DropReason::FragmentNotCarried);
        }
        if packet.segment_len <= self.limit.mtu {
            Guarded::Pass
        } else if self.limit.fragments
            && packet.segment_len <= self.uncut
            && !packet.dont_fragment
            && packet.segments == 1
        {
            Guarded::Fragment
        } else {
            Guarded::Refuse(DropReason::TooBig)
        }
    }

    /// Changes the packet as the path says.
    #[inline(always)]
    pub(crate) fn apply(&self, buf: &mut PacketBuf, parsed: &Parsed) {
        self.rewrite.apply(buf, parsed);
        if self.ttl_counted_by.is_some() {
            // The guard has seen a TTL above 1.
            let _ = decrement_ttl(buf, 1);
        }
        if self.mss > 0 && parsed.packet.tcp_flags.contains(TcpFlags::SYN) {
            clamp_mss(buf, parsed, self.mss);
        }
    }
}
