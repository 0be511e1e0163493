//! `Table`: the frozen routes, looked up by address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Index4, Index6, Prefix};

/// How many addresses of mixed families are sorted out at a time.
const GROUP: usize = 64;

/// Frozen routes: the longest prefix that contains an address, with its value.
///
/// Immutable; an update is a new table from the same [`Builder`](crate::Builder), swapped in for this one.
pub struct Table<V> {
    /// Sorted by prefix.
    entries: Box<[(Prefix, V)]>,
    /// To one more than the position in `entries`; 0 is no route.
    index4: Index4,
    index6: Index6,
}

impl<V> Table<V> {
    /// The longest prefix that contains `addr`, and its value.
    #[inline]
    pub fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &V)> {
        match addr {
            IpAddr::V4(addr) => self.longest_match_v4(addr),
            IpAddr::V6(addr) => self.longest_match_v6(addr),
        }
    }

    /// [`longest_match`](Self::longest_match) where the family is known.
    #[inline]
    pub fn longest_match_v4(&self, addr: Ipv4Addr) -> Option<(Prefix, &V)> {
        self.entry(self.index4.lookup(addr.to_bits()))
    }

    /// [`longest_match`](Self::longest_match) where the family is known.
    #[inline]
    pub fn longest_match_v6(&self, addr: Ipv6Addr) -> Option<(Prefix, &V)> {
        self.entry(self.index6.lookup(addr.to_bits()))
    }

    /// [`longest_match`](Self::longest_match) of each address, in order, replacing what `found` held.
    pub fn longest_match_batch<'t>(&'t self, addrs: &[IpAddr], found: &mut Vec<Option<(Prefix, &'t V)>>) {
        found.clear();
        found.reserve(addrs.len());
        for group in addrs.chunks(GROUP) {
            let mut indexes = [0; GROUP];
            self.group(group, &mut indexes);
            found.extend(indexes.iter().take(group.len()).map(|&index| self.entry(index)));
        }
    }

    /// [`longest_match_batch`](Self::longest_match_batch) where the family is known.
    pub fn longest_match_batch_v4<'t>(&'t self, addrs: &[Ipv4Addr], found: &mut Vec<Option<(Prefix, &'t V)>>) {
        found.clear();
        found.reserve(addrs.len());
        for group in addrs.chunks(GROUP) {
            let (mut keys, mut indexes) = ([0; GROUP], [0; GROUP]);
            for (key, addr) in keys.iter_mut().zip(group) {
                *key = addr.to_bits();
            }
            self.index4.lookup_batch(keys.get(..group.len()).unwrap_or_default(), &mut indexes);
            found.extend(indexes.iter().take(group.len()).map(|&index| self.entry(index)));
        }
    }

    /// [`longest_match_batch`](Self::longest_match_batch) where the family is known.
    pub fn longest_match_batch_v6<'t>(&'t self, addrs: &[Ipv6Addr], found: &mut Vec<Option<(Prefix, &'t V)>>) {
        found.clear();
        found.reserve(addrs.len());
        for group in addrs.chunks(GROUP) {
            let (mut keys, mut indexes) = ([0; GROUP], [0; GROUP]);
            for (key, addr) in keys.iter_mut().zip(group) {
                *key = addr.to_bits();
            }
            self.index6.lookup_batch(keys.get(..group.len()).unwrap_or_default(), &mut indexes);
            found.extend(indexes.iter().take(group.len()).map(|&index| self.entry(index)));
        }
    }

    /// The index behind the IPv4 look-ups; its values are for [`entry`](Self::entry).
    pub fn index4(&self) -> &Index4 {
        &self.index4
    }

    /// The index behind the IPv6 look-ups; its values are for [`entry`](Self::entry).
    pub fn index6(&self) -> &Index6 {
        &self.index6
    }

    /// The route an index value stands for; `None` for 0.
    #[inline]
    pub fn entry(&self, index: u32) -> Option<(Prefix, &V)> {
        let at = usize::try_from(index).ok()?.checked_sub(1)?;
        self.entries.get(at).map(|(prefix, value)| (*prefix, value))
    }

    /// The value of exactly this prefix.
    pub fn get(&self, prefix: Prefix) -> Option<&V> {
        let at = self.entries.binary_search_by_key(&prefix, |&(prefix, _)| prefix).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }

    /// Every route, sorted by prefix.
    pub fn iter(&self) -> TableIter<'_, V> {
        TableIter(self.entries.iter())
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the table occupies, without what the values themselves own elsewhere. Units: bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.entries) + self.index4.memory() + self.index6.memory()
    }

    /// Shape: sorted by prefix, without duplicates.
    pub(crate) fn from_sorted(entries: Box<[(Prefix, V)]>) -> Self {
        let numbered = || entries.iter().map(|&(prefix, _)| prefix).zip(1..);
        Self { index4: Index4::build(numbered()), index6: Index6::build(numbered()), entries }
    }

    /// Looks up one group of mixed families, each family as a batch.
    fn group(&self, addrs: &[IpAddr], found: &mut [u32; GROUP]) {
        let (mut keys4, mut places4, mut found4, mut n4) = ([0; GROUP], [0; GROUP], [0; GROUP], 0);
        let (mut keys6, mut places6, mut found6, mut n6) = ([0; GROUP], [0; GROUP], [0; GROUP], 0);
        for (place, addr) in addrs.iter().enumerate() {
            match addr {
                IpAddr::V4(addr) => {
                    (keys4[n4], places4[n4]) = (addr.to_bits(), place);
                    n4 += 1;
                }
                IpAddr::V6(addr) => {
                    (keys6[n6], places6[n6]) = (addr.to_bits(), place);
                    n6 += 1;
                }
            }
        }
        self.index4.lookup_batch(&keys4[..n4], &mut found4);
        self.index6.lookup_batch(&keys6[..n6], &mut found6);
        let of4 = places4.iter().zip(found4).take(n4);
        let of6 = places6.iter().zip(found6).take(n6);
        for (&place, index) in of4.chain(of6) {
            found[place] = index;
        }
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self::from_sorted(Box::default())
    }
}

impl<V: Clone> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), index4: self.index4.clone(), index6: self.index6.clone() }
    }
}

impl<V: PartialEq> PartialEq for Table<V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<V: Eq> Eq for Table<V> {}

impl<V: fmt::Debug> fmt::Debug for Table<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Later values of a prefix win.
impl<V> FromIterator<(Prefix, V)> for Table<V> {
    fn from_iter<I: IntoIterator<Item = (Prefix, V)>>(routes: I) -> Self {
        routes.into_iter().collect::<crate::Builder<V>>().freeze()
    }
}

impl<'t, V> IntoIterator for &'t Table<V> {
    type Item = (Prefix, &'t V);
    type IntoIter = TableIter<'t, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The routes of a [`Table`], sorted by prefix.
#[derive(Clone, Debug)]
pub struct TableIter<'t, V>(std::slice::Iter<'t, (Prefix, V)>);

impl<'t, V> Iterator for TableIter<'t, V> {
    type Item = (Prefix, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(prefix, value)| (*prefix, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<V> ExactSizeIterator for TableIter<'_, V> {}
