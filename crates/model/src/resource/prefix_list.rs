//! Named sets of prefixes.

use serde::Serialize;
use vpc_lpm::Prefix;

use super::Name;
use crate::Id;

/// IP version of everything in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

impl Family {
    /// The family of a prefix.
    #[must_use]
    pub fn of(prefix: Prefix) -> Self {
        if prefix.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// A set of prefixes that route tables and security groups refer to by one id.
///
/// Source: R2.30–R2.37.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrefixList {
    /// Its id.
    pub id: Id<Self>,
    /// What people call it; a list of AWS's own is called `com.amazonaws.<region>.<service>`.
    pub name: Option<Name>,
    /// The family of all entries.
    pub family: Family,
    /// The newest version's entries, sorted, each once.
    pub entries: Vec<Prefix>,
    /// How many entries it may grow to.
    pub max_entries: u16,
    /// Whether AWS keeps it (then people cannot change it, R2.34).
    pub aws_managed: bool,
}

impl PrefixList {
    /// What a reference to it costs against the quotas of route tables and security groups.
    ///
    /// Source: R2.32, R2.33 (S3 and DynamoDB weigh 1; lists that weigh more are told by their names).
    #[must_use]
    pub fn weight(&self) -> usize {
        if !self.aws_managed {
            return usize::from(self.max_entries);
        }
        let name = self.name.as_ref().map_or("", Name::as_str);
        match name.rsplit('.').next() {
            Some("origin-facing") => 55,
            Some("vpc-lattice") => 10,
            Some("groundstation") => 5,
            Some(_) | None => 1,
        }
    }
}
