//! Joins two network namespaces by a TUN in each and passes packets from one to the other, with no logic in
//! between: the most any router over TUNs can do.
//!
//! ```text
//! ip netns add a; ip netns add b
//! cargo run --release -p vpc-io --example pump a b [vnet|plain] &
//! ip -n a addr add 10.9.0.1 peer 10.9.0.2 dev pump0; ip -n a link set pump0 up
//! ip -n b addr add 10.9.0.2 peer 10.9.0.1 dev pump0; ip -n b link set pump0 up
//! ip netns exec a ping 10.9.0.2
//! ```

use std::error::Error;

use vpc_io::{Backend, Budget, InterfaceName, Link, NetNs, Poller, Received, TrainPool, Tun, TunConfig, Writer};
use vpc_packet::PacketBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(left), Some(right)) = (arguments.next(), arguments.next()) else {
        return Err("usage: pump NAMESPACE NAMESPACE [vnet|plain]".into());
    };
    let backend = arguments.next().map_or(Ok(Backend::default()), |text| text.parse())?;
    let config = TunConfig { backend, ..TunConfig::new(InterfaceName::new("pump0")?) };
    let open = |name: &str| -> Result<Writer, Box<dyn Error>> {
        let ns = NetNs::open(&name.parse()?)?;
        Ok(Writer::new(Link::Tun(Tun::open(&ns, &config)?)))
    };
    pump([open(&left)?, open(&right)?])
}

fn pump(mut links: [Writer; 2]) -> Result<(), Box<dyn Error>> {
    let (mut poller, mut packet, mut pool) = (Poller::new()?, PacketBuf::new(), TrainPool::default());
    for (token, link) in (0..).zip(&links) {
        poller.add(link.link(), token)?;
    }
    loop {
        poller.wait(None)?;
        for event in poller.events() {
            let [left, right] = &mut links;
            let (from, to) = if event.token == 0 { (left, right) } else { (right, left) };
            let mut budget = Budget::default();
            while from.recv(&mut packet)? == Received::Packet {
                let (bytes, header) = (packet.len(), vpc_packet::parse(&packet).map_or(0, |p| p.packet.header_len()));
                to.push(&mut pool, &mut packet, header)?;
                if !budget.spend(bytes) {
                    break;
                }
            }
            to.flush(&mut pool)?;
        }
    }
}
