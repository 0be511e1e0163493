//! Packets as bytes and as values.
#![forbid(unsafe_code)]

pub mod buf;
pub mod five_tuple;
pub mod parse;
pub mod rewrite;

pub use buf::{Gso, GsoKind, Offload, PacketBuf, PartialChecksum};
pub use five_tuple::{FiveTuple, Protocol};
pub use parse::{Fragment, ParseError, Parsed, PerPacket, TcpFlags, parse};
pub use rewrite::Rewrite;
