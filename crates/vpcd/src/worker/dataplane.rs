//! Links and engine together: read, process, write.

use std::collections::BTreeMap;
use std::time::Duration;

use vpc_engine::{Action, Engine};
use vpc_io::{Budget, Poller, Received, TrainPool, Writer};
use vpc_model::explain::Explanation;
use vpc_model::{LinkId, Time};
use vpc_packet::{PacketBuf, Parsed};

use super::{EXPIRED_PER_TURN, Installation, Installed, LinkReport, Lost, Report};

/// Everything a packet meets between two descriptors.
pub(super) struct Dataplane {
    engine: Engine,
    links: Links,
    /// The only buffer packets are read into: it stays in the cache.
    packet: PacketBuf,
    /// Where packets that the engine made are laid out for writing.
    made: PacketBuf,
}

impl Dataplane {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, links: Links::default(), packet: PacketBuf::new(), made: PacketBuf::new() }
    }

    /// Takes what a link has to give, up to the budget of one turn, and sends it on.
    #[inline]
    pub(super) fn drain(&mut self, now: Time, from: LinkId) {
        let mut budget = Budget::default();
        while let Some(writer) = self.links.get(from) {
            let bytes = match writer.recv(&mut self.packet) {
                Ok(Received::Empty) => break,
                Ok(Received::Packet) => self.packet.len(),
                // Counted by the link.
                Ok(Received::Malformed(_)) => 0,
                Err(error) => {
                    self.links.lose(from, &error.to_string());
                    break;
                }
            };
            if bytes > 0 {
                self.forward(now, from);
            }
            if !budget.spend(bytes) {
                break;
            }
        }
        self.links.flush();
    }

    #[inline]
    fn forward(&mut self, now: Time, from: LinkId) {
        match self.engine.process(now, from, &mut self.packet) {
            Action::Send(to) => self.links.push(to, &mut self.packet),
            Action::Drop(_) | Action::Sent => {
                while let Some(transmit) = self.engine.poll_transmit() {
                    self.made.set_packet(&transmit.packet);
                    self.links.push(transmit.link, &mut self.made);
                }
            }
        }
    }

    /// Ends flows whose time has passed; says how long until that is to be called again.
    pub(super) fn expire(&mut self, now: Time) -> Option<Duration> {
        let due = self.engine.poll_timeout()?;
        if due <= now {
            self.engine.handle_timeout(now, EXPIRED_PER_TURN);
        }
        self.engine.poll_timeout().map(|due| due.since(now))
    }

    pub(super) fn lose(&mut self, link: LinkId, why: &str) {
        self.links.lose(link, why);
    }

    pub(super) fn explain(&self, now: Time, link: LinkId, parsed: &Parsed) -> Explanation {
        self.engine.explain(now, link, parsed)
    }

    pub(super) fn install(&mut self, poller: &Poller, installation: Installation) -> Installed {
        let Installation { snapshot, remove, renumber, add } = installation;
        let mut displaced: Vec<Writer> = remove.iter().filter_map(|&link| self.replace(poller, link)).collect();
        // All leave their places before any takes its new one, since two may swap.
        let moving: Vec<(LinkId, Writer)> =
            renumber.iter().filter_map(|&(from, to)| Some((to, self.links.take(from)?))).collect();
        for (link, writer) in moving {
            displaced.extend(self.replace(poller, link));
            match poller.modify(writer.link(), u64::from(link.0)) {
                Ok(()) => self.links.put(link, writer),
                Err(error) => self.links.note_lost(link, &error.to_string()),
            }
        }
        for (link, writer) in add {
            displaced.extend(self.replace(poller, link));
            match poller.add(writer.link(), u64::from(link.0)) {
                Ok(()) => self.links.put(link, writer),
                Err(error) => self.links.note_lost(link, &error.to_string()),
            }
        }
        self.engine.install(snapshot);
        Installed { displaced }
    }

    /// Takes a link from its place, to be closed by somebody who has time.
    fn replace(&mut self, poller: &Poller, link: LinkId) -> Option<Writer> {
        self.links.lost.remove(&link);
        let writer = self.links.take(link)?;
        // Fails only if it was never added, and then there is nothing to forget.
        let _ = poller.remove(writer.link());
        Some(writer)
    }

    pub(super) fn report(&self) -> Report {
        Report {
            generation: self.engine.snapshot().generation(),
            flows: self.engine.flow_count(),
            engine: self.engine.counters().clone(),
            links: self.links.report(),
            lost: self.links.lost.clone(),
        }
    }
}

/// The links by number, and those with something left to write in this turn.
#[derive(Default)]
struct Links {
    slots: Vec<Option<Slot>>,
    dirty: Vec<LinkId>,
    pool: TrainPool,
    lost: BTreeMap<LinkId, Lost>,
}

struct Slot {
    writer: Writer,
    dirty: bool,
}

impl Links {
    #[inline]
    fn slot(&mut self, link: LinkId) -> Option<&mut Slot> {
        self.slots.get_mut(link.0 as usize)?.as_mut()
    }

    #[inline]
    fn get(&mut self, link: LinkId) -> Option<&mut Writer> {
        self.slot(link).map(|slot| &mut slot.writer)
    }

    /// Writes a packet now, or with the others of its flow at the end of the turn. One for a link that is lost has
    /// nowhere to go, and is counted.
    #[inline]
    fn push(&mut self, to: LinkId, packet: &mut PacketBuf) {
        let Some(slot) = self.slots.get_mut(to.0 as usize).and_then(Option::as_mut) else {
            if let Some(lost) = self.lost.get_mut(&to) {
                lost.unsent += 1;
            }
            return;
        };
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(to);
        }
        let header_length = header_length(packet);
        if let Err(error) = slot.writer.push(&mut self.pool, packet, header_length) {
            self.lose(to, &error.to_string());
        }
    }

    #[inline]
    fn flush(&mut self) {
        while let Some(link) = self.dirty.pop() {
            let Some(slot) = self.slots.get_mut(link.0 as usize).and_then(Option::as_mut) else {
                continue;
            };
            slot.dirty = false;
            if let Err(error) = slot.writer.flush(&mut self.pool) {
                self.lose(link, &error.to_string());
            }
        }
    }

    /// Goes on without a link that failed. Closing it takes it out of the poller.
    #[cold]
    fn lose(&mut self, link: LinkId, why: &str) {
        if self.take(link).is_some() {
            tracing::warn!(%link, why, "link lost; the others go on");
            self.note_lost(link, why);
        }
    }

    fn note_lost(&mut self, link: LinkId, why: &str) {
        let why = why.to_owned();
        self.lost.insert(link, Lost { why, unsent: 0 });
    }

    fn take(&mut self, link: LinkId) -> Option<Writer> {
        let slot = self.slots.get_mut(link.0 as usize)?.take()?;
        Some(slot.writer)
    }

    fn put(&mut self, link: LinkId, writer: Writer) {
        let index = link.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        let dirty = false;
        self.slots[index] = Some(Slot { writer, dirty });
    }

    fn report(&self) -> Vec<LinkReport> {
        let present = (0..).zip(&self.slots).filter_map(|(n, slot)| Some((n, slot.as_ref()?)));
        present
            .map(|(n, slot)| LinkReport {
                link: LinkId(n),
                counters: *slot.writer.link().counters(),
                offloads: slot.writer.link().offloads(),
                coalesced: slot.writer.merged(),
            })
            .collect()
    }
}

/// Where the payload begins, as a hint for the kernel, which makes so much of the packet linear.
///
/// Only packets of several pages have use for it, and of those only unfinished ones come here.
/// Source: io.md §1.4.
#[inline]
pub(super) fn header_length(packet: &PacketBuf) -> u16 {
    const TCP_CHECKSUM: u16 = 16;
    const UDP_HEADER: u16 = 8;
    let Some(partial) = packet.offload.partial else {
        return 0;
    };
    let layer4 = if partial.offset == TCP_CHECKSUM {
        let data_offset = packet.bytes().get(usize::from(partial.start) + 12);
        data_offset.map_or(0, |byte| u16::from(byte >> 4) * 4)
    } else {
        UDP_HEADER
    };
    partial.start.saturating_add(layer4)
}
