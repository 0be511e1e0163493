//! From bytes to value.

use super::{Attributes, Kind, PacketSpec, Piece, attribute, build};
use crate::checksum::{self, read16};
use crate::{Fragment, L4Checksum, Offload, ParseError, Parsed, parse_bytes, quote};

pub(super) fn dissect(bytes: &[u8], offload: Offload) -> Result<PacketSpec, ParseError> {
    let parsed = parse_bytes(bytes, offload)?;
    let bytes = bytes.get(..parsed.packet.len as usize).unwrap_or(bytes);
    let mut spec = PacketSpec::from(parsed.tuple);
    spec.attributes = ip_attributes(bytes, &parsed);
    let l4 = bytes.get(usize::from(parsed.packet.l4)..).unwrap_or_default();
    l4_attributes(&mut spec, l4, &parsed);
    spec.attributes.gso = offload.gso.map(|gso| gso.size.into());
    attribute::drop_defaults(&mut spec.attributes);
    payload(&mut spec, bytes, &parsed);
    // Last, when everything it depends on is in place.
    if parsed.checksum == L4Checksum::Complete
        && let Some(field) = checksum::field_offset(&parsed)
    {
        let found = read16(bytes, field);
        if found != read16(&spec.build(), field) {
            spec.attributes.sum = found.map(u32::from);
        }
    }
    Ok(spec)
}

fn ip_attributes(bytes: &[u8], parsed: &Parsed) -> Attributes {
    let mut a = Attributes { ttl: Some(parsed.packet.ttl.into()), ..Attributes::default() };
    let word = bytes.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
    let l4 = usize::from(parsed.packet.l4);
    if parsed.tuple.src.is_ipv4() {
        a.dscp = Some(word >> 18 & 0x3f);
        a.ecn = Some(word >> 16 & 3);
        a.ipid = read16(bytes, 4).map(u32::from);
        let flags = read16(bytes, 6).unwrap_or_default();
        a.df = parsed.packet.dont_fragment.then_some(true);
        let piece = Piece { offset: (flags & 0x1fff) * 8, more: flags & 0x2000 != 0 };
        a.frag = (parsed.packet.fragment != Fragment::Whole).then_some(piece);
        a.ipopts = bytes.get(20..l4).filter(|options| !options.is_empty()).map(<[u8]>::to_vec);
        return a;
    }
    a.dscp = Some(word >> 22 & 0x3f);
    a.ecn = Some(word >> 20 & 3);
    a.flow = Some(word & 0xf_ffff);
    let extensions = bytes.get(40..l4).unwrap_or_default();
    let first = bytes.get(6).copied().unwrap_or_default();
    let piece = extensions.first_chunk::<8>().filter(|_| first == 44 && extensions.len() == 8);
    match (piece, parsed.packet.fragment) {
        (Some(h), Fragment::First { id } | Fragment::Later { id, .. }) => {
            let word = u16::from_be_bytes([h[2], h[3]]);
            a.ipid = Some(id);
            a.frag = Some(Piece { offset: word & 0xfff8, more: word & 1 != 0 });
        }
        (_, fragment) if !extensions.is_empty() => {
            a.ext = Some((first, extensions.to_vec()));
            if let Fragment::Later { last, .. } = fragment {
                // Where exactly is in the extension's bytes; here it says that there is no layer 4.
                a.frag = Some(Piece { offset: 8, more: !last });
            }
        }
        _ => {}
    }
    a
}

fn l4_attributes(spec: &mut PacketSpec, l4: &[u8], parsed: &Parsed) {
    let a = &mut spec.attributes;
    let later = matches!(parsed.packet.fragment, Fragment::Later { .. });
    let word = |at: usize| l4.get(at..).and_then(|b| b.first_chunk()).map(|b| u32::from_be_bytes(*b));
    let half = |at: usize| read16(l4, at).map(u32::from);
    match &mut spec.kind {
        Kind::Tcp { ports, .. } | Kind::Udp { ports } if later => *ports = None,
        Kind::Icmp { message, .. } if later => *message = None,
        Kind::Tcp { flags, .. } => {
            *flags = Some(parsed.packet.tcp_flags);
            (a.seq, a.ack, a.win, a.urg) = (word(4), word(8), half(14), half(18));
            let options = l4.get(20..usize::from(parsed.packet.l4_len)).unwrap_or_default();
            let rest = match options {
                [2, 4, high, low, rest @ ..] => {
                    a.mss = Some(u16::from_be_bytes([*high, *low]).into());
                    rest
                }
                _ => options,
            };
            a.opts = (!rest.is_empty()).then(|| rest.to_vec());
        }
        Kind::Udp { .. } => {
            let whole = parsed.packet.len - u32::from(parsed.packet.l4);
            a.udplen = half(4).filter(|len| *len != whole);
        }
        Kind::Icmp { message, quoted } => {
            *quoted = parsed.quoted;
            let is_ipv4 = parsed.tuple.src.is_ipv4();
            match *message {
                Some((kind, _)) if quote::is_echo(parsed.tuple.protocol, kind) => {
                    (a.id, a.seq) = (half(4), half(6));
                }
                Some((3, 4)) if is_ipv4 => {
                    a.mtu = half(6);
                    a.rest = half(4).map(|high| high << 16);
                }
                Some((2, 0)) if !is_ipv4 => a.mtu = word(4),
                Some(_) | None => a.rest = word(4),
            }
        }
        Kind::Other(_) => {}
    }
}

/// The payload: not said if empty or what would be quoted anyway, as a length if all zeros.
fn payload(spec: &mut PacketSpec, bytes: &[u8], parsed: &Parsed) {
    let payload = bytes.get(usize::from(parsed.packet.header_len())..).unwrap_or_default();
    if payload == build::payload(spec) {
        return;
    }
    let quotes = parsed.tuple.protocol.is_icmp() && parsed.quoted.is_some();
    if payload.iter().all(|b| *b == 0) && !quotes {
        spec.attributes.len = Some(parsed.packet.len);
    } else {
        spec.attributes.payload = Some(payload.to_vec());
    }
}
