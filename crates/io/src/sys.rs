//! The system calls that have no safe wrapper. All `unsafe` of the project is in this file.
#![allow(unsafe_code)]

use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::ioctl::{self, IntegerSetter, Opcode, Setter, Updater, opcode};
use rustix::thread::UnshareFlags;

const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
const TUNSETPERSIST: Opcode = opcode::write::<i32>(b'T', 203);
const TUNSETOFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
const TUNGETIFF: Opcode = opcode::read::<u32>(b'T', 210);
const TUNSETVNETHDRSZ: Opcode = opcode::write::<i32>(b'T', 216);

const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCSIFADDR: Opcode = 0x8916;
const SIOCSIFDSTADDR: Opcode = 0x8918;
const SIOCSIFTXQLEN: Opcode = 0x8943;

const IFF_UP: i16 = 1;
const AF_INET: u16 = 2;

/// `struct ifreq`: a name and a union of which every request reads or writes one member.
#[repr(C)]
#[derive(Clone, Copy)]
struct IfRequest<T> {
    name: [u8; 16],
    value: T,
}

/// `ifr_flags`, padded to the size of the union.
#[repr(C)]
#[derive(Clone, Copy)]
struct Flags {
    flags: i16,
    pad: [u8; 22],
}

/// `ifr_qlen`, padded to the size of the union.
#[repr(C)]
#[derive(Clone, Copy)]
struct QueueLength {
    length: i32,
    pad: [u8; 20],
}

/// `ifr_addr` holding a `sockaddr_in`, padded to the size of the union.
#[repr(C)]
#[derive(Clone, Copy)]
struct Address {
    family: u16,
    port: u16,
    octets: [u8; 4],
    pad: [u8; 16],
}

// The kernel copies `sizeof(struct ifreq)` bytes in and out.
const _: () = assert!(size_of::<IfRequest<Flags>>() == 40);
const _: () = assert!(size_of::<IfRequest<QueueLength>>() == 40);
const _: () = assert!(size_of::<IfRequest<Address>>() == 40);

/// Moves the calling thread into a network namespace of its own.
pub(crate) fn unshare_network() -> Result<()> {
    // SAFETY: the only hazard of unshare is CLONE_FILES, which splits the descriptor table; only
    // CLONE_NEWNET is passed.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
}

/// Makes `tun` (an open `/dev/net/tun`) the device `name` with `flags`; returns the name the kernel gave.
pub(crate) fn tun_set_interface(tun: BorrowedFd<'_>, name: [u8; 16], flags: u16) -> Result<[u8; 16]> {
    let mut request = IfRequest { name, value: Flags { flags: i16::from_ne_bytes(flags.to_ne_bytes()), pad: [0; 22] } };
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose layout and size `IfRequest<Flags>` has;
    // every bit pattern the kernel may write is valid for its integer fields.
    unsafe { ioctl::ioctl(tun, Updater::<TUNSETIFF, _>::new(&mut request))? };
    Ok(request.name)
}

/// The flags of the device `tun` is.
pub(crate) fn tun_flags(tun: BorrowedFd<'_>) -> Result<u16> {
    let mut request = IfRequest { name: [0; 16], value: Flags { flags: 0, pad: [0; 22] } };
    // SAFETY: as for TUNSETIFF; TUNGETIFF only writes.
    unsafe { ioctl::ioctl(tun, Updater::<TUNGETIFF, _>::new(&mut request))? };
    Ok(u16::from_ne_bytes(request.value.flags.to_ne_bytes()))
}

/// Says which offloads the reader of `tun` understands (`TUN_F_*`).
pub(crate) fn tun_set_offload(tun: BorrowedFd<'_>, bits: u32) -> Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value and touches no memory of ours.
    unsafe { ioctl::ioctl(tun, IntegerSetter::<TUNSETOFFLOAD>::new_usize(bits as usize)) }
}

/// Sets the length of the header in front of every packet.
pub(crate) fn tun_set_vnet_header_length(tun: BorrowedFd<'_>, bytes: i32) -> Result<()> {
    // SAFETY: TUNSETVNETHDRSZ reads one int through the pointer, which `Setter` keeps valid for the call.
    unsafe { ioctl::ioctl(tun, Setter::<TUNSETVNETHDRSZ, i32>::new(bytes)) }
}

/// Lets the device outlive its descriptors, or not.
pub(crate) fn tun_set_persistent(tun: BorrowedFd<'_>, persistent: bool) -> Result<()> {
    // SAFETY: TUNSETPERSIST takes its argument by value and touches no memory of ours.
    unsafe { ioctl::ioctl(tun, IntegerSetter::<TUNSETPERSIST>::new_usize(usize::from(persistent))) }
}

/// Sets `txqueuelen` of the interface `name` in the namespace of `socket`.
pub(crate) fn set_transmit_queue_length(socket: BorrowedFd<'_>, name: [u8; 16], packets: u32) -> Result<()> {
    let length = i32::try_from(packets).map_err(|_| Errno::INVAL)?;
    let request = IfRequest { name, value: QueueLength { length, pad: [0; 20] } };
    // SAFETY: SIOCSIFTXQLEN reads one `struct ifreq`, whose layout and size `IfRequest` has.
    unsafe { ioctl::ioctl(socket, Setter::<SIOCSIFTXQLEN, _>::new(request)) }
}

/// Brings the interface `name` up in the namespace of `socket`.
pub(crate) fn set_up(socket: BorrowedFd<'_>, name: [u8; 16]) -> Result<()> {
    let mut request = IfRequest { name, value: Flags { flags: 0, pad: [0; 22] } };
    // SAFETY: SIOCGIFFLAGS reads and writes one `struct ifreq`, whose layout and size `IfRequest` has.
    unsafe { ioctl::ioctl(socket, Updater::<SIOCGIFFLAGS, _>::new(&mut request))? };
    request.value.flags |= IFF_UP;
    // SAFETY: SIOCSIFFLAGS reads one `struct ifreq`, as above.
    unsafe { ioctl::ioctl(socket, Setter::<SIOCSIFFLAGS, _>::new(request)) }
}

/// Gives the point-to-point interface `name` its own and its peer's address.
pub(crate) fn set_addresses(socket: BorrowedFd<'_>, name: [u8; 16], own: Ipv4Addr, peer: Ipv4Addr) -> Result<()> {
    let request = |address: Ipv4Addr| IfRequest {
        name,
        value: Address { family: AF_INET, port: 0, octets: address.octets(), pad: [0; 16] },
    };
    // SAFETY: SIOCSIFADDR reads one `struct ifreq` with a `sockaddr_in` in it, which is what `request` makes.
    unsafe { ioctl::ioctl(socket, Setter::<SIOCSIFADDR, _>::new(request(own)))? };
    // SAFETY: SIOCSIFDSTADDR reads the same.
    unsafe { ioctl::ioctl(socket, Setter::<SIOCSIFDSTADDR, _>::new(request(peer))) }
}

/// Takes the descriptor out of a tun-tap interface.
pub(crate) fn into_owned(interface: tun_tap::Iface) -> OwnedFd {
    // SAFETY: `into_raw_fd` gives up ownership of an open descriptor, which nobody else closes.
    unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) }
}
