//! Who holds which outside address and port.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use vpc_model::ResourceRef;
use vpc_packet::{FiveTuple, Protocol};

use crate::Binding;
use crate::key::hash_tuple;

/// One binding of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) slot: u32,
    pub(crate) nth: u8,
}

/// The leases of all connections, and how many there are towards each destination.
///
/// Shape: holds positions only; `resolve` leads from a holder to its binding. The hashes are kept, so that growing
/// does not go through all bindings.
pub(crate) struct Leases {
    holders: HashTable<(u64, Holder)>,
    destinations: HashTable<Destination>,
    hasher: FixedState,
}

/// What the limit on simultaneous connections counts by (R10.3): per outside address, not per owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Towards {
    owner: ResourceRef,
    src: IpAddr,
    dst: IpAddr,
    dst_port: u16,
    protocol: Protocol,
}

struct Destination {
    towards: Towards,
    leases: u32,
}

impl Leases {
    pub(crate) const fn new(hasher: FixedState) -> Self {
        Self { holders: HashTable::new(), destinations: HashTable::new(), hasher }
    }

    /// Who has the lease.
    pub(crate) fn holder<'a>(
        &self,
        owner: ResourceRef,
        after: &FiveTuple,
        resolve: impl Fn(Holder) -> &'a Binding,
    ) -> Option<Holder> {
        let hash = self.hash(owner, after);
        let has = |(theirs, holder): &(u64, Holder)| {
            *theirs == hash && {
                let binding = resolve(*holder);
                binding.after == *after && binding.owner == owner
            }
        };
        self.holders.find(hash, has).map(|(_, holder)| *holder)
    }

    /// How many leases `owner` has towards the destination of `after`, from its source address.
    pub(crate) fn towards(&self, owner: ResourceRef, after: &FiveTuple) -> u32 {
        let towards = Towards::of(owner, after);
        self.destinations.find(self.hasher.hash_one(towards), |at| at.towards == towards).map_or(0, |at| at.leases)
    }

    /// Gives the lease of a holder's binding to it, unless it is taken.
    pub(crate) fn take<'a>(&mut self, holder: Holder, resolve: impl Fn(Holder) -> &'a Binding) {
        let Binding { owner, after, .. } = *resolve(holder);
        if self.holder(owner, &after, &resolve).is_some() {
            return;
        }
        let hash = self.hash(owner, &after);
        self.holders.insert_unique(hash, (hash, holder), |(hash, _)| *hash);
        let hasher = &self.hasher;
        let towards = Towards::of(owner, &after);
        self.destinations
            .entry(hasher.hash_one(towards), |at| at.towards == towards, |at| hasher.hash_one(at.towards))
            .or_insert(Destination { towards, leases: 0 })
            .get_mut()
            .leases += 1;
    }

    /// Takes the lease of a holder's binding from it, if it has it.
    pub(crate) fn release(&mut self, holder: Holder, binding: &Binding) {
        let hash = self.hash(binding.owner, &binding.after);
        let Ok(held) = self.holders.find_entry(hash, |(_, other)| *other == holder) else {
            return;
        };
        held.remove();
        let towards = Towards::of(binding.owner, &binding.after);
        let counted = self.destinations.find_entry(self.hasher.hash_one(towards), |at| at.towards == towards);
        if let Ok(mut at) = counted {
            at.get_mut().leases -= 1;
            if at.get().leases == 0 {
                at.remove();
            }
        }
    }

    fn hash(&self, owner: ResourceRef, after: &FiveTuple) -> u64 {
        let mut state = self.hasher.build_hasher();
        owner.hash(&mut state);
        hash_tuple(after, 0, &mut state);
        state.finish()
    }
}

impl Towards {
    const fn of(owner: ResourceRef, after: &FiveTuple) -> Self {
        Self { owner, src: after.src, dst: after.dst, dst_port: after.dst_port, protocol: after.protocol }
    }
}
