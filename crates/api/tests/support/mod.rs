//! What several tests need.
#![allow(unreachable_pub, reason = "shared by test binaries, each of which is a crate of its own")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

pub mod python;
pub mod sample;
#[cfg(feature = "http")]
pub mod server;
