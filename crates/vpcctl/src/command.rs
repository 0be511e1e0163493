//! One module per command; each returns its exit code.

pub(crate) mod apply;
pub(crate) mod completions;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod lab;
pub(crate) mod show;
pub(crate) mod stages;
pub(crate) mod status;
pub(crate) mod wait;
