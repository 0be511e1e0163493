//! What the benchmarks share: generated networks, ready engines, statistics. See README.md.
#![forbid(unsafe_code)]

pub mod network;
pub mod scenario;
pub mod statistics;
