//! From value to bytes.

use super::{Kind, PacketSpec, Piece};
use crate::buf::MAX_PACKET;
use crate::checksum::{self, Sum, read16, udp_zero, write16};
use crate::{Gso, GsoKind, PacketBuf, PartialChecksum, Protocol, TcpFlags, emit};
use std::net::IpAddr;

pub(super) fn build(spec: &PacketSpec) -> Vec<u8> {
    let ip = ip_header(spec);
    let mut message = l4_header(spec);
    let field = message_field(spec, &message);
    message.extend(payload(spec));
    message.truncate(MAX_PACKET - ip.len());
    let total = ip.len() + message.len();
    if let Some(udp_len) = udp_len(spec, message.len()) {
        write16(&mut message, 4, udp_len);
    }
    if let Some(field) = field {
        let sum = spec.attributes.sum.map_or_else(|| right_sum(spec, &message), |sum| sum as u16);
        write16(&mut message, field, sum);
    }
    let mut packet = ip;
    packet.extend(message);
    emit::set_length(&mut packet, total);
    packet
}

pub(super) fn to_buf(spec: &PacketSpec) -> PacketBuf {
    let mut buf = PacketBuf::from_packet(&build(spec));
    let offset = match spec.protocol() {
        Protocol::TCP => checksum::TCP_FIELD,
        Protocol::UDP => checksum::UDP_FIELD,
        _ => return buf,
    };
    let Some(size) = spec.attributes.gso else {
        return buf;
    };
    let start = ip_header(spec).len();
    let len = (buf.len() - start) as u32;
    let sum = Sum::new().pseudo_header(spec.src, spec.dst, spec.protocol(), len).fold();
    write16(buf.bytes_mut(), start + usize::from(offset), sum);
    let kind = match (spec.protocol(), spec.src) {
        (Protocol::UDP, _) => GsoKind::Udp,
        (_, IpAddr::V4(_)) => GsoKind::Tcpv4,
        (_, IpAddr::V6(_)) => GsoKind::Tcpv6,
    };
    let ecn = matches!(spec.kind, Kind::Tcp { flags: Some(flags), .. } if flags.contains(TcpFlags::CWR));
    buf.offload.partial = Some(PartialChecksum { start: start as u16, offset });
    buf.offload.gso = Some(Gso { kind, size: size as u16, ecn });
    buf
}

/// Layer-3 length of the packet.
pub(super) fn length(spec: &PacketSpec) -> usize {
    ip_header(spec).len() + l4_header(spec).len() + payload(spec).len()
}

/// What follows the layer-4 header: the bytes said, or the quote, then zeros up to the length said.
pub(super) fn payload(spec: &PacketSpec) -> Vec<u8> {
    let a = &spec.attributes;
    let mut payload = match (&a.payload, &spec.kind) {
        (Some(payload), _) => payload.clone(),
        (None, Kind::Icmp { quoted: Some(quoted), .. }) => quote(&PacketSpec::from(*quoted)),
        (None, Kind::Icmp { .. } | Kind::Other(_) | Kind::Tcp { .. } | Kind::Udp { .. }) => Vec::new(),
    };
    if let Some(len) = a.len {
        let headers = ip_header(spec).len() + l4_header(spec).len();
        let room = (len as usize).min(MAX_PACKET).saturating_sub(headers);
        payload.resize(payload.len().max(room), 0);
    }
    payload
}

/// The IP header and eight bytes: the least an ICMP error quotes (RFC 792).
fn quote(spec: &PacketSpec) -> Vec<u8> {
    let mut bytes = build(spec);
    bytes.truncate(ip_header(spec).len() + 8);
    bytes
}

/// The IP header with options and extensions; lengths and the IPv4 checksum are still to be set.
fn ip_header(spec: &PacketSpec) -> Vec<u8> {
    let a = &spec.attributes;
    let ttl = a.ttl.unwrap_or(emit::TTL.into()) as u8;
    let class = (a.dscp.unwrap_or_default() << 2 | a.ecn.unwrap_or_default()) as u8;
    let id = a.ipid.unwrap_or_default();
    match (spec.src, spec.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut h = emit::ipv4_header(src, dst, spec.protocol(), 0, ttl).to_vec();
            h.extend(a.ipopts.iter().flatten());
            h.resize(h.len().next_multiple_of(4).min(60), 0);
            h[0] = 0x40 | (h.len() / 4) as u8;
            h[1] = class;
            let (offset, more) = a.frag.map_or((0, false), |Piece { offset, more }| (offset, more));
            write16(&mut h, 4, id as u16);
            let flags = if a.df == Some(true) { 0x4000 } else { 0 } | if more { 0x2000 } else { 0 };
            write16(&mut h, 6, flags | (offset / 8));
            h
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut h = emit::ipv6_header(src, dst, spec.protocol(), 0, ttl).to_vec();
            let word = 0x6000_0000 | u32::from(class) << 20 | a.flow.unwrap_or_default();
            h[..4].copy_from_slice(&word.to_be_bytes());
            if let Some((first, bytes)) = &a.ext {
                h[6] = *first;
                h.extend(bytes);
            } else if let Some(Piece { offset, more }) = a.frag {
                h[6] = 44;
                h.extend([spec.protocol().0, 0]);
                h.extend((offset | u16::from(more)).to_be_bytes());
                h.extend(id.to_be_bytes());
            }
            h
        }
        // Addresses of two versions make no packet; nothing in the notation writes them.
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    }
}

/// The layer-4 header, checksum and UDP length still 0.
fn l4_header(spec: &PacketSpec) -> Vec<u8> {
    let a = &spec.attributes;
    if spec.is_later_fragment() {
        return Vec::new();
    }
    match &spec.kind {
        Kind::Other(_) => Vec::new(),
        Kind::Udp { ports } => {
            let (src, dst) = ports.unwrap_or_default();
            [src.to_be_bytes(), dst.to_be_bytes(), [0; 2], [0; 2]].concat()
        }
        Kind::Icmp { message, .. } => {
            let (kind, code) = message.unwrap_or(spec.echo_request());
            let second = a.rest.unwrap_or_default()
                | a.id.unwrap_or_default() << 16
                | a.seq.unwrap_or_default()
                | a.mtu.unwrap_or_default();
            [[kind, code, 0, 0], second.to_be_bytes()].concat()
        }
        Kind::Tcp { ports, flags } => {
            let (src, dst) = ports.unwrap_or_default();
            let mut h = [src.to_be_bytes(), dst.to_be_bytes()].concat();
            h.extend(a.seq.unwrap_or_default().to_be_bytes());
            h.extend(a.ack.unwrap_or_default().to_be_bytes());
            h.extend([0, flags.unwrap_or(TcpFlags::SYN).0]);
            h.extend((a.win.unwrap_or(65_535) as u16).to_be_bytes());
            h.extend([0, 0]);
            h.extend((a.urg.unwrap_or_default() as u16).to_be_bytes());
            if let Some(mss) = a.mss {
                h.extend([2, 4]);
                h.extend((mss as u16).to_be_bytes());
            }
            h.extend(a.opts.iter().flatten());
            h.resize(h.len().next_multiple_of(4).min(60), 0);
            h[12] = ((h.len() / 4) as u8) << 4;
            h
        }
    }
}

/// Where the checksum goes, from the start of layer 4.
fn message_field(spec: &PacketSpec, header: &[u8]) -> Option<usize> {
    if header.is_empty() {
        return None;
    }
    checksum::field_of(spec.protocol()).map(usize::from)
}

fn udp_len(spec: &PacketSpec, message: usize) -> Option<u16> {
    if spec.protocol() != Protocol::UDP || spec.is_later_fragment() {
        return None;
    }
    Some(spec.attributes.udplen.map_or(message as u16, |len| len as u16))
}

/// The right checksum of a message whose field is 0.
fn right_sum(spec: &PacketSpec, message: &[u8]) -> u16 {
    let protocol = spec.protocol();
    // The checksum of UDP covers what its length says.
    let covered = match (protocol, read16(message, 4)) {
        (Protocol::UDP, Some(len)) => message.get(..len.into()).unwrap_or(message),
        _ => message,
    };
    let pseudo = match protocol {
        Protocol::ICMP => Sum::new(),
        _ => Sum::new().pseudo_header(spec.src, spec.dst, protocol, covered.len() as u32),
    };
    let sum = pseudo.bytes(covered).checksum();
    if protocol == Protocol::UDP { udp_zero(sum) } else { sum }
}
