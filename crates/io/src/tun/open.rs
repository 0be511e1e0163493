//! Opening TUN devices, with one back end or the other.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use super::{Backend, InterfaceName, Offloads, TunConfig, TunError};
use crate::sys;

const DEVICE: &str = "/dev/net/tun";

const IFF_TUN: u16 = 0x0001;
const IFF_MULTI_QUEUE: u16 = 0x0100;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const IFF_TUN_EXCL: u16 = 0x8000;

/// The short form of `virtio_net_hdr`. Longer ones exist; from 24 bytes on the kernel would look for tunnel
/// fields in it.
pub(super) const VNET_HEADER: usize = 10;

/// Opens `queues` descriptors of one device in the calling thread's namespace; says which offloads it got.
pub(super) fn open(config: &TunConfig, queues: usize) -> Result<(Vec<OwnedFd>, Offloads), TunError> {
    let multi_queue = queues > 1;
    let mut fds = Vec::with_capacity(queues);
    match config.backend {
        Backend::Vnet => {
            for queue in 0..queues {
                // Only the first may insist on making the device; the others join it.
                let exclusive = config.exclusive && queue == 0;
                fds.push(open_vnet(config.name, exclusive, multi_queue)?);
            }
        }
        Backend::Plain if multi_queue => return Err(TunError::PlainHasOneQueue { name: config.name }),
        Backend::Plain => fds.push(open_plain(config.name, config.exclusive)?),
    }
    // The bits belong to the device, not to the descriptor: once is enough, and a persistent device has
    // those of its former owner until then.
    let Some(first) = fds.first() else {
        return Ok((fds, Offloads::NONE));
    };
    let offloads = match config.backend {
        Backend::Vnet => negotiate(config.name, first, config.offloads)?,
        Backend::Plain => negotiate(config.name, first, Offloads::NONE)?,
    };
    if let Some(packets) = config.transmit_queue_length {
        sys::set_transmit_queue_length(control_socket(config.name)?.as_fd(), config.name.to_kernel(), packets)
            .map_err(|e| TunError::os("set the transmit queue length", config.name, e))?;
    }
    // Last, so that a failure above leaves no device behind.
    if config.persistent {
        sys::tun_set_persistent(first.as_fd(), true)
            .map_err(|e| TunError::os("make the device persistent", config.name, e))?;
    }
    Ok((fds, offloads))
}

/// A socket of the calling thread's namespace to send interface requests through.
pub(crate) fn control_socket(name: InterfaceName) -> Result<OwnedFd, TunError> {
    socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|e| TunError::os("open a control socket", name, e))
}

/// Our own open: `IFF_VNET_HDR`, so that checksums may be partial and packets super-packets.
fn open_vnet(name: InterfaceName, exclusive: bool, multi_queue: bool) -> Result<OwnedFd, TunError> {
    let fd = rustix::fs::open(DEVICE, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .map_err(device_error)?;
    let mut flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if multi_queue {
        flags |= IFF_MULTI_QUEUE;
    }
    let excl = if exclusive { IFF_TUN_EXCL } else { 0 };
    let given =
        sys::tun_set_interface(fd.as_fd(), name.to_kernel(), flags | excl).map_err(|e| interface_error(name, e))?;
    if given != name.to_kernel() {
        let given = String::from_utf8_lossy(&given).trim_end_matches('\0').to_owned();
        return Err(TunError::OtherName { name, given });
    }
    let got = sys::tun_flags(fd.as_fd()).map_err(|e| TunError::os("read the device's flags", name, e))?;
    if got & flags != flags {
        return Err(TunError::MissingFlags { name, wanted: flags, got });
    }
    let length = i32::try_from(VNET_HEADER).unwrap_or(i32::MAX);
    sys::tun_set_vnet_header_length(fd.as_fd(), length)
        .map_err(|e| TunError::os("set the length of the offload header", name, e))?;
    Ok(fd)
}

/// The tun-tap crate's open: whole packets and nothing else.
fn open_plain(name: InterfaceName, exclusive: bool) -> Result<OwnedFd, TunError> {
    // Found out here because tun-tap reports every failure alike, and has no IFF_TUN_EXCL.
    rustix::fs::access(DEVICE, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK).map_err(device_error)?;
    if exclusive && netdevice::name_to_index(control_socket(name)?, name.as_str()).is_ok() {
        return Err(TunError::Taken { name });
    }
    let refused = |error: io::Error| match Errno::from_io_error(&error) {
        Some(errno) => interface_error(name, errno),
        None => TunError::Os { doing: "open a plain device", name: name.to_string(), source: error },
    };
    let interface = tun_tap::Iface::without_packet_info(name.as_str(), tun_tap::Mode::Tun).map_err(refused)?;
    if interface.name() != name.as_str() {
        return Err(TunError::OtherName { name, given: interface.name().to_owned() });
    }
    interface.set_non_blocking().map_err(refused)?;
    Ok(sys::into_owned(interface))
}

/// Asks for `wanted` and, refused, for less, down to nothing.
fn negotiate(name: InterfaceName, fd: &OwnedFd, wanted: Offloads) -> Result<Offloads, TunError> {
    let mut offloads = wanted.and(Offloads::ALL);
    loop {
        match sys::tun_set_offload(fd.as_fd(), offloads.bits()) {
            Ok(()) => break,
            Err(errno) => match offloads.weaker() {
                Some(weaker) => offloads = weaker,
                None => return Err(TunError::os("set the offloads", name, errno)),
            },
        }
    }
    if offloads != wanted {
        tracing::warn!(interface = %name, %wanted, got = %offloads, "the kernel lacks offloads; packets will be smaller and slower");
    }
    Ok(offloads)
}

fn device_error(errno: Errno) -> TunError {
    match errno {
        Errno::NOENT | Errno::NXIO | Errno::NODEV => TunError::NoDevice,
        Errno::PERM | Errno::ACCESS => TunError::NotPermitted { doing: "open /dev/net/tun" },
        other => TunError::Os { doing: "open", name: DEVICE.to_owned(), source: other.into() },
    }
}

fn interface_error(name: InterfaceName, errno: Errno) -> TunError {
    match errno {
        Errno::BUSY => TunError::Taken { name },
        // A device of the name is there and cannot be joined.
        Errno::INVAL => TunError::NotJoinable { name },
        Errno::PERM | Errno::ACCESS => TunError::NotPermitted { doing: "make a TUN device" },
        other => TunError::os("make the device", name, other),
    }
}
