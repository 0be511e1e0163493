#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connection;
mod entry;
mod expiry;
mod flows;
mod key;
mod leases;
mod tcp;

pub use connection::{Agreement, Binding, Connection, Counts, MAX_BINDINGS, MAX_TRACKED, Timeouts};
pub use entry::{EndReason, Ended, FlowRef};
pub use flows::{CommitError, Flows, FlowsConfig};
pub use key::{FlowKey, Side};
pub use tcp::TcpState;
