#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connection;
mod expiry;
mod flows;
mod key;
mod leases;
mod tcp;

pub use connection::{Agreement, Binding, Connection, Counts, MAX_BINDINGS, MAX_TRACKED, Timeouts};
pub use flows::{CommitError, EndReason, Ended, FlowRef, Flows, FlowsConfig};
pub use key::{FlowKey, Side};
pub use tcp::TcpState;
