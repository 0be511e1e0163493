//! IP headers of packets made here.

use crate::checksum::{self, write16};
use crate::{Offload, Protocol, parse_bytes};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// TTL and hop limit of packets made here.
pub(crate) const TTL: u8 = 64;

/// An IPv4 header with its checksum: identification 0 and "don't fragment", as RFC 6864 §4.1 has it.
pub(crate) fn ipv4_header(src: Ipv4Addr, dst: Ipv4Addr, protocol: Protocol, payload: usize, ttl: u8) -> [u8; 20] {
    let mut h = [0; 20];
    h[0] = 0x45;
    h[2..4].copy_from_slice(&((payload + 20) as u16).to_be_bytes());
    h[6] = 0x40;
    h[8] = ttl;
    h[9] = protocol.0;
    h[12..16].copy_from_slice(&src.octets());
    h[16..20].copy_from_slice(&dst.octets());
    let sum = checksum::checksum(&h);
    h[10..12].copy_from_slice(&sum.to_be_bytes());
    h
}

/// An IPv6 header.
pub(crate) fn ipv6_header(src: Ipv6Addr, dst: Ipv6Addr, protocol: Protocol, payload: usize, ttl: u8) -> [u8; 40] {
    let mut h = [0; 40];
    h[0] = 0x60;
    h[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
    h[6] = protocol.0;
    h[7] = ttl;
    h[8..24].copy_from_slice(&src.octets());
    h[24..40].copy_from_slice(&dst.octets());
    h
}

/// A packet of one layer-4 message whose checksum field is still 0; `None` if the addresses do not match.
pub(crate) fn packet(src: IpAddr, dst: IpAddr, protocol: Protocol, message: &[u8]) -> Option<Vec<u8>> {
    let mut out = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => ipv4_header(src, dst, protocol, message.len(), TTL).to_vec(),
        (IpAddr::V6(src), IpAddr::V6(dst)) => ipv6_header(src, dst, protocol, message.len(), TTL).to_vec(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    out.extend(message);
    let parsed = parse_bytes(&out, Offload::default()).ok()?;
    checksum::fill(&mut out, &parsed);
    Some(out)
}

/// Sets the length of the IP packet in `bytes` to `len`, header checksum included.
pub(crate) fn set_length(bytes: &mut [u8], len: usize) {
    if bytes.first().is_some_and(|b| b >> 4 == 4) {
        write16(bytes, 2, len as u16);
        fill_ipv4(bytes);
    } else {
        write16(bytes, 4, len.saturating_sub(40) as u16);
    }
}

/// Computes the checksum of the IPv4 header at the front of `bytes`.
pub(crate) fn fill_ipv4(bytes: &mut [u8]) {
    let len = bytes.first().map_or(0, |b| usize::from(b & 0x0f) * 4);
    write16(bytes, 10, 0);
    let sum = checksum::checksum(bytes.get(..len).unwrap_or_default());
    write16(bytes, 10, sum);
}
