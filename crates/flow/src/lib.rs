//! temporary
#![allow(missing_docs, clippy::all)]
use arrayvec::ArrayVec;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use vpc_model::{Id, LinkId, ResourceRef, Time, resource::Eni};
use vpc_packet::{FiveTuple, PerPacket};
pub const MAX_BINDINGS: usize = 4;
pub const MAX_TRACKED: usize = 4;
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    pub link: LinkId,
    pub tuple: FiveTuple,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Initiator,
    Responder,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRef {
    slot: usize,
    side: Side,
}
impl FlowRef {
    pub fn side(self) -> Side {
        self.side
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub owner: ResourceRef,
    pub before: FiveTuple,
    pub after: FiveTuple,
    pub idle: Duration,
}
#[derive(Clone, Debug)]
pub struct Connection {
    b: ArrayVec<Binding, MAX_BINDINGS>,
    t: ArrayVec<Id<Eni>, MAX_TRACKED>,
    i: FlowKey,
}
impl Connection {
    pub fn bindings(&self) -> &[Binding] {
        &self.b
    }
    pub fn binding(&self, o: ResourceRef) -> Option<&Binding> {
        self.b.iter().find(|b| b.owner == o)
    }
    pub fn is_tracked_at(&self, e: Id<Eni>) -> bool {
        self.t.contains(&e)
    }
    pub fn initiator(&self) -> FlowKey {
        self.i
    }
    pub fn lapsed(&self) -> bool {
        false
    }
}
#[derive(Clone, Debug)]
pub struct Agreement {
    pub bindings: ArrayVec<Binding, MAX_BINDINGS>,
    pub tracked: ArrayVec<Id<Eni>, MAX_TRACKED>,
    pub responder: Option<FlowKey>,
    pub timeouts: Timeouts,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts;
#[derive(Clone, Debug, Default)]
pub struct FlowsConfig {
    pub capacity: usize,
    pub refused_for: Duration,
    pub seed: u64,
}
#[derive(Debug)]
pub enum CommitError {
    Full,
    Collision,
}
pub struct Ended;
struct E<M> {
    c: Option<Connection>,
    m: [M; 2],
}
pub struct Flows<M> {
    k: HashMap<FlowKey, FlowRef>,
    e: Vec<E<M>>,
}
impl<M: Default> Flows<M> {
    pub fn new(_: FlowsConfig) -> Self {
        Self {
            k: HashMap::new(),
            e: Vec::new(),
        }
    }
    pub fn admit(&mut self, k: &FlowKey, _: &PerPacket, _: Time) -> Option<FlowRef> {
        self.k.get(k).copied()
    }
    pub fn find(&self, k: &FlowKey) -> Option<FlowRef> {
        self.k.get(k).copied()
    }
    pub fn memo(&self, a: FlowRef) -> &M {
        &self.e[a.slot].m[a.side as usize]
    }
    pub fn memo_mut(&mut self, a: FlowRef) -> &mut M {
        &mut self.e[a.slot].m[a.side as usize]
    }
    pub fn connection(&self, a: FlowRef) -> Option<&Connection> {
        self.e[a.slot].c.as_ref()
    }
    pub fn commit(
        &mut self,
        at: Option<FlowRef>,
        key: FlowKey,
        a: Agreement,
        _: &PerPacket,
        _: Time,
    ) -> Result<FlowRef, CommitError> {
        let slot = match at {
            Some(a) => a.slot,
            None => {
                self.e.push(E {
                    c: None,
                    m: Default::default(),
                });
                self.e.len() - 1
            }
        };
        if let Some(r) = a.responder {
            match self.k.get(&r) {
                Some(o) if o.slot != slot => {
                    if self.e[o.slot].c.is_some() {
                        return Err(CommitError::Collision);
                    }
                }
                _ => {}
            }
            self.k.insert(
                r,
                FlowRef {
                    slot,
                    side: Side::Responder,
                },
            );
        }
        self.e[slot].c = Some(Connection {
            b: a.bindings,
            t: a.tracked,
            i: key,
        });
        let f = FlowRef {
            slot,
            side: Side::Initiator,
        };
        self.k.insert(key, f);
        Ok(f)
    }
    pub fn refuse(&mut self, at: Option<FlowRef>, key: FlowKey, _: Time) -> Option<FlowRef> {
        if at.is_some() {
            return at;
        }
        self.e.push(E {
            c: None,
            m: Default::default(),
        });
        let f = FlowRef {
            slot: self.e.len() - 1,
            side: Side::Initiator,
        };
        self.k.insert(key, f);
        Some(f)
    }
    pub fn is_free(&self, o: ResourceRef, a: FiveTuple) -> bool {
        !self.e.iter().any(|e| {
            e.c.as_ref()
                .is_some_and(|c| c.b.iter().any(|b| b.owner == o && b.after == a))
        })
    }
    pub fn peek_port(
        &self,
        o: ResourceRef,
        a: FiveTuple,
        mut p: RangeInclusive<u16>,
        _: u32,
        _: u64,
    ) -> Option<u16> {
        p.find(|&p| self.is_free(o, FiveTuple { src_port: p, ..a }))
    }
    pub fn expire(&mut self, _: Time, _: usize, _: impl FnMut(Ended)) {}
    pub fn next_timeout(&self) -> Option<Time> {
        None
    }
    pub fn len(&self) -> usize {
        self.e.len()
    }
}
