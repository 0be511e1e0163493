//! Positions inside one snapshot.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Index;

/// Position of a resource in one snapshot; in no type that outlives a generation.
pub(crate) struct Idx<K>(u32, PhantomData<fn() -> K>);

impl<K> Clone for Idx<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Idx<K> {}
impl<K> PartialEq for Idx<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Idx<K> {}
impl<K> fmt::Debug for Idx<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Values that only an `Idx<K>` of the same snapshot can reach, so that no look-up can miss.
#[derive(Debug)]
pub(crate) struct IdxVec<K, T> {
    values: Vec<T>,
    kind: PhantomData<fn() -> K>,
}

impl<K, T> Default for IdxVec<K, T> {
    fn default() -> Self {
        Self { values: Vec::new(), kind: PhantomData }
    }
}

impl<K, T> FromIterator<T> for IdxVec<K, T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self { values: values.into_iter().collect(), kind: PhantomData }
    }
}

impl<K, T> Index<Idx<K>> for IdxVec<K, T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, idx: Idx<K>) -> &T {
        &self.values[idx.0 as usize]
    }
}

/// Positions by rank, for the compiler, which hands them out in the order of the ids.
impl<K> Idx<K> {
    pub(super) const fn at(rank: usize) -> Self {
        Self(rank as u32, PhantomData)
    }
}

/// A table entry that knows its id; entries stand in the order of their ids.
pub(crate) trait Identified<K> {
    fn id(&self) -> vpc_model::Id<K>;
}

impl<K, T: Identified<K>> IdxVec<K, T> {
    /// Where a resource stands, if it is in this snapshot.
    pub(crate) fn position(&self, id: vpc_model::Id<K>) -> Option<Idx<K>> {
        self.values.binary_search_by(|entry| entry.id().cmp(&id)).ok().map(Idx::at)
    }
}
