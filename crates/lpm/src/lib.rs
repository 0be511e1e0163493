#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod builder;
mod index;
mod prefix;
mod runs;
mod table;

pub use builder::Builder;
pub use index::{Index4, Index6};
pub use prefix::{Prefix, PrefixError};
pub use table::{Table, TableIter};
