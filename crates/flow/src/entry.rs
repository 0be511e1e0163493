//! One remembered flow, and how it is referred to.

use std::fmt;

use vpc_model::Time;

use crate::{Connection, Counts, FlowKey, Side};

/// An entry seen from one side.
///
/// Shape: `Copy`; leads nowhere once the entry has ended, even when its place is used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowRef {
    pub(crate) slot: u32,
    /// The place's generation, and the side in the lowest bit.
    tag: u32,
}

impl FlowRef {
    /// The side it is seen from.
    #[must_use]
    pub const fn side(self) -> Side {
        side_of(self.tag)
    }

    /// The same entry seen from the other side.
    #[must_use]
    pub const fn other_side(self) -> Self {
        Self { slot: self.slot, tag: self.tag ^ 1 }
    }

    pub(crate) const fn new(generation: u32, place: Place) -> Self {
        Self { slot: place.slot(), tag: generation << 1 | place.0 & 1 }
    }

    pub(crate) const fn generation(self) -> u32 {
        self.tag >> 1
    }
}

/// What is left of an entry that has ended.
#[derive(Debug)]
pub struct Ended<'a, M> {
    /// The initiator's key.
    pub key: FlowKey,
    /// `None` for a refused flow.
    pub connection: Option<&'a Connection>,
    /// What each [`Side`] has sent, the initiator first.
    pub counts: [Counts; 2],
    /// What was attached to each [`Side`], the initiator first.
    pub memos: [M; 2],
    /// Why it ended.
    pub reason: EndReason,
}

/// How an entry came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// [`Flows::end`](crate::Flows::end) was called.
    Asked,
    /// A refused flow made way for a connection with the same key.
    Displaced,
    /// A SYN began another connection with the same tuple.
    Reopened,
    /// Its time passed without a packet.
    TimedOut,
}

pub(crate) struct Entry<M> {
    pub(crate) generation: u32,
    pub(crate) fate: Fate,
    /// For a refused flow only the key and the time of refusal mean something.
    pub(crate) connection: Connection,
    pub(crate) counts: [Counts; 2],
    pub(crate) memos: [M; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Connection,
    /// Out of every index, kept until its end is reported.
    Ended {
        reason: EndReason,
        refused: bool,
    },
    Refused,
    Vacant,
}

/// A slot number and, in the lowest bit, a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl<M> Entry<M> {
    #[inline(always)]
    pub(crate) fn has(&self, side: Side, key: &FlowKey) -> bool {
        match side {
            Side::Initiator => self.connection.initiator == *key,
            Side::Responder => self.connection.responder.as_ref() == Some(key),
        }
    }

    /// The key of a side that is in the index.
    pub(crate) fn key(&self, side: Side) -> FlowKey {
        match side {
            Side::Initiator => self.connection.initiator,
            Side::Responder => self.connection.responder.unwrap_or(self.connection.initiator),
        }
    }

    /// Whether silence has cost it something, or all.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.connection.silence(now) >= self.connection.patience
    }

    pub(crate) fn is_over(&self, now: Time) -> bool {
        if self.fate == Fate::Refused { self.is_due(now) } else { self.connection.is_over(now) }
    }
}

impl Place {
    pub(crate) const fn new(slot: u32, side: Side) -> Self {
        Self(slot << 1 | side.index() as u32)
    }

    pub(crate) const fn slot(self) -> u32 {
        self.0 >> 1
    }

    pub(crate) const fn side(self) -> Side {
        side_of(self.0)
    }
}

impl fmt::Debug for FlowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowRef({}.{} {:?})", self.slot, self.tag >> 1, self.side())
    }
}

const fn side_of(tag: u32) -> Side {
    if tag & 1 == 0 { Side::Initiator } else { Side::Responder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_no_larger_than_the_readme_says() {
        assert_eq!(size_of::<Entry<()>>(), 288);
    }
}
