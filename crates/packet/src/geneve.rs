//! GENEVE as a Gateway Load Balancer speaks it: an IP packet in UDP, with three options.

use crate::PacketBuf;
use crate::tunnel::{Outer, TunnelError, UDP_OVERHEAD, encapsulate};

/// The UDP destination port, in both directions.
pub const PORT: u16 = 6081;
/// Length of the header without options.
pub const HEADER: usize = 8;
/// Bytes a Gateway Load Balancer puts in front of a packet: IPv4, UDP, header, options.
///
/// Source: vpc-semantics R7.8.
pub const OVERHEAD: usize = UDP_OVERHEAD + HEADER + AwsOptions::LEN;
/// Protocol type of an inner IPv4 packet.
pub const INNER_IPV4: u16 = 0x0800;
/// Protocol type of an inner IPv6 packet.
pub const INNER_IPV6: u16 = 0x86dd;

/// A GENEVE header.
///
/// Source: RFC 8926 §3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geneve<'a> {
    /// Network identifier, 24 bits.
    pub vni: u32,
    /// Ethertype of what follows.
    pub protocol: u16,
    /// A control packet, not data.
    pub control: bool,
    /// Some option is critical.
    pub critical: bool,
    /// The options as bytes: a multiple of four, at most 252.
    pub options: &'a [u8],
}

impl<'a> Geneve<'a> {
    /// The header and what follows it.
    ///
    /// Errors: too few bytes, a version other than 0. Options are not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), TunnelError> {
        let truncated = |needed| TunnelError::Truncated { needed, available: bytes.len() };
        let (h, rest) = bytes.split_first_chunk::<HEADER>().ok_or(truncated(HEADER))?;
        let version = h[0] >> 6;
        if version != 0 {
            return Err(TunnelError::Version { version });
        }
        let len = usize::from(h[0] & 0x3f) * 4;
        let (options, inner) = rest.split_at_checked(len).ok_or(truncated(HEADER + len))?;
        let header = Self {
            vni: u32::from_be_bytes([0, h[4], h[5], h[6]]),
            protocol: u16::from_be_bytes([h[2], h[3]]),
            control: h[1] & CONTROL != 0,
            critical: h[1] & CRITICAL != 0,
            options,
        };
        Ok((header, inner))
    }

    /// The header as bytes.
    ///
    /// Shape: bits of the identifier above 24 and options behind 252 bytes are cut.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let words = (self.options.len() / 4).min(63);
        let flags = if self.control { CONTROL } else { 0 } | if self.critical { CRITICAL } else { 0 };
        let [_, a, b, c] = self.vni.to_be_bytes();
        let [high, low] = self.protocol.to_be_bytes();
        let mut out = vec![words as u8, flags, high, low, a, b, c, 0];
        out.extend(self.options.get(..words * 4).unwrap_or_default());
        out
    }

    /// The options one by one; the first that does not fit ends them with an error.
    pub fn options(&self) -> impl Iterator<Item = Result<GeneveOption<'a>, TunnelError>> + use<'a> {
        let mut rest = self.options;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let option = next_option(rest);
            rest = option.map_or(&[], |(_, rest)| rest);
            Some(option.map(|(option, _)| option))
        })
    }
}

const CONTROL: u8 = 0x80;
const CRITICAL: u8 = 0x40;

/// One option of a GENEVE header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneveOption<'a> {
    /// Who defines it.
    pub class: u16,
    /// Which one; the highest bit means critical.
    pub kind: u8,
    /// Its data.
    pub data: &'a [u8],
}

fn next_option(bytes: &[u8]) -> Result<(GeneveOption<'_>, &[u8]), TunnelError> {
    let truncated = |needed| TunnelError::Truncated { needed, available: bytes.len() };
    let (h, rest) = bytes.split_first_chunk::<4>().ok_or(truncated(4))?;
    let len = usize::from(h[3] & 0x1f) * 4;
    let (data, rest) = rest.split_at_checked(len).ok_or(truncated(4 + len))?;
    Ok((GeneveOption { class: u16::from_be_bytes([h[0], h[1]]), kind: h[2], data }, rest))
}

/// The three options of a Gateway Load Balancer, all mandatory in both directions.
///
/// Source: vpc-semantics R7.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsOptions {
    /// The endpoint's network interface: the hex digits of its id.
    pub endpoint: u64,
    /// The attachment.
    pub attachment: u64,
    /// Names the flow; the appliance returns it unchanged.
    pub cookie: u32,
}

impl AwsOptions {
    /// Length of the three.
    pub const LEN: usize = 32;

    /// The options as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        let [high, low] = CLASS.to_be_bytes();
        out[..4].copy_from_slice(&[high, low, ENDPOINT, 2]);
        out[4..12].copy_from_slice(&self.endpoint.to_be_bytes());
        out[12..16].copy_from_slice(&[high, low, ATTACHMENT, 2]);
        out[16..24].copy_from_slice(&self.attachment.to_be_bytes());
        out[24..28].copy_from_slice(&[high, low, COOKIE, 1]);
        out[28..].copy_from_slice(&self.cookie.to_be_bytes());
        out
    }

    /// Finds the three among the options of a header, in any order.
    ///
    /// Errors: one is missing or of another length; an unknown option is critical (RFC 8926 §3.5.1).
    pub fn find(header: &Geneve<'_>) -> Result<Self, TunnelError> {
        let (mut endpoint, mut attachment, mut cookie) = (None, None, None);
        for option in header.options() {
            let GeneveOption { class, kind, data } = option?;
            match (class, kind) {
                (CLASS, ENDPOINT) => endpoint = data.try_into().ok().map(u64::from_be_bytes),
                (CLASS, ATTACHMENT) => attachment = data.try_into().ok().map(u64::from_be_bytes),
                (CLASS, COOKIE) => cookie = data.try_into().ok().map(u32::from_be_bytes),
                _ if kind & 0x80 != 0 => return Err(TunnelError::CriticalOption { class, kind }),
                _ => {}
            }
        }
        let missing = |kind| TunnelError::MissingOption { kind };
        Ok(Self {
            endpoint: endpoint.ok_or(missing(ENDPOINT))?,
            attachment: attachment.ok_or(missing(ATTACHMENT))?,
            cookie: cookie.ok_or(missing(COOKIE))?,
        })
    }

    /// Wraps the packet in `buf` for an appliance: [`OVERHEAD`] bytes in front, network identifier 0.
    ///
    /// Errors: [`TunnelError::SuperPacket`], [`TunnelError::Room`]; `buf` is then as before.
    /// Source: vpc-semantics R7.7, R7.8.
    pub fn encapsulate(self, buf: &mut PacketBuf, outer: Outer) -> Result<(), TunnelError> {
        let is_ipv4 = buf.bytes().first().is_some_and(|b| b >> 4 == 4);
        let [high, low] = if is_ipv4 { INNER_IPV4 } else { INNER_IPV6 }.to_be_bytes();
        let mut header = [0; HEADER + Self::LEN];
        header[..HEADER].copy_from_slice(&[(Self::LEN / 4) as u8, 0, high, low, 0, 0, 0, 0]);
        header[HEADER..].copy_from_slice(&self.to_bytes());
        encapsulate(buf, outer, PORT, &header)
    }
}

const CLASS: u16 = 0x0108;
const ENDPOINT: u8 = 1;
const ATTACHMENT: u8 = 2;
const COOKIE: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::{Verification, verify};
    use crate::parse;
    use crate::parse::tests::{Build, build};

    const AWS: AwsOptions =
        AwsOptions { endpoint: 0x0123_4567_89ab_cdef, attachment: 0x1122_3344_5566_7788, cookie: 0xdead_beef };

    /// vpc-semantics §19.1.
    const VECTOR: [u8; 40] = [
        0x08, 0x00, 0x08, 0x00, 0, 0, 0, 0, //
        0x01, 0x08, 0x01, 0x02, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, //
        0x01, 0x08, 0x02, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, //
        0x01, 0x08, 0x03, 0x01, 0xde, 0xad, 0xbe, 0xef,
    ];

    #[test]
    fn the_vector_of_the_sheet_is_read_and_written() {
        let (header, inner) = Geneve::parse(&VECTOR).unwrap();
        assert_eq!((header.vni, header.protocol, inner), (0, INNER_IPV4, &[][..]));
        assert_eq!(AwsOptions::find(&header), Ok(AWS));
        assert_eq!(header.to_bytes(), VECTOR);
        let header = Geneve { options: &AWS.to_bytes(), ..header };
        assert_eq!(header.to_bytes(), VECTOR);
    }

    #[test]
    fn a_wrapped_packet_has_68_bytes_more_and_comes_back() {
        let inner = build(&Build { payload: b"inside", ..Build::default() });
        let mut buf = PacketBuf::from_packet(&inner);
        let outer = Outer { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), src_port: 60_000 };
        AWS.encapsulate(&mut buf, outer).unwrap();
        assert_eq!(buf.len(), inner.len() + 68);
        let parsed = parse(&buf).unwrap();
        assert_eq!((parsed.tuple.src_port, parsed.tuple.dst_port), (60_000, PORT));
        assert_eq!(verify(&buf, &parsed), Verification::Absent);
        let (header, _) = Geneve::parse(parse::payload(&buf, &parsed)).unwrap();
        assert_eq!(AwsOptions::find(&header), Ok(AWS));
        buf.pull_front(OVERHEAD).unwrap();
        assert_eq!(buf.bytes(), inner);
    }

    #[test]
    fn bad_framing_is_named() {
        let error = |bytes: &[u8]| Geneve::parse(bytes).and_then(|(h, _)| AwsOptions::find(&h)).unwrap_err();
        assert_eq!(error(&VECTOR[..7]), TunnelError::Truncated { needed: 8, available: 7 });
        assert_eq!(error(&VECTOR[..39]), TunnelError::Truncated { needed: 40, available: 39 });
        let with = |at: usize, value: u8| {
            let mut bytes = VECTOR;
            bytes[at] = value;
            error(&bytes)
        };
        assert_eq!(with(0, 0x48), TunnelError::Version { version: 1 });
        assert_eq!(with(22, 0x09), TunnelError::MissingOption { kind: 2 });
        assert_eq!(with(34, 0x83), TunnelError::CriticalOption { class: 0x0108, kind: 0x83 });
        assert_eq!(with(35, 0x02), TunnelError::Truncated { needed: 12, available: 8 });
        assert_eq!(with(34, 0x04), TunnelError::MissingOption { kind: 3 });
    }

    #[test]
    fn a_super_packet_is_not_wrapped() {
        let mut buf = PacketBuf::from_packet(&build(&Build::default()));
        buf.offload.gso = Some(crate::Gso { kind: crate::GsoKind::Tcpv4, size: 1, ecn: false });
        let outer = Outer { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), src_port: 60_000 };
        assert_eq!(AWS.encapsulate(&mut buf, outer), Err(TunnelError::SuperPacket));
        assert_eq!(buf.len(), 40);
    }
}
