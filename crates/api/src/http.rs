//! The server: one port for every service.
//!
//! ```text
//!  POST /  ──▶ whose key, which service ──▶ signature ──▶ pairs ──▶ [`crate::handle`] ──▶ reply, encoded
//!                                                                        │ changes
//!                                                                        ▼
//!                                                          [`Control::apply`], then the reply is sent
//! ```
//!
//! Calls that change something run one after the other, each on what the one before left. Reads wait for nobody.

mod accounts;
mod replay;
mod server;
mod sigv4;

pub use accounts::{Config, Key, Signatures};
pub use server::{ApplyError, BindError, Control, Front, listen, serve};
