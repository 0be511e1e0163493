//! `Prefix`: an IP prefix whose host bits are zero by construction.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An IP prefix (CIDR block) whose host bits are zero.
///
/// Shape: ordered by family (IPv4 first), then address, then length, so that a prefix sorts directly before
/// the prefixes it covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

impl Prefix {
    /// `0.0.0.0/0`: every IPv4 address.
    pub const DEFAULT_V4: Self = Self(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)));
    /// `::/0`: every IPv6 address.
    pub const DEFAULT_V6: Self = Self(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)));

    /// The prefix of `len` bits that starts at `addr`.
    ///
    /// Errors: a length over 32 (IPv4) or 128 (IPv6); host bits set, naming the prefix that was probably meant.
    pub fn new(addr: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let prefix = Self::truncating(addr, len)?;
        if prefix.addr() == addr { Ok(prefix) } else { Err(PrefixError::HostBits { addr, prefix }) }
    }

    /// The prefix of `len` bits that contains `addr`.
    ///
    /// Errors: a length over 32 (IPv4) or 128 (IPv6).
    pub fn truncating(addr: IpAddr, len: u8) -> Result<Self, PrefixError> {
        match IpNet::new(addr, len) {
            Ok(net) => Ok(Self(net.trunc())),
            Err(_) => Err(PrefixError::TooLong { addr, len }),
        }
    }

    /// The prefix that holds `addr` alone: a /32 or a /128.
    pub fn host(addr: IpAddr) -> Self {
        Self(IpNet::from(addr))
    }

    /// Reads `address/length` and clears the host bits.
    ///
    /// Errors: as `FromStr`, except that host bits are no error.
    /// Source: R1.2 (EC2 stores `100.68.0.18/18` as `100.68.0.0/18`).
    pub fn parse_truncating(text: &str) -> Result<Self, PrefixError> {
        let (addr, len) = split(text)?;
        Self::truncating(addr, len)
    }

    /// The address the prefix starts at; the same as [`first`](Self::first).
    pub fn addr(self) -> IpAddr {
        self.0.addr()
    }

    /// How many leading bits are fixed.
    #[expect(clippy::len_without_is_empty, reason = "a length in bits; no prefix is empty")]
    pub fn len(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether this is an IPv4 prefix.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// The lowest address.
    pub fn first(self) -> IpAddr {
        self.0.addr()
    }

    /// The highest address.
    pub fn last(self) -> IpAddr {
        self.0.broadcast()
    }

    /// How many addresses the prefix holds; `u128::MAX` for `::/0`, which holds one more than fits.
    pub fn size(self) -> u128 {
        1_u128.checked_shl(self.host_bits()).unwrap_or(u128::MAX)
    }

    /// The `n`-th address, counted from zero at [`first`](Self::first).
    pub fn nth(self, n: u128) -> Option<IpAddr> {
        if n >= self.size() && self.host_bits() < 128 {
            return None;
        }
        Some(match self.0 {
            IpNet::V4(net) => Ipv4Addr::from_bits(net.addr().to_bits() | u32::try_from(n).ok()?).into(),
            IpNet::V6(net) => Ipv6Addr::from_bits(net.addr().to_bits() | n).into(),
        })
    }

    /// The lower and the upper half, one bit longer each; `None` for a single address.
    pub fn halves(self) -> Option<(Self, Self)> {
        let upper_bit = 1_u128 << self.host_bits().checked_sub(1)?;
        let half = |addr| Self::truncating(addr, self.len() + 1).ok();
        Some((half(self.addr())?, half(self.nth(upper_bit)?)?))
    }

    /// Whether `addr` is one of the prefix's addresses; never true across families.
    pub fn contains(self, addr: IpAddr) -> bool {
        self.0.contains(&addr)
    }

    /// Whether every address of `other` is also one of this prefix's; a prefix covers itself.
    pub fn covers(self, other: Self) -> bool {
        self.len() <= other.len() && self.contains(other.addr())
    }

    /// Whether some address is in both, which for prefixes means that one covers the other.
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The same prefix as the `ipnet` crate writes it.
    pub fn to_ipnet(self) -> IpNet {
        self.0
    }

    fn host_bits(self) -> u32 {
        u32::from(self.0.max_prefix_len() - self.0.prefix_len())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `address/length`.
    ///
    /// Errors: no `/`; an address or a length that is not one, leading zeros included; host bits set.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (addr, len) = split(text)?;
        Self::new(addr, len)
    }
}

impl From<Prefix> for IpNet {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

/// Why something is not a [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// The text has no `/`.
    NoLength {
        /// What was read.
        text: String,
    },
    /// The part before the `/` is not an address.
    Address {
        /// What was read.
        text: String,
        /// The part before the `/`.
        addr: String,
    },
    /// The part after the `/` is not a number without sign or leading zeros, or does not fit.
    Length {
        /// What was read.
        text: String,
        /// The part after the `/`.
        len: String,
        /// The longest length of the address's family.
        max: u8,
    },
    /// More bits than the address has.
    TooLong {
        /// The address.
        addr: IpAddr,
        /// The length asked for.
        len: u8,
    },
    /// The address has bits set after the prefix.
    HostBits {
        /// The address given.
        addr: IpAddr,
        /// The prefix with those bits cleared.
        prefix: Prefix,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLength { text } => match text.parse::<IpAddr>() {
                Ok(addr) => {
                    write!(f, "`{text}` has no length; the prefix of this one address is `{}`", Prefix::host(addr))
                }
                Err(_) => {
                    write!(f, "`{text}` is not a prefix; expected address/length, as in 10.0.0.0/16 or 2001:db8::/56")
                }
            },
            Self::Address { text, addr } => {
                write!(f, "`{addr}` in `{text}` is not an IP address; expected ")?;
                if addr.contains(':') {
                    write!(f, "IPv6 as in 2001:db8::")
                } else {
                    write!(f, "IPv4 as in 10.0.0.0: four numbers up to 255 without leading zeros")
                }
            }
            Self::Length { text, len, max } => {
                write!(f, "`{len}` in `{text}` is not a prefix length; expected 0 to {max} without leading zeros")
            }
            Self::TooLong { addr, len } => {
                write!(f, "`{addr}/{len}` is too long; the length is 0 to {}", Prefix::host(*addr).len())
            }
            Self::HostBits { addr, prefix } => {
                write!(f, "`{addr}/{}` has host bits set; the prefix is `{prefix}`", prefix.len())
            }
        }
    }
}

impl std::error::Error for PrefixError {}

/// As text: `"10.0.0.0/16"`; reading is strict, as `FromStr`.
#[cfg(feature = "serde")]
impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl serde::de::Visitor<'_> for Text {
            type Value = Prefix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IP prefix as text, as in 10.0.0.0/16")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Prefix, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(feature = "serde")]
impl schemars::JsonSchema for Prefix {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Prefix".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An IPv4 or IPv6 prefix with its host bits zero: address/length.",
            "examples": ["10.0.0.0/16", "2001:db8:1234::/56"],
            "pattern": "^[0-9A-Fa-f:.]+/(0|[1-9][0-9]{0,2})$",
        })
    }
}

fn split(text: &str) -> Result<(IpAddr, u8), PrefixError> {
    let Some((addr, len)) = text.split_once('/') else {
        return Err(PrefixError::NoLength { text: text.into() });
    };
    let Ok(ip) = addr.parse::<IpAddr>() else {
        return Err(PrefixError::Address { text: text.into(), addr: addr.into() });
    };
    let max = Prefix::host(ip).len();
    let digits = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit()) && (len == "0" || !len.starts_with('0'));
    match len.parse::<u8>() {
        Ok(len) if digits && len <= max => Ok((ip, len)),
        Ok(_) | Err(_) => Err(PrefixError::Length { text: text.into(), len: len.into(), max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn text_is_printed_as_it_was_read() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32", "::/0", "2001:db8::/56", "::1/128"] {
            assert_eq!(p(text).to_string(), text);
        }
        assert_eq!(Prefix::DEFAULT_V4, p("0.0.0.0/0"));
        assert_eq!(Prefix::DEFAULT_V6, p("::/0"));
    }

    #[test]
    fn an_error_names_the_value_and_what_would_be_right() {
        let errors = [
            ("10.0.0.1/16", "`10.0.0.1/16` has host bits set; the prefix is `10.0.0.0/16`"),
            ("2001:db8::1/64", "`2001:db8::1/64` has host bits set; the prefix is `2001:db8::/64`"),
            ("10.0.0.0", "`10.0.0.0` has no length; the prefix of this one address is `10.0.0.0/32`"),
            ("ten", "`ten` is not a prefix; expected address/length, as in 10.0.0.0/16 or 2001:db8::/56"),
            ("", "`` is not a prefix; expected address/length, as in 10.0.0.0/16 or 2001:db8::/56"),
            (
                "010.0.0.0/8",
                "`010.0.0.0` in `010.0.0.0/8` is not an IP address; expected IPv4 as in 10.0.0.0: four numbers up to 255 without leading zeros",
            ),
            (
                "2001::db8::/32",
                "`2001::db8::` in `2001::db8::/32` is not an IP address; expected IPv6 as in 2001:db8::",
            ),
            ("10.0.0.0/33", "`33` in `10.0.0.0/33` is not a prefix length; expected 0 to 32 without leading zeros"),
            ("10.0.0.0/08", "`08` in `10.0.0.0/08` is not a prefix length; expected 0 to 32 without leading zeros"),
            ("::/129", "`129` in `::/129` is not a prefix length; expected 0 to 128 without leading zeros"),
        ];
        for (text, message) in errors {
            assert_eq!(text.parse::<Prefix>().unwrap_err().to_string(), message);
        }
        for text in
            ["10.0.0.0/+8", "10.0.0.0/", "10.0.0.0/8/8", " 10.0.0.0/8", "10.0.0.0/8 ", "10.0.0/8", "::/00", "::/256"]
        {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        let error = Prefix::new(ip("10.0.0.0"), 40).unwrap_err();
        assert_eq!(error.to_string(), "`10.0.0.0/40` is too long; the length is 0 to 32");
    }

    #[test]
    fn truncating_clears_host_bits() {
        assert_eq!(Prefix::parse_truncating("100.68.0.18/18"), Ok(p("100.68.0.0/18")));
        assert_eq!(Prefix::parse_truncating("2001:db8::ff/120"), Ok(p("2001:db8::/120")));
        assert!(Prefix::parse_truncating("100.68.0.18/33").is_err());
    }

    #[test]
    fn order_is_family_then_address_then_length() {
        let sorted = [
            "0.0.0.0/0",
            "0.0.0.0/32",
            "10.0.0.0/8",
            "10.0.0.0/16",
            "10.0.1.0/24",
            "11.0.0.0/8",
            "::/0",
            "::/128",
            "1::/16",
        ];
        for pair in sorted.windows(2) {
            assert!(p(pair[0]) < p(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn edges_of_a_prefix() {
        let block = p("10.0.1.0/24");
        assert_eq!((block.first(), block.last(), block.size()), (ip("10.0.1.0"), ip("10.0.1.255"), 256));
        assert_eq!(
            (block.nth(0), block.nth(255), block.nth(256)),
            (Some(ip("10.0.1.0")), Some(ip("10.0.1.255")), None)
        );
        assert_eq!(block.halves(), Some((p("10.0.1.0/25"), p("10.0.1.128/25"))));
        assert_eq!(p("10.0.1.7/32").halves(), None);
        assert_eq!(p("10.0.1.7/32").nth(1), None);
        assert_eq!(Prefix::DEFAULT_V4.nth(u128::from(u32::MAX)), Some(ip("255.255.255.255")));
        assert_eq!(Prefix::DEFAULT_V4.nth(1 << 32), None);
        assert_eq!(Prefix::DEFAULT_V4.size(), 1 << 32);
        assert_eq!(Prefix::DEFAULT_V6.size(), u128::MAX);
        assert_eq!(Prefix::DEFAULT_V6.nth(u128::MAX), Some(Prefix::DEFAULT_V6.last()));
        assert_eq!(Prefix::DEFAULT_V6.halves(), Some((p("::/1"), p("8000::/1"))));
        assert_eq!(Prefix::host(ip("::1")), p("::1/128"));
    }

    #[test]
    fn covering_is_containing_every_address() {
        assert!(p("10.0.0.0/8").covers(p("10.1.0.0/16")));
        assert!(p("10.0.0.0/8").covers(p("10.0.0.0/8")));
        assert!(!p("10.1.0.0/16").covers(p("10.0.0.0/8")));
        assert!(p("10.1.0.0/16").overlaps(p("10.0.0.0/8")));
        assert!(!p("10.1.0.0/16").overlaps(p("10.2.0.0/16")));
        assert!(!Prefix::DEFAULT_V6.covers(Prefix::DEFAULT_V4));
        assert!(!Prefix::DEFAULT_V6.contains(ip("1.2.3.4")));
        assert!(p("10.0.1.0/24").contains(ip("10.0.1.255")) && !p("10.0.1.0/24").contains(ip("10.0.2.0")));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_is_the_text_and_is_strict() {
        let block = p("2001:db8::/56");
        let text = serde_json::to_string(&block).unwrap();
        assert_eq!(text, r#""2001:db8::/56""#);
        assert_eq!(serde_json::from_str::<Prefix>(&text).unwrap(), block);
        let error = serde_json::from_str::<Prefix>(r#""10.0.0.1/16""#).unwrap_err().to_string();
        assert!(error.contains("the prefix is `10.0.0.0/16`"), "{error}");
    }
}
