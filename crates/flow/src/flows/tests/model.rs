//! The table against a list that is searched from end to end, in which time acts at once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use vpc_model::resource::PortRange;
use vpc_model::{LinkId, ResourceRef, Time};
use vpc_packet::{FiveTuple, Protocol, TcpFlags};

use super::{addr, eni, nat, other_nat, packet};
use crate::{
    Agreement, Binding, CommitError, Counts, EndReason, FlowKey, FlowRef, Flows, FlowsConfig, Side, TcpState, Timeouts,
};

const CAPACITY: usize = 10;
const REFUSED_FOR: u64 = 10;
const PORTS: std::ops::RangeInclusive<u16> = 1_001..=1_003;
const ENIS: std::ops::Range<u64> = 0..6;

#[derive(Clone, Debug)]
enum Act {
    /// A packet comes, and if it needs a walk the walk comes out like this.
    Packet(FlowKey, TcpFlags, Walk),
    /// A packet comes, and the tables have changed.
    Rewalk(FlowKey, TcpFlags, Walk),
    End(FlowKey),
    Wait(u64),
    Expire(usize),
}

#[derive(Clone, Debug)]
enum Walk {
    Pass(Box<Agreement>),
    Refuse,
}

/// One entry as the list has it.
#[derive(Clone, Debug)]
struct Record {
    refused: bool,
    initiator: FlowKey,
    responder: Option<FlowKey>,
    bindings: Vec<Binding>,
    tracked: HashSet<u64>,
    timeouts: Timeouts,
    tcp: TcpState,
    stream: bool,
    last_seen: Time,
    lapsed: bool,
    forgotten: bool,
    packets: [u64; 2],
}

#[derive(Default)]
struct Model {
    live: BTreeMap<u32, Record>,
    /// Ended and not reported yet.
    ended: BTreeMap<u32, (Record, EndReason)>,
    next: u32,
    now: Time,
}

impl Record {
    /// How long the security groups remember.
    fn wait(&self) -> Duration {
        match (self.initiator.tuple.protocol, self.tcp) {
            _ if self.refused => Duration::from_secs(REFUSED_FOR),
            (Protocol::TCP, TcpState::Closed | TcpState::Closing) => self.timeouts.tcp_closing,
            (Protocol::TCP, TcpState::Established | TcpState::HalfClosed(_)) => self.timeouts.tcp_established,
            (Protocol::TCP, _) => self.timeouts.tcp_opening,
            (Protocol::UDP, _) if self.stream => self.timeouts.udp_stream,
            (Protocol::UDP, _) => self.timeouts.udp,
            (Protocol::ICMP, _) => self.timeouts.icmp,
            _ => self.timeouts.other,
        }
    }

    fn idle(&self) -> Option<Duration> {
        self.bindings.iter().map(|binding| binding.idle).min().filter(|_| !self.lapsed)
    }

    fn is_open(&self) -> bool {
        matches!(self.tcp, TcpState::NotTcp | TcpState::Established | TcpState::HalfClosed(_))
    }

    /// Whether it is still there; if so, without what its silence has cost it.
    fn outlasts(&mut self, now: Time) -> bool {
        let silence = now.since(self.last_seen);
        let kept = self.idle().filter(|idle| self.is_open() && *idle < Duration::MAX);
        let lives = kept.unwrap_or_default().max(self.wait());
        if self.idle().is_some_and(|idle| silence >= idle) {
            self.lapsed = true;
        }
        if silence >= self.wait() {
            self.forgotten = true;
            self.tracked.clear();
        }
        silence < lives
    }
}

impl Model {
    fn advance(&mut self, now: Time) {
        self.now = now;
        let over: Vec<_> =
            self.live.iter_mut().filter_map(|(id, record)| (!record.outlasts(now)).then_some(*id)).collect();
        for id in over {
            self.end(id, EndReason::TimedOut);
        }
    }

    fn end(&mut self, id: u32, reason: EndReason) {
        let record = self.live.remove(&id).unwrap();
        self.ended.insert(id, (record, reason));
    }

    fn find(&self, key: FlowKey) -> Option<(u32, Side)> {
        let found = |(id, record): (&u32, &Record)| {
            if record.initiator == key {
                Some((*id, Side::Initiator))
            } else if record.responder == Some(key) {
                Some((*id, Side::Responder))
            } else {
                None
            }
        };
        let all: Vec<_> = self.live.iter().filter_map(found).collect();
        assert!(all.len() < 2, "{key:?} leads to {all:?}");
        all.first().copied()
    }

    fn admit(&mut self, key: FlowKey, flags: TcpFlags) -> Option<(u32, Side)> {
        let (id, side) = self.find(key)?;
        let record = self.live.get_mut(&id).unwrap();
        if !record.refused {
            let is_syn = record.tcp != TcpState::NotTcp && flags == TcpFlags::SYN;
            let next = record.tcp.after(side, flags).filter(|_| !(record.lapsed && is_syn));
            let Some(next) = next else {
                self.end(id, EndReason::Reopened);
                return None;
            };
            record.tcp = next;
            record.last_seen = self.now;
        }
        record.packets[side as usize] += 1;
        record.stream |= record.packets.iter().all(|packets| *packets > 1);
        Some((id, side))
    }

    fn is_free(&self, own: Option<u32>, owner: ResourceRef, after: FiveTuple) -> bool {
        !self.live.iter().any(|(id, record)| {
            Some(*id) != own
                && !record.lapsed
                && record.bindings.iter().any(|binding| (binding.owner, binding.after) == (owner, after))
        })
    }

    fn leases(&self, owner: ResourceRef, towards: FiveTuple) -> usize {
        let towards = FiveTuple { src_port: 0, ..towards };
        let leases: HashSet<_> = self
            .live
            .values()
            .filter(|record| !record.lapsed)
            .flat_map(|record| &record.bindings)
            .filter(|binding| binding.owner == owner && FiveTuple { src_port: 0, ..binding.after } == towards)
            .map(|binding| binding.after.src_port)
            .collect();
        leases.len()
    }

    fn commit(
        &mut self,
        at: Option<(u32, Side)>,
        key: FlowKey,
        agreement: &Agreement,
        flags: TcpFlags,
    ) -> Result<(u32, Side), CommitError> {
        let enis = agreement.tracked.iter().map(|eni| eni.low());
        if let Some((id, Side::Responder)) = at {
            let record = self.live.get_mut(&id).unwrap();
            record.tracked.extend(enis);
            record.forgotten = false;
            return Ok((id, Side::Responder));
        }
        if at.is_none() && self.live.len() + self.ended.len() >= CAPACITY {
            return Err(CommitError::Full);
        }
        let own = at.map(|(id, _)| id);
        let rival = agreement.responder.and_then(|responder| self.find(responder));
        let rival = rival.filter(|(id, _)| Some(*id) != own).filter(|_| agreement.responder != Some(key));
        if let Some((id, side)) = rival {
            let record = &self.live[&id];
            let gives_way = record.refused || record.lapsed && side == Side::Responder;
            if !gives_way {
                return Err(CommitError::Collision);
            }
        }
        if !agreement.bindings.iter().all(|binding| self.is_free(own, binding.owner, binding.after)) {
            return Err(CommitError::Collision);
        }
        if let Some((id, _)) = rival {
            if self.live[&id].refused {
                self.end(id, EndReason::Displaced);
            } else {
                self.live.get_mut(&id).unwrap().responder = None;
            }
        }
        let id = own.unwrap_or_else(|| self.insert(key, false));
        let now = self.now;
        let record = self.live.get_mut(&id).unwrap();
        if own.is_none() {
            record.packets[0] = 1;
        }
        if own.is_none() || record.refused {
            record.refused = false;
            record.last_seen = now;
            if key.tuple.protocol == Protocol::TCP {
                record.tcp = TcpState::first(flags);
            }
        }
        record.responder = agreement.responder;
        record.bindings = agreement.bindings.to_vec();
        record.timeouts = agreement.timeouts;
        record.tracked.extend(enis);
        record.lapsed = false;
        record.forgotten = false;
        Ok((id, Side::Initiator))
    }

    fn insert(&mut self, key: FlowKey, refused: bool) -> u32 {
        self.next += 1;
        let record = Record {
            refused,
            initiator: key,
            responder: None,
            bindings: Vec::new(),
            tracked: HashSet::new(),
            timeouts: Timeouts::default(),
            tcp: TcpState::NotTcp,
            stream: false,
            last_seen: self.now,
            lapsed: false,
            forgotten: false,
            packets: [0; 2],
        };
        self.live.insert(self.next, record);
        self.next
    }

    fn refused(&self) -> usize {
        self.live.values().filter(|record| record.refused).count()
    }
}

/// Both, and which entry of one is which of the other.
struct Pair {
    flows: Flows<u32>,
    model: Model,
    /// What a walk could see of each connection when it was last looked at, and its revision.
    seen: BTreeMap<u32, (Facts, u32)>,
}

type Facts = (Vec<Binding>, BTreeSet<u64>, Option<FlowKey>, bool);

impl Pair {
    fn new() -> Self {
        let config = FlowsConfig {
            capacity: CAPACITY,
            refused_for: Duration::from_secs(REFUSED_FOR),
            seed: 7,
            ports: PortRange::ALL,
        };
        Self { flows: Flows::new(config), model: Model::default(), seen: BTreeMap::new() }
    }

    /// The memo of both sides is the number in the list.
    fn same(&self, real: Option<FlowRef>, listed: Option<(u32, Side)>) {
        let real = real.map(|at| (*self.flows.memo(at), at.side()));
        assert_eq!(real, listed);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Packet(key, flags, walk) => {
                let at = self.admit(key, flags);
                let outdated = at.is_some_and(|(at, _)| self.flows.connection(at).is_some_and(|c| c.lapsed()));
                if at.is_none() || outdated {
                    self.walk(at, key, flags, walk);
                }
            }
            Act::Rewalk(key, flags, walk) => {
                let at = self.admit(key, flags);
                self.walk(at, key, flags, walk);
            }
            Act::End(key) => {
                if let Some((at, (id, _))) = self.flows.find(&key).zip(self.model.find(key)) {
                    self.flows.end(at);
                    self.model.end(id, EndReason::Asked);
                }
            }
            Act::Wait(millis) => {
                let now = self.model.now + Duration::from_millis(millis);
                // Only calls with a time tell it.
                self.flows.expire(now, 0, |_| {});
                self.model.advance(now);
            }
            Act::Expire(budget) => self.expire(budget),
        }
        self.compare();
    }

    fn admit(&mut self, key: FlowKey, flags: TcpFlags) -> Option<(FlowRef, (u32, Side))> {
        let real = self.flows.admit(&key, &packet(flags), self.model.now);
        let listed = self.model.admit(key, flags);
        self.same(real, listed);
        let (at, (id, side)) = real.zip(listed)?;
        self.compare_facts(at, id);
        Some((at, (id, side)))
    }

    fn walk(&mut self, at: Option<(FlowRef, (u32, Side))>, key: FlowKey, flags: TcpFlags, walk: Walk) {
        let (real_at, listed_at) = at.unzip();
        let now = self.model.now;
        match walk {
            Walk::Refuse => {
                let real = self.flows.refuse(real_at, key, now);
                if listed_at.is_some() {
                    return self.same(real, listed_at);
                }
                let room = CAPACITY - self.model.live.len() - self.model.ended.len();
                if let Some(at) = real {
                    assert!(room > 0 && self.model.refused() < CAPACITY.div_ceil(4));
                    let id = self.model.insert(key, true);
                    self.mark(at, id);
                } else {
                    let recent = self.model.ended.values().filter(|(record, _)| record.refused).count();
                    assert!(room == 0 || self.model.refused() + recent >= CAPACITY.div_ceil(4));
                }
            }
            Walk::Pass(agreement) => {
                let salt = self.flows.salt(&key);
                let was_refused = listed_at.is_none_or(|(id, _)| self.model.live[&id].refused);
                let real = self.flows.commit(real_at, key, (*agreement).clone(), &packet(flags), now);
                let listed = self.model.commit(listed_at, key, &agreement, flags);
                assert_eq!(real.map(FlowRef::side), listed.map(|(_, side)| side));
                if let (Ok(at), Ok((id, _))) = (real, listed) {
                    if listed_at.is_none() {
                        self.mark(at, id);
                    }
                    self.same(Some(at), listed.ok());
                    self.compare_facts(at, id);
                    let connection = self.flows.connection(at).unwrap();
                    assert!(!was_refused || connection.salt() == salt);
                }
            }
        }
    }

    fn mark(&mut self, at: FlowRef, id: u32) {
        assert_eq!((*self.flows.memo(at), *self.flows.memo(at.other_side())), (0, 0));
        *self.flows.memo_mut(at) = id;
        *self.flows.memo_mut(at.other_side()) = id;
    }

    fn expire(&mut self, budget: usize) {
        let model = &mut self.model;
        let mut looks = 0;
        self.flows.expire(model.now, budget, |ended| {
            looks += 1;
            let (record, reason) = model.ended.remove(&ended.memos[0]).unwrap();
            assert_eq!((ended.key, ended.reason, ended.memos[1]), (record.initiator, reason, ended.memos[0]));
            assert_eq!(ended.connection.is_none(), record.refused);
            assert_eq!(ended.counts.map(|counts| counts.packets), record.packets);
            let responder = ended.connection.and_then(|connection| connection.responder());
            assert_eq!(responder, record.responder);
        });
        assert!(looks <= budget);
    }

    /// What holds at once, whatever the collector has done.
    fn compare(&self) {
        for key in keys() {
            self.same(self.flows.find(&key), self.model.find(key));
        }
        for (owner, after) in leasable() {
            assert_eq!(self.flows.is_free(owner, after), self.model.is_free(None, owner, after), "{after:?}");
            let port = self.flows.peek_port(owner, after, PORTS, 3, 1 << 63);
            if let Some(port) = port {
                let with_port = FiveTuple { src_port: port, ..after };
                assert!(PORTS.contains(&port) && self.model.is_free(None, owner, with_port));
                assert!(self.model.leases(owner, after) < 3);
            }
        }
        let listed: BTreeMap<_, _> =
            self.flows.iter().map(|(at, connection)| (*self.flows.memo(at), connection.initiator())).collect();
        let connections = self.model.live.iter().filter(|(_, record)| !record.refused);
        assert_eq!(listed, connections.map(|(id, record)| (*id, record.initiator)).collect());
        self.unique();
    }

    /// No two live connections share a lease; that no two share a key, `Model::find` asserts.
    fn unique(&self) {
        let mut leases = HashSet::new();
        for record in self.model.live.values().filter(|record| !record.lapsed) {
            let own: HashSet<_> = record.bindings.iter().map(|binding| (binding.owner, binding.after)).collect();
            assert!(own.into_iter().all(|lease| leases.insert(lease)));
        }
    }

    /// What holds of an entry that was just looked at.
    fn compare_facts(&mut self, at: FlowRef, id: u32) {
        let record = &self.model.live[&id];
        let sides = [at, at.other_side()].map(|at| (at.side() as usize, self.flows.counts(at)));
        for (side, Counts { packets, .. }) in sides {
            assert_eq!(packets, record.packets[side]);
        }
        let Some(connection) = self.flows.connection(at) else {
            assert!(record.refused);
            return;
        };
        assert!(!record.refused);
        assert_eq!((connection.initiator(), connection.responder()), (record.initiator, record.responder));
        assert_eq!((connection.tcp(), connection.last_seen()), (record.tcp, record.last_seen));
        assert_eq!((connection.bindings(), connection.lapsed()), (&record.bindings[..], record.lapsed));
        for low in ENIS {
            assert_eq!(connection.is_tracked_at(eni(low)), record.tracked.contains(&low));
        }
        let tracked = record.tracked.iter().copied().collect();
        let facts = (record.bindings.clone(), tracked, record.responder, record.lapsed);
        let revision = connection.revision();
        if let Some((before, then)) = self.seen.insert(id, (facts.clone(), revision)) {
            assert!(before == facts || then != revision, "{before:?} became {facts:?}");
        }
    }

    /// After the collector has been through, counts are exact too.
    fn settle(&mut self) {
        // A deadline is looked at in the tick after it: here all that have passed were in earlier ticks.
        let tick = 1 << 27;
        let later = Time((self.model.now.0 / tick + 1) * tick);
        self.model.advance(later);
        self.expire(usize::MAX);
        self.compare();
        let connections = self.model.live.len() - self.model.refused();
        assert_eq!((self.flows.len(), self.flows.refused()), (connections, self.model.refused()));
        for (owner, after) in leasable() {
            let is_left =
                PORTS.clone().any(|port| self.model.is_free(None, owner, FiveTuple { src_port: port, ..after }));
            let limit = 2;
            let expected = is_left && self.model.leases(owner, after) < limit;
            let port = self.flows.peek_port(owner, after, PORTS, limit as u32, 0);
            assert_eq!(port.is_some(), expected);
        }
    }
}

/// Few tuples, so that sequences meet: either direction of three flows, outside and inside.
fn tuples() -> Vec<FiveTuple> {
    let tuple = |protocol, src_port, dst_port| FiveTuple { src: addr(1), dst: addr(9), protocol, src_port, dst_port };
    let requests = [
        tuple(Protocol::TCP, 1_001, 443),
        tuple(Protocol::TCP, 1_002, 443),
        tuple(Protocol::UDP, 1_001, 53),
        tuple(Protocol::ICMP, 1_001, 8 << 8),
        tuple(Protocol(47), 0, 0),
    ];
    requests.iter().flat_map(|tuple| [*tuple, tuple.reversed()]).collect()
}

fn keys() -> Vec<FlowKey> {
    let of = |tuple| [1, 2].map(|link| FlowKey { link: LinkId(link), tuple });
    tuples().into_iter().flat_map(of).collect()
}

fn leasable() -> Vec<(ResourceRef, FiveTuple)> {
    tuples().into_iter().flat_map(|tuple| [(nat(), tuple), (other_nat(), tuple)]).collect()
}

fn flags() -> impl Strategy<Value = TcpFlags> {
    select(vec![TcpFlags::SYN, TcpFlags(18), TcpFlags::ACK, TcpFlags::ACK, TcpFlags(17), TcpFlags::RST])
}

fn agreement() -> impl Strategy<Value = Agreement> {
    let binding = (select(leasable()), prop_oneof![4 => select(vec![1_500, 5_000, 20_000, 90_000]).prop_map(Duration::from_millis), 1 => Just(Duration::MAX)])
        .prop_map(|((owner, after), idle)| Binding { owner, before: after, after, idle });
    let tracked = prop::collection::hash_set(0..4_u64, 0..3);
    let responder = prop::option::weighted(0.9, select(keys()));
    let seconds = prop::array::uniform7(select(vec![2_u64, 10, 30, 60]));
    (prop::collection::vec(binding, 0..3), tracked, responder, seconds).prop_map(
        |(bindings, tracked, responder, seconds)| {
            let [opening, established, closing, udp, stream, icmp, other] = seconds.map(Duration::from_secs);
            Agreement {
                bindings: bindings.into_iter().collect(),
                tracked: tracked.into_iter().map(eni).collect(),
                responder,
                timeouts: Timeouts {
                    tcp_opening: opening,
                    tcp_established: established,
                    tcp_closing: closing,
                    udp,
                    udp_stream: stream,
                    icmp,
                    other,
                },
            }
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let walk =
        || prop_oneof![4 => agreement().prop_map(|agreement| Walk::Pass(Box::new(agreement))), 1 => Just(Walk::Refuse)];
    prop_oneof![
        8 => (select(keys()), flags(), walk()).prop_map(|(key, flags, walk)| Act::Packet(key, flags, walk)),
        3 => (select(keys()), flags(), walk()).prop_map(|(key, flags, walk)| Act::Rewalk(key, flags, walk)),
        1 => select(keys()).prop_map(Act::End),
        3 => prop_oneof![0..3_000_u64, 0..40_000_u64].prop_map(Act::Wait),
        2 => (0..8_usize).prop_map(Act::Expire),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_a_list_does(acts in prop::collection::vec(act(), 1..120)) {
        let mut pair = Pair::new();
        for act in acts {
            pair.act(act);
        }
        pair.settle();
    }
}
