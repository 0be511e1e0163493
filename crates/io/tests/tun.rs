//! Links against a real kernel: needs root, says so and passes without.

// The helpers fail as the tests do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::{Lab, PATIENCE, Pump, within};
use vpc_io::{
    Backend, Event, InterfaceName, Link, LinkDrop, LinkError, NetNs, NetNsError, Offloads, Poller, Received, Sent,
    TrainPool, Tun, TunConfig, TunError, Writer, selftest,
};
use vpc_packet::{Gso, GsoKind, Offload, PacketBuf, PartialChecksum};

const MTU: u32 = 1500;

/// Two namespaces with a TUN each and a pump between them.
struct Pair {
    left: Lab,
    right: Lab,
    pump: Pump,
    addresses: [IpAddr; 2],
}

impl Pair {
    fn new(tuns: [(Backend, Offloads); 2], version: u8) -> Option<Self> {
        Self::with_look(tuns, version, |_, _| {})
    }

    fn with_look(
        tuns: [(Backend, Offloads); 2],
        version: u8,
        look: impl FnMut(usize, &PacketBuf) + Send + 'static,
    ) -> Option<Self> {
        let (left, right) = (Lab::new("left")?, Lab::new("right")?);
        let addresses: [IpAddr; 2] = match version {
            4 => ["10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()],
            _ => ["fd09::1".parse().unwrap(), "fd09::2".parse().unwrap()],
        };
        let [one, other] = tuns;
        let links = [Link::Tun(left.tun("eth0", one.0, one.1)), Link::Tun(right.tun("eth0", other.0, other.1))];
        let prefix = if version == 4 { 32 } else { 128 };
        left.configure("eth0", addresses[0], prefix, MTU);
        right.configure("eth0", addresses[1], prefix, MTU);
        left.await_address(addresses[0]);
        right.await_address(addresses[1]);
        Some(Self { pump: Pump::start(links, look), left, right, addresses })
    }

    fn udp(&self) -> [UdpSocket; 2] {
        let bind = |lab: &Lab, address| {
            let socket = lab.ns.run_in(|| UdpSocket::bind((address, 0)).unwrap()).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        let sockets = [bind(&self.left, self.addresses[0]), bind(&self.right, self.addresses[1])];
        sockets[0].connect(sockets[1].local_addr().unwrap()).unwrap();
        sockets[1].connect(sockets[0].local_addr().unwrap()).unwrap();
        sockets
    }

    fn tcp(&self) -> [TcpStream; 2] {
        let listener = self.right.ns.run_in(|| TcpListener::bind((self.addresses[1], 0)).unwrap()).unwrap();
        let target = listener.local_addr().unwrap();
        let client = self.left.ns.run_in(|| TcpStream::connect_timeout(&target, PATIENCE).unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
        }
        [client, server]
    }
}

const VNET: (Backend, Offloads) = (Backend::Vnet, Offloads::ALL);
const VNET_FINISHED: (Backend, Offloads) = (Backend::Vnet, Offloads::NONE);
const PLAIN: (Backend, Offloads) = (Backend::Plain, Offloads::NONE);

/// Every way two TUNs can differ in what they carry unfinished.
const COMBINATIONS: [[(Backend, Offloads); 2]; 5] =
    [[VNET, VNET], [PLAIN, PLAIN], [VNET, PLAIN], [PLAIN, VNET], [VNET, VNET_FINISHED]];

/// No two neighbourhoods alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn a_stream_crosses_unchanged_in_both_directions_with_every_combination_of_back_ends() {
    const LENGTH: usize = 3_000_000;
    for version in [4, 6] {
        for tuns in COMBINATIONS {
            let Some(pair) = Pair::new(tuns, version) else {
                return;
            };
            for [mut from, mut to] in {
                let [client, server] = pair.tcp();
                [[client.try_clone().unwrap(), server.try_clone().unwrap()], [server, client]]
            } {
                let sender = std::thread::spawn(move || from.write_all(&pattern(LENGTH)).unwrap());
                let mut got = vec![0; LENGTH];
                to.read_exact(&mut got).unwrap();
                sender.join().unwrap();
                assert!(got == pattern(LENGTH), "{tuns:?} IPv{version}");
            }
            let _ = pair.pump.stop();
        }
    }
}

#[test]
fn datagrams_of_every_size_cross_unchanged_with_every_combination_of_back_ends() {
    for version in [4, 6] {
        for tuns in COMBINATIONS {
            let Some(pair) = Pair::new(tuns, version) else {
                return;
            };
            let [left, right] = pair.udp();
            let mut buffer = vec![0; 65_536];
            // With nothing in it, odd, one MTU, and in several fragments.
            for length in [0, 1, 36, 1400, 1472, 5000, 40_000] {
                for (from, to) in [(&left, &right), (&right, &left)] {
                    from.send(&pattern(length)).unwrap();
                    let got = to.recv(&mut buffer).unwrap();
                    assert_eq!(buffer[..got], pattern(length), "{tuns:?} IPv{version}");
                }
            }
        }
    }
}

#[test]
fn super_packets_pass_whole_between_two_tuns_that_carry_them() {
    let largest = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&largest);
    let look = move |_, packet: &PacketBuf| {
        seen.fetch_max(packet.len(), Ordering::Relaxed);
    };
    let Some(pair) = Pair::with_look([VNET, VNET], 4, look) else {
        return;
    };
    let [mut client, mut server] = pair.tcp();
    let sender = std::thread::spawn(move || client.write_all(&pattern(4_000_000)).unwrap());
    server.read_exact(&mut vec![0; 4_000_000]).unwrap();
    sender.join().unwrap();
    assert!(largest.load(Ordering::Relaxed) > 10_000);
    let [left, right] = pair.pump.stop();
    let (rx, tx) = (left.link().counters().rx, right.link().counters().tx);
    assert_eq!(rx, tx);
    assert!(rx.segments > rx.packets);
}

#[test]
fn a_burst_of_datagrams_is_written_as_super_packets_and_arrives_in_order() {
    for version in [4, 6] {
        let Some(pair) = Pair::new([VNET, VNET], version) else {
            return;
        };
        let [left, right] = pair.udp();
        let mut got = [0; 64];
        // Whether a burst builds up is up to the scheduler; within some rounds it does.
        for round in 0_u32..200 {
            for n in 0_u32..50 {
                left.send(&[round.to_be_bytes(), n.to_be_bytes()].concat()).unwrap();
            }
            for n in 0_u32..50 {
                assert_eq!(right.recv(&mut got).unwrap(), 8);
                assert_eq!(got[..8], *[round.to_be_bytes(), n.to_be_bytes()].concat());
            }
        }
        let [_, right] = pair.pump.stop();
        assert!(right.merged() > 0);
        assert_eq!(right.link().counters().drops().map(|(_, count)| count).sum::<u64>(), 0);
    }
}

#[test]
fn trap_1_a_partial_checksum_is_completed_for_a_tun_without_offloads() {
    for (backend, offloads) in [PLAIN, VNET_FINISHED, VNET] {
        let Some((lab, mut tun, socket)) = receiver(backend, offloads) else {
            return;
        };
        let mut packet = datagram(&socket, &pattern(333));
        assert!(packet.offload.partial.is_some());
        assert_eq!(tun.send(&mut packet, 28).unwrap(), Sent::Accepted);
        let mut buffer = [0; 2000];
        let got = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..got], pattern(333));
        drop(lab);
    }
}

#[test]
fn trap_1_a_wrong_complete_checksum_is_not_covered_up() {
    let Some((_lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    let mut wrong = datagram(&socket, b"wrong");
    wrong.offload = Offload::default();
    assert_eq!(tun.send(&mut wrong, 28).unwrap(), Sent::Accepted);
    let mut right = datagram(&socket, b"right");
    assert_eq!(tun.send(&mut right, 28).unwrap(), Sent::Accepted);
    let mut buffer = [0; 100];
    let got = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..got], b"right");
}

#[test]
fn trap_2_a_short_read_is_impossible() {
    for backend in [Backend::Vnet, Backend::Plain] {
        let Some(lab) = Lab::new("big") else { return };
        let mut tun = lab.tun("eth0", backend, Offloads::ALL);
        lab.configure("eth0", "10.9.0.1".parse().unwrap(), 32, 65_535);
        let socket = lab.ns.run_in(|| UdpSocket::bind("10.9.0.1:0").unwrap()).unwrap();
        let largest = pattern(65_535 - 28);
        socket.send_to(&largest, "10.9.0.2:9").unwrap();
        let packet = received(&mut tun, 17);
        assert_eq!(packet.len(), 65_535);
        assert_eq!(packet.bytes()[28..], largest);
    }
}

#[test]
fn trap_3_the_kernel_takes_more_than_the_mtu_so_it_is_not_the_one_to_ask() {
    let Some((_lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    let mut buffer = vec![0; 10_000];
    let longer = pattern(9_000);
    assert_eq!(tun.send(&mut datagram(&socket, &longer), 28).unwrap(), Sent::Accepted);
    let got = socket.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..got], longer);

    // Of a super-packet the segments count, and they are short.
    let mut packet = datagram(&socket, &longer);
    packet.offload.gso = Some(Gso { kind: GsoKind::Udp, size: 500, ecn: false });
    assert_eq!(tun.send(&mut packet, 28).unwrap(), Sent::Accepted);
    for wanted in longer.chunks(500) {
        let got = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..got], wanted);
    }
}

#[test]
fn trap_4_a_super_packet_the_kernel_refuses_is_cut_in_software() {
    let Some((_lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    for segments in [127_u32, 128, 129] {
        let payload: Vec<u8> = (0..segments).flat_map(|n| pattern(20 + n as usize)[n as usize..].to_vec()).collect();
        let mut packet = datagram(&socket, &payload);
        packet.offload.gso = Some(Gso { kind: GsoKind::Udp, size: 20, ecn: false });
        let before = tun.counters().tx;
        assert_eq!(tun.send(&mut packet, 28).unwrap(), Sent::Accepted);
        assert_eq!(tun.counters().tx.segments - before.segments, u64::from(segments));
        // The kernel takes 128 at most.
        let writes = if segments > 128 { u64::from(segments) } else { 1 };
        assert_eq!(tun.counters().tx.packets - before.packets, writes);
        let mut buffer = [0; 100];
        for wanted in payload.chunks(20) {
            let got = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..got], wanted);
        }
    }
}

#[test]
fn trap_4_the_header_length_is_a_hint_only() {
    let Some((_lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    for header_length in [0, 1, 28, 3000, u16::MAX] {
        let mut packet = datagram(&socket, &pattern(2000));
        packet.offload.gso = Some(Gso { kind: GsoKind::Udp, size: 1000, ecn: false });
        assert_eq!(tun.send(&mut packet, header_length).unwrap(), Sent::Accepted);
        let mut buffer = [0; 2000];
        for _ in 0..2 {
            assert_eq!(socket.recv(&mut buffer).unwrap(), 1000, "header length {header_length}");
        }
    }
}

#[test]
fn trap_4_no_offload_state_whatever_breaks_the_link() {
    let Some((_lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    for length in [0, 1, 19, 20, 28, 100, 3000] {
        for kind in [None, Some(GsoKind::Tcpv4), Some(GsoKind::Tcpv6), Some(GsoKind::Udp)] {
            for size in [1, 7, 1000, u16::MAX] {
                for (start, offset) in [(0, 0), (20, 6), (20, 16), (40, 6), (2999, 0), (60_000, 60_000)] {
                    for partial in [None, Some(PartialChecksum { start, offset })] {
                        let mut packet = datagram(&socket, &pattern(3000));
                        packet.truncate(length);
                        let gso = kind.map(|kind| Gso { kind, size, ecn: false });
                        packet.offload = Offload { partial, gso };
                        let _accepted_or_dropped = tun.send(&mut packet, 28).unwrap();
                    }
                }
            }
        }
    }
    // Whatever of it was delivered comes first.
    tun.send(&mut datagram(&socket, b"still alive"), 28).map(|sent| assert_eq!(sent, Sent::Accepted)).unwrap();
    let mut buffer = [0; 4000];
    within(PATIENCE, || {
        let got = socket.recv(&mut buffer).ok()?;
        (&buffer[..got] == b"still alive").then_some(())
    })
    .unwrap();
}

#[test]
fn trap_7_a_full_queue_drops_the_newest_and_tells_nobody() {
    for backend in [Backend::Vnet, Backend::Plain] {
        let Some(lab) = Lab::new("flood") else { return };
        let mut tun = lab.tun("eth0", backend, Offloads::ALL);
        lab.configure("eth0", "10.9.0.1".parse().unwrap(), 32, MTU);
        // The interface's own IPv6 chatter sits in the queue already or comes in between.
        let socket = lab.ns.run_in(|| UdpSocket::bind("10.9.0.1:0").unwrap()).unwrap();
        let (length, before) = lab.queue("eth0");
        assert_eq!(length, 1000);
        for n in 0_u32..1500 {
            socket.send_to(&n.to_be_bytes(), "10.9.0.2:9").unwrap();
        }
        let (_, after) = lab.queue("eth0");
        let mut numbers = Vec::new();
        let mut packet = PacketBuf::new();
        while tun.recv(&mut packet).unwrap() == Received::Packet {
            if packet.bytes()[0] == 0x45 {
                numbers.push(u32::from_be_bytes(packet.bytes()[28..32].try_into().unwrap()));
            }
        }
        assert!((990..=1000).contains(&numbers.len()), "{}", numbers.len());
        assert_eq!(numbers, (0..u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
        assert!(after - before >= 500, "{before} {after}");
    }
}

#[test]
fn trap_9_a_write_to_a_down_interface_is_a_named_drop_and_the_link_recovers() {
    for backend in [Backend::Vnet, Backend::Plain] {
        let Some((lab, mut tun, socket)) = receiver(backend, Offloads::ALL) else {
            return;
        };
        lab.set_up("eth0", false);
        let sent = tun.send(&mut datagram(&socket, b"lost"), 28).unwrap();
        assert_eq!(sent, Sent::Dropped(LinkDrop::Down));
        assert_eq!(tun.counters().dropped(LinkDrop::Down), 1);
        // What the interface said for itself while it was up may still be read.
        within(PATIENCE, || (tun.recv(&mut PacketBuf::new()).unwrap() == Received::Empty).then_some(())).unwrap();
        lab.set_up("eth0", true);
        assert_eq!(tun.send(&mut datagram(&socket, b"here"), 28).unwrap(), Sent::Accepted);
        let mut buffer = [0; 100];
        let got = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..got], b"here");
    }
}

#[test]
fn trap_9_a_train_lost_to_a_down_interface_counts_every_datagram() {
    let Some((lab, tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    let (mut writer, mut pool) = (Writer::new(Link::Tun(tun)), TrainPool::default());
    for _ in 0..3 {
        writer.push(&mut pool, &mut datagram(&socket, b"lost"), 28).unwrap();
    }
    lab.set_up("eth0", false);
    writer.flush(&mut pool).unwrap();
    assert_eq!(writer.link().counters().dropped(LinkDrop::Down), 3);
    lab.set_up("eth0", true);
    writer.push(&mut pool, &mut datagram(&socket, b"here"), 28).unwrap();
    writer.flush(&mut pool).unwrap();
    assert_eq!(socket.recv(&mut [0; 100]).unwrap(), 4);
}

#[test]
fn trap_9_a_deleted_device_is_gone_for_recv_send_and_poll_and_its_name_is_free() {
    for backend in [Backend::Vnet, Backend::Plain] {
        let Some((lab, mut tun, socket)) = receiver(backend, Offloads::ALL) else {
            return;
        };
        let mut poller = Poller::new().unwrap();
        poller.add(&tun, 5).unwrap();
        lab.delete_interface("eth0");
        poller.wait(Some(PATIENCE)).unwrap();
        assert!(matches!(poller.events(), [Event { token: 5, gone: true, .. }]), "{:?}", poller.events());
        assert!(matches!(tun.recv(&mut PacketBuf::new()), Err(LinkError::Gone { .. })));
        assert!(matches!(tun.send(&mut datagram(&socket, b""), 28), Err(LinkError::Gone { .. })));
        let again = lab.tun("eth0", backend, Offloads::ALL);
        assert_eq!(again.name().as_str(), "eth0");
    }
}

#[test]
fn trap_9_an_open_tun_keeps_its_namespace_though_the_name_is_deleted() {
    let Some((lab, mut tun, socket)) = receiver(Backend::Vnet, Offloads::ALL) else {
        return;
    };
    NetNs::delete(&lab.name).unwrap();
    assert!(matches!(NetNs::open(&lab.name), Err(NetNsError::Absent { .. })));
    assert_eq!(tun.send(&mut datagram(&socket, b"alive"), 28).unwrap(), Sent::Accepted);
    let mut buffer = [0; 100];
    let got = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..got], b"alive");
}

#[test]
fn trap_9_a_device_goes_with_its_link_and_descriptors_do_not_leak() {
    let Some(lab) = Lab::new("many") else { return };
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // Other tests run beside this one, so only a leak per device would stand out.
    let before = open();
    for round in 0..3 {
        let tuns: Vec<Tun> = (0..100).map(|n| lab.tun(&format!("tun{n}"), Backend::Vnet, Offloads::ALL)).collect();
        assert_eq!(tuns.len(), 100, "round {round}");
        assert!(lab.exists("tun99"));
        // One thread each, for the kernel waits for its readers at every one.
        std::thread::scope(|scope| {
            for tun in tuns {
                scope.spawn(move || drop(tun));
            }
        });
        assert!(!lab.exists("tun99"));
    }
    assert!(open() < before + 100);
}

#[test]
fn trap_9_a_persistent_device_is_found_again_with_the_other_back_end_too() {
    let Some(lab) = Lab::new("restart") else { return };
    let config = TunConfig { persistent: true, ..TunConfig::new(InterfaceName::new("eth0").unwrap()) };
    let tun = Tun::open(&lab.ns, &config).unwrap();
    lab.configure("eth0", "10.9.0.1".parse().unwrap(), 32, MTU);
    drop(tun);
    assert!(lab.exists("eth0"));

    let exclusive = TunConfig { exclusive: true, ..config };
    assert!(matches!(Tun::open(&lab.ns, &exclusive), Err(TunError::Taken { .. })));

    // Offloads of the former owner would give the plain one packets it cannot finish.
    let plain = TunConfig { backend: Backend::Plain, ..config };
    let mut tun = Tun::open(&lab.ns, &plain).unwrap();
    let stream_target: SocketAddr = "10.9.0.2:9".parse().unwrap();
    let socket = lab.ns.run_in(|| UdpSocket::bind("10.9.0.1:0").unwrap()).unwrap();
    socket.send_to(&pattern(500), stream_target).unwrap();
    let packet = received(&mut tun, 17);
    let parsed = vpc_packet::parse(&packet).unwrap();
    assert_eq!(vpc_packet::checksum::verify(&packet, &parsed), vpc_packet::checksum::Verification::Good);
    drop(tun);

    let tun = Tun::open(&lab.ns, &config).unwrap();
    assert_eq!(tun.offloads(), Offloads::ALL);
    tun.set_persistent(false).unwrap();
    drop(tun);
    assert!(!lab.exists("eth0"));
}

#[test]
fn two_queues_are_two_links_of_one_device() {
    let Some(lab) = Lab::new("queues") else { return };
    let config = TunConfig::new(InterfaceName::new("eth0").unwrap());
    let queues = Tun::open_queues(&lab.ns, &config, NonZeroU16::new(2).unwrap()).unwrap();
    assert_eq!(queues.len(), 2);
    assert!(matches!(Tun::open(&lab.ns, &config), Err(TunError::NotJoinable { .. })));
    drop(queues);
    let plain = TunConfig { backend: Backend::Plain, ..config };
    assert!(matches!(
        Tun::open_queues(&lab.ns, &plain, NonZeroU16::new(2).unwrap()),
        Err(TunError::PlainHasOneQueue { .. })
    ));
}

#[test]
fn a_namespace_is_made_listed_entered_and_deleted_and_its_name_is_taken_meanwhile() {
    let Some(lab) = Lab::new("names") else { return };
    assert!(NetNs::list().unwrap().contains(&lab.name));
    assert!(matches!(NetNs::create(&lab.name), Err(NetNsError::Taken { .. })));
    let inside = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let here = inside();
    let there = NetNs::open(&lab.name).unwrap().run_in(inside).unwrap();
    assert_ne!(there, here);
    assert_eq!(there, lab.ns.run_in(inside).unwrap());
    assert_eq!(inside(), here);
    if let Ok(output) = std::process::Command::new("ip").args(["netns", "list"]).output() {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().any(|line| line.split_whitespace().next() == Some(lab.name.as_str())), "{text}");
    }
    NetNs::delete(&lab.name).unwrap();
    assert!(!NetNs::list().unwrap().contains(&lab.name));
    assert!(matches!(NetNs::delete(&lab.name), Err(NetNsError::Absent { .. })));
}

#[test]
fn a_file_without_a_namespace_on_it_is_told_apart() {
    let Some(lab) = Lab::new("stale") else { return };
    NetNs::delete(&lab.name).unwrap();
    std::fs::write(lab.name.path(), "").unwrap();
    assert!(matches!(NetNs::open(&lab.name), Err(NetNsError::NotANamespace { .. })));
    NetNs::delete(&lab.name).unwrap();
    assert!(!lab.name.path().exists());
}

#[test]
fn the_self_test_finds_every_offload_of_a_good_kernel_usable_and_is_quick() {
    let Some(_privileged) = Lab::new("privileged") else {
        return;
    };
    let report = selftest::run().unwrap();
    println!("{report}");
    assert_eq!(report.offloads, Offloads::ALL, "{report}");
    assert!(report.checks.iter().all(|(_, outcome)| *outcome == selftest::Outcome::Works), "{report:?}");
    assert!(report.took < Duration::from_millis(500), "{report}");
}

/// A namespace with a TUN in it and a UDP socket behind that.
fn receiver(backend: Backend, offloads: Offloads) -> Option<(Lab, Tun, UdpSocket)> {
    let lab = Lab::new("receiver")?;
    let tun = lab.tun("eth0", backend, offloads);
    lab.configure("eth0", "10.9.0.1".parse().unwrap(), 32, MTU);
    let socket = lab.ns.run_in(|| UdpSocket::bind("10.9.0.1:0").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    Some((lab, tun, socket))
}

/// A datagram for `socket` with a partial checksum.
fn datagram(socket: &UdpSocket, payload: &[u8]) -> PacketBuf {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend((length + 20).to_be_bytes());
    bytes.extend([0, 1, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1]);
    let checksum = vpc_packet::checksum::checksum(&bytes);
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    let sum = vpc_packet::checksum::Sum::new().bytes(&bytes[12..20]).word(17).word(length).fold();
    bytes.extend(9_u16.to_be_bytes());
    bytes.extend(socket.local_addr().unwrap().port().to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(sum.to_be_bytes());
    bytes.extend(payload);
    let mut packet = PacketBuf::from_packet(&bytes);
    packet.offload.partial = Some(PartialChecksum { start: 20, offset: 6 });
    packet
}

/// The next IPv4 packet of `protocol`.
fn received(tun: &mut Tun, protocol: u8) -> PacketBuf {
    let mut packet = PacketBuf::new();
    within(PATIENCE, || {
        let received = tun.recv(&mut packet).unwrap();
        (received == Received::Packet && packet.bytes()[0] == 0x45 && packet.bytes()[9] == protocol).then_some(())
    })
    .unwrap();
    packet
}
