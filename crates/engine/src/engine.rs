//! One packet at a time: parse, find, walk if need be, guard, rewrite.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::SeedableRandomState;
use vpc_flow::{Agreement, CommitError, Connection, FlowKey, FlowRef, Flows, FlowsConfig, Side, Timeouts};
use vpc_model::explain::Explanation;
use vpc_model::{DropReason, LinkId, Time};
use vpc_packet::fragment::fragment;
use vpc_packet::reply::{time_exceeded, too_big};
use vpc_packet::rewrite::apply_to_error;
use vpc_packet::{FiveTuple, PacketBuf, Parsed, Rewrite, parse};

use crate::counters::Counters;
use crate::fragments::Fragments;
use crate::path::{Guarded, Memo, Path};
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
    hasher: SeedableRandomState,
}

impl Engine {
    /// An engine with these tables and no flows.
    #[must_use]
    pub fn new(config: EngineConfig, snapshot: Arc<Snapshot>) -> Self {
        let hasher = SeedableRandomState::with_seed(config.seed, foldhash::SharedSeed::global_fixed());
        let flows = FlowsConfig {
            capacity: config.flows,
            refused_for: REFUSED_FOR,
            seed: config.seed,
            ..FlowsConfig::default()
        };
        Self {
            flows: Flows::new(flows),
            fragments: Fragments::new(hasher.clone()),
            counters: Counters::default(),
            outbox: VecDeque::new(),
            scratch: PacketBuf::new(),
            hasher,
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
            return self.drop(DropReason::Malformed, 1);
        };
        let segments = parsed.packet.segments;
        self.counters.received += u64::from(segments);
        let Some(tuple) = self.fragments.resolve(link, &parsed, now) else {
            return self.drop(DropReason::FragmentUnknown, segments);
        };
        if let Some(quoted) = parsed.quoted {
            return self.process_error(link, buf, &parsed, quoted);
        }
        let key = FlowKey { link, tuple };
        let known = self.flows.admit(&key, &parsed.packet, now);
        let generation = self.snapshot.generation();
        let fresh = known.filter(|&at| self.config.cache && self.flows.memo(at).path.generation == generation);
        let at = match fresh {
            Some(at) => at,
            None => match self.walk_and_commit(now, key, &parsed, known) {
                Ok(at) => at,
                Err(reason) => return self.drop(reason, segments),
            },
        };
        let path = &self.flows.memo(at).path;
        let out = match path.verdict {
            Ok(out) => out,
            Err(reason) => {
                self.counters.drop(reason, segments);
                return Action::Drop(reason);
            }
        };
        match path.guard(&parsed.packet) {
            Guarded::Pass => {
                path.apply(buf, &parsed);
                self.counters.forwarded += u64::from(segments);
                self.counters.forwarded_bytes += u64::from(parsed.packet.len);
                Action::Send(out)
            }
            Guarded::Fragment => {
                let path = *path;
                path.apply(buf, &parsed);
                self.cut(buf, &parsed, path.limit.mtu, out)
            }
            Guarded::Refuse(reason) => {
                let path = *path;
                self.refuse_packet(link, buf, &parsed, &path, reason)
            }
        }
    }

    /// What would happen to a packet, and why. `&self` is the proof that asking changes nothing.
    #[must_use]
    pub fn explain(&self, now: Time, link: LinkId, parsed: &Parsed) -> Explanation {
        let mut trace = Trace::default();
        let (outcome, tuple) = match (self.fragments.peek(link, parsed, now), self.snapshot.ingress(link)) {
            (Some(tuple), Some(ingress)) => {
                let about = parsed.quoted.map(FiveTuple::reversed);
                let key = FlowKey { link, tuple: about.unwrap_or(tuple) };
                let connection = self.connection(&key);
                let about = about.filter(|_| connection.is_some());
                (Ok(walk(self.view(&key, connection, about.is_some()), ingress, tuple, about, &mut trace)), tuple)
            }
            (None, _) => (Err(DropReason::FragmentUnknown), parsed.tuple),
            (_, None) => (Err(DropReason::Malformed), parsed.tuple),
        };
        let guarded =
            outcome.as_ref().ok().filter(|o| o.verdict.is_ok()).map(|o| self.path(o, tuple).guard(&parsed.packet));
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

    /// The rare side of `process`: asks the stages, and remembers.
    #[cold]
    fn walk_and_commit(
        &mut self,
        now: Time,
        key: FlowKey,
        parsed: &Parsed,
        known: Option<FlowRef>,
    ) -> Result<FlowRef, DropReason> {
        let ingress = self.snapshot.ingress(key.link).ok_or(DropReason::Malformed)?;
        self.counters.walks += 1;
        let connection = known.and_then(|at| Some((self.flows.connection(at)?, at.side())));
        let opens = connection.is_none_or(|(_, side)| side == Side::Initiator);
        let is_connection = connection.is_some();
        let outcome = walk(self.view(&key, connection, false), ingress, key.tuple, None, &mut Silent);
        let path = self.path(&outcome, key.tuple);
        let at = match (&outcome.verdict, known) {
            (Ok(exit), _) if opens => {
                let responder = FlowKey { link: exit.link, tuple: outcome.at.reversed() };
                let agreement = Agreement {
                    bindings: outcome.bindings,
                    tracked: outcome.tracked,
                    responder: Some(responder),
                    timeouts: self.config.timeouts,
                };
                self.commit(known, key, agreement, parsed, now)?
            }
            (_, Some(at)) if is_connection => at,
            (Err(reason), _) => self.flows.refuse(known, key, now).ok_or(*reason)?,
            (Ok(_), _) => return Err(DropReason::FlowTableFull),
        };
        self.flows.memo_mut(at).path = path;
        Ok(at)
    }

    fn commit(
        &mut self,
        known: Option<FlowRef>,
        key: FlowKey,
        agreement: Agreement,
        parsed: &Parsed,
        now: Time,
    ) -> Result<FlowRef, DropReason> {
        match self.flows.commit(known, key, agreement.clone(), &parsed.packet, now) {
            Ok(at) => Ok(at),
            // Somebody else's answers arrive under this key; ours will be judged as a flow of their own.
            Err(CommitError::Collision) => {
                let alone = Agreement { responder: None, ..agreement };
                self.flows.commit(known, key, alone, &parsed.packet, now).map_err(|_| DropReason::FlowTableFull)
            }
            Err(CommitError::Full) => Err(DropReason::FlowTableFull),
        }
    }

    /// ICMP errors belong to the flow they quote; each is judged for itself and nothing is remembered (R8.15).
    fn process_error(&mut self, link: LinkId, buf: &mut PacketBuf, parsed: &Parsed, quoted: FiveTuple) -> Action {
        let Some(ingress) = self.snapshot.ingress(link) else {
            return self.drop(DropReason::Malformed, 1);
        };
        let key = FlowKey { link, tuple: quoted.reversed() };
        let connection = self.connection(&key);
        let about = connection.map(|_| key.tuple);
        let outcome = walk(self.view(&key, connection, about.is_some()), ingress, parsed.tuple, about, &mut Silent);
        self.counters.walks += 1;
        let out = match outcome.verdict {
            Ok(exit) => exit.link,
            Err(reason) => return self.drop(reason, 1),
        };
        let path = self.path(&outcome, parsed.tuple);
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

    /// Drops a packet that the flow's verdict would let pass, and tells the sender where the path does.
    #[cold]
    fn refuse_packet(
        &mut self,
        link: LinkId,
        buf: &PacketBuf,
        parsed: &Parsed,
        path: &Path,
        reason: DropReason,
    ) -> Action {
        // Everything else is dropped in silence (R1.15).
        let answer = if reason == DropReason::TooBig {
            path.limit.tells.and_then(|from| too_big(buf, parsed, from, path.limit.mtu))
        } else {
            path.ttl_counted_by.and_then(|from| time_exceeded(buf, parsed, from))
        };
        if let Some(packet) = answer {
            self.counters.originated += 1;
            self.outbox.push_back(Transmit { link, packet });
        }
        self.drop(reason, parsed.packet.segments)
    }

    fn drop(&mut self, reason: DropReason, segments: u16) -> Action {
        if reason == DropReason::Malformed {
            self.counters.received += u64::from(segments);
        }
        self.counters.drop(reason, segments);
        Action::Drop(reason)
    }

    fn connection(&self, key: &FlowKey) -> Option<(&Connection, Side)> {
        let at = self.flows.find(key)?;
        Some((self.flows.connection(at)?, at.side()))
    }

    fn view<'a>(&'a self, key: &FlowKey, connection: Option<(&'a Connection, Side)>, related: bool) -> View<'a> {
        let salt = self.hasher.hash_one(connection.map_or(*key, |(connection, _)| connection.initiator()));
        View { snapshot: &self.snapshot, flows: &self.flows, connection, salt, related }
    }

    fn path(&self, outcome: &Outcome, tuple: FiveTuple) -> Path {
        Path {
            generation: self.snapshot.generation(),
            verdict: outcome.verdict.map(|exit| exit.link),
            rewrite: Rewrite::between(tuple, outcome.at),
            limit: outcome.limit,
            ttl_counted_by: outcome.ttl_counted_by,
            mss: outcome.mss,
        }
    }
}

/// How long a refused flow is remembered, so that a flood of its packets costs no walks.
const REFUSED_FOR: Duration = Duration::from_secs(10);
