//! What is remembered of two ends that talk, beyond any change of the tables.

use std::mem;
use std::time::Duration;

use arrayvec::ArrayVec;
use vpc_model::resource::Eni;
use vpc_model::{Id, ResourceRef, Time};
use vpc_packet::{FiveTuple, PerPacket, Protocol, TcpFlags};

use crate::{FlowKey, Side, TcpState};

/// The most translations of one connection.
pub const MAX_BINDINGS: usize = 4;
/// Nanoseconds that do not pass.
const FOREVER: u64 = u64::MAX;
/// The most interfaces that track one connection.
pub const MAX_TRACKED: usize = 4;

/// An address translation of a connection.
///
/// Shape: at `owner` the initiator's packets change from `before` to `after`, the responder's from
/// `after.reversed()` to `before.reversed()`. While the connection lives and has not lapsed, no other has the same
/// `owner` and `after`: that pair is the binding's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Who translates.
    pub owner: ResourceRef,
    /// The initiator's packets as they reach the owner.
    pub before: FiveTuple,
    /// The initiator's packets as they leave it.
    pub after: FiveTuple,
    /// How long the owner remembers without a packet (R4.13, R6.12, R10.4); [`Duration::MAX`] is as long as the
    /// connection lasts.
    pub idle: Duration,
}

/// What a walk found out about a flow that it let through; [`Flows::commit`](crate::Flows::commit) makes it true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Translations in the order the initiator meets them.
    pub bindings: ArrayVec<Binding, MAX_BINDINGS>,
    /// Interfaces whose security groups let replies pass because of this connection (R8.10).
    pub tracked: ArrayVec<Id<Eni>, MAX_TRACKED>,
    /// The key under which replies arrive: exit link and reversed final tuple; `None` when nothing can answer.
    pub responder: Option<FlowKey>,
    /// How long it is remembered without a packet.
    pub timeouts: Timeouts,
}

/// How long a connection is remembered without a packet.
///
/// Units: kept in whole milliseconds, rounded up, at most 49 days.
/// Source: R8.12 (AWS "Connection tracking timeouts"); R8.17 for the two that AWS does not document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP that is not established yet: SYN without answer, or met in the middle and not answered.
    pub tcp_opening: Duration,
    /// TCP with data possible in at least one direction.
    pub tcp_established: Duration,
    /// TCP after a reset or both FINs.
    pub tcp_closing: Duration,
    /// UDP in one direction, or a single request and response.
    pub udp: Duration,
    /// UDP with more than one request and response.
    pub udp_stream: Duration,
    /// ICMP.
    pub icmp: Duration,
    /// Every other protocol (R8.13).
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_opening: Duration::from_secs(30),
            tcp_established: Duration::from_secs(432_000),
            tcp_closing: Duration::from_secs(60),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_secs(180),
            icmp: Duration::from_secs(30),
            other: Duration::from_secs(600),
        }
    }
}

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets and super-packets.
    pub packets: u64,
    /// Packets on the wire.
    pub segments: u64,
    /// Layer-3 bytes on the wire, so the headers of a super-packet once per segment.
    pub bytes: u64,
}

impl Counts {
    #[inline]
    pub(crate) fn add(&mut self, packet: &PerPacket) {
        let copies = u64::from(packet.segments.saturating_sub(1));
        self.packets += 1;
        self.segments += copies + 1;
        self.bytes += u64::from(packet.len) + copies * u64::from(packet.header_len());
    }
}

/// Two ends that talk: what survives every change of the tables.
///
/// Shape: made by [`Flows::commit`](crate::Flows::commit), ended by its protocol or by silence.
#[derive(Debug)]
pub struct Connection {
    pub(crate) initiator: FlowKey,
    /// Present only while the index leads from it to here (or while it equals `initiator`).
    pub(crate) responder: Option<FlowKey>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) tracked: ArrayVec<Id<Eni>, MAX_TRACKED>,
    pub(crate) salt: u64,
    pub(crate) last_seen: Time,
    /// Nanoseconds of silence until time takes something: tracking, bindings, or all of it.
    pub(crate) patience: u64,
    pub(crate) waits: Waits,
    pub(crate) phase: Phase,
    pub(crate) tcp: TcpState,
    pub(crate) lapsed: bool,
    /// The security groups have forgotten it; it lives on for its bindings.
    pub(crate) untracked: bool,
    pub(crate) revision: u32,
}

/// The timeouts of one protocol by phase, in milliseconds.
pub(crate) type Waits = [u32; 3];

/// Which of a connection's timeouts counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Opening = 0,
    Open = 1,
    Closing = 2,
}

impl Connection {
    /// The translations, in the order the initiator meets them.
    #[must_use]
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The translation at one resource.
    #[must_use]
    pub fn binding(&self, owner: ResourceRef) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.owner == owner)
    }

    /// Whether the security groups of an interface let it pass because they have let it pass before (R8.10).
    #[must_use]
    pub fn is_tracked_at(&self, eni: Id<Eni>) -> bool {
        self.tracked.contains(&eni)
    }

    /// A number chosen when the connection was made, for hashing onto backends.
    #[must_use]
    pub const fn salt(&self) -> u64 {
        self.salt
    }

    /// The key of the initiator's packets.
    #[must_use]
    pub const fn initiator(&self) -> FlowKey {
        self.initiator
    }

    /// The key of the responder's packets; `None` when nothing can answer, or when a younger connection has taken
    /// it after this one had lapsed.
    #[must_use]
    pub const fn responder(&self) -> Option<FlowKey> {
        self.responder
    }

    /// How far its TCP has come.
    #[must_use]
    pub const fn tcp(&self) -> TcpState {
        self.tcp
    }

    /// When its last packet came.
    #[must_use]
    pub const fn last_seen(&self) -> Time {
        self.last_seen
    }

    /// Whether a binding's idle time passed between two packets, and no commit has renewed the bindings since.
    ///
    /// Its leases are free then: the owner has forgotten the connection, the security groups have not (R10.4, R8.12).
    #[must_use]
    pub const fn lapsed(&self) -> bool {
        self.lapsed
    }

    /// Changes whenever something a walk may have relied on has changed: bindings, tracking, the responder's key.
    ///
    /// What a walk found out is valid for one generation of the tables and one revision of the connection.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.revision
    }

    /// A record of a flow of which nothing is agreed.
    pub(crate) fn blank(initiator: FlowKey, now: Time, patience: Duration) -> Self {
        Self {
            initiator,
            responder: None,
            bindings: Vec::new(),
            tracked: ArrayVec::new(),
            salt: 0,
            last_seen: now,
            patience: nanos(patience),
            waits: [0; 3],
            phase: Phase::Opening,
            tcp: TcpState::NotTcp,
            lapsed: false,
            untracked: false,
            revision: 0,
        }
    }

    /// Nanoseconds without a packet.
    #[inline]
    pub(crate) const fn silence(&self, now: Time) -> u64 {
        now.0.saturating_sub(self.last_seen.0)
    }

    /// Whether the silence has lasted as long as anything of it is remembered.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.silence(now) >= self.life()
    }

    /// Whether its leases are free.
    pub(crate) fn has_lapsed(&self, now: Time) -> bool {
        self.lapsed || self.silence(now) >= self.idle().min(self.life())
    }

    /// When time takes something unless a packet comes.
    pub(crate) const fn deadline(&self) -> Time {
        Time(self.last_seen.0.saturating_add(self.patience))
    }

    /// Adopts a state and the patience that goes with it; true when it is shorter than before.
    pub(crate) fn enter(&mut self, tcp: TcpState, phase: Phase) -> bool {
        self.tcp = tcp;
        self.phase = phase;
        let before = self.patience;
        self.patience = self.life().min(self.idle());
        if !self.untracked {
            self.patience = self.patience.min(self.wait());
        }
        self.patience < before
    }

    /// Loses what its silence has outlasted; true when that includes the leases.
    pub(crate) fn outlast(&mut self, now: Time) -> bool {
        let silence = self.silence(now);
        let lapses = !self.lapsed && silence >= self.idle();
        let forgets = !self.untracked && silence >= self.wait();
        self.lapsed |= lapses;
        self.untracked |= forgets;
        if lapses || forgets && !self.tracked.is_empty() {
            self.revise();
        }
        if forgets {
            self.tracked.clear();
        }
        self.enter(self.tcp, self.phase);
        lapses
    }

    /// Lets more interfaces track it; should there be too many, the earliest are forgotten.
    pub(crate) fn track(&mut self, enis: ArrayVec<Id<Eni>, MAX_TRACKED>) {
        if !enis.iter().all(|eni| self.is_tracked_at(*eni)) {
            self.revise();
        }
        for eni in mem::replace(&mut self.tracked, enis) {
            if !self.tracked.contains(&eni) && !self.tracked.is_full() {
                self.tracked.push(eni);
            }
        }
        self.untracked = false;
    }

    pub(crate) const fn revise(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Whether a packet may open a connection where this one was.
    pub(crate) fn reopens(&self, packet: &PerPacket) -> bool {
        self.tcp != TcpState::NotTcp && TcpState::opens(packet.tcp_flags)
    }

    /// How long anything of it is remembered.
    ///
    /// A binding is its owner's to keep, however short the security groups' memory is; but a TCP connection that has
    /// not opened or is over has no use for it.
    fn life(&self) -> u64 {
        match self.idle() {
            FOREVER => self.wait(),
            idle if self.is_open() => self.wait().max(idle),
            _ => self.wait(),
        }
    }

    /// How long the security groups remember it.
    const fn wait(&self) -> u64 {
        self.waits[self.phase as usize] as u64 * 1_000_000
    }

    /// How long the owners of its bindings remember it; forever when there is none.
    fn idle(&self) -> u64 {
        if self.lapsed {
            return FOREVER;
        }
        let idle = self.bindings.iter().map(|binding| nanos(binding.idle)).min();
        idle.unwrap_or(FOREVER)
    }

    fn is_open(&self) -> bool {
        self.tcp == TcpState::NotTcp || self.phase == Phase::Open
    }
}

impl Timeouts {
    pub(crate) fn waits(&self, protocol: Protocol) -> Waits {
        let [opening, open, closing] = match protocol {
            Protocol::TCP => [self.tcp_opening, self.tcp_established, self.tcp_closing],
            Protocol::UDP => [self.udp, self.udp_stream, self.udp_stream],
            Protocol::ICMP | Protocol::ICMPV6 => [self.icmp; 3],
            _ => [self.other; 3],
        };
        [millis(opening), millis(open), millis(closing)]
    }
}

impl Phase {
    /// The phase of a TCP state; `None` when the protocol has no states.
    pub(crate) const fn of(tcp: TcpState) -> Option<Self> {
        match tcp {
            TcpState::Closed | TcpState::Closing => Some(Self::Closing),
            TcpState::Established | TcpState::HalfClosed(_) => Some(Self::Open),
            TcpState::Joined | TcpState::SynReceived | TcpState::SynSent => Some(Self::Opening),
            TcpState::NotTcp => None,
        }
    }
}

/// The TCP state after a flow's first packet.
pub(crate) fn first_state(protocol: Protocol, flags: TcpFlags) -> TcpState {
    if protocol == Protocol::TCP { TcpState::first(flags) } else { TcpState::NotTcp }
}

/// Whether more than one request and response have been exchanged (R8.12).
#[inline]
pub(crate) fn is_stream(counts: &[Counts; 2]) -> bool {
    counts[Side::Initiator.index()].segments > 1 && counts[Side::Responder.index()].segments > 1
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(FOREVER)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
