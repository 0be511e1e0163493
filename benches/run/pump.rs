//! The null pump: the most any router over TUNs can do with the same system calls.

use vpc_io::{Backend, Budget, InterfaceName, Link, NetNs, NetNsName, Poller, Received, Sent, Tun, TunConfig};
use vpc_packet::PacketBuf;

use crate::Result;

/// Reads and writes until ended by a signal.
///
/// Shape: one packet at a time, no look inside, nothing merged: `read`, `write`.
pub(crate) fn run(left: &NetNsName, right: &NetNsName, name: InterfaceName, backend: Backend) -> Result<()> {
    let config = TunConfig { backend, ..TunConfig::new(name) };
    let open = |name: &NetNsName| -> Result<Link> { Ok(Link::Tun(Tun::open(&NetNs::open(name)?, &config)?)) };
    let [mut left, mut right] = [open(left)?, open(right)?];
    let (mut poller, mut packet) = (Poller::new()?, PacketBuf::new());
    poller.add(&left, 0)?;
    poller.add(&right, 1)?;
    println!("ready");
    loop {
        poller.wait(None)?;
        for event in poller.events() {
            let (from, to) = if event.token == 0 { (&mut left, &mut right) } else { (&mut right, &mut left) };
            let mut budget = Budget::default();
            while from.recv(&mut packet)? == Received::Packet {
                let bytes = packet.len();
                // As unknowing as may be: the kernel finds the headers' length itself.
                let (Sent::Accepted | Sent::Dropped(_)) = to.send(&mut packet, 0)?;
                if !budget.spend(bytes) {
                    break;
                }
            }
        }
    }
}
