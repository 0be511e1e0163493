//! The network somebody asked for: valid by construction.
//!
//! A [`Desired`] is a value. Applying changes gives a new one or says everything that is wrong with them; the old
//! value stays what it was. Cloning is cheap, since tables share their structure.

mod change;
mod check;
mod claim;
mod noun;
mod routes;
mod violation;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

pub use change::Change;
pub use noun::{Noun, Resource, ResourceRef, Table};
pub use violation::{Problem, Violation};

use crate::resource::{Eni, Name, RouteTable, Subnet, Vpc};
use crate::{Id, LinkId};
use claim::Claim;
use noun::Tables;

/// Sets of resources by what they have in common.
type Sets<K> = RedBlackTreeMapSync<K, Arc<BTreeSet<ResourceRef>>>;

/// Everything that was asked for, and what it implies for the process: which links exist.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    tables: Tables,
    names: RedBlackTreeMapSync<(&'static str, Name), ResourceRef>,
    dependents: Sets<ResourceRef>,
    claims: Sets<Claim>,
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
        changes.iter().for_each(|change| next.remove_indexes(change.id()));
        let touched: Vec<ResourceRef> = changes.into_iter().map(|change| next.make(change, &mut violations)).collect();
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
    fn make(&mut self, change: Change, violations: &mut Vec<Violation>) -> ResourceRef {
        match change {
            Change::Put(resource) => {
                let resource = resource.canonical();
                let id = resource.id();
                self.remove_indexes(id);
                for needed in resource.needs() {
                    insert(&mut self.dependents, needed, id);
                }
                for claim in Claim::of(&resource) {
                    insert(&mut self.claims, claim, id);
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
                id
            }
            Change::Delete(id) => {
                if !self.tables.contains(id) {
                    violations.push(Violation { resource: id, field: "id", problem: Problem::NotFound { what: id } });
                }
                self.remove_indexes(id);
                self.links.remove_mut(&id);
                self.tables.remove(id);
                id
            }
        }
    }

    fn remove_indexes(&mut self, id: ResourceRef) {
        let Some(old) = self.tables.get(id) else { return };
        for needed in old.needs() {
            remove(&mut self.dependents, &needed, id);
        }
        for claim in Claim::of(&old) {
            remove(&mut self.claims, &claim, id);
        }
        if let Some(name) = old.name() {
            let key = (id.noun(), name.clone());
            if self.names.get(&key) == Some(&id) {
                self.names.remove_mut(&key);
            }
        }
    }

    /// Who claims something, the lowest id first.
    fn claimants(&self, claim: &Claim) -> impl Iterator<Item = ResourceRef> + '_ {
        self.claims.get(claim).into_iter().flat_map(|set| set.iter().copied())
    }

    fn fresh_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link - 1)
    }
}

/// Adds to a set. One that is shared with an earlier state is copied first, and only once.
fn insert<K: Ord + Clone>(sets: &mut Sets<K>, key: K, id: ResourceRef) {
    match sets.get_mut(&key) {
        Some(set) => _ = Arc::make_mut(set).insert(id),
        None => sets.insert_mut(key, Arc::new(BTreeSet::from([id]))),
    }
}

fn remove<K: Ord + Clone>(sets: &mut Sets<K>, key: &K, id: ResourceRef) {
    let Some(set) = sets.get_mut(key) else { return };
    let set = Arc::make_mut(set);
    set.remove(&id);
    if set.is_empty() {
        sets.remove_mut(key);
    }
}

/// Equal when the resources are: link numbers are not part of what was asked for.
impl PartialEq for Desired {
    fn eq(&self, other: &Self) -> bool {
        self.tables == other.tables
    }
}
