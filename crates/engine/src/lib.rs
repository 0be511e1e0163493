#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod counters;
mod engine;
mod fragments;
mod path;
mod snapshot;
mod stage;
mod trace;
mod walk;

pub use counters::Counters;
pub use engine::{Action, Engine, EngineConfig, Transmit};
pub use snapshot::Snapshot;
