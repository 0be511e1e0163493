//! One packet at a time: parse, find, walk if need be, guard, rewrite.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::FixedState;
use vpc_flow::{Agreement, CommitError, Connection, FlowKey, FlowRef, Flows, FlowsConfig, Side, Timeouts};
use vpc_model::explain::Explanation;
use vpc_model::{DropReason, LinkId, Time};
use vpc_packet::fragment::fragment;
use vpc_packet::reply::{reset, time_exceeded, too_big};
use vpc_packet::rewrite::apply_to_error;
use vpc_packet::{FiveTuple, Offload, PacketBuf, Parsed, Protocol, Rewrite, parse, parse_bytes};

use crate::counters::Counters;
use crate::fragments::Fragments;
use crate::path::{Guarded, Limit, Memo, Path};
use crate::snapshot::Snapshot;
use crate::stage::View;
use crate::trace::Trace;
use crate::walk::{Outcome, Silent, walk};

/// How large and how long.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Most flows remembered at once.
    pub flows: usize,
    /// Makes hashing and port choice differ between engines, and the same in tests.
    pub seed: u64,
    /// How long connections live without packets.
    pub timeouts: Timeouts,
    /// Whether paths are remembered between packets of one generation.
    pub cache: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { flows: 1 << 20, seed: 0, timeouts: Timeouts::default(), cache: true }
    }
}

/// What became of the packet in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is dropped.
    Drop(DropReason),
    /// The buffer, as it is now, goes out of a link.
    Send(LinkId),
    /// Its pieces wait in [`Engine::poll_transmit`].
    Sent,
}

/// A packet that the engine made: a fragment, an ICMP error, a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes out.
    pub link: LinkId,
    /// The IP packet, checksums finished.
    pub packet: Vec<u8>,
}

/// The pipeline with its state: tables, flows, fragments, counters. It does no I/O and reads no clock.
pub struct Engine {
    config: EngineConfig,
    snapshot: Arc<Snapshot>,
    flows: Flows<Memo>,
    fragments: Fragments,
    counters: Counters,
    outbox: VecDeque<Transmit>,
    scratch: PacketBuf,
}

impl Engine {
    /// An engine with these tables and no flows.
    #[must_use]
    pub fn new(config: EngineConfig, snapshot: Arc<Snapshot>) -> Self {
        let flows = FlowsConfig {
            capacity: config.flows,
            refused_for: REFUSED_FOR,
            seed: config.seed,
            ..FlowsConfig::default()
        };
        Self {
            flows: Flows::new(flows),
            fragments: Fragments::new(FixedState::with_seed(config.seed)),
            counters: Counters::default(),
            outbox: VecDeque::new(),
            scratch: PacketBuf::new(),
            snapshot,
            config,
        }
    }

    /// Adopts new tables. Connections stay; each flow walks once more on its next packet.
    pub fn install(&mut self, snapshot: Arc<Snapshot>) {
        self.snapshot = snapshot;
    }

    /// The tables in force.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Totals so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many flows are remembered.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Forwards one packet or super-packet. `now` only moves timers and TCP state.
    #[inline]
    pub fn process(&mut self, now: Time, link: LinkId, buf: &mut PacketBuf) -> Action {
        let Ok(parsed) = parse(buf) else {
            self.counters.received += 1;
            return self.drop(DropReason::Malformed, 1);
        };
        let segments = parsed.packet.segments;
        self.counters.received += u64::from(segments);
        // What stands behind the IP packet is not part of it and goes no further.
        buf.truncate(parsed.packet.len as usize);
        let Some(tuple) = self.fragments.resolve(link, &parsed, now) else {
            return self.drop(DropReason::FragmentUnknown, segments);
        };
        if let Some(quoted) = parsed.quoted {
            return self.process_error(now, link, buf, &parsed, quoted);
        }
        let key = FlowKey { link, tuple };
        let known = self.flows.admit(&key, &parsed.packet, now);
        let at = match known.filter(|&at| self.is_fresh(at)) {
            Some(at) => at,
            None => match self.walk_and_commit(now, key, &parsed, known) {
                Ok(at) => at,
                Err(reason) => return self.refuse(link, buf, &parsed, reason, reset),
            },
        };
        let path = &self.flows.memo(at).path;
        let out = match path.verdict {
            Ok(out) => out,
            Err(reason) => return self.drop(reason, segments),
        };
        match path.guard(&parsed.packet) {
            Guarded::Pass => {
                path.apply(buf, &parsed);
                self.counters.forwarded += u64::from(segments);
                self.counters.forwarded_bytes += u64::from(parsed.packet.len);
                Action::Send(out)
            }
            Guarded::Fragment => {
                let mtu = path.limit.mtu;
                path.apply(buf, &parsed);
                self.cut(buf, &parsed, mtu, out)
            }
            Guarded::Refuse(reason) => {
                let (limit, counted_by) = (path.limit, path.ttl_counted_by);
                self.refuse(link, buf, &parsed, reason, |buf, parsed| answer(buf, parsed, reason, limit, counted_by))
            }
        }
    }

    /// What would happen to a packet, and why. `&self` is the proof that asking changes nothing.
    ///
    /// Shape: as of the latest time the engine was given; [`Self::handle_timeout`] gives it one.
    #[must_use]
    pub fn explain(&self, now: Time, link: LinkId, parsed: &Parsed) -> Explanation {
        let mut trace = Trace::default();
        let tuple = self.fragments.peek(link, parsed, now);
        let (outcome, tuple) = match (tuple, self.snapshot.ingress(link)) {
            (Some(tuple), Some(ingress)) => {
                let about = parsed.quoted.map(FiveTuple::reversed);
                let key = FlowKey { link, tuple: about.unwrap_or(tuple) };
                let known = match parsed.quoted {
                    Some(_) => self.flows.find(&key),
                    None => self.flows.peek(&key, &parsed.packet, now),
                };
                let connection = known.and_then(|at| self.standing(at, now));
                let about = about.filter(|_| connection.is_some());
                let view = self.view(&key, connection, now, about.is_some());
                let mut outcome = walk(view, ingress, tuple, about, &mut trace);
                if known.is_none() && parsed.quoted.is_none() && self.flows.is_full() && outcome.verdict.is_ok() {
                    outcome.verdict = Err(DropReason::FlowTableFull);
                }
                (Ok(outcome), tuple)
            }
            (None, _) => (Err(DropReason::FragmentUnknown), parsed.tuple),
            (_, None) => (Err(DropReason::UnknownLink), parsed.tuple),
        };
        let forwarded = outcome.as_ref().ok().filter(|outcome| outcome.verdict.is_ok());
        let guarded = forwarded.map(|outcome| self.path(outcome, tuple, 0).guard(&parsed.packet));
        self.snapshot.explanation(link, &tuple, trace, outcome, guarded)
    }

    /// The next packet that the engine made.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.flows.next_timeout()
    }

    /// Ends flows whose time has passed, at most `budget` of them.
    pub fn handle_timeout(&mut self, now: Time, budget: usize) {
        self.flows.expire(now, budget, |_| {});
    }

    /// Whether what was found out about this side still holds.
    #[inline(always)]
    fn is_fresh(&self, at: FlowRef) -> bool {
        let path = &self.flows.memo(at).path;
        let agreed = match self.flows.connection(at) {
            Some(connection) => path.revision == connection.revision() && !connection.lapsed(),
            None => true,
        };
        path.generation == self.snapshot.generation() && agreed && self.config.cache
    }

    /// The rare side of `process`: asks the stages, and remembers.
    #[cold]
    fn walk_and_commit(
        &mut self,
        now: Time,
        key: FlowKey,
        parsed: &Parsed,
        known: Option<FlowRef>,
    ) -> Result<FlowRef, DropReason> {
        let ingress = self.snapshot.ingress(key.link).ok_or(DropReason::UnknownLink)?;
        self.counters.walks += 1;
        let standing = known.filter(|&at| self.standing(at, now).is_some());
        let lost = known.filter(|&at| self.flows.connection(at).is_some() && standing.is_none());
        // The client's side starts anew; what comes from the other side after that time changes nothing for it.
        if let Some(at) = lost.filter(|at| at.side() == Side::Initiator) {
            self.flows.end(at);
        }
        let known = known.filter(|_| lost.is_none());
        let connection = standing.and_then(|at| self.standing(at, now));
        let outcome = walk(self.view(&key, connection, now, false), ingress, key.tuple, None, &mut Silent);
        let opens = connection.is_none_or(|(_, side)| side == Side::Initiator);
        if let Some(at) = lost.filter(|at| at.side() == Side::Responder) {
            outcome.verdict?;
            self.flows.end(at);
        }
        let at = match (outcome.verdict, standing) {
            (Ok(exit), _) if opens => {
                let responder = FlowKey { link: exit.link, tuple: outcome.at.reversed() };
                self.commit(known, key, &outcome, responder, parsed, now)?
            }
            (Err(reason @ (DropReason::NatIdle | DropReason::VpceIdle)), Some(at)) => {
                self.flows.end(at);
                return Err(reason);
            }
            (_, Some(at)) => at,
            (Err(reason), None) => {
                let at = self.flows.refuse(known, key, now).ok_or(reason)?;
                if known.is_none() {
                    self.flows.count(at, &parsed.packet);
                }
                at
            }
            // Whoever has no connection is the one who opens.
            (Ok(_), None) => return Err(DropReason::FlowTableFull),
        };
        let revision = self.flows.connection(at).map_or(0, Connection::revision);
        self.flows.memo_mut(at).path = self.path(&outcome, key.tuple, revision);
        Ok(at)
    }

    fn commit(
        &mut self,
        known: Option<FlowRef>,
        key: FlowKey,
        outcome: &Outcome,
        responder: FlowKey,
        parsed: &Parsed,
        now: Time,
    ) -> Result<FlowRef, DropReason> {
        let timeouts = self.config.timeouts;
        let agreed = |responder| {
            let (bindings, tracked) = (outcome.bindings.clone(), outcome.tracked.clone());
            Agreement { bindings, tracked, responder, timeouts }
        };
        match self.flows.commit(known, key, agreed(Some(responder)), &parsed.packet, now) {
            Ok(at) => Ok(at),
            // Somebody else's answers arrive under this key; ours will be judged as a flow of their own.
            Err(CommitError::Collision) => {
                let alone = self.flows.commit(known, key, agreed(None), &parsed.packet, now);
                alone.map_err(|_| DropReason::FlowTableFull)
            }
            Err(CommitError::Full) => Err(DropReason::FlowTableFull),
        }
    }

    /// ICMP errors belong to the flow they quote; each is judged for itself and nothing is remembered (R8.15).
    fn process_error(
        &mut self,
        now: Time,
        link: LinkId,
        buf: &mut PacketBuf,
        parsed: &Parsed,
        quoted: FiveTuple,
    ) -> Action {
        let Some(ingress) = self.snapshot.ingress(link) else { return self.drop(DropReason::UnknownLink, 1) };
        self.counters.walks += 1;
        let key = FlowKey { link, tuple: quoted.reversed() };
        let connection = self.flows.find(&key).and_then(|at| self.standing(at, now));
        let about = connection.map(|_| key.tuple);
        let view = self.view(&key, connection, now, about.is_some());
        let outcome = walk(view, ingress, parsed.tuple, about, &mut Silent);
        let out = match outcome.verdict {
            Ok(exit) => exit.link,
            Err(reason) => return self.drop(reason, 1),
        };
        let path = self.path(&outcome, parsed.tuple, 0);
        if let Guarded::Refuse(reason) = path.guard(&parsed.packet) {
            return self.drop(reason, 1);
        }
        let quote = outcome.about.map_or(quoted, FiveTuple::reversed);
        apply_to_error(buf, parsed, &path.rewrite, &Rewrite::between(quoted, quote));
        self.counters.forwarded += 1;
        self.counters.forwarded_bytes += u64::from(parsed.packet.len);
        Action::Send(out)
    }

    /// Sends a packet in pieces (R1.17).
    #[cold]
    fn cut(&mut self, buf: &mut PacketBuf, parsed: &Parsed, mtu: u16, link: LinkId) -> Action {
        let outbox = &mut self.outbox;
        let piece = |piece: &mut PacketBuf| outbox.push_back(Transmit { link, packet: piece.bytes().to_vec() });
        if fragment(buf, parsed, mtu, &mut self.scratch, piece).is_err() {
            return self.drop(DropReason::TooBig, parsed.packet.segments);
        }
        self.counters.forwarded += u64::from(parsed.packet.segments);
        self.counters.forwarded_bytes += u64::from(parsed.packet.len);
        Action::Sent
    }

    /// Drops a packet and tells the sender, where this reason is one that AWS tells senders about.
    #[cold]
    fn refuse(
        &mut self,
        link: LinkId,
        buf: &PacketBuf,
        parsed: &Parsed,
        reason: DropReason,
        answer: impl Fn(&PacketBuf, &Parsed) -> Option<Vec<u8>>,
    ) -> Action {
        let tells =
            matches!(reason, DropReason::NatIdle | DropReason::TooBig | DropReason::TtlExpired | DropReason::VpceIdle);
        if let Some(packet) = tells.then(|| answer(buf, parsed)).flatten().filter(|packet| self.admits(link, packet)) {
            self.counters.originated += 1;
            self.outbox.push_back(Transmit { link, packet });
        }
        self.drop(reason, parsed.packet.segments)
    }

    /// Whether the network ACL of the sender's subnet lets an answer back in (R8.36).
    fn admits(&self, link: LinkId, answer: &[u8]) -> bool {
        match (self.snapshot.ingress(link), parse_bytes(answer, Offload::default())) {
            (Some(ingress), Ok(parsed)) => self.snapshot.admits_answer(ingress, &parsed.tuple),
            (None, _) | (_, Err(_)) => false,
        }
    }

    fn drop(&mut self, reason: DropReason, segments: u16) -> Action {
        self.counters.drop(reason, segments);
        Action::Drop(reason)
    }

    /// The connection, unless whoever translates for it has forgotten it: then only the client's TCP still belongs to it,
    /// to be told so (R10.4, R4.13).
    fn standing(&self, at: FlowRef, now: Time) -> Option<(&Connection, Side)> {
        let connection = self.flows.connection(at)?;
        let told = at.side() == Side::Initiator && connection.initiator().tuple.protocol == Protocol::TCP;
        (told || !lapsed(connection, now)).then_some((connection, at.side()))
    }

    fn view<'a>(
        &'a self,
        key: &FlowKey,
        connection: Option<(&'a Connection, Side)>,
        now: Time,
        related: bool,
    ) -> View<'a> {
        let salt = connection.map_or_else(|| self.flows.salt(key), |(connection, _)| connection.salt());
        let lapsed = connection.is_some_and(|(connection, _)| lapsed(connection, now));
        View { snapshot: &self.snapshot, flows: &self.flows, connection, salt, lapsed, related }
    }

    fn path(&self, outcome: &Outcome, tuple: FiveTuple, revision: u32) -> Path {
        Path {
            generation: self.snapshot.generation(),
            revision,
            verdict: outcome.verdict.map(|exit| exit.link),
            rewrite: Rewrite::between(tuple, outcome.at),
            limit: outcome.limit,
            ttl_counted_by: outcome.ttl_counted_by,
            mss: outcome.mss,
            whole_only: outcome.whole_only,
            uncut: outcome.uncut,
        }
    }
}

/// Whether a translation of the connection was idle for too long.
fn lapsed(connection: &Connection, now: Time) -> bool {
    let silence = now.since(connection.last_seen());
    connection.lapsed() || connection.bindings().iter().any(|binding| silence >= binding.idle)
}

/// What a sender is told about one packet that does not fit its path.
fn answer(
    buf: &PacketBuf,
    parsed: &Parsed,
    reason: DropReason,
    limit: Limit,
    counted_by: Option<IpAddr>,
) -> Option<Vec<u8>> {
    if reason == DropReason::TooBig {
        // What the narrowest element would have cut did not come that far, and what it met there says nothing.
        let would_be_cut = limit.fragments && !parsed.packet.dont_fragment && parsed.packet.segments == 1;
        if would_be_cut {
            return None;
        }
        too_big(buf, parsed, limit.tells?, limit.mtu)
    } else {
        time_exceeded(buf, parsed, counted_by?)
    }
}

/// How long a refused flow is remembered, so that a flood of its packets costs no walks.
const REFUSED_FOR: Duration = Duration::from_secs(10);
