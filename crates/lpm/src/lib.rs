#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod builder;
mod dir24;
mod fib;
mod index4;
mod index6;
mod kernel;
mod prefix;
mod runs;
mod table;
mod tree;
mod trie;
mod values;

pub use builder::Builder;
pub use fib::{Fib, FibReader};
pub use index4::{Index4, Layout4};
pub use index6::Index6;
pub use prefix::{Prefix, PrefixError};
pub use table::{Table, TableIter};
