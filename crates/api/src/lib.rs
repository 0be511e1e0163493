#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
pub mod wire;

pub use error::ApiError;
