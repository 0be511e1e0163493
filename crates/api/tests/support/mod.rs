//! What several tests need.
#![allow(
    unreachable_pub,
    reason = "shared by test binaries, each of which is a crate of its own"
)]

pub mod python;
pub mod sample;
