//! What endpoints lead to.

use std::net::IpAddr;

use serde::Serialize;

use super::{Name, PrefixList, Region};
use crate::Id;

/// A service that endpoints connect to.
///
/// Source: R3.1, R3.5, R4.15, R5.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it in a lab.
    pub name: Option<Name>,
    /// What consumers call it: `com.amazonaws.us-east-1.s3`.
    pub service_name: String,
    /// Where it is.
    pub region: Region,
    /// Its public ranges, as gateway endpoints route them.
    pub prefix_list: Option<Id<PrefixList>>,
    /// Who answers.
    pub provider: Provider,
}

/// Who answers for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// A namespace that stands for a service of AWS's own.
    Host {
        /// The namespace, as `ip netns` knows it.
        namespace: String,
        /// Its addresses. The first of a family is where interface endpoints of that family lead.
        addresses: Vec<IpAddr>,
    },
}
