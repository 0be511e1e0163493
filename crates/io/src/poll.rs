//! Waiting for links: one level-triggered epoll set and a way to wake its owner.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

/// The token of the waker's own descriptor; links may use every other one.
const WAKER: u64 = u64::MAX;

/// Links reported by one wait; the others are reported by the next.
const AT_ONCE: usize = 256;

/// Why waiting failed; only for broken arguments and exhausted limits, never in normal running.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The token is the one the poller uses itself.
    #[error("token {token} is reserved")]
    ReservedToken {
        /// The token.
        token: u64,
    },
    /// The kernel refused.
    #[error("cannot {doing}: {source}")]
    Os {
        /// What was attempted.
        doing: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl PollError {
    fn os(doing: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::Os { doing, source: errno.into() }
    }
}

/// One link that has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The token the link was added with.
    pub token: u64,
    /// There are packets to receive.
    pub readable: bool,
    /// The descriptor is broken for good: of a TUN, its device or its namespace is gone.
    pub gone: bool,
}

/// Why [`Poller::wait`] returned, apart from the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken {
    /// A [`Waker`] was used since the last wait.
    pub by_waker: bool,
}

/// A set of descriptors to wait for.
///
/// Level-triggered: a link that was not drained is reported again, so a worker may leave off whenever its
/// [`Budget`] is spent.
pub struct Poller {
    epoll: OwnedFd,
    waker: Arc<OwnedFd>,
    events: Vec<Event>,
}

impl Poller {
    /// An empty set.
    pub fn new() -> Result<Self, PollError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(PollError::os("make an epoll set"))?;
        let waker =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(PollError::os("make an eventfd"))?;
        epoll::add(&epoll, &waker, EventData::new_u64(WAKER), EventFlags::IN)
            .map_err(PollError::os("wait for the waker"))?;
        Ok(Self { epoll, waker: Arc::new(waker), events: Vec::with_capacity(AT_ONCE) })
    }

    /// Waits for `source` to become readable, reporting it as `token`.
    ///
    /// Errors: [`PollError::ReservedToken`] for `u64::MAX`; `Os` when it is in the set already.
    pub fn add(&self, source: impl AsFd, token: u64) -> Result<(), PollError> {
        epoll::add(&self.epoll, source, data(token)?, EventFlags::IN).map_err(PollError::os("add a link"))
    }

    /// Changes the token of `source`.
    pub fn modify(&self, source: impl AsFd, token: u64) -> Result<(), PollError> {
        epoll::modify(&self.epoll, source, data(token)?, EventFlags::IN).map_err(PollError::os("change a link's token"))
    }

    /// Stops waiting for `source`. Closing the last copy of a descriptor removes it too.
    pub fn remove(&self, source: impl AsFd) -> Result<(), PollError> {
        epoll::delete(&self.epoll, source).map_err(PollError::os("remove a link"))
    }

    /// A handle to end [`Poller::wait`] from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker { eventfd: Arc::clone(&self.waker) }
    }

    /// Waits until something is readable, a waker is used, or `timeout` has passed (`None`: for ever).
    ///
    /// Shape: what was found is in [`Poller::events`] until the next call; at most 256 links per call, the
    /// others the next time. An interrupting signal is a return without events.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Woken, PollError> {
        self.events.clear();
        let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        let ready: &[epoll::Event] = match epoll::wait(&self.epoll, &mut buffer[..], timeout.as_ref()) {
            Ok((ready, _)) => ready,
            Err(Errno::INTR) => &[],
            Err(errno) => return Err(PollError::os("wait for links")(errno)),
        };
        let mut woken = Woken { by_waker: false };
        for event in ready {
            let token = event.data.u64();
            if token == WAKER {
                // The count is of no interest; reading resets it. EAGAIN cannot hurt: it was reset already.
                let _ = rustix::io::read(&*self.waker, &mut [0; 8]);
                woken.by_waker = true;
                continue;
            }
            let flags = event.flags;
            self.events.push(Event {
                token,
                readable: flags.contains(EventFlags::IN),
                gone: flags.intersects(EventFlags::ERR | EventFlags::HUP),
            });
        }
        Ok(woken)
    }

    /// What the last [`Poller::wait`] found.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Ends the wait of a [`Poller`], from any thread; wake-ups before the wait are not lost.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<OwnedFd>,
}

impl Waker {
    /// Wakes the poller; several calls before it looks are one.
    pub fn wake(&self) {
        // EAGAIN means the counter is full, so the poller has reason enough to wake.
        let _ = rustix::io::write(&*self.eventfd, &1_u64.to_ne_bytes());
    }
}

/// How much of one link a worker takes in one turn, so that a flooding link does not starve the others.
///
/// Units: packets as read (a super-packet is one), bytes of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Packets left.
    pub packets: u32,
    /// Bytes left.
    pub bytes: u32,
}

impl Budget {
    /// Takes one packet of `bytes` from the budget; `false` when the turn is over after it.
    #[inline]
    pub fn spend(&mut self, bytes: usize) -> bool {
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.packets > 0 && self.bytes > 0
    }
}

impl Default for Budget {
    /// 64 packets or 1 MiB, whichever is spent first.
    fn default() -> Self {
        Self { packets: 64, bytes: 1 << 20 }
    }
}

fn data(token: u64) -> Result<EventData, PollError> {
    if token == WAKER {
        return Err(PollError::ReservedToken { token });
    }
    Ok(EventData::new_u64(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signalled() -> OwnedFd {
        eventfd(1, EventfdFlags::NONBLOCK).unwrap()
    }

    #[test]
    fn a_readable_descriptor_is_reported_until_it_is_drained() {
        let mut poller = Poller::new().unwrap();
        let source = signalled();
        poller.add(&source, 7).unwrap();
        for _ in 0..2 {
            poller.wait(Some(Duration::ZERO)).unwrap();
            assert_eq!(poller.events(), [Event { token: 7, readable: true, gone: false }]);
        }
        rustix::io::read(&source, &mut [0; 8]).unwrap();
        poller.wait(Some(Duration::ZERO)).unwrap();
        assert_eq!(poller.events(), []);
    }

    #[test]
    fn a_token_can_be_changed_and_a_link_removed() {
        let mut poller = Poller::new().unwrap();
        let source = signalled();
        poller.add(&source, 7).unwrap();
        poller.modify(&source, 8).unwrap();
        poller.wait(Some(Duration::ZERO)).unwrap();
        assert_eq!(poller.events()[0].token, 8);
        poller.remove(&source).unwrap();
        poller.wait(Some(Duration::ZERO)).unwrap();
        assert_eq!(poller.events(), []);
        assert!(matches!(poller.remove(&source), Err(PollError::Os { .. })));
    }

    #[test]
    fn a_waker_ends_the_wait_once_however_often_it_is_used() {
        let mut poller = Poller::new().unwrap();
        let waker = poller.waker();
        let other = waker.clone();
        waker.wake();
        other.wake();
        assert!(poller.wait(None).unwrap().by_waker);
        assert!(!poller.wait(Some(Duration::ZERO)).unwrap().by_waker);
        let thread = std::thread::spawn(move || other.wake());
        assert!(poller.wait(None).unwrap().by_waker);
        waker.wake();
        assert!(poller.wait(None).unwrap().by_waker);
        thread.join().unwrap();
    }

    #[test]
    fn the_wakers_own_token_is_refused() {
        let poller = Poller::new().unwrap();
        assert!(matches!(poller.add(signalled(), u64::MAX), Err(PollError::ReservedToken { .. })));
    }

    #[test]
    fn a_budget_ends_with_its_packets_or_its_bytes() {
        let mut budget = Budget { packets: 3, bytes: 1000 };
        assert!(budget.spend(100));
        assert!(budget.spend(100));
        assert!(!budget.spend(100));
        let mut budget = Budget::default();
        assert_eq!((1..).find(|_| !budget.spend(65_535)), Some(17));
    }
}
