//! VXLAN: an Ethernet frame in UDP, as traffic mirroring sends it.

use crate::PacketBuf;
use crate::tunnel::{Outer, TunnelError, encapsulate};

/// The UDP destination port.
pub const PORT: u16 = 4789;
/// Length of the header.
pub const HEADER: usize = 8;

/// A VXLAN header.
///
/// Source: RFC 7348 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Network identifier, 24 bits.
    pub vni: u32,
}

impl Vxlan {
    /// The header and what follows it.
    ///
    /// Errors: too few bytes; the flag that says there is an identifier is missing.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), TunnelError> {
        let Some((h, inner)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(TunnelError::Truncated { needed: HEADER, available: bytes.len() });
        };
        if h[0] & VALID_VNI == 0 {
            return Err(TunnelError::Flags { flags: h[0] });
        }
        Ok((Self { vni: u32::from_be_bytes([0, h[4], h[5], h[6]]) }, inner))
    }

    /// The header as bytes; bits of the identifier above 24 are cut.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HEADER] {
        let [_, a, b, c] = self.vni.to_be_bytes();
        [VALID_VNI, 0, 0, 0, a, b, c, 0]
    }

    /// Puts the header, UDP and IPv4 in front of the frame in `buf`.
    ///
    /// Errors: [`TunnelError::SuperPacket`], [`TunnelError::Room`]; `buf` is then as before.
    pub fn encapsulate(self, buf: &mut PacketBuf, outer: Outer) -> Result<(), TunnelError> {
        encapsulate(buf, outer, PORT, &self.to_bytes())
    }
}

const VALID_VNI: u8 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let vxlan = Vxlan { vni: 0x00ab_cdef };
        assert_eq!(vxlan.to_bytes(), [8, 0, 0, 0, 0xab, 0xcd, 0xef, 0]);
        assert_eq!(Vxlan::parse(&vxlan.to_bytes()), Ok((vxlan, &[][..])));
        assert_eq!(Vxlan::parse(&[0; 8]), Err(TunnelError::Flags { flags: 0 }));
        assert_eq!(Vxlan::parse(&[8; 7]), Err(TunnelError::Truncated { needed: 8, available: 7 }));
    }

    #[test]
    fn a_frame_is_wrapped_into_a_packet_that_parses() {
        let mut buf = PacketBuf::from_packet(&[9; 60]);
        let outer = Outer { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), src_port: 50_000 };
        Vxlan { vni: 7 }.encapsulate(&mut buf, outer).unwrap();
        let parsed = parse(&buf).unwrap();
        assert_eq!((parsed.tuple.src_port, parsed.tuple.dst_port), (50_000, PORT));
        let (vxlan, frame) = Vxlan::parse(parse::payload(&buf, &parsed)).unwrap();
        assert_eq!((vxlan.vni, frame), (7, &[9; 60][..]));
    }
}
