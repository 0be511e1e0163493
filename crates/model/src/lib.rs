#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod control;
pub mod desired;
pub mod explain;
mod id;
pub mod lab;
pub mod resource;
mod stage;
mod time;

pub use desired::{Change, Desired, Record, Resource, ResourceRef, Violation};
pub use id::{Id, IdError, Kind, LinkId};
pub use stage::{DropReason, StageId};
pub use time::Time;
