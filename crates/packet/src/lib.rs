#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod buf;
pub mod checksum;
mod emit;
pub mod five_tuple;
pub mod fragment;
pub mod geneve;
pub mod parse;
pub mod pcap;
mod quote;
pub mod reply;
pub mod rewrite;
pub mod segment;
pub mod text;
pub mod tunnel;
pub mod vxlan;

pub use buf::{Gso, GsoKind, Offload, OffloadError, PacketBuf, PartialChecksum};
pub use five_tuple::{FiveTuple, Protocol};
pub use parse::{
    Fragment, L4Checksum, Layer, ParseError, ParseErrorKind, Parsed, PerPacket, TcpFlags, parse, parse_bytes,
};
pub use rewrite::Rewrite;
pub use text::{PacketSpec, TextError};
