//! Texts of a lab file that have a form of their own.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use vpc_lpm::{Prefix, PrefixError};

use crate::resource::{Family, PortRange};

/// A prefix whose host bits are cleared, as EC2 does for blocks of VPCs, subnets, routes and ACL rules.
///
/// Source: R1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block(pub(super) Prefix);

/// An address of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ip(pub(super) IpAddr);

/// An IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ipv4(pub(super) Ipv4Addr);

/// What names another thing: a name, an id, or where it fits a prefix or `local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference(pub(super) String);

/// `443`, `1000-2000` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports(pub(super) PortRange);

/// The protocols a rule can be about, before its ports or types are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    All,
    Icmp,
    Icmpv6,
    Other(u8),
    Tcp,
    Udp,
}

/// `IPv4` or `IPv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpFamily(pub(super) Family);

/// Why a text is none of these.
#[derive(Debug)]
pub(super) struct Unread(String);

impl Unread {
    fn new(text: &str, expected: &str) -> Self {
        Self(format!("'{text}' is not right here; expected {expected}"))
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Block {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        Prefix::parse_truncating(text).map(Self)
    }
}

impl FromStr for Ip {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        let error = |_| Unread::new(text, "an address such as 10.0.1.10 or 2001:db8::10");
        text.parse().map(Self).map_err(error)
    }
}

impl FromStr for Ipv4 {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        text.parse().map(Self).map_err(|_| Unread::new(text, "an IPv4 address such as 10.0.1.10"))
    }
}

impl FromStr for Reference {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Ports {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        if text == "all" {
            return Ok(Self(PortRange::ALL));
        }
        let error = || Unread::new(text, "a port such as 443, a range such as 1000-2000, or all");
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| error());
        match text.split_once('-') {
            None => Ok(Self(PortRange::one(port(text)?))),
            Some((first, last)) => {
                PortRange::new(port(first)?, port(last)?).map(Self).map_err(|error| Unread(error.to_string()))
            }
        }
    }
}

impl FromStr for Protocol {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        Ok(match text {
            "all" | "-1" => Self::All,
            "icmp" | "1" => Self::Icmp,
            "icmpv6" | "58" => Self::Icmpv6,
            "tcp" | "6" => Self::Tcp,
            "udp" | "17" => Self::Udp,
            _ => Self::Other(
                text.parse().map_err(|_| Unread::new(text, "all, tcp, udp, icmp, icmpv6 or a number from 0 to 255"))?,
            ),
        })
    }
}

impl FromStr for IpFamily {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Unread> {
        match text {
            "IPv4" => Ok(Self(Family::V4)),
            "IPv6" => Ok(Self(Family::V6)),
            _ => Err(Unread::new(text, "IPv4 or IPv6")),
        }
    }
}

/// Reads a type from its text, and tells the schema what the text looks like.
macro_rules! texts {
    ($($type:ident $schema:tt)*) => { $(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )* };
}

texts! {
    Block { "type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]{1,3}$", "examples": ["10.0.0.0/16"] }
    Ip { "type": "string", "pattern": "^[0-9A-Fa-f:.]+$", "examples": ["10.0.1.10", "2001:db8::10"] }
    Ipv4 { "type": "string", "format": "ipv4", "examples": ["10.0.1.10"] }
    IpFamily { "enum": ["IPv4", "IPv6"] }
    Ports {
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 65535 },
            { "type": "string", "pattern": "^([0-9]{1,5}(-[0-9]{1,5})?|all)$" },
        ],
        "examples": [443, "1000-2000"],
    }
    Protocol {
        "anyOf": [
            { "enum": ["all", "tcp", "udp", "icmp", "icmpv6"] },
            { "type": "integer", "minimum": -1, "maximum": 255 },
        ],
    }
    Reference { "type": "string", "minLength": 1 }
}
