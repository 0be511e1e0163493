//! TUN devices: the links whose other end is a network namespace.

mod name;
mod offloads;
pub(crate) mod open;

use std::fmt;
use std::io;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::str::FromStr;

use rustix::io::Errno;
use vpc_packet::{Offload, PacketBuf};

pub use name::{InterfaceName, InterfaceNameError};
pub use offloads::Offloads;

use crate::counters::{Counters, LinkDrop};
use crate::link::{LinkError, Received, Sent};
use crate::netns::{NetNs, NetNsError};
use crate::software;
use crate::sys;

/// How packets cross the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// With a `virtio_net_hdr` in front: partial checksums and super-packets travel as they are.
    #[default]
    Vnet,
    /// Finished packets no longer than the MTU, through the tun-tap crate: for kernels and sandboxes without
    /// offloads, and as the measure of what offloads are worth.
    Plain,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vnet => "vnet",
            Self::Plain => "plain",
        })
    }
}

/// A text that names no back end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown TUN back end {0:?}; there are `vnet` and `plain`")]
pub struct UnknownBackend(pub String);

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "vnet" => Ok(Self::Vnet),
            "plain" => Ok(Self::Plain),
            other => Err(UnknownBackend(other.to_owned())),
        }
    }
}

/// What device to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunConfig {
    /// Its name inside the namespace.
    pub name: InterfaceName,
    /// How packets cross it.
    pub backend: Backend,
    /// The most that is asked for; a knob for kernels on which one of them is broken. Ignored by `Plain`.
    pub offloads: Offloads,
    /// Refuse a device that exists already, instead of attaching to it.
    pub exclusive: bool,
    /// The device stays, with its addresses and routes, when the last descriptor is closed.
    pub persistent: bool,
    /// The length in packets of the queue to us, the only queue there is; `None` leaves the kernel's 500.
    pub transmit_queue_length: Option<u32>,
}

impl TunConfig {
    /// The usual device: `Vnet`, every offload, made if absent, gone with its descriptor, queue of 1000.
    #[must_use]
    pub const fn new(name: InterfaceName) -> Self {
        Self {
            name,
            backend: Backend::Vnet,
            offloads: Offloads::ALL,
            exclusive: false,
            persistent: false,
            transmit_queue_length: Some(1000),
        }
    }
}

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// No interface can have that name.
    #[error(transparent)]
    Name(#[from] InterfaceNameError),
    /// The namespace could not be entered.
    #[error(transparent)]
    NetNs(#[from] NetNsError),
    /// There is no TUN driver or no device node for it.
    #[error(
        "no /dev/net/tun: load the driver with `modprobe tun`, make the node with `mkdir -p /dev/net && mknod /dev/net/tun c 10 200`, or start the container with `--device /dev/net/tun`"
    )]
    NoDevice,
    /// The process may not do that.
    #[error("cannot {doing}: needs CAP_NET_ADMIN; run as root")]
    NotPermitted {
        /// What was attempted.
        doing: &'static str,
    },
    /// The device exists and `exclusive` was asked for, or somebody else holds its queue.
    #[error("interface {name} exists already and is in use, or was to be made anew")]
    Taken {
        /// The name.
        name: InterfaceName,
    },
    /// An interface of that name exists and is no TUN, or one with another number of queues.
    #[error(
        "interface {name} exists and is not a TUN device that can be joined (another kind, or multi-queue against single-queue)"
    )]
    NotJoinable {
        /// The name.
        name: InterfaceName,
    },
    /// The kernel chose another name than the one asked for.
    #[error("asked for interface {name} and got {given}")]
    OtherName {
        /// The name asked for.
        name: InterfaceName,
        /// The name the kernel gave.
        given: String,
    },
    /// The kernel left out a flag that was asked for.
    #[error("interface {name} has flags {got:#06x}, not all of {wanted:#06x}")]
    MissingFlags {
        /// The name.
        name: InterfaceName,
        /// The flags asked for (`IFF_*`).
        wanted: u16,
        /// The flags the device has.
        got: u16,
    },
    /// Several queues were asked for on the plain back end.
    #[error("interface {name}: the plain back end has one queue only; use the vnet back end")]
    PlainHasOneQueue {
        /// The name.
        name: InterfaceName,
    },
    /// Anything else the kernel refused.
    #[error("{name}: cannot {doing}: {source}")]
    Os {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl TunError {
    pub(crate) fn os(doing: &'static str, name: InterfaceName, errno: Errno) -> Self {
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted { doing },
            other => Self::Os { doing, name: name.to_string(), source: other.into() },
        }
    }
}

/// One queue of a TUN device.
///
/// "Receive" is what the namespace sends to us, "send" is what we put into it. The descriptor does not block.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: InterfaceName,
    backend: Backend,
    offloads: Offloads,
    counters: Counters,
    /// Where segments are cut, made when first needed.
    segmenter: software::Segmenter,
    refusal_logged: bool,
}

impl Tun {
    /// Opens a device with one queue inside `ns`.
    ///
    /// The interface is down and without addresses unless it existed; that is netlink's business.
    pub fn open(ns: &NetNs, config: &TunConfig) -> Result<Self, TunError> {
        let (mut queues, offloads) = ns.run_in(|| open::open(config, 1))??;
        let fd = queues.swap_remove(0);
        Ok(Self::new(fd, config, offloads))
    }

    /// Opens a multi-queue device inside `ns`: one `Tun` per queue, each for a thread of its own.
    ///
    /// The kernel spreads flows over the queues and learns from what is sent: answers to a packet sent on
    /// queue n arrive on queue n.
    /// Errors: [`TunError::PlainHasOneQueue`] with the plain back end and more than one queue.
    pub fn open_queues(ns: &NetNs, config: &TunConfig, queues: NonZeroU16) -> Result<Vec<Self>, TunError> {
        let (fds, offloads) = ns.run_in(|| open::open(config, usize::from(queues.get())))??;
        Ok(fds.into_iter().map(|fd| Self::new(fd, config, offloads)).collect())
    }

    fn new(fd: OwnedFd, config: &TunConfig, offloads: Offloads) -> Self {
        Self {
            fd,
            name: config.name,
            backend: config.backend,
            offloads,
            counters: Counters::default(),
            segmenter: software::Segmenter::default(),
            refusal_logged: false,
        }
    }

    /// The name of the device inside its namespace.
    #[must_use]
    pub const fn name(&self) -> InterfaceName {
        self.name
    }

    /// How packets cross the device.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// What may cross the device unfinished.
    #[must_use]
    pub const fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// What has been counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lets the device outlive its descriptors, or (before dropping this) not.
    pub fn set_persistent(&self, persistent: bool) -> Result<(), TunError> {
        sys::tun_set_persistent(self.fd.as_fd(), persistent)
            .map_err(|e| TunError::os("change the device's persistence", self.name, e))
    }

    /// Receives the next packet; see [`crate::Link::recv`].
    pub fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        let with_header = self.backend == Backend::Vnet;
        let area = if with_header { packet.read_area() } else { packet.read_area_plain() };
        let length = loop {
            match rustix::io::read(&self.fd, &mut *area) {
                Ok(length) => break length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Received::Empty),
                Err(errno) => return Err(self.broken("receive", errno)),
            }
        };
        if let Err(error) = packet.filled(length, with_header) {
            self.counters.drop(LinkDrop::Malformed, 1);
            return Ok(Received::Malformed(error));
        }
        self.counters.rx.count(software::segments(packet), packet.len());
        Ok(Received::Packet)
    }

    /// Sends a packet; see [`crate::Link::send`].
    pub fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        if software::must_finish(packet.offload, self.offloads) {
            return self.send_finished(packet);
        }
        match self.write(packet, header_length) {
            Err(Errno::INVAL) if packet.offload != Offload::default() => {
                if !std::mem::replace(&mut self.refusal_logged, true) {
                    tracing::warn!(
                        interface = %self.name,
                        offload = ?packet.offload,
                        bytes = packet.len(),
                        "the kernel refused an unfinished packet; such packets are finished in software (said once)"
                    );
                }
                self.send_finished(packet)
            }
            result => self.sent(result, packet),
        }
    }

    /// Sends a packet as it is, whatever the kernel says.
    pub(crate) fn send_unfinished(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        let result = self.write(packet, header_length);
        self.sent(result, packet)
    }

    /// Sends a packet after doing in software what is left to do: the only place that touches payload.
    fn send_finished(&mut self, packet: &mut PacketBuf) -> Result<Sent, LinkError> {
        let segments = software::segments(packet);
        let mut segmenter = std::mem::take(&mut self.segmenter);
        let mut outcome = Ok(Sent::Accepted);
        let cut = segmenter.for_each(packet, |segment| {
            // One that was dropped does not keep the others from going: they are packets of their own.
            if outcome.is_ok() {
                let result = self.write(segment, 0);
                match self.sent(result, segment) {
                    Ok(Sent::Accepted) => {}
                    other => outcome = other,
                }
            }
        });
        self.segmenter = segmenter;
        match cut {
            Ok(()) => outcome,
            Err(_) => Ok(self.drop(LinkDrop::Refused, segments)),
        }
    }

    /// One packet per call; a TUN takes it whole or not at all.
    #[inline]
    fn write(&self, packet: &mut PacketBuf, header_length: u16) -> Result<(), Errno> {
        let bytes = match self.backend {
            Backend::Vnet => packet.write_area(header_length),
            Backend::Plain => packet.bytes(),
        };
        loop {
            match rustix::io::write(&self.fd, bytes) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Counts what became of `packet`.
    fn sent(&mut self, result: Result<(), Errno>, packet: &PacketBuf) -> Result<Sent, LinkError> {
        let segments = software::segments(packet);
        let reason = match result {
            Ok(()) => {
                self.counters.tx.count(segments, packet.len());
                return Ok(Sent::Accepted);
            }
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => LinkDrop::Full,
            Err(Errno::IO) => LinkDrop::Down,
            Err(Errno::INVAL) => LinkDrop::Refused,
            Err(errno) => return Err(self.broken("send", errno)),
        };
        Ok(self.drop(reason, segments))
    }

    fn drop(&mut self, reason: LinkDrop, segments: u32) -> Sent {
        self.counters.drop(reason, segments);
        Sent::Dropped(reason)
    }

    fn broken(&self, doing: &'static str, errno: Errno) -> LinkError {
        match errno {
            Errno::BADFD => LinkError::Gone { name: self.name },
            other => LinkError::Os { doing, name: self.name, source: other.into() },
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
