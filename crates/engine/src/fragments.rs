//! Ports of datagrams in fragments.

use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use vpc_model::{LinkId, Time};
use vpc_packet::{FiveTuple, Fragment, Parsed, Protocol};

/// Remembers the layer-4 header of first fragments, so that later ones share their fate.
///
/// Source: R8.16; RFC 791 §3.2 (what identifies a datagram).
/// Deviation: AWS does not say; a later fragment that overtakes its first is dropped.
pub(crate) struct Fragments {
    ports: HashMap<Datagram, (u16, u16, Time), FixedState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Datagram {
    link: LinkId,
    src: IpAddr,
    dst: IpAddr,
    protocol: Protocol,
    id: u32,
}

/// How many datagrams may be in flight; beyond it, the older ones are forgotten.
const CAPACITY: usize = 4_096;
/// How long a first fragment is remembered. Source: RFC 791 §3.2 (a receiver waits as long).
const LIFE: Duration = Duration::from_secs(30);

impl Fragments {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self { ports: HashMap::with_capacity_and_hasher(CAPACITY, hasher) }
    }

    /// The packet's tuple with ports, also for later fragments; `None` when the first one was not seen.
    #[inline(always)]
    pub(crate) fn resolve(&mut self, link: LinkId, parsed: &Parsed, now: Time) -> Option<FiveTuple> {
        if parsed.packet.fragment == Fragment::Whole {
            return Some(parsed.tuple);
        }
        self.resolve_piece(link, parsed, now)
    }

    #[cold]
    fn resolve_piece(&mut self, link: LinkId, parsed: &Parsed, now: Time) -> Option<FiveTuple> {
        let tuple = parsed.tuple;
        match parsed.packet.fragment {
            Fragment::Whole => Some(tuple),
            Fragment::First { id } => {
                self.make_room(now);
                self.ports.insert(datagram(link, &tuple, id), (tuple.src_port, tuple.dst_port, now + LIFE));
                Some(tuple)
            }
            Fragment::Later { id, .. } => self.find(link, &tuple, id, now),
        }
    }

    /// The same, without remembering anything.
    pub(crate) fn peek(&self, link: LinkId, parsed: &Parsed, now: Time) -> Option<FiveTuple> {
        match parsed.packet.fragment {
            Fragment::Whole | Fragment::First { .. } => Some(parsed.tuple),
            Fragment::Later { id, .. } => self.find(link, &parsed.tuple, id, now),
        }
    }

    fn find(&self, link: LinkId, tuple: &FiveTuple, id: u32, now: Time) -> Option<FiveTuple> {
        // A protocol without ports needs none to be judged.
        if !tuple.protocol.has_ports() && !tuple.protocol.is_icmp() {
            return Some(*tuple);
        }
        let &(src_port, dst_port, until) = self.ports.get(&datagram(link, tuple, id))?;
        (now < until).then_some(FiveTuple { src_port, dst_port, ..*tuple })
    }

    fn make_room(&mut self, now: Time) {
        if self.ports.len() < CAPACITY {
            return;
        }
        self.ports.retain(|_, &mut (_, _, until)| now < until);
        if self.ports.len() >= CAPACITY {
            let mut keep = false;
            self.ports.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

const fn datagram(link: LinkId, tuple: &FiveTuple, id: u32) -> Datagram {
    Datagram { link, src: tuple.src, dst: tuple.dst, protocol: tuple.protocol, id }
}
