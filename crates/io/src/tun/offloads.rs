//! Which work the kernel leaves to us, and we to it.

use std::fmt;

const TUN_F_CSUM: u32 = 0x01;
const TUN_F_TSO4: u32 = 0x02;
const TUN_F_TSO6: u32 = 0x04;
const TUN_F_TSO_ECN: u32 = 0x08;
const TUN_F_USO4: u32 = 0x20;
const TUN_F_USO6: u32 = 0x40;

/// What may cross a TUN unfinished, in both directions.
///
/// The tunnel bits of kernel 6.17 are left out on purpose: with them packets carry inner and outer offsets
/// in a longer header, which every rewrite would have to keep right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offloads {
    /// Layer-4 checksums that hold the pseudo-header sum only. Needed by the other two.
    pub checksum: bool,
    /// TCP super-packets (TSO), IPv4 and IPv6, with CWR.
    pub tcp: bool,
    /// UDP super-packets (USO), IPv4 and IPv6. Linux 6.2 and later.
    pub udp: bool,
}

impl Offloads {
    /// Everything this crate can pass on.
    pub const ALL: Self = Self { checksum: true, tcp: true, udp: true };
    /// Every packet finished and no longer than the MTU.
    pub const NONE: Self = Self { checksum: false, tcp: false, udp: false };

    /// The argument of `TUNSETOFFLOAD`; 0x6F for all.
    #[must_use]
    pub const fn bits(self) -> u32 {
        if !self.checksum {
            return 0;
        }
        let mut bits = TUN_F_CSUM;
        if self.tcp {
            bits |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
        }
        if self.udp {
            // The kernel refuses one without the other.
            bits |= TUN_F_USO4 | TUN_F_USO6;
        }
        bits
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let checksum = self.checksum && other.checksum;
        Self { checksum, tcp: checksum && self.tcp && other.tcp, udp: checksum && self.udp && other.udp }
    }

    /// The next smaller set to try when the kernel refuses this one: USO is the newest, then TSO.
    pub(crate) const fn weaker(self) -> Option<Self> {
        if self.udp {
            Some(Self { udp: false, ..self })
        } else if self.tcp {
            Some(Self { tcp: false, ..self })
        } else if self.checksum {
            Some(Self::NONE)
        } else {
            None
        }
    }
}

impl fmt::Display for Offloads {
    /// `checksum+tcp+udp`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.checksum {
            return f.write_str("none");
        }
        f.write_str("checksum")?;
        f.write_str(if self.tcp { "+tcp" } else { "" })?;
        f.write_str(if self.udp { "+udp" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallbacks_are_0x6f_0x0f_0x01_and_0() {
        let ladder: Vec<u32> = std::iter::successors(Some(Offloads::ALL), |o| o.weaker()).map(Offloads::bits).collect();
        assert_eq!(ladder, [0x6F, 0x0F, 0x01, 0]);
    }

    #[test]
    fn nothing_goes_without_the_checksum_offload() {
        let odd = Offloads { checksum: false, tcp: true, udp: true };
        assert_eq!(odd.bits(), 0);
        assert_eq!(odd.and(Offloads::ALL), Offloads::NONE);
        assert_eq!(odd.to_string(), "none");
    }
}
