//! Who talks to whom.

use std::net::IpAddr;

/// An IP protocol number.
///
/// Source: IANA "Assigned Internet Protocol Numbers".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);

    /// Whether the protocol has ports in its first four bytes, as far as AWS rules look at them.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP)
    }

    /// ICMP of either IP version.
    #[must_use]
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }
}

/// Addresses, protocol and ports of a packet: what every per-flow decision is a function of.
///
/// Shape: for TCP and UDP the ports; for ICMP `src_port` holds the identifier of an echo (0 for other
/// types) and `dst_port` holds `type << 8 | code`; for every other protocol both are 0.
/// Source: RFC 792, RFC 4443.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address; always of the same IP version as `src`.
    pub dst: IpAddr,
    /// Protocol above IP.
    pub protocol: Protocol,
    /// Source port, or ICMP echo identifier.
    pub src_port: u16,
    /// Destination port, or ICMP type and code.
    pub dst_port: u16,
}

impl FiveTuple {
    /// The tuple of a reply: ends swapped, and for an ICMP request the reply's type.
    #[must_use]
    pub const fn reversed(self) -> Self {
        let (src_port, dst_port) = match self.protocol {
            Protocol::ICMP => (self.src_port, icmp_reply(self.dst_port, &[(8, 0), (13, 14), (15, 16), (17, 18)])),
            Protocol::ICMPV6 => (self.src_port, icmp_reply(self.dst_port, &[(128, 129)])),
            _ => (self.dst_port, self.src_port),
        };
        Self { src: self.dst, dst: self.src, protocol: self.protocol, src_port, dst_port }
    }

    /// ICMP type and code, for ICMP tuples.
    #[must_use]
    pub const fn icmp_type_code(self) -> Option<(u8, u8)> {
        if self.protocol.is_icmp() { Some(((self.dst_port >> 8) as u8, self.dst_port as u8)) } else { None }
    }
}

/// Exchanges an ICMP request's type for its reply's and back; other types stay.
const fn icmp_reply(type_code: u16, pairs: &[(u16, u16)]) -> u16 {
    let (kind, code) = (type_code >> 8, type_code & 0xff);
    let mut i = 0;
    while i < pairs.len() {
        if kind == pairs[i].0 {
            return pairs[i].1 << 8 | code;
        }
        if kind == pairs[i].1 {
            return pairs[i].0 << 8 | code;
        }
        i += 1;
    }
    type_code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reversed(line: &str) -> String {
        line.parse::<FiveTuple>().map(|tuple| tuple.reversed().to_string()).unwrap()
    }

    #[test]
    fn a_reply_has_the_ends_exchanged() {
        assert_eq!(reversed("tcp 10.0.0.1:1 > 10.0.0.2:2"), "tcp 10.0.0.2:2 > 10.0.0.1:1");
        assert_eq!(reversed("udp [fd00::1]:1 > [fd00::2]:2"), "udp [fd00::2]:2 > [fd00::1]:1");
        assert_eq!(reversed("proto 47 10.0.0.1 > 10.0.0.2"), "proto 47 10.0.0.2 > 10.0.0.1");
    }

    #[test]
    fn an_icmp_request_is_answered_by_its_reply_with_the_same_identifier() {
        for (request, reply) in [
            ("icmp 10.0.0.1 > 10.0.0.2 echo request id=7", "icmp 10.0.0.2 > 10.0.0.1 echo reply id=7"),
            ("icmp fd00::1 > fd00::2 echo request id=7", "icmp fd00::2 > fd00::1 echo reply id=7"),
            ("icmp 10.0.0.1 > 10.0.0.2 type=13/0", "icmp 10.0.0.2 > 10.0.0.1 type=14/0"),
            ("icmp 10.0.0.1 > 10.0.0.2 type=15/0", "icmp 10.0.0.2 > 10.0.0.1 type=16/0"),
            ("icmp 10.0.0.1 > 10.0.0.2 type=17/0", "icmp 10.0.0.2 > 10.0.0.1 type=18/0"),
        ] {
            assert_eq!(reversed(request), reply);
            assert_eq!(reversed(reply), request);
        }
        assert_eq!(
            reversed("icmp 10.0.0.1 > 10.0.0.2 type=3/9"),
            "icmp 10.0.0.2 > 10.0.0.1 type=3/9",
            "an error has no reply"
        );
    }

    #[test]
    fn type_and_code_are_there_for_icmp_only() {
        let type_code = |line: &str| line.parse::<FiveTuple>().unwrap().icmp_type_code();
        assert_eq!(type_code("icmp 10.0.0.1 > 10.0.0.2 type=3/9"), Some((3, 9)));
        assert_eq!(type_code("tcp 10.0.0.1:1 > 10.0.0.2:2"), None);
    }
}
