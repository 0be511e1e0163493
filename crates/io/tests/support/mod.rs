//! Namespaces with interfaces in them, and a thread that carries packets between two.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use rtnetlink::{LinkUnspec, RouteMessageBuilder};
use vpc_io::{
    Backend, Budget, InterfaceName, Link, NetNs, NetNsError, NetNsName, Offloads, Poller, Received, TrainPool, Tun,
    TunConfig, Waker, Writer,
};
use vpc_packet::PacketBuf;

/// How long a test waits for a packet or a connection before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A namespace that is deleted when the test ends, however it ends.
pub(crate) struct Lab {
    pub(crate) name: NetNsName,
    pub(crate) ns: NetNs,
}

impl Lab {
    /// `None`, after saying so, when the process may not make one or has no TUN driver.
    pub(crate) fn new(label: &str) -> Option<Self> {
        if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/net/tun") {
            println!("skipped: needs root and /dev/net/tun ({error})");
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = NetNsName::new(&format!("vpcdt-io-{}-{n}-{label}", std::process::id())).unwrap();
        match NetNs::create(&name) {
            Ok(ns) => Some(Self { name, ns }),
            Err(NetNsError::NotPermitted { .. }) => {
                println!("skipped: needs root");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn tun(&self, name: &str, backend: Backend, offloads: Offloads) -> Tun {
        let config =
            TunConfig { backend, offloads, exclusive: true, ..TunConfig::new(InterfaceName::new(name).unwrap()) };
        Tun::open(&self.ns, &config).unwrap()
    }

    /// Brings `interface` up with an address and a route to everything through it.
    pub(crate) fn configure(&self, interface: &str, address: IpAddr, prefix: u8, mtu: u32) {
        netlink(&self.ns, async |handle| {
            let index = find(&handle, interface).await.header.index;
            handle.address().add(index, address, prefix).execute().await.unwrap();
            let up = LinkUnspec::new_with_index(index).mtu(mtu).up().build();
            handle.link().set(up).execute().await.unwrap();
            let unspecified: IpAddr = match address {
                IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
            };
            let route = RouteMessageBuilder::<IpAddr>::new()
                .destination_prefix(unspecified, 0)
                .unwrap()
                .output_interface(index)
                .build();
            handle.route().add(route).execute().await.unwrap();
        });
    }

    /// Waits until an IPv6 address is no longer tentative, by binding to it.
    pub(crate) fn await_address(&self, address: IpAddr) {
        self.ns
            .run_in(|| {
                within(PATIENCE, || std::net::UdpSocket::bind((address, 0)).ok()).unwrap();
            })
            .unwrap();
    }

    pub(crate) fn set_up(&self, interface: &str, up: bool) {
        netlink(&self.ns, async |handle| {
            let index = find(&handle, interface).await.header.index;
            let message = LinkUnspec::new_with_index(index);
            let message = if up { message.up() } else { message.down() };
            handle.link().set(message.build()).execute().await.unwrap();
        });
    }

    pub(crate) fn delete_interface(&self, interface: &str) {
        netlink(&self.ns, async |handle| {
            let index = find(&handle, interface).await.header.index;
            handle.link().del(index).execute().await.unwrap();
        });
    }

    /// The transmit queue length and the number of packets dropped by that queue.
    pub(crate) fn queue(&self, interface: &str) -> (u32, u64) {
        netlink(&self.ns, async |handle| {
            let message = find(&handle, interface).await;
            let mut found = (0, 0);
            for attribute in message.attributes {
                #[allow(clippy::wildcard_enum_match_arm)] // A foreign enum of some sixty attributes.
                match attribute {
                    LinkAttribute::TxQueueLen(length) => found.0 = length,
                    LinkAttribute::Stats64(stats) => found.1 = stats.tx_dropped,
                    _ => {}
                }
            }
            found
        })
    }

    pub(crate) fn exists(&self, interface: &str) -> bool {
        self.ns
            .run_in(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap())
            .unwrap()
            .lines()
            .any(|line| line.trim_start().strip_prefix(interface).is_some_and(|rest| rest.starts_with(':')))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = NetNs::delete(&self.name);
    }
}

fn netlink<T: Send>(ns: &NetNs, work: impl AsyncFnOnce(rtnetlink::Handle) -> T + Send) -> T {
    ns.run_in(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            let connection = tokio::spawn(connection);
            let result = work(handle).await;
            connection.abort();
            result
        })
    })
    .unwrap()
}

async fn find(handle: &rtnetlink::Handle, interface: &str) -> LinkMessage {
    let mut links = handle.link().get().match_name(interface.to_owned()).execute();
    links.try_next().await.unwrap().unwrap()
}

/// Calls `attempt` until it has a result or `patience` is at its end.
pub(crate) fn within<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    #[allow(clippy::disallowed_methods)] // Bounds the wait for a real kernel.
    let start = std::time::Instant::now();
    loop {
        if let Some(result) = attempt() {
            return Some(result);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::yield_now();
    }
}

/// Carries packets between two links until dropped, with a look at each on its way.
pub(crate) struct Pump {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<[Writer; 2]>>,
}

impl Pump {
    pub(crate) fn start(links: [Link; 2], mut look: impl FnMut(usize, &PacketBuf) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut poller = Poller::new().unwrap();
        let waker = poller.waker();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut writers = links.map(Writer::new);
            for (token, writer) in (0..).zip(&writers) {
                poller.add(writer.link(), token).unwrap();
            }
            let (mut packet, mut pool) = (PacketBuf::new(), TrainPool::default());
            while !stopped.load(Ordering::Acquire) {
                poller.wait(None).unwrap();
                for event in poller.events() {
                    let from = usize::try_from(event.token).unwrap();
                    let mut budget = Budget::default();
                    while writers[from].recv(&mut packet).unwrap() == Received::Packet {
                        look(from, &packet);
                        let bytes = packet.len();
                        let header = vpc_packet::parse(&packet).map_or(0, |parsed| parsed.packet.header_len());
                        writers[1 - from].push(&mut pool, &mut packet, header).unwrap();
                        if !budget.spend(bytes) {
                            break;
                        }
                    }
                    writers[1 - from].flush(&mut pool).unwrap();
                }
            }
            writers
        });
        Self { stop, waker, thread: Some(thread) }
    }

    pub(crate) fn stop(mut self) -> [Writer; 2] {
        self.signal();
        self.thread.take().unwrap().join().unwrap()
    }

    fn signal(&self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
