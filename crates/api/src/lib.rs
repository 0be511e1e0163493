#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod call;
mod describe;
mod dispatch;
mod ec2;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod noun;
pub mod sts;
mod tags;
pub mod wire;

pub use call::{Caller, Reply, Request, Surroundings};
pub use dispatch::{handle, is_supported};
pub use error::ApiError;
