//! What the worker holds: one type for every kind of link.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use vpc_packet::OffloadError;
use vpc_packet::PacketBuf;

use crate::counters::{Counters, LinkDrop};
use crate::memory::Memory;
use crate::middleware::{Capture, Corrupt, Delay, Lossy};
use crate::tun::{InterfaceName, Offloads, Tun};

/// Where packets enter and leave the process.
///
/// An enum, not a trait object: the worker's call of a TUN is a direct one. The wrappers (`Corrupt`, `Delay`,
/// `Drop`, `Pcap`) hold another link and may be nested, for labs and tests.
#[derive(Debug)]
pub enum Link {
    /// Changes a byte of some packets.
    Corrupt(Box<Corrupt>),
    /// Holds received packets back.
    Delay(Box<Delay>),
    /// Loses some packets.
    Drop(Box<Lossy>),
    /// One end of a pair within the process.
    Memory(Memory),
    /// Writes a copy of every packet to a capture file.
    Pcap(Box<Capture>),
    /// A TUN device.
    Tun(Tun),
}

/// What [`Link::recv`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing for now; wait for the link to become readable.
    Empty,
    /// Something whose offload header contradicts the packet; counted, the buffer is empty, there may be
    /// more behind it.
    Malformed(OffloadError),
    /// A packet, in the buffer.
    Packet,
}

/// What became of a packet given to [`Link::send`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// The link took it, whole or in segments.
    Accepted,
    /// The link lost at least a segment of it; counted.
    Dropped(LinkDrop),
}

/// Why a link is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The device was deleted, or its namespace with everything in it (`EBADFD`).
    #[error("{name}: the device or its network namespace is gone")]
    Gone {
        /// The device.
        name: InterfaceName,
    },
    /// Anything else the kernel refused.
    #[error("{name}: cannot {doing}: {source}")]
    Os {
        /// What was attempted.
        doing: &'static str,
        /// The device.
        name: InterfaceName,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Link {
    /// Receives the next packet, without waiting.
    ///
    /// Shape: replaces what is in `packet`, its offload state included; takes no memory.
    /// Errors: the link is broken for good. What is wrong with one packet is a [`Received::Malformed`].
    #[inline]
    pub fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        match self {
            Self::Corrupt(corrupt) => corrupt.recv(packet),
            Self::Delay(delay) => delay.recv(packet),
            Self::Drop(lossy) => lossy.recv(packet),
            Self::Memory(memory) => Ok(memory.recv(packet)),
            Self::Pcap(capture) => capture.recv(packet),
            Self::Tun(tun) => tun.recv(packet),
        }
    }

    /// Sends a packet, without waiting; it is the link's business to carry super-packets whole, or else to
    /// cut them and complete their checksums.
    ///
    /// Shape: `header_length` is where the layer-4 payload begins, a hint for the kernel; `packet` may be
    /// changed and is of no further use.
    /// Errors: the link is broken for good. A packet it would not take is a [`Sent::Dropped`].
    #[inline]
    pub fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<Sent, LinkError> {
        match self {
            Self::Corrupt(corrupt) => corrupt.send(packet, header_length),
            Self::Delay(delay) => delay.inner_mut().send(packet, header_length),
            Self::Drop(lossy) => lossy.send(packet, header_length),
            Self::Memory(memory) => Ok(memory.send(packet)),
            Self::Pcap(capture) => capture.send(packet, header_length),
            Self::Tun(tun) => tun.send(packet, header_length),
        }
    }

    /// What may cross the link unfinished without being finished in software.
    #[must_use]
    pub fn offloads(&self) -> Offloads {
        match self {
            Self::Memory(memory) => memory.offloads(),
            Self::Tun(tun) => tun.offloads(),
            Self::Corrupt(_) | Self::Delay(_) | Self::Drop(_) | Self::Pcap(_) => {
                self.inner().map_or(Offloads::NONE, Self::offloads)
            }
        }
    }

    /// What this link has counted, apart from the link it may wrap.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        match self {
            Self::Corrupt(corrupt) => corrupt.counters(),
            Self::Delay(delay) => delay.counters(),
            Self::Drop(lossy) => lossy.counters(),
            Self::Memory(memory) => memory.counters(),
            Self::Pcap(capture) => capture.counters(),
            Self::Tun(tun) => tun.counters(),
        }
    }

    /// The link this one wraps.
    #[must_use]
    pub fn inner(&self) -> Option<&Self> {
        match self {
            Self::Corrupt(corrupt) => Some(corrupt.inner()),
            Self::Delay(delay) => Some(delay.inner()),
            Self::Drop(lossy) => Some(lossy.inner()),
            Self::Pcap(capture) => Some(capture.inner()),
            Self::Memory(_) | Self::Tun(_) => None,
        }
    }

    /// How long until [`Link::recv`] has something although the descriptor does not become readable: a
    /// bound for the next wait. `None` when there is no such thing, as with every link but `Delay`.
    #[must_use]
    pub fn due_in(&self) -> Option<Duration> {
        let inner = self.inner().and_then(Self::due_in);
        let Self::Delay(delay) = self else { return inner };
        [inner, delay.due_in()].into_iter().flatten().min()
    }
}

impl AsFd for Link {
    /// The descriptor that becomes readable when there is something to receive.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Corrupt(corrupt) => corrupt.inner().as_fd(),
            Self::Delay(delay) => delay.inner().as_fd(),
            Self::Drop(lossy) => lossy.inner().as_fd(),
            Self::Memory(memory) => memory.as_fd(),
            Self::Pcap(capture) => capture.inner().as_fd(),
            Self::Tun(tun) => tun.as_fd(),
        }
    }
}
