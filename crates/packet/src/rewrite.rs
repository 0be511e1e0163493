//! Changing addresses, ports and TTL in place, checksums kept right.

use crate::checksum::{self, Delta, Sum, read16, write16};
use crate::quote::{self, Quote};
use crate::{FiveTuple, L4Checksum, PacketBuf, Parsed, Protocol};
use std::net::IpAddr;

mod mss;

pub use mss::clamp_mss;

/// What has to change in every packet of one direction of a flow.
///
/// Shape: `Copy`; the checksum differences are computed once, at construction, so that applying it reads
/// no payload and adds one number per checksum.
/// Source: RFC 1624; io.md §1.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    src_port: Option<u16>,
    dst_port: Option<u16>,
    /// Of both addresses: the IPv4 header checksum, and every pseudo-header.
    addresses: Delta,
    /// Of both ports, or of the echo identifier.
    ports: Delta,
}

impl Rewrite {
    /// The change that turns packets of `before` into packets of `after`.
    ///
    /// Shape: the protocol is that of both; ICMP type and code are not changed. A change of the IP version
    /// cannot be expressed: an address whose version differs stays as it is.
    #[must_use]
    pub fn between(before: FiveTuple, after: FiveTuple) -> Self {
        let address = |old: IpAddr, new: IpAddr| (old != new && old.is_ipv4() == new.is_ipv4()).then_some(new);
        let port = |old: u16, new: u16| (old != new).then_some(new);
        let named = before.protocol.has_ports();
        let src = address(before.src, after.src);
        let dst = address(before.dst, after.dst);
        let echo = quote::is_echo(before.protocol, (before.dst_port >> 8) as u8);
        let src_port = (named || echo).then(|| port(before.src_port, after.src_port));
        let dst_port = named.then(|| port(before.dst_port, after.dst_port));
        let (src_port, dst_port) = (src_port.flatten(), dst_port.flatten());
        Self {
            src,
            dst,
            src_port,
            dst_port,
            addresses: Delta::NONE
                .address(before.src, src.unwrap_or(before.src))
                .address(before.dst, dst.unwrap_or(before.dst)),
            ports: Delta::NONE
                .word(before.src_port, src_port.unwrap_or(before.src_port))
                .word(before.dst_port, dst_port.unwrap_or(before.dst_port)),
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        *self == Self::default()
    }

    /// Applies the change.
    ///
    /// Shape: `parsed` describes `buf`, which is of the tuple the change was computed from, or a later
    /// fragment of it (ports 0). Both forms of the layer-4 checksum and the IPv4 header checksum stay right;
    /// a UDP checksum of 0 stays 0. An ICMP error goes through [`apply_to_error`] instead.
    #[inline]
    pub fn apply(&self, buf: &mut PacketBuf, parsed: &Parsed) {
        if self.src.is_none() && self.dst.is_none() && self.src_port.is_none() && self.dst_port.is_none() {
            return;
        }
        let bytes = buf.bytes_mut();
        self.write_addresses(bytes);
        let l4 = usize::from(parsed.packet.l4);
        let protocol = parsed.tuple.protocol;
        let ports = self.ports_in(bytes, l4, protocol);
        match (parsed.checksum, protocol) {
            (L4Checksum::Absent, _) => return,
            (L4Checksum::Complete, Protocol::ICMP) => {
                change(bytes, l4 + 2, |sum| ports.complete(sum));
            }
            (L4Checksum::Complete, Protocol::UDP) => {
                let delta = self.addresses.and(ports);
                change(bytes, l4 + 6, |sum| delta.complete_udp(sum));
            }
            (L4Checksum::Complete, _) => {
                let delta = self.addresses.and(ports);
                change(bytes, l4 + field(protocol), |sum| delta.complete(sum));
            }
            // The ports are in the region still to be summed, and no zero is special before the inversion.
            (L4Checksum::Partial, _) => {
                change(bytes, l4 + field(protocol), |sum| self.addresses.partial(sum));
            }
        }
        if protocol.has_ports() {
            self.write_ports(bytes, l4);
        } else if let Some(id) = self.src_port
            && bytes.get(l4).is_some_and(|kind| quote::is_echo(protocol, *kind))
        {
            write16(bytes, l4 + 4, id);
        }
    }

    /// Writes the addresses into the header at the front of `bytes`, and the IPv4 header checksum.
    #[inline]
    fn write_addresses(&self, bytes: &mut [u8]) {
        if self.src.is_none() && self.dst.is_none() {
            return;
        }
        let version = bytes.first().map_or(0, |b| b >> 4);
        let (src, dst) = if version == 4 { (12, 16) } else { (8, 24) };
        for (at, address) in [(src, self.src), (dst, self.dst)] {
            match (address, version) {
                (Some(IpAddr::V4(a)), 4) => put(bytes, at, &a.octets()),
                (Some(IpAddr::V6(a)), 6) => put(bytes, at, &a.octets()),
                (Some(IpAddr::V4(_) | IpAddr::V6(_)) | None, _) => {}
            }
        }
        if version == 4 {
            change(bytes, 10, |sum| self.addresses.complete(sum));
        }
    }

    /// The difference the ports make in this packet: none in an ICMP message without identifier.
    #[inline]
    fn ports_in(&self, bytes: &[u8], l4: usize, protocol: Protocol) -> Delta {
        let without = protocol.is_icmp() && bytes.get(l4).is_none_or(|kind| !quote::is_echo(protocol, *kind));
        if without { Delta::NONE } else { self.ports }
    }

    #[inline]
    fn write_ports(&self, bytes: &mut [u8], l4: usize) {
        if let Some(port) = self.src_port {
            write16(bytes, l4, port);
        }
        if let Some(port) = self.dst_port {
            write16(bytes, l4 + 2, port);
        }
    }

    /// Applies the change to a quoted packet, as far as it is quoted.
    fn write_quote(&self, quoted: &mut [u8], quote: &Quote) {
        self.write_addresses(quoted);
        if !quote.has_l4 {
            return;
        }
        let (l4, protocol) = (quote.l4, quote.tuple.protocol);
        let ports = self.ports_in(quoted, l4, protocol);
        let delta = if protocol == Protocol::ICMP { ports } else { self.addresses.and(ports) };
        match protocol {
            Protocol::UDP => change(quoted, l4 + 6, |sum| delta.complete_udp(sum)),
            Protocol::TCP | Protocol::ICMP | Protocol::ICMPV6 => {
                change(quoted, l4 + field(protocol), |sum| delta.complete(sum));
            }
            _ => return,
        }
        if protocol.has_ports() {
            self.write_ports(quoted, l4);
        } else if let Some(id) = self.src_port
            && quoted.get(l4).is_some_and(|kind| quote::is_echo(protocol, *kind))
        {
            write16(quoted, l4 + 4, id);
        }
    }
}

/// Translates an ICMP error: its own addresses by `outer`, the packet it quotes by `quoted`.
///
/// Shape: `quoted` is in the direction of the quoted packet, so usually the reverse of what the error's
/// receiver sees. Inside the quote the addresses, the ports or the echo identifier, the IPv4 header checksum
/// and the layer-4 checksum are changed as far as they are quoted; then the ICMP checksum is.
/// A packet that quotes nothing gets `outer` only.
/// Source: RFC 5508 §4; RFC 1624.
pub fn apply_to_error(buf: &mut PacketBuf, parsed: &Parsed, outer: &Rewrite, quoted: &Rewrite) {
    outer.apply(buf, parsed);
    if parsed.quoted.is_none() {
        return;
    }
    let end = parsed.packet.len as usize;
    let at = usize::from(parsed.packet.header_len());
    let Some(inner) = buf.bytes_mut().get_mut(at..end) else {
        return;
    };
    let Some(quote) = quote::quote(parsed.tuple.protocol, inner) else {
        return;
    };
    // Everything that may change lies in the headers; offsets inside the message are even.
    let reach = inner.len().min(quote.l4 + 20);
    let sum = |inner: &[u8]| Sum::new().bytes(inner.get(..reach).unwrap_or_default());
    let before = sum(inner);
    quoted.write_quote(inner, &quote);
    let delta = Delta::NONE.sums(before, sum(inner));
    if parsed.checksum == L4Checksum::Complete {
        change(buf.bytes_mut(), usize::from(parsed.packet.l4) + 2, |sum| delta.complete(sum));
    }
}

/// Takes `by` off the TTL or hop limit, the IPv4 header checksum kept right.
///
/// Shape: returns the new value; `None`, and no change, if none would be left.
/// Source: RFC 1812 §5.3.1, RFC 8200 §3.
#[must_use]
#[inline]
pub fn decrement_ttl(buf: &mut PacketBuf, by: u8) -> Option<u8> {
    let bytes = buf.bytes_mut();
    let is_ipv4 = bytes.first()? >> 4 == 4;
    let ttl = bytes.get_mut(if is_ipv4 { 8 } else { 7 })?;
    let old = *ttl;
    let new = old.checked_sub(by).filter(|ttl| *ttl > 0)?;
    *ttl = new;
    if is_ipv4 {
        let delta = Delta::NONE.word(u16::from(old) << 8, u16::from(new) << 8);
        change(bytes, 10, |sum| delta.complete(sum));
    }
    Some(new)
}

/// Passes the 16-bit field at `at` through `with`; a field outside the packet is left out.
#[inline]
fn change(bytes: &mut [u8], at: usize, with: impl FnOnce(u16) -> u16) {
    if let Some(sum) = read16(bytes, at) {
        write16(bytes, at, with(sum));
    }
}

/// Where the checksum is in the header of a protocol that has one.
#[inline]
fn field(protocol: Protocol) -> usize {
    checksum::field_of(protocol).unwrap_or_default().into()
}

#[inline]
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(room) = bytes.get_mut(at..at + value.len()) {
        room.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
