//! Packets of an interface, past the protocols of its namespace.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, eth, recv, send, socket_with};

use crate::sys::LinkLayer;
use crate::{InterfaceName, NetNs};

/// Sends and receives the IP packets of one interface as they are, whatever addresses the interface has.
///
/// Shape: for tests and captures. It hears what the kernel sends by the interface, too, and what it sends itself.
/// Offloads stay unfinished: there is no virtio header.
/// Source: packet(7).
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens it for an interface of a namespace.
    ///
    /// # Errors
    /// No such namespace or interface, or `CAP_NET_RAW` is missing.
    pub fn open(namespace: &NetNs, interface: &InterfaceName) -> io::Result<Self> {
        namespace.run_in(|| Self::open_here(interface)).map_err(io::Error::other)?
    }

    /// Sends an IP packet.
    ///
    /// # Errors
    /// The interface is down, or the packet is larger than its MTU.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        send(&self.socket, packet, SendFlags::empty())?;
        Ok(())
    }

    /// Receives a packet, if one is there, and gives its length; what does not fit into `buffer` is cut off.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(&self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((len, _)) => Ok(Some(len)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open_here(interface: &InterfaceName) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::PACKET, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(eth::ALL))?;
        let index = name_to_index(&socket, interface.as_str())?;
        let index = i32::try_from(index).map_err(|_| Errno::NODEV)?;
        bind(&socket, &LinkLayer::all_protocols(index))?;
        Ok(Self { socket })
    }
}
