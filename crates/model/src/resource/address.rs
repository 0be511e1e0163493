//! Elastic IP addresses.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{AccountId, Name, Region};
use crate::Id;

/// A public IPv4 address that an account keeps, whether or not something uses it.
///
/// Shape: what uses it says so itself: an interface's [`super::EniAddress::public`] or a NAT gateway.
/// Source: R10.13.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Its allocation id.
    pub id: Id<Self>,
    /// What people call it.
    pub name: Option<Name>,
    /// Whose it is.
    pub account: AccountId,
    /// Where it can be used.
    pub region: Region,
    /// The address.
    pub public: Ipv4Addr,
}
