//! All entries of one worker.

use std::array;
use std::fmt;
use std::hash::BuildHasher;
use std::mem;
use std::ops::RangeInclusive;
use std::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use vpc_model::resource::PortRange;
use vpc_model::{ResourceRef, Time};
use vpc_packet::{FiveTuple, PerPacket};

use crate::connection::{self, Phase};
use crate::entry::{EndReason, Ended, Entry, Fate, FlowRef, Place};
use crate::expiry::Wheel;
use crate::leases::{Holder, Leases};
use crate::{Binding, Connection, Counts, FlowKey, MAX_BINDINGS, Side, TcpState};

mod commit;
#[cfg(test)]
mod tests;

pub use commit::CommitError;

/// How a [`Flows`] is made.
#[derive(Clone, Copy, Debug)]
pub struct FlowsConfig {
    /// The most entries, refused flows and entries whose end is not reported yet among them.
    pub capacity: usize,
    /// How long a refused flow is remembered.
    pub refused_for: Duration,
    /// Makes hashes and salts unpredictable from outside, and reproducible.
    pub seed: u64,
    /// The outside ports this worker may lease; workers have disjoint ranges.
    pub ports: PortRange,
}

impl Default for FlowsConfig {
    fn default() -> Self {
        Self { capacity: 1 << 20, refused_for: Duration::from_secs(10), seed: 0, ports: PortRange::ALL }
    }
}

/// Connections and refused flows, found by [`FlowKey`] from either side.
///
/// Shape: `M` is what the owner attaches to each side. One worker owns it; there is no lock. Nothing is allocated on a
/// hit; `commit` and `refuse` grow the entries by doubling, `new` makes the index for all of them.
/// Units: time is given with each call, and time alone decides: an entry is over the moment its timeout has passed,
/// whether or not [`Self::expire`] has come by. Calls without a time answer as of the latest one given.
pub struct Flows<M> {
    entries: Vec<Entry<M>>,
    free: Vec<u32>,
    /// Slot and side of every key in use.
    index: HashTable<Place>,
    leases: Leases,
    wheel: Wheel,
    hasher: FixedState,
    /// Empty binding lists by capacity, to be used again.
    spare: [Vec<Vec<Binding>>; MAX_BINDINGS + 1],
    capacity: usize,
    refused_for: Duration,
    ports: PortRange,
    now: Time,
    connections: usize,
    refused: usize,
    /// Connections made so far: gives a connection that repeats a tuple another salt.
    made: u64,
    /// What the memo of an ended entry reads as.
    blank: M,
    /// Where writes to the memo of an ended entry go.
    scratch: M,
}

impl<M: Default> Flows<M> {
    /// No entries yet.
    #[must_use]
    pub fn new(config: FlowsConfig) -> Self {
        let hasher = FixedState::with_seed(config.seed);
        let capacity = config.capacity.min(u32::MAX as usize >> 1);
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            // At most half full: removal then leaves hardly any tombstone, so none are ever swept in one go.
            index: HashTable::with_capacity(7 * capacity / 2),
            leases: Leases::new(hasher.clone()),
            wheel: Wheel::new(),
            hasher,
            spare: array::from_fn(|_| Vec::new()),
            capacity,
            refused_for: config.refused_for,
            ports: config.ports,
            now: Time::ZERO,
            connections: 0,
            refused: 0,
            made: 0,
            blank: M::default(),
            scratch: M::default(),
        }
    }

    /// Finds the flow of a packet, counts the packet and moves clock and TCP state; `None` when nothing is known of it.
    ///
    /// A SYN that reopens a connection which is over, or whose bindings have lapsed, ends that connection and finds
    /// `None`: rules are evaluated anew, and the new connection has counts, memo and salt of its own.
    #[inline]
    pub fn admit(&mut self, key: &FlowKey, packet: &PerPacket, now: Time) -> Option<FlowRef> {
        self.now = self.now.max(now);
        let place = self.place(key)?;
        let (slot, side) = (place.slot(), place.side());
        let entry = &self.entries[slot as usize];
        if entry.connection.silence(self.now) >= entry.connection.patience && !self.outlast(slot) {
            return None;
        }
        let entry = &mut self.entries[slot as usize];
        if entry.fate == Fate::Connection {
            let connection = &mut entry.connection;
            let tcp = connection.tcp.after(side, packet.tcp_flags);
            let Some(tcp) = tcp.filter(|_| !(connection.lapsed && connection.reopens(packet))) else {
                self.end_slot(slot, EndReason::Reopened);
                return None;
            };
            connection.last_seen = self.now;
            let mut shorter = false;
            if tcp != connection.tcp {
                let phase = Phase::of(tcp).unwrap_or(connection.phase);
                shorter = connection.enter(tcp, phase);
            }
            entry.counts[side.index()].add(packet);
            if tcp == TcpState::NotTcp
                && entry.connection.phase == Phase::Opening
                && connection::is_stream(&entry.counts)
            {
                shorter |= entry.connection.enter(tcp, Phase::Open);
            }
            if shorter {
                self.arm(slot);
            }
        } else {
            entry.counts[side.index()].add(packet);
        }
        Some(self.reference(place))
    }

    /// Finds what [`Self::admit`] would find, and changes nothing.
    #[must_use]
    pub fn peek(&self, key: &FlowKey, packet: &PerPacket, now: Time) -> Option<FlowRef> {
        let place = self.place(key)?;
        let entry = &self.entries[place.slot() as usize];
        let now = self.now.max(now);
        if entry.is_over(now) {
            return None;
        }
        let connection = &entry.connection;
        let reopened = entry.fate == Fate::Connection
            && (connection.tcp.after(place.side(), packet.tcp_flags).is_none()
                || connection.has_lapsed(now) && connection.reopens(packet));
        (!reopened).then(|| self.reference(place))
    }

    /// Finds a flow and changes nothing.
    #[must_use]
    pub fn find(&self, key: &FlowKey) -> Option<FlowRef> {
        let place = self.place(key)?;
        let entry = &self.entries[place.slot() as usize];
        (!entry.is_over(self.now)).then(|| self.reference(place))
    }

    /// What is attached to a side; the default for an entry that has ended.
    #[must_use]
    #[inline]
    pub fn memo(&self, at: FlowRef) -> &M {
        self.get(at).map_or(&self.blank, |entry| &entry.memos[at.side().index()])
    }

    /// What is attached to a side, to be changed; what is written to an entry that has ended is forgotten.
    #[inline]
    pub fn memo_mut(&mut self, at: FlowRef) -> &mut M {
        match self.entries.get_mut(at.slot as usize) {
            Some(entry) if entry.generation == at.generation() => &mut entry.memos[at.side().index()],
            Some(_) | None => {
                self.scratch = M::default();
                &mut self.scratch
            }
        }
    }

    /// The connection; `None` when the entry is a refused flow or has ended.
    #[must_use]
    #[inline]
    pub fn connection(&self, at: FlowRef) -> Option<&Connection> {
        let entry = self.get(at)?;
        (entry.fate == Fate::Connection).then_some(&entry.connection)
    }

    /// What a side has sent.
    #[must_use]
    pub fn counts(&self, at: FlowRef) -> Counts {
        self.get(at).map_or_else(Counts::default, |entry| entry.counts[at.side().index()])
    }

    /// Counts a packet that [`Self::admit`] found no flow for and that was then refused.
    pub fn count(&mut self, at: FlowRef, packet: &PerPacket) {
        if let Some(entry) = self.get_mut(at) {
            entry.counts[at.side().index()].add(packet);
        }
    }

    /// The salt a connection gets if it is made of this key now.
    #[must_use]
    pub fn salt(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one((self.made, key))
    }

    /// The first port with which `after`, given it as source port, is free at `owner`.
    ///
    /// Shape: probes the ports of both `ports` and this worker's range, from a start derived from `salt`. `None` when
    /// none is free, or when `owner` has `limit` leases from `after.src` towards the destination of `after`
    /// (R10.3). Changes nothing. A lease that has run out is free at once, and counts towards the limit until
    /// [`Self::expire`] finds it.
    #[must_use]
    pub fn peek_port(
        &self,
        owner: ResourceRef,
        after: FiveTuple,
        ports: RangeInclusive<u16>,
        limit: u32,
        salt: u64,
    ) -> Option<u16> {
        let first = u32::from(*ports.start().max(&self.ports.first()));
        let last = u32::from(*ports.end().min(&self.ports.last()));
        let count = (last + 1).checked_sub(first).filter(|count| *count > 0)?;
        if self.leases.towards(owner, &after) >= limit {
            return None;
        }
        let start = ((u64::from(count) * (salt >> 32)) >> 32) as u32;
        (0..count)
            .map(|step| (first + (start + step) % count) as u16)
            .find(|port| self.is_free(owner, FiveTuple { src_port: *port, ..after }))
    }

    /// Whether no live binding of `owner` has this `after`.
    #[must_use]
    pub fn is_free(&self, owner: ResourceRef, after: FiveTuple) -> bool {
        self.holder(owner, &after)
            .is_none_or(|holder| self.entries[holder.slot as usize].connection.has_lapsed(self.now))
    }

    /// Ends an entry at once; its end is reported by the next [`Self::expire`].
    pub fn end(&mut self, at: FlowRef) {
        if self.get(at).is_some() {
            self.end_slot(at.slot, EndReason::Asked);
        }
    }

    /// Ends what has timed out and reports every end since the last call.
    ///
    /// Shape: looks at up to `budget` entries; whether something is left, [`Self::next_timeout`] tells.
    pub fn expire(&mut self, now: Time, budget: usize, mut ended: impl FnMut(Ended<'_, M>)) {
        self.now = self.now.max(now);
        for _ in 0..budget {
            let Some(slot) = self.wheel.pop(self.now) else {
                return;
            };
            let entry = &self.entries[slot as usize];
            if !matches!(entry.fate, Fate::Ended { .. }) {
                if !entry.is_over(self.now) {
                    self.weaken(slot);
                    self.arm(slot);
                    continue;
                }
                self.detach(slot, EndReason::TimedOut);
            }
            self.report(slot, &mut ended);
        }
    }

    /// When [`Self::expire`] has something to do; at once when that time has passed.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.wheel.next_look()
    }

    /// How many connections there are, those that timed out since the last [`Self::expire`] among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.connections
    }

    /// Whether there is no connection.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.connections == 0
    }

    /// How many refused flows are remembered.
    #[must_use]
    pub const fn refused(&self) -> usize {
        self.refused
    }

    /// The most entries there may be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether there is no room for another entry.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.in_use() >= self.capacity
    }

    /// The live connections, seen from their initiators.
    pub fn iter(&self) -> impl Iterator<Item = (FlowRef, &Connection)> {
        let live = |entry: &Entry<M>| entry.fate == Fate::Connection && !entry.is_over(self.now);
        (0..)
            .zip(&self.entries)
            .filter(move |(_, entry)| live(entry))
            .map(|(slot, entry)| (self.reference(Place::new(slot, Side::Initiator)), &entry.connection))
    }

    /// Both sides of every entry that has not ended, for whoever settles counts.
    pub fn sides_mut(&mut self) -> impl Iterator<Item = (FlowRef, &mut M, Counts)> {
        let live = |entry: &Entry<M>| matches!(entry.fate, Fate::Connection | Fate::Refused);
        (0..).zip(&mut self.entries).filter(move |(_, entry)| live(entry)).flat_map(|(slot, entry)| {
            let generation = entry.generation;
            let sides = [Side::Initiator, Side::Responder].into_iter();
            sides
                .zip(&mut entry.memos)
                .zip(entry.counts)
                .map(move |((side, memo), counts)| (FlowRef::new(generation, Place::new(slot, side)), memo, counts))
        })
    }

    fn arm(&mut self, slot: u32) {
        self.wheel.arm(slot, self.entries[slot as usize].connection.deadline());
    }

    fn in_use(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    fn get(&self, at: FlowRef) -> Option<&Entry<M>> {
        let entry = self.entries.get(at.slot as usize)?;
        (entry.generation == at.generation()).then_some(entry)
    }

    fn get_mut(&mut self, at: FlowRef) -> Option<&mut Entry<M>> {
        let entry = self.entries.get_mut(at.slot as usize)?;
        (entry.generation == at.generation()).then_some(entry)
    }

    fn reference(&self, place: Place) -> FlowRef {
        FlowRef::new(self.entries[place.slot() as usize].generation, place)
    }

    #[inline(always)]
    fn place(&self, key: &FlowKey) -> Option<Place> {
        let is_here = |place: &Place| self.entries[place.slot() as usize].has(place.side(), key);
        self.index.find(key.hash_with(&self.hasher), is_here).copied()
    }

    fn holder(&self, owner: ResourceRef, after: &FiveTuple) -> Option<Holder> {
        self.leases.holder(owner, after, |holder| binding_of(&self.entries, holder))
    }

    /// Does what an entry's silence has brought about; false when that is its end.
    #[cold]
    fn outlast(&mut self, slot: u32) -> bool {
        let entry = &self.entries[slot as usize];
        if entry.is_over(self.now) {
            self.end_slot(slot, EndReason::TimedOut);
            return false;
        }
        self.weaken(slot);
        true
    }

    /// Takes from a connection what its silence has cost it.
    fn weaken(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        if entry.is_due(self.now) && entry.connection.outlast(self.now) {
            self.release_leases(slot);
        }
    }

    fn insert(&mut self, key: FlowKey, fate: Fate) -> u32 {
        let connection = Connection::blank(key, self.now, self.refused_for);
        let slot = match self.free.pop() {
            Some(slot) => {
                let entry = &mut self.entries[slot as usize];
                entry.fate = fate;
                entry.connection = connection;
                slot
            }
            None => {
                self.entries.push(Entry {
                    generation: 0,
                    fate,
                    connection,
                    counts: [Counts::default(); 2],
                    memos: [M::default(), M::default()],
                });
                (self.entries.len() - 1) as u32
            }
        };
        if fate == Fate::Refused {
            self.refused += 1;
        } else {
            self.connections += 1;
        }
        self.index_key(&key, Place::new(slot, Side::Initiator));
        slot
    }

    fn index_key(&mut self, key: &FlowKey, place: Place) {
        let (hasher, entries) = (&self.hasher, &self.entries);
        self.index.insert_unique(key.hash_with(hasher), place, |place| {
            entries[place.slot() as usize].key(place.side()).hash_with(hasher)
        });
    }

    fn unindex(&mut self, key: &FlowKey, place: Place) {
        if let Ok(found) = self.index.find_entry(key.hash_with(&self.hasher), |other| *other == place) {
            found.remove();
        }
    }

    /// Makes an entry answer under this key.
    fn move_responder(&mut self, slot: u32, to: Option<FlowKey>) {
        let connection = &mut self.entries[slot as usize].connection;
        let initiator = connection.initiator;
        let from = mem::replace(&mut connection.responder, to);
        if from == to {
            return;
        }
        connection.revise();
        let place = Place::new(slot, Side::Responder);
        if let Some(from) = from {
            self.unindex(&from, place);
        }
        // A flow to itself answers under its own key, which leads to the initiator already.
        if let Some(to) = to.filter(|to| *to != initiator) {
            self.index_key(&to, place);
        }
    }

    fn take_leases(&mut self, slot: u32) {
        let entries = &self.entries;
        for nth in 0..entries[slot as usize].connection.bindings.len() {
            let holder = Holder { slot, nth: nth as u8 };
            self.leases.take(holder, |holder| binding_of(entries, holder));
        }
    }

    fn release_leases(&mut self, slot: u32) {
        for (nth, binding) in (0..).zip(&self.entries[slot as usize].connection.bindings) {
            self.leases.release(Holder { slot, nth }, binding);
        }
    }

    fn list_of(&mut self, bindings: &[Binding]) -> Vec<Binding> {
        let spare = self.spare[bindings.len()].pop();
        let mut list = spare.unwrap_or_else(|| Vec::with_capacity(bindings.len()));
        list.extend_from_slice(bindings);
        list
    }

    fn recycle(&mut self, mut list: Vec<Binding>) {
        list.clear();
        if list.capacity() > 0 {
            self.spare[list.capacity().min(MAX_BINDINGS)].push(list);
        }
    }

    #[cold]
    fn end_slot(&mut self, slot: u32, reason: EndReason) {
        self.detach(slot, reason);
        self.wheel.arm_now(slot);
    }

    /// Takes an entry out of every index and makes its references lead nowhere.
    fn detach(&mut self, slot: u32, reason: EndReason) {
        self.release_leases(slot);
        let entry = &mut self.entries[slot as usize];
        let refused = entry.fate == Fate::Refused;
        let (initiator, responder) = (entry.connection.initiator, entry.connection.responder);
        entry.fate = Fate::Ended { reason, refused };
        entry.generation = (entry.generation + 1) & (u32::MAX >> 1);
        if refused {
            self.refused -= 1;
        } else {
            self.connections -= 1;
        }
        self.unindex(&initiator, Place::new(slot, Side::Initiator));
        if let Some(responder) = responder {
            self.unindex(&responder, Place::new(slot, Side::Responder));
        }
    }

    /// Reports an end and makes its place free.
    fn report(&mut self, slot: u32, ended: &mut impl FnMut(Ended<'_, M>)) {
        let entry = &mut self.entries[slot as usize];
        if let Fate::Ended { reason, refused } = mem::replace(&mut entry.fate, Fate::Vacant) {
            ended(Ended {
                key: entry.connection.initiator,
                connection: (!refused).then_some(&entry.connection),
                counts: mem::take(&mut entry.counts),
                memos: mem::take(&mut entry.memos),
                reason,
            });
        }
        let list = mem::take(&mut entry.connection.bindings);
        self.recycle(list);
        self.free.push(slot);
    }
}

impl<M> fmt::Debug for Flows<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flows")
            .field("now", &self.now)
            .field("connections", &self.connections)
            .field("refused", &self.refused)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

fn binding_of<M>(entries: &[Entry<M>], holder: Holder) -> &Binding {
    &entries[holder.slot as usize].connection.bindings[holder.nth as usize]
}
