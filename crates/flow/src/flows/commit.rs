//! The only writers of what is agreed.

use std::fmt;
use std::mem;

use vpc_model::Time;
use vpc_packet::PerPacket;

use super::Flows;
use crate::connection::{self, Phase};
use crate::entry::{EndReason, Fate, FlowRef, Place};
use crate::{Agreement, Binding, FlowKey, Side};

/// Why a flow cannot become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// The responder's key or a lease belongs to another live connection.
    Collision,
    /// There are as many entries as may be.
    Full,
}

impl<M: Default> Flows<M> {
    /// Makes a flow that was let through a connection, or brings a known entry up to date.
    ///
    /// Shape: a new flow's packet is counted here. A refused flow becomes a connection and keeps its counts. Of a
    /// connection seen from its initiator, bindings, timeouts and the responder's key are replaced and `tracked` is
    /// united (the agreement's come first, should there be more than [`MAX_TRACKED`](crate::MAX_TRACKED)). Seen from
    /// its responder only `tracked` is united: keys and translations are the initiator's to change. Neither a
    /// refused flow nor the claim of a lapsed connection stands in the way of the responder's key or a lease.
    ///
    /// # Errors
    /// [`CommitError`]; every entry is as it was.
    pub fn commit(
        &mut self,
        at: Option<FlowRef>,
        key: FlowKey,
        agreement: Agreement,
        packet: &PerPacket,
        now: Time,
    ) -> Result<FlowRef, CommitError> {
        self.now = self.now.max(now);
        let known = self.known(at, &key);
        if let Some(at) = known
            && at.side() == Side::Responder
            && let Some(entry) = self.get_mut(at)
            && entry.fate == Fate::Connection
        {
            entry.connection.track(agreement.tracked);
            entry.connection.enter(entry.connection.tcp, entry.connection.phase);
            self.arm(at.slot);
            return Ok(at);
        }
        let own = known.map(|at| at.slot);
        if own.is_none() && self.in_use() >= self.capacity {
            return Err(CommitError::Full);
        }
        let key = own.map_or(key, |slot| self.entries[slot as usize].connection.initiator);
        self.check(own, &key, &agreement)?;

        let salt = self.salt(&key);
        let slot = own.unwrap_or_else(|| {
            self.clear_key(None, &key);
            let slot = self.insert(key, Fate::Connection);
            self.entries[slot as usize].counts[Side::Initiator.index()].add(packet);
            slot
        });
        let entry = &mut self.entries[slot as usize];
        let was_refused = entry.fate == Fate::Refused;
        if was_refused {
            entry.fate = Fate::Connection;
            self.refused -= 1;
            self.connections += 1;
        }
        if own.is_none() || was_refused {
            let connection = &mut entry.connection;
            connection.salt = salt;
            connection.last_seen = self.now;
            connection.tcp = connection::first_state(key.tuple.protocol, packet.tcp_flags);
            self.made += 1;
        }
        self.agree(slot, agreement);
        Ok(self.reference(Place::new(slot, Side::Initiator)))
    }

    /// Remembers a refused flow for a short time, so that a flood of its packets costs no walks.
    ///
    /// Shape: an entry that exists stays what it is: a connection that is refused under new tables remains a
    /// connection. Refused flows fill at most a quarter of the capacity, so that they cannot keep connections out.
    /// `None` when there is no room. Nothing is counted ([`Self::count`]).
    pub fn refuse(&mut self, at: Option<FlowRef>, key: FlowKey, now: Time) -> Option<FlowRef> {
        self.now = self.now.max(now);
        if let Some(at) = self.known(at, &key) {
            return Some(at);
        }
        if self.in_use() >= self.capacity || self.refused >= self.capacity.div_ceil(4) {
            return None;
        }
        self.clear_key(None, &key);
        let slot = self.insert(key, Fate::Refused);
        self.arm(slot);
        Some(self.reference(Place::new(slot, Side::Initiator)))
    }

    /// The entry that is meant, if it has not ended and is not over.
    fn known(&self, at: Option<FlowRef>, key: &FlowKey) -> Option<FlowRef> {
        at.filter(|at| self.get(*at).is_some_and(|entry| !entry.is_over(self.now))).or_else(|| self.find(key))
    }

    /// Whether an agreement can be kept next to all others.
    fn check(&self, own: Option<u32>, key: &FlowKey, agreement: &Agreement) -> Result<(), CommitError> {
        let place = agreement.responder.filter(|responder| responder != key);
        let place = place.and_then(|responder| self.place(&responder));
        let keys = place.is_none_or(|place| Some(place.slot()) == own || self.gives_way(place));
        let leases = agreement.bindings.iter().all(|Binding { owner, after, .. }| {
            let holder = self.holder(*owner, after);
            holder.is_none_or(|holder| {
                let connection = &self.entries[holder.slot as usize].connection;
                Some(holder.slot) == own || connection.has_lapsed(self.now)
            })
        });
        (keys && leases).then_some(()).ok_or(CommitError::Collision)
    }

    /// Puts an agreement that was checked in place of an entry's earlier one.
    fn agree(&mut self, slot: u32, agreement: Agreement) {
        let initiator = self.entries[slot as usize].connection.initiator;
        if let Some(responder) = agreement.responder.filter(|responder| *responder != initiator) {
            self.clear_key(Some(slot), &responder);
        }
        for binding in &agreement.bindings {
            self.clear_lease(slot, binding);
        }
        self.release_leases(slot);
        self.move_responder(slot, agreement.responder);
        let bindings = self.list_of(&agreement.bindings);

        let connection = &mut self.entries[slot as usize].connection;
        let old = mem::replace(&mut connection.bindings, bindings);
        if connection.lapsed || old != connection.bindings {
            connection.revise();
        }
        connection.lapsed = false;
        connection.waits = agreement.timeouts.waits(initiator.tuple.protocol);
        connection.track(agreement.tracked);
        let phase = Phase::of(connection.tcp).unwrap_or(connection.phase);
        connection.enter(connection.tcp, phase);

        self.arm(slot);
        self.take_leases(slot);
        self.recycle(old);
    }

    /// Whether the entry at a place lets another have the key that leads there.
    fn gives_way(&self, place: Place) -> bool {
        let entry = &self.entries[place.slot() as usize];
        entry.fate == Fate::Refused
            || entry.is_over(self.now)
            || place.side() == Side::Responder && entry.connection.has_lapsed(self.now)
    }

    /// Makes a key free whose entry gives way or has ended.
    fn clear_key(&mut self, own: Option<u32>, key: &FlowKey) {
        let Some(place) = self.place(key).filter(|place| Some(place.slot()) != own) else {
            return;
        };
        let slot = place.slot();
        if self.outlast(slot) {
            if self.entries[slot as usize].fate == Fate::Refused {
                self.end_slot(slot, EndReason::Displaced);
            } else {
                self.move_responder(slot, None);
            }
        }
    }

    /// Makes a lease free that has run out.
    fn clear_lease(&mut self, own: u32, binding: &Binding) {
        if let Some(holder) = self.holder(binding.owner, &binding.after)
            && holder.slot != own
        {
            self.outlast(holder.slot);
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Collision => "the responder's key or a lease belongs to another connection",
            Self::Full => "the flow table is full",
        })
    }
}

impl std::error::Error for CommitError {}
