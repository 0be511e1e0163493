//! One edit of what was asked for.

use super::{Noun, Record, Resource, ResourceRef};
use crate::Id;

/// One edit. Several are applied together, so that an order among them does not matter to what is valid.
#[derive(Clone, Debug)]
pub enum Change {
    /// The resource shall not exist; nothing may need it any more (`DependencyViolation`).
    Delete(ResourceRef),
    /// The resource shall exist and be like this.
    Put(Resource),
    /// This, and nothing else, shall be said about the resource or part of a resource with this id.
    Record {
        /// The id.
        id: String,
        /// What is said; an empty record removes it.
        record: Record,
    },
}

impl Change {
    /// The resource shall exist and be like this.
    pub fn put(resource: impl Into<Resource>) -> Self {
        Self::Put(resource.into())
    }

    /// The resource that it makes or deletes.
    #[must_use]
    pub fn id(&self) -> Option<ResourceRef> {
        match self {
            Self::Delete(id) => Some(*id),
            Self::Put(resource) => Some(resource.id()),
            Self::Record { .. } => None,
        }
    }

    /// The resource shall not exist.
    #[must_use]
    pub fn delete<K: Noun>(id: Id<K>) -> Self {
        Self::Delete(K::to_ref(id))
    }
}
