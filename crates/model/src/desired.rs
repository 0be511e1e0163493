//! The network somebody asked for: valid by construction.
//!
//! A [`Desired`] is a value. Applying changes gives a new one or says everything that is wrong with them; the old
//! value stays what it was. Cloning is cheap, since tables share their structure.

mod change;
mod check;
mod noun;
mod record;
mod routes;
mod violation;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

pub use change::Change;
pub use noun::{Noun, Resource, ResourceRef, Table};
pub use record::Record;
pub use violation::{Problem, Violation};

use crate::resource::{Eni, Name, RouteTable, Subnet, Vpc};
use crate::{Id, LinkId};
use noun::Tables;

/// Everything that was asked for, and what it implies for the process: which links exist.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    tables: Tables,
    records: RedBlackTreeMapSync<String, Arc<Record>>,
    names: RedBlackTreeMapSync<(&'static str, Name), ResourceRef>,
    dependents: RedBlackTreeMapSync<ResourceRef, Arc<BTreeSet<ResourceRef>>>,
    links: RedBlackTreeMapSync<ResourceRef, LinkId>,
    next_link: u32,
}

impl Desired {
    /// Nothing at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies changes together: all of them, or none and every violation.
    ///
    /// # Errors
    /// Every [`Violation`] of the outcome, in the order of the changes.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Result<Self, Vec<Violation>> {
        let changes: Vec<Change> = changes.into_iter().collect();
        let mut next = self.clone();
        let mut violations = Vec::new();
        // Names are given up before they are taken, so that two resources can swap theirs.
        changes.iter().filter_map(Change::id).for_each(|id| next.remove_indexes(id));
        let touched: Vec<ResourceRef> =
            changes.into_iter().filter_map(|change| next.make(change, &mut violations)).collect();
        let mut seen = BTreeSet::new();
        let affected = touched.iter().flat_map(|&id| next.affected_by(id));
        for resource in touched.iter().copied().chain(affected) {
            if seen.insert(resource) {
                next.check(resource, &mut violations);
            }
        }
        // A check of one resource may speak for others, which then speak for themselves too.
        let mut said = HashSet::new();
        violations.retain(|violation| said.insert(violation.to_string()));
        if violations.is_empty() { Ok(next) } else { Err(violations) }
    }

    /// All resources of a kind.
    #[must_use]
    pub fn all<K: Noun>(&self) -> &Table<K> {
        K::table(&self.tables)
    }

    /// The resources of a kind, in the order of their ids.
    pub fn iter<K: Noun>(&self) -> impl Iterator<Item = &K> {
        self.all::<K>().values().map(Arc::as_ref)
    }

    /// The resource with this id.
    #[must_use]
    pub fn get<K: Noun>(&self, id: Id<K>) -> Option<&K> {
        self.all::<K>().get(&id).map(Arc::as_ref)
    }

    /// The resource of this kind with this name or id.
    #[must_use]
    pub fn find<K: Noun>(&self, name_or_id: &str) -> Option<&K> {
        let by_id = name_or_id.parse().ok().and_then(|id| self.get(id));
        by_id.or_else(|| {
            let name = name_or_id.parse::<Name>().ok()?;
            K::from_ref(*self.names.get(&(K::NOUN, name))?).and_then(|id| self.get(id))
        })
    }

    /// What people call a resource: its name, or else its id.
    #[must_use]
    pub fn label<K: Noun>(&self, id: Id<K>) -> String {
        match self.get(id).and_then(|resource| resource.name()) {
            Some(name) => name.to_string(),
            None => id.to_string(),
        }
    }

    /// What people call a resource of any kind.
    #[must_use]
    pub fn label_of(&self, resource: ResourceRef) -> String {
        match self.tables.get(resource).as_ref().and_then(Resource::name) {
            Some(name) => name.to_string(),
            None => resource.to_string(),
        }
    }

    /// The link of an interface, a service or an internet host, if it has one.
    #[must_use]
    pub fn link<K: Noun>(&self, id: Id<K>) -> Option<LinkId> {
        self.links.get(&K::to_ref(id)).copied()
    }

    /// Every link and whose it is.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, ResourceRef)> + '_ {
        self.links.iter().map(|(owner, link)| (*link, *owner))
    }

    /// Takes over the link numbers of an earlier state, for owners that exist in both.
    ///
    /// A lab file is read into a state of its own; what it has in common with the running one keeps its TUNs.
    #[must_use]
    pub fn keeping_links_of(mut self, earlier: &Self) -> Self {
        let owners: Vec<ResourceRef> = self.links.keys().copied().collect();
        self.next_link = self.next_link.max(earlier.next_link);
        for owner in owners {
            let link = earlier.links.get(&owner).copied().unwrap_or_else(|| self.fresh_link());
            self.links.insert_mut(owner, link);
        }
        self
    }

    /// What is said about a resource, or a part of one, that no packet notices.
    #[must_use]
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.records.get(id).map(Arc::as_ref)
    }

    /// Every record with the id it is kept under, in the order of the ids.
    pub fn records(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.records.iter().map(|(id, record)| (id.as_str(), record.as_ref()))
    }

    /// Every resource of every kind.
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        self.tables.iter()
    }

    /// The resource of any kind with this id.
    #[must_use]
    pub fn resource(&self, id: ResourceRef) -> Option<Resource> {
        self.tables.get(id)
    }

    /// The resource of this kind that people call so.
    #[must_use]
    pub fn named(&self, noun: &'static str, name: &Name) -> Option<ResourceRef> {
        self.names.get(&(noun, name.clone())).copied()
    }

    /// What refers to a resource and would be broken without it.
    pub fn dependents(&self, resource: ResourceRef) -> impl Iterator<Item = ResourceRef> + '_ {
        self.dependents.get(&resource).into_iter().flat_map(|set| set.iter().copied())
    }

    /// The resources of one kind that refer to another resource.
    pub fn dependents_of_kind<K: Noun>(&self, resource: ResourceRef) -> impl Iterator<Item = &K> {
        self.dependents(resource).filter_map(|dependent| K::from_ref(dependent).and_then(|id| self.get(id)))
    }

    /// The VPC of a subnet.
    #[must_use]
    pub fn vpc_of(&self, subnet: Id<Subnet>) -> Option<&Vpc> {
        self.get(self.get(subnet)?.vpc)
    }

    /// The VPC of an interface.
    #[must_use]
    pub fn vpc_of_eni(&self, eni: Id<Eni>) -> Option<&Vpc> {
        self.vpc_of(self.get(eni)?.subnet)
    }

    /// The route table in force in a subnet (R1.8).
    #[must_use]
    pub fn table_of(&self, subnet: &Subnet) -> Option<&RouteTable> {
        self.get(subnet.table.or(self.get(subnet.vpc).map(|vpc| vpc.main_table))?)
    }

    /// Makes a change, whatever it leads to.
    fn make(&mut self, change: Change, violations: &mut Vec<Violation>) -> Option<ResourceRef> {
        match change {
            Change::Put(resource) => {
                let resource = resource.canonical();
                let id = resource.id();
                self.remove_indexes(id);
                for needed in resource.needs() {
                    self.dependents_mut(needed, |set| {
                        set.insert(id);
                    });
                }
                if let Some(name) = resource.name() {
                    let key = (id.noun(), name.clone());
                    match self.names.get(&key).filter(|other| **other != id) {
                        Some(&by) => violations.push(Violation {
                            resource: id,
                            field: "name",
                            problem: Problem::NameTaken { name: name.clone(), by },
                        }),
                        None => self.names.insert_mut(key, id),
                    }
                }
                if resource.has_link() && !self.links.contains_key(&id) {
                    let link = self.fresh_link();
                    self.links.insert_mut(id, link);
                }
                self.tables.insert(resource);
                Some(id)
            }
            Change::Delete(id) => {
                if !self.tables.contains(id) {
                    violations.push(Violation { resource: id, field: "id", problem: Problem::NotFound { what: id } });
                }
                self.remove_indexes(id);
                self.links.remove_mut(&id);
                self.tables.remove(id);
                self.records.remove_mut(&id.to_string());
                Some(id)
            }
            Change::Record { id, record } => {
                if record.is_empty() {
                    self.records.remove_mut(&id);
                } else {
                    self.records.insert_mut(id, Arc::new(record));
                }
                None
            }
        }
    }

    fn remove_indexes(&mut self, id: ResourceRef) {
        let Some(old) = self.tables.get(id) else { return };
        for needed in old.needs() {
            self.dependents_mut(needed, |set| {
                set.remove(&id);
            });
        }
        if let Some(name) = old.name() {
            let key = (id.noun(), name.clone());
            if self.names.get(&key) == Some(&id) {
                self.names.remove_mut(&key);
            }
        }
    }

    fn dependents_mut(&mut self, needed: ResourceRef, edit: impl FnOnce(&mut BTreeSet<ResourceRef>)) {
        let mut set = self.dependents.get(&needed).cloned().unwrap_or_default();
        edit(Arc::make_mut(&mut set));
        if set.is_empty() {
            self.dependents.remove_mut(&needed);
        } else {
            self.dependents.insert_mut(needed, set);
        }
    }

    fn fresh_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link - 1)
    }
}

/// Equal when the resources and records are: link numbers are not part of what was asked for.
impl PartialEq for Desired {
    fn eq(&self, other: &Self) -> bool {
        self.tables == other.tables && self.records == other.records
    }
}
