//! Connections: who is talking, what was translated, and when it is over.
#![forbid(unsafe_code)]
