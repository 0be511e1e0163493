//! The end of an interface inside its namespace, with the kernel's own protocols kept quiet.

use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use vpc_io::{InterfaceName, NetNs, NetNsName, PacketSocket};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends and receives in the place of the host that has the interface.
pub(crate) struct Tap {
    socket: PacketSocket,
    /// What was sent comes by once more, on its way out.
    sent: Vec<Vec<u8>>,
}

impl Tap {
    /// Takes over an interface: without addresses, its kernel answers nothing and sends nothing of its own.
    pub(crate) fn new(namespace: &str, interface: &str) -> Result<Self, String> {
        let namespace = NetNsName::new(namespace).and_then(|name| NetNs::open(&name)).map_err(|e| e.to_string())?;
        let socket = InterfaceName::new(interface).map_err(|error| error.to_string())?;
        let socket = PacketSocket::open(&namespace, &socket).map_err(|error| format!("{interface}: {error}"))?;
        let quiet = namespace.run_in(|| {
            std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").map_err(|error| error.to_string())?;
            remove_addresses()
        });
        quiet.map_err(|error| error.to_string())??;
        let mut tap = Self { socket, sent: Vec::new() };
        while tap.recv()?.is_some() {}
        Ok(tap)
    }

    pub(crate) fn send(&mut self, packet: &[u8]) -> Result<(), String> {
        self.sent.push(packet.to_vec());
        self.socket.send(packet).map_err(|error| format!("send {} bytes: {error}", packet.len()))
    }

    /// The next packet that arrived, if one is there.
    pub(crate) fn recv(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut buffer = vec![0; 65_536];
        while let Some(len) = self.socket.recv(&mut buffer).map_err(|error| error.to_string())? {
            let packet = &buffer[..len];
            match self.sent.iter().position(|sent| sent == packet) {
                Some(own) => drop(self.sent.swap_remove(own)),
                None => return Ok(Some(packet.to_vec())),
            }
        }
        Ok(None)
    }
}

/// Calls `attempt` until it has a result, or for as long as anything may take.
#[allow(clippy::disallowed_methods, reason = "bounds the wait for a real process")]
pub(crate) fn within<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            None if start.elapsed() < PATIENCE => thread_yield(),
            result => return result,
        }
    }
}

fn thread_yield() {
    std::thread::yield_now();
}

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Deletes every IPv4 address of the current namespace. Source: rtnetlink(7).
fn remove_addresses() -> Result<(), String> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(|error| error.to_string())?;
    let ask = |kind: u16, flags: u16, body: &[u8]| -> Result<Vec<u8>, String> {
        let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        send(&socket, &message, SendFlags::empty()).map_err(|error| error.to_string())?;
        let mut answer = vec![0; 32_768];
        let (len, _) = recv(&socket, &mut answer, RecvFlags::empty()).map_err(|error| error.to_string())?;
        answer.truncate(len);
        Ok(answer)
    };
    // `struct ifaddrmsg` of AF_INET, nothing else said.
    let list = ask(RTM_GETADDR, NLM_F_DUMP, &[2, 0, 0, 0, 0, 0, 0, 0])?;
    let mut rest = list.as_slice();
    while let Some(len) = rest.first_chunk().map(|len| u32::from_ne_bytes(*len) as usize).filter(|len| *len >= HEADER) {
        let message = &rest[..len.min(rest.len())];
        if message[4..6] == RTM_NEWADDR.to_ne_bytes() {
            // The attributes that name it are the ones it is deleted by.
            let answer = ask(RTM_DELADDR, NLM_F_ACK, &message[HEADER..])?;
            let code = answer.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
            if code != Some(0) {
                return Err(format!("an address cannot be deleted: {code:?}"));
            }
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}
