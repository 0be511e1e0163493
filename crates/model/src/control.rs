//! What `vpcctl` and `vpcd` say to each other.
//!
//! One JSON object per line, over a Unix stream socket ([`DEFAULT_SOCKET`]). The client sends a request, the daemon
//! answers with one reply; then the next request may follow. Every object has a field `version` ([`VERSION`]);
//! requests are told apart by `request`, replies by `reply`.
//!
//! ```text
//! > {"version":1,"request":"wait"}
//! < {"version":1,"reply":"ready","generation":3}
//! > {"version":1,"request":"explain","sender":"h1","packet":"tcp 10.0.1.10:40000 > 10.0.2.10:80"}
//! < {"version":1,"reply":"explained","question":"h1 > tcp …","steps":[…],"verdict":{…},"generation":3}
//! > {"version":1,"request":"dance"}
//! < {"version":1,"reply":"error","kind":"bad-request","message":"unknown variant `dance`, expected one of …"}
//! ```
//!
//! A field that a message does not have is an error, so that a misspelt option is not taken for its absence. A
//! client that finds another version than its own says so and gives up; there is no negotiation.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::LinkId;
use crate::explain::Explanation;

/// The number of this form of the protocol.
pub const VERSION: u64 = 1;

/// Where the daemon listens if nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/vpcd.sock";

/// The longest line either side accepts.
///
/// Units: bytes. A lab file of a thousand subnets is well under one MiB.
pub const MAX_LINE: u64 = 16 << 20;

/// What is asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Make the network what a lab file says. Answered, once it is in force, by [`Reply::Applied`].
    Apply {
        /// What to call the file in errors.
        file: String,
        /// The file.
        text: String,
    },
    /// What would happen to a packet. Answered by [`Reply::Explained`].
    Explain {
        /// Who sends it: the name or id of an instance, interface, service or internet host.
        sender: String,
        /// The packet, in the text notation.
        packet: String,
    },
    /// The running network as a lab file. Answered by [`Reply::Lab`].
    Lab {},
    /// The namespace that stands for something. Answered by [`Reply::Namespace`].
    Namespace {
        /// The name or id of an instance, interface, service or internet host.
        of: String,
    },
    /// All that is known about resources, for programs. Answered by [`Reply::Resources`].
    Resources {
        /// Of this kind; of every kind if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<ResourceKind>,
    },
    /// How the daemon is. Answered by [`Reply::Status`].
    Status {},
    /// What people want to know about resources. Answered by [`Reply::Table`].
    Table {
        /// Of this kind; how many there are of each if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<ResourceKind>,
    },
    /// Answered by [`Reply::Ready`] when tables of this number or a later one are in force.
    Wait {
        /// The number; any if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
    },
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// The network is in force.
    Applied(Applied),
    /// The request was not carried out, and nothing changed.
    Error(Failure),
    /// What would happen.
    Explained(Explanation),
    /// A lab file.
    Lab {
        /// The file.
        text: String,
    },
    /// A namespace.
    Namespace {
        /// Its name, as `ip netns` knows it.
        namespace: String,
    },
    /// Tables are in force.
    Ready {
        /// Their number.
        generation: u64,
    },
    /// Resources with all their fields: a list, or for every kind a map of lists.
    Resources {
        /// The list or map.
        resources: Value,
    },
    /// How the daemon is.
    Status(Status),
    /// Rows of text.
    Table(Table),
}

/// What applying a lab file amounted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Number of the tables in force.
    pub generation: u64,
    /// Whether there was anything to do.
    pub changed: bool,
    /// Namespaces that were made.
    pub namespaces_made: usize,
    /// Namespaces that were deleted.
    pub namespaces_deleted: usize,
    /// Interfaces that were made.
    pub interfaces_made: usize,
    /// Interfaces that were removed.
    pub interfaces_removed: usize,
    /// Interfaces that stayed and got other addresses or routes.
    pub interfaces_changed: usize,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which kind of failure, for programs.
    pub kind: FailureKind,
    /// What went wrong and what would help, for people; may have several lines.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Which kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The request could not be understood.
    BadRequest,
    /// The machine refused: a namespace is taken, privileges are missing.
    Failed,
    /// The lab file is wrong; the message has every error with its place.
    InvalidLab,
    /// Nothing has that name or id.
    NotFound,
}

/// How the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The release of the daemon.
    pub release: String,
    /// Its process id.
    pub pid: u32,
    /// Number of the tables in force.
    pub generation: u64,
    /// Flows remembered.
    pub flows: usize,
    /// How packets cross its TUN devices: `vnet` or `plain`.
    pub tun: String,
    /// What the pipeline has counted.
    pub packets: Packets,
    /// Packets dropped by the pipeline, by reason code; reasons that never occurred are left out.
    pub drops: BTreeMap<String, u64>,
    /// Where packets enter and leave.
    pub links: Vec<LinkStatus>,
}

/// Totals of the pipeline since it started; a super-packet counts as its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Packets that came in.
    pub received: u64,
    /// Packets that were sent on.
    pub forwarded: u64,
    /// Bytes of IP that were sent on.
    pub forwarded_bytes: u64,
    /// Packets the pipeline made itself: fragments' ICMP errors and resets.
    pub originated: u64,
    /// Packets for which no path was remembered.
    pub walks: u64,
}

/// One link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Its number.
    pub link: LinkId,
    /// The name of the interface, service or internet host it belongs to.
    pub owner: String,
    /// The namespace it leads to.
    pub namespace: String,
    /// The device inside that namespace.
    pub interface: String,
    /// Why it carries nothing, if so; applying the lab file again makes it anew.
    pub lost: Option<String>,
    /// What crosses it unfinished: `checksum+tcp+udp`, or `none`.
    pub offloads: String,
    /// Packets from the namespace.
    pub rx: LinkTraffic,
    /// Packets to the namespace.
    pub tx: LinkTraffic,
    /// Datagrams to the namespace that were written as part of a larger one.
    pub coalesced: u64,
    /// Packets lost at the link, by reason; reasons that never occurred are left out.
    pub drops: BTreeMap<String, u64>,
}

/// Traffic of a link in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTraffic {
    /// Packets as read or written; a super-packet is one.
    pub packets: u64,
    /// Packets as on a wire; a super-packet is as many as it has segments.
    pub segments: u64,
    /// Bytes of IP.
    pub bytes: u64,
}

/// Rows of text under headings; every row has as many cells as there are columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The headings.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $Kind:ident = $name:literal $(| $alias:literal)*; )*) => {
        /// A kind of resource, as it is asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum ResourceKind {
            $( $(#[$doc])* $Kind, )*
        }

        impl ResourceKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[ $( Self::$Kind, )* ];

            /// What the kind is called.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Kind => $name, )* }
            }

            /// What else it may be called, in short.
            #[must_use]
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $( Self::$Kind => &[ $( $alias, )* ], )* }
            }
        }
    };
}

kinds! {
    /// Egress-only internet gateways.
    EgressOnlyGateways = "egress-only-gateways" | "egress-only-gateway" | "eigw";
    /// Gateway and interface endpoints.
    Endpoints = "endpoints" | "endpoint" | "vpce";
    /// Network interfaces.
    Enis = "enis" | "eni" | "network-interfaces" | "network-interface";
    /// Instances.
    Instances = "instances" | "instance" | "i";
    /// Internet gateways.
    InternetGateways = "internet-gateways" | "internet-gateway" | "igw";
    /// Hosts outside every VPC.
    InternetHosts = "internet-hosts" | "internet-host" | "internet" | "host";
    /// NAT gateways.
    NatGateways = "nat-gateways" | "nat-gateway" | "nat";
    /// Network ACLs, a row per entry.
    NetworkAcls = "network-acls" | "network-acl" | "acl" | "nacl";
    /// Peering connections.
    Peerings = "peerings" | "peering" | "pcx";
    /// Prefix lists.
    PrefixLists = "prefix-lists" | "prefix-list" | "pl";
    /// Route tables, a row per route in force.
    RouteTables = "route-tables" | "route-table" | "rtb" | "routes";
    /// Security groups, a row per rule.
    SecurityGroups = "security-groups" | "security-group" | "sg";
    /// Services that endpoints lead to.
    Services = "services" | "service" | "vpce-svc";
    /// Subnets.
    Subnets = "subnets" | "subnet";
    /// Attachments of transit gateways.
    TransitAttachments = "transit-attachments" | "transit-attachment" | "tgw-attach";
    /// Transit gateways.
    TransitGateways = "transit-gateways" | "transit-gateway" | "tgw";
    /// Route tables of transit gateways, a row per route in force.
    TransitRouteTables = "transit-route-tables" | "transit-route-table" | "tgw-rtb";
    /// Virtual private gateways.
    VirtualGateways = "virtual-gateways" | "virtual-gateway" | "vgw";
    /// VPCs.
    Vpcs = "vpcs" | "vpc";
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no kind of resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a kind of resource; there is {}", ResourceKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownKind {
    /// What was given.
    pub text: String,
}

impl FromStr for ResourceKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let wanted = text.to_ascii_lowercase().replace('_', "-");
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == wanted || kind.aliases().contains(&wanted.as_str()))
            .ok_or_else(|| UnknownKind { text: text.to_owned() })
    }
}

impl TryFrom<String> for ResourceKind {
    type Error = UnknownKind;

    fn try_from(text: String) -> Result<Self, UnknownKind> {
        text.parse()
    }
}

impl From<ResourceKind> for &'static str {
    fn from(kind: ResourceKind) -> Self {
        kind.name()
    }
}

/// Why a line is not a message.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is not a message of this version; serde's words, which name the field or the choices.
    #[error("{0}")]
    Message(serde_json::Error),
    /// It has no `version`, or one that is no number.
    #[error("the message has no field \"version\"; this is version {VERSION} of the protocol")]
    NoVersion,
    /// It is not an object.
    #[error("not a JSON object: {found}")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is of another version.
    #[error(
        "the message is of version {found} of the protocol and this is version {VERSION}; use vpcctl and vpcd of one release"
    )]
    Version {
        /// The version it is of.
        found: u64,
    },
}

/// A message as its line, the line's end left out.
///
/// Errors: none for the messages of this module.
pub fn encode<T: Serialize>(message: &T) -> Result<String, ControlError> {
    let mut object = Map::from_iter([("version".to_owned(), VERSION.into())]);
    object.extend(fields(serde_json::to_value(message).map_err(ControlError::Message)?)?);
    Ok(Value::Object(object).to_string())
}

/// The message of a line.
///
/// Errors: [`ControlError`]; nothing in a line makes this panic.
pub fn decode<T: DeserializeOwned>(line: &str) -> Result<T, ControlError> {
    let mut object = fields(serde_json::from_str(line).map_err(ControlError::Syntax)?)?;
    let version = object.remove("version").as_ref().and_then(Value::as_u64);
    match version {
        Some(VERSION) => {}
        Some(found) => return Err(ControlError::Version { found }),
        None => return Err(ControlError::NoVersion),
    }
    T::deserialize(Value::Object(object)).map_err(ControlError::Message)
}

fn fields(value: Value) -> Result<Map<String, Value>, ControlError> {
    if let Value::Object(fields) = value {
        return Ok(fields);
    }
    let found = kind_of(&value);
    Err(ControlError::NotAnObject { found })
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
