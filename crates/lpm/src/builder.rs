//! `Builder`: the routes before they are frozen.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use crate::{Prefix, Table};

/// Routes being collected: a map from prefix to value, in prefix order.
///
/// It is the truth a [`Table`] is derived from, and is never looked up in by address.
#[derive(Clone, PartialEq, Eq)]
pub struct Builder<V> {
    routes: BTreeMap<Prefix, V>,
}

impl<V> Builder<V> {
    /// No routes.
    pub fn new() -> Self {
        Self { routes: BTreeMap::new() }
    }

    /// Sets the value of `prefix` and hands back the one it had.
    pub fn insert(&mut self, prefix: Prefix, value: V) -> Option<V> {
        self.routes.insert(prefix, value)
    }

    /// Takes `prefix` out and hands back its value; a prefix not present is no error.
    pub fn remove(&mut self, prefix: Prefix) -> Option<V> {
        self.routes.remove(&prefix)
    }

    /// The value of exactly this prefix.
    pub fn get(&self, prefix: Prefix) -> Option<&V> {
        self.routes.get(&prefix)
    }

    /// The value of exactly this prefix, to change in place.
    pub fn get_mut(&mut self, prefix: Prefix) -> Option<&mut V> {
        self.routes.get_mut(&prefix)
    }

    /// Every route, sorted by prefix.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &V)> {
        self.routes.iter().map(|(prefix, value)| (*prefix, value))
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The table of these routes, which stay here for the next one.
    pub fn build(&self) -> Table<V>
    where
        V: Clone,
    {
        Table::from_sorted(self.routes.iter().map(|(prefix, value)| (*prefix, value.clone())).collect())
    }

    /// The table of these routes.
    pub fn freeze(self) -> Table<V> {
        Table::from_sorted(self.routes.into_iter().collect())
    }
}

impl<V> Default for Builder<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for Builder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Later values of a prefix win.
impl<V> FromIterator<(Prefix, V)> for Builder<V> {
    fn from_iter<I: IntoIterator<Item = (Prefix, V)>>(routes: I) -> Self {
        Self { routes: routes.into_iter().collect() }
    }
}

/// Later values of a prefix win.
impl<V> Extend<(Prefix, V)> for Builder<V> {
    fn extend<I: IntoIterator<Item = (Prefix, V)>>(&mut self, routes: I) {
        self.routes.extend(routes);
    }
}

impl<V> IntoIterator for Builder<V> {
    type Item = (Prefix, V);
    type IntoIter = btree_map::IntoIter<Prefix, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.routes.into_iter()
    }
}
