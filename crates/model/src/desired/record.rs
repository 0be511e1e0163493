//! What the API shows of a resource and no packet notices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resource::{AccountId, Region};

/// Whose a resource is, its tags, and what else people said about it.
///
/// Shape: kept under the id of a resource or of a part of one (a security group rule), and gone with the resource.
/// No stage reads it. A resource without one belongs to its VPC's account and Region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// Whose it is, where the resource does not say.
    pub account: Option<AccountId>,
    /// Where it is, where the resource does not say.
    pub region: Option<Region>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// Descriptions and attributes, by the API's name for them.
    pub facts: BTreeMap<String, String>,
}

impl Record {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// An attribute.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Address;
    use crate::{Change, Desired, Id};

    #[test]
    fn a_record_lives_as_long_as_its_resource_and_an_empty_one_not_at_all() {
        let address = Address {
            id: Id::new(1),
            name: None,
            account: AccountId::DEFAULT,
            region: Region::default(),
            public: [192, 0, 2, 1].into(),
        };
        let id = address.id.to_string();
        let mut record = Record::default();
        record.tags.insert("team".to_owned(), "red".to_owned());
        let with = Desired::new()
            .apply([Change::put(address.clone()), Change::Record { id: id.clone(), record: record.clone() }])
            .unwrap();
        assert_eq!(with.record(&id), Some(&record));
        let record = Record::default();
        let without = with.apply([Change::Record { id: id.clone(), record }]).unwrap();
        assert!(without.record(&id).is_none() && without != with);
        assert!(with.apply([Change::delete(address.id)]).unwrap().records().next().is_none());
        let twin = Address { id: Id::new(2), ..address };
        assert_eq!(with.apply([Change::put(twin)]).unwrap_err()[0].problem.aws_code(), "InvalidIPAddress.InUse");
    }
}
