//! The thread that carries packets.
//!
//! It owns the links, the engine and one packet buffer, and shares nothing. A packet is read, processed and written
//! before the next one is read. The control side speaks to it through a channel that it looks at between bursts.

mod dataplane;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;
use vpc_engine::{Engine, EngineConfig, Snapshot};
use vpc_io::{Counters, Offloads, Poller, Waker, Writer};
use vpc_model::explain::Explanation;
use vpc_model::{LinkId, Time};
use vpc_packet::Parsed;

use dataplane::Dataplane;

/// Flows ended per turn; the others wait for the next turn, packets go first.
const EXPIRED_PER_TURN: usize = 64;

/// What is asked of the worker; answered between two bursts.
enum Command {
    Explain { link: LinkId, parsed: Box<Parsed>, reply: oneshot::Sender<Explanation> },
    Install { installation: Installation, reply: oneshot::Sender<Installed> },
    Report { reply: oneshot::Sender<Report> },
    Stop,
}

/// New tables and the links they speak about, adopted together: no packet meets the ones without the others.
pub(crate) struct Installation {
    /// The tables.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Links that are no more.
    pub(crate) remove: Vec<LinkId>,
    /// Links that go on under another number, from and to.
    pub(crate) renumber: Vec<(LinkId, LinkId)>,
    /// New links; one with a number in use takes its place.
    pub(crate) add: Vec<(LinkId, Writer)>,
}

/// What an installation left over. Closing a device takes the kernel milliseconds, which is not for the worker to
/// spend.
pub(crate) struct Installed {
    /// Links that were removed or replaced.
    pub(crate) displaced: Vec<Writer>,
}

/// Everything the worker has counted.
pub(crate) struct Report {
    pub(crate) generation: u64,
    pub(crate) flows: usize,
    pub(crate) engine: vpc_engine::Counters,
    pub(crate) links: Vec<LinkReport>,
    /// Links that failed.
    pub(crate) lost: BTreeMap<LinkId, Lost>,
}

/// A link that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Why.
    pub(crate) why: String,
    /// Packets that would have left on it since.
    pub(crate) unsent: u64,
}

/// What one link has counted.
pub(crate) struct LinkReport {
    pub(crate) link: LinkId,
    pub(crate) counters: Counters,
    pub(crate) offloads: Offloads,
    pub(crate) coalesced: u64,
}

/// The worker is no more, so nothing can be asked of it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the worker thread has stopped; see the log")]
pub(crate) struct Stopped;

/// Speaks to the worker.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: Sender<Command>,
    waker: Waker,
}

impl Handle {
    /// Adopts tables and links; returns when they are in force.
    ///
    /// Blocks, for a batch at most; not for use on the runtime's thread.
    pub(crate) fn install(&self, installation: Installation) -> Result<Installed, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Install { installation, reply })?;
        answer.blocking_recv().map_err(|_| Stopped)
    }

    /// What has been counted, for callers that may block.
    pub(crate) fn report_blocking(&self) -> Result<Report, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Report { reply })?;
        answer.blocking_recv().map_err(|_| Stopped)
    }

    /// What has been counted.
    pub(crate) async fn report(&self) -> Result<Report, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Report { reply })?;
        answer.await.map_err(|_| Stopped)
    }

    /// What would happen to a packet.
    pub(crate) async fn explain(&self, link: LinkId, parsed: Parsed) -> Result<Explanation, Stopped> {
        let (reply, answer) = oneshot::channel();
        let parsed = Box::new(parsed);
        self.send(Command::Explain { link, parsed, reply })?;
        answer.await.map_err(|_| Stopped)
    }

    fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).map_err(|_| Stopped)?;
        self.waker.wake();
        Ok(())
    }
}

/// The running worker; stops when dropped.
pub(crate) struct Worker {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread, with tables and no links.
    ///
    /// Shape: the receiver ends (with an error, nothing is ever sent) when the thread does, for whatever reason.
    pub(crate) fn start(
        config: EngineConfig,
        snapshot: Arc<Snapshot>,
    ) -> anyhow::Result<(Self, oneshot::Receiver<()>)> {
        let poller = Poller::new()?;
        let waker = poller.waker();
        // Bounded by the control side, which waits for each answer.
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (alive, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                let _alive = alive;
                let dataplane = Dataplane::new(Engine::new(config, snapshot));
                if let Err(error) = run(poller, dataplane, &inbox) {
                    tracing::error!(%error, "the worker cannot go on");
                }
            })
            .context("cannot start the worker thread")?;
        let handle = Handle { commands, waker };
        let thread = Some(thread);
        Ok((Self { handle, thread }, ended))
    }

    /// Speaks to it.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.handle.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut poller: Poller, mut dataplane: Dataplane, inbox: &Receiver<Command>) -> Result<(), vpc_io::poll::PollError> {
    let start = clock();
    let now = || Time(clock().saturating_sub(start));
    let mut wait = None;
    loop {
        let woken = poller.wait(wait)?;
        // Once per burst: a burst is short against every timeout there is.
        let time = now();
        for event in poller.events() {
            let link = LinkId(u32::try_from(event.token).unwrap_or(u32::MAX));
            if event.readable || event.gone {
                dataplane.drain(time, link);
            }
            if event.gone {
                dataplane.lose(link, "the device or its network namespace is gone");
            }
        }
        if woken.by_waker && !answer(&poller, &mut dataplane, inbox, time) {
            return Ok(());
        }
        wait = dataplane.expire(time);
    }
}

/// Answers what has been asked; `false` to stop.
fn answer(poller: &Poller, dataplane: &mut Dataplane, inbox: &Receiver<Command>, now: Time) -> bool {
    // Whoever asked may have given up waiting; then the answer is dropped.
    while let Ok(command) = inbox.try_recv() {
        match command {
            Command::Explain { link, parsed, reply } => {
                let _ = reply.send(dataplane.explain(now, link, &parsed));
            }
            Command::Install { installation, reply } => {
                let _ = reply.send(dataplane.install(poller, installation));
            }
            Command::Report { reply } => {
                let _ = reply.send(dataplane.report());
            }
            Command::Stop => return false,
        }
    }
    true
}

/// Nanoseconds of the monotonic clock.
fn clock() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or_default());
    let time = seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or_default());
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
