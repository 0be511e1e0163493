//! What exists: ids, resources, the stage table, explanations, and the lab file.
#![forbid(unsafe_code)]

pub mod desired;
pub mod explain;
mod id;
pub mod resource;
mod stage;
mod time;

pub use desired::{Change, Desired, Record, Resource, ResourceRef, Violation};
pub use id::{Id, IdError, Kind, LinkId};
pub use stage::{DropReason, StageId};
pub use time::Time;
