//! The packet an ICMP error quotes.

use crate::{FiveTuple, Protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an ICMP type carries the packet it complains about.
///
/// Source: RFC 792 (3, 4, 5, 11, 12), RFC 4443 §2.1 (1 to 4).
pub(crate) const fn is_error(protocol: Protocol, icmp_type: u8) -> bool {
    match protocol {
        Protocol::ICMP => matches!(icmp_type, 3 | 4 | 5 | 11 | 12),
        Protocol::ICMPV6 => matches!(icmp_type, 1..=4),
        _ => false,
    }
}

/// Whether an ICMP type is an echo request or reply.
pub(crate) const fn is_echo(protocol: Protocol, icmp_type: u8) -> bool {
    match protocol {
        Protocol::ICMP => matches!(icmp_type, 0 | 8),
        Protocol::ICMPV6 => matches!(icmp_type, 128 | 129),
        _ => false,
    }
}

/// Where things are in a quoted packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) tuple: FiveTuple,
    /// Offset of layer 4 from the start of the quoted packet.
    pub(crate) l4: usize,
    /// Whether layer 4 starts here (not so for a later fragment).
    pub(crate) has_l4: bool,
}

/// The tuple of a quoted packet, if enough of it is quoted to name its flow.
pub(crate) fn tuple(icmp: Protocol, quoted: &[u8]) -> Option<FiveTuple> {
    quote(icmp, quoted).map(|q| q.tuple)
}

/// Reads a quoted packet as far as it goes: lengths and checksums are those of a packet that is not here.
pub(crate) fn quote(icmp: Protocol, quoted: &[u8]) -> Option<Quote> {
    let version = quoted.first()? >> 4;
    let (src, dst, protocol, l4, has_l4) = match (icmp, version) {
        (Protocol::ICMP, 4) => ipv4(quoted)?,
        (Protocol::ICMPV6, 6) => ipv6(quoted)?,
        _ => return None,
    };
    let mut tuple = FiveTuple { src, dst, protocol, src_port: 0, dst_port: 0 };
    if has_l4 {
        (tuple.src_port, tuple.dst_port) = ports(protocol, icmp, quoted.get(l4..)?)?;
    }
    Some(Quote { tuple, l4, has_l4 })
}

type Network = (IpAddr, IpAddr, Protocol, usize, bool);

fn ipv4(quoted: &[u8]) -> Option<Network> {
    let h = quoted.first_chunk::<20>()?;
    let l4 = usize::from(h[0] & 0x0f) * 4;
    let first = u16::from_be_bytes([h[6], h[7]]) & 0x1fff == 0;
    if l4 < 20 {
        return None;
    }
    let src = Ipv4Addr::new(h[12], h[13], h[14], h[15]);
    let dst = Ipv4Addr::new(h[16], h[17], h[18], h[19]);
    Some((src.into(), dst.into(), Protocol(h[9]), l4, first))
}

fn ipv6(quoted: &[u8]) -> Option<Network> {
    let h = quoted.first_chunk::<40>()?;
    let src = Ipv6Addr::from(*h[8..].first_chunk::<16>()?);
    let dst = Ipv6Addr::from(*h[24..].first_chunk::<16>()?);
    let (mut next, mut l4) = (h[6], 40);
    for _ in 0..=crate::parse::MAX_EXTENSIONS {
        let len = match next {
            0 | 43 | 60 => (usize::from(*quoted.get(l4 + 1)?) + 1) * 8,
            51 => (usize::from(*quoted.get(l4 + 1)?) + 2) * 4,
            44 => 8,
            _ => return Some((src.into(), dst.into(), Protocol(next), l4, true)),
        };
        let later = next == 44 && u16::from_be_bytes(*quoted.get(l4 + 2..)?.first_chunk()?) & 0xfff8 != 0;
        next = *quoted.get(l4)?;
        l4 += len;
        if later {
            return Some((src.into(), dst.into(), Protocol(next), l4, false));
        }
    }
    None
}

/// The tuple's two 16-bit numbers, from as little of layer 4 as holds them.
fn ports(protocol: Protocol, icmp: Protocol, l4: &[u8]) -> Option<(u16, u16)> {
    let word = |at: usize| l4.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b));
    match protocol {
        Protocol::TCP | Protocol::UDP => Some((word(0)?, word(2)?)),
        Protocol::ICMP | Protocol::ICMPV6 if protocol == icmp => {
            let type_code = word(0)?;
            let id = if is_echo(protocol, (type_code >> 8) as u8) { word(4)? } else { 0 };
            Some((id, type_code))
        }
        _ => Some((0, 0)),
    }
}
