#![doc = include_str!("../README.md")]

pub mod coalesce;
pub mod counters;
pub mod link;
pub mod memory;
pub mod middleware;
pub mod netns;
pub mod packet_socket;
pub mod poll;
pub mod selftest;
mod software;
mod sys;
pub mod tun;

pub use coalesce::{TrainPool, Writer};
pub use counters::{Counters, LinkDrop, Traffic};
pub use link::{Link, LinkError, Received, Sent};
pub use memory::Memory;
pub use netns::{NetNs, NetNsError, NetNsName};
pub use packet_socket::PacketSocket;
pub use poll::{Budget, Event, Poller, Waker};
pub use tun::{Backend, InterfaceName, Offloads, Tun, TunConfig, TunError};
