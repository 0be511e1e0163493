//! The crate against AWS's own clients: botocore, boto3, and the CLI with its documented examples.
#![allow(unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so, and one that counts says what")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[cfg(feature = "http")]
mod boto3;
#[cfg(feature = "http")]
mod examples;
mod python;
mod sample;
#[cfg(feature = "http")]
mod server;
mod wire;
