//! Which packets a rule speaks about.

use std::fmt;

use serde::{Deserialize, Serialize};
use vpc_packet::{FiveTuple, Protocol};

/// Seen from an interface or a subnet: out of it or into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Out of the interface or subnet.
    Egress,
    /// Into the interface or subnet.
    Ingress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A range that ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("port range {first}-{last} ends before it starts")]
pub struct PortRangeError {
    /// The given start.
    pub first: u16,
    /// The given end.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The range, if it does not end before it starts.
    ///
    /// # Errors
    /// [`PortRangeError`] with both ends.
    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first <= last { Ok(Self { first, last }) } else { Err(PortRangeError { first, last }) }
    }

    /// The range of one port.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The first port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether the port is in the range.
    #[must_use]
    #[inline]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// ICMP type and code; `None` is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpMatch {
    /// The type, or any.
    pub kind: Option<u8>,
    /// The code, or any.
    pub code: Option<u8>,
}

impl IcmpMatch {
    /// Whether a message of this type and code is meant.
    #[must_use]
    pub fn contains(self, kind: u8, code: u8) -> bool {
        self.kind.is_none_or(|k| k == kind) && self.code.is_none_or(|c| c == code)
    }
}

impl fmt::Display for IcmpMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.code) {
            (None, None) => f.write_str("any type"),
            (Some(kind), None) => write!(f, "type {kind}"),
            (None, Some(code)) => write!(f, "code {code}"),
            (Some(kind), Some(code)) => write!(f, "type {kind} code {code}"),
        }
    }
}

/// Protocol with what the rule says about its ports or types.
///
/// Source: R8.2 (security groups), R8.25 (network ACLs ignore ports of any protocol but TCP and UDP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Traffic {
    /// Every packet (`-1` in the API).
    All,
    /// ICMP for IPv4.
    Icmp(IcmpMatch),
    /// ICMP for IPv6.
    Icmpv6(IcmpMatch),
    /// Any other protocol, by its number.
    Other(u8),
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
}

impl Traffic {
    /// The same traffic, by the name of its protocol if it has one.
    #[must_use]
    pub const fn canonical(self) -> Self {
        match self {
            Self::Other(1) => Self::Icmp(IcmpMatch { kind: None, code: None }),
            Self::Other(6) => Self::Tcp(PortRange::ALL),
            Self::Other(17) => Self::Udp(PortRange::ALL),
            Self::Other(58) => Self::Icmpv6(IcmpMatch { kind: None, code: None }),
            Self::All | Self::Icmp(_) | Self::Icmpv6(_) | Self::Other(_) | Self::Tcp(_) | Self::Udp(_) => self,
        }
    }

    /// Whether a packet of this tuple is meant. The destination port decides (R8.24), in either direction.
    #[must_use]
    #[inline]
    pub fn contains(self, tuple: &FiveTuple) -> bool {
        match self {
            Self::All => true,
            Self::Tcp(ports) => tuple.protocol == Protocol::TCP && ports.contains(tuple.dst_port),
            Self::Udp(ports) => tuple.protocol == Protocol::UDP && ports.contains(tuple.dst_port),
            Self::Icmp(icmp) => tuple.protocol == Protocol::ICMP && Self::icmp(icmp, tuple),
            Self::Icmpv6(icmp) => tuple.protocol == Protocol::ICMPV6 && Self::icmp(icmp, tuple),
            Self::Other(number) => tuple.protocol.0 == number,
        }
    }

    fn icmp(icmp: IcmpMatch, tuple: &FiveTuple) -> bool {
        tuple.icmp_type_code().is_some_and(|(kind, code)| icmp.contains(kind, code))
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Icmp(icmp) if *icmp == IcmpMatch::default() => f.write_str("icmp"),
            Self::Icmp(icmp) => write!(f, "icmp {icmp}"),
            Self::Icmpv6(icmp) if *icmp == IcmpMatch::default() => f.write_str("icmpv6"),
            Self::Icmpv6(icmp) => write!(f, "icmpv6 {icmp}"),
            Self::Other(number) => write!(f, "protocol {number}"),
            Self::Tcp(ports) if *ports == PortRange::ALL => f.write_str("tcp"),
            Self::Tcp(ports) => write!(f, "tcp {ports}"),
            Self::Udp(ports) if *ports == PortRange::ALL => f.write_str("udp"),
            Self::Udp(ports) => write!(f, "udp {ports}"),
        }
    }
}
