use vpc_io::{Link, Memory, Received};
use vpc_model::{Desired, lab};
use vpc_packet::{PacketBuf, PacketSpec};

use super::*;

const LAB: &str = "
vpcs:
  v:
    cidr: 10.0.0.0/16
    subnets:
      s1: { cidr: 10.0.1.0/24 }
      s2: { cidr: 10.0.2.0/24 }
    security_groups:
      open:
        ingress: [ { protocol: all, from: 0.0.0.0/0 } ]
        egress: [ { protocol: all, to: 0.0.0.0/0 } ]
    instances:
      h1: { subnet: s1, address: 10.0.1.10, security_groups: open }
      h2: { subnet: s2, address: 10.0.2.10, security_groups: open }
";

/// A worker with two links in memory; the other ends are the instances.
struct Bench {
    worker: Worker,
    desired: Desired,
    snapshot: Arc<Snapshot>,
    h1: Link,
    h2: Link,
}

impl Bench {
    fn start() -> Self {
        let desired = lab::read(LAB, "lab.yaml").unwrap().to_desired();
        let snapshot = Arc::new(Snapshot::compile(&desired, None));
        let (worker, _) = Worker::start(EngineConfig::default(), Arc::clone(&snapshot)).unwrap();
        let (near1, h1) = Memory::pair(256).unwrap();
        let (near2, h2) = Memory::pair(256).unwrap();
        let add = vec![
            (link(&desired, "h1"), Writer::new(Link::Memory(near1))),
            (link(&desired, "h2"), Writer::new(Link::Memory(near2))),
        ];
        let installation = Installation { snapshot: Arc::clone(&snapshot), remove: vec![], renumber: vec![], add };
        assert!(worker.handle().install(installation).unwrap().displaced.is_empty());
        Self { worker, desired, snapshot, h1: Link::Memory(h1), h2: Link::Memory(h2) }
    }

    fn handle(&self) -> &Handle {
        self.worker.handle()
    }

    fn install(&self, remove: Vec<LinkId>, renumber: Vec<(LinkId, LinkId)>) -> Installed {
        let snapshot = Arc::new(self.snapshot.bumped());
        self.handle().install(Installation { snapshot, remove, renumber, add: vec![] }).unwrap()
    }
}

fn link(desired: &Desired, name: &str) -> LinkId {
    desired.link(desired.find::<vpc_model::resource::Eni>(name).unwrap().id).unwrap()
}

fn send(link: &mut Link, packet: &str) {
    let mut packet = packet.parse::<PacketSpec>().unwrap().to_buf();
    assert_eq!(link.send(&mut packet, 0).unwrap(), vpc_io::Sent::Accepted);
}

/// The next packet on a link, waited for.
fn receive(link: &mut Link) -> PacketSpec {
    let mut poller = Poller::new().unwrap();
    poller.add(&*link, 0).unwrap();
    let mut packet = PacketBuf::new();
    for _ in 0..2 {
        if link.recv(&mut packet).unwrap() == Received::Packet {
            return PacketSpec::dissect_buf(&packet).unwrap();
        }
        poller.wait(Some(Duration::from_secs(5))).unwrap();
    }
    panic!("nothing arrived");
}

#[test]
fn packets_go_from_link_to_link() {
    let mut bench = Bench::start();
    send(&mut bench.h1, "tcp 10.0.1.10:40000 > 10.0.2.10:80 S");
    assert_eq!(receive(&mut bench.h2).tuple().dst_port, 80);
    send(&mut bench.h2, "tcp 10.0.2.10:80 > 10.0.1.10:40000 SA");
    assert_eq!(receive(&mut bench.h1).tuple().dst_port, 40000);
    let report = bench.handle().report_blocking().unwrap();
    assert_eq!((report.engine.received, report.engine.forwarded), (2, 2));
    assert!(report.links.iter().all(|link| link.counters.rx.packets == 1 && link.counters.tx.packets == 1));
}

#[test]
fn what_is_no_packet_is_counted_under_its_reason() {
    let mut bench = Bench::start();
    let mut garbage = PacketBuf::from_packet(&[0x45, 0, 0]);
    assert_eq!(bench.h1.send(&mut garbage, 0).unwrap(), vpc_io::Sent::Accepted);
    send(&mut bench.h1, "udp 10.0.1.10:1 > 10.0.2.10:2");
    receive(&mut bench.h2);
    let report = bench.handle().report_blocking().unwrap();
    assert_eq!(report.engine.dropped(vpc_model::DropReason::Malformed), 1);
}

#[test]
fn datagrams_of_one_burst_leave_as_one() {
    let bench = Bench::start();
    // A burst is what is there when the worker looks; so the whole of it is put there at one moment.
    let (near, mut h1) = Memory::pair(256).map(|(near, far)| (near, Link::Memory(far))).unwrap();
    for n in 0..20 {
        send(&mut h1, &format!("udp 10.0.1.10:1 > 10.0.2.10:2 ipid={n} df payload=\"twenty bytes of data\""));
    }
    let snapshot = Arc::new(bench.snapshot.bumped());
    let add = vec![(link(&bench.desired, "h1"), Writer::new(Link::Memory(near)))];
    let installation = Installation { snapshot, remove: vec![], renumber: vec![], add };
    let replaced = bench.handle().install(installation).unwrap().displaced;
    assert_eq!(replaced.len(), 1, "a link in use is replaced");
    let mut h2 = bench.h2;
    assert_eq!(receive(&mut h2).attributes.gso, Some(20));
    let report = bench.worker.handle().report_blocking().unwrap();
    let coalesced: u64 = report.links.iter().map(|link| link.coalesced).sum();
    assert_eq!(coalesced, 20);
}

#[test]
fn a_removed_link_is_given_back_and_packets_to_it_have_nowhere_to_go() {
    let mut bench = Bench::start();
    let gone = bench.install(vec![link(&bench.desired, "h2")], vec![]);
    assert_eq!(gone.displaced.len(), 1);
    send(&mut bench.h1, "udp 10.0.1.10:1 > 10.0.2.10:2");
    // Answered after the packet, or before; either way the worker lives.
    let report = bench.handle().report_blocking().unwrap();
    assert_eq!(report.links.len(), 1);
    assert_eq!(report.generation, bench.snapshot.generation() + 1);
}

#[test]
fn links_that_swap_numbers_swap_roles() {
    let mut bench = Bench::start();
    let (one, two) = (link(&bench.desired, "h1"), link(&bench.desired, "h2"));
    assert!(bench.install(vec![], vec![(one, two), (two, one)]).displaced.is_empty());
    // What was the end of h2 is now the end of h1.
    send(&mut bench.h2, "udp 10.0.1.10:1 > 10.0.2.10:2");
    assert_eq!(receive(&mut bench.h1).tuple().dst_port, 2);
}

#[test]
fn explaining_is_what_happens_and_changes_nothing() {
    let bench = Bench::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let parsed = |text: &str| vpc_packet::parse(&text.parse::<PacketSpec>().unwrap().to_buf()).unwrap();
    let explain = |packet: &str| {
        runtime.block_on(bench.handle().explain(link(&bench.desired, "h1"), parsed(packet))).unwrap().verdict
    };
    use vpc_model::explain::Verdict;
    assert!(matches!(explain("tcp 10.0.1.10:1 > 10.0.2.10:2 S"), Verdict::Send { .. }));
    assert!(matches!(explain("tcp 10.0.1.10:1 > 192.0.2.1:2 S"), Verdict::Drop { .. }));
    let report = bench.handle().report_blocking().unwrap();
    assert_eq!((report.flows, report.engine.received), (0, 0));
}

#[test]
fn a_stopped_worker_answers_nobody_and_tells_its_owner() {
    let snapshot = Arc::new(Snapshot::compile(&Desired::new(), None));
    let (worker, ended) = Worker::start(EngineConfig::default(), snapshot).unwrap();
    let handle = worker.handle().clone();
    assert_eq!(handle.report_blocking().unwrap().generation, 1);
    drop(worker);
    assert!(ended.blocking_recv().is_err());
    assert!(handle.report_blocking().is_err());
}

#[test]
fn the_hint_covers_the_headers_of_unfinished_packets() {
    for (packet, length) in [
        ("tcp 10.0.0.1:1 > 10.0.0.2:2 . gso=100 len=1000", 40),
        ("tcp [2001:db8::1]:1 > [2001:db8::2]:2 . gso=100 len=1000", 60),
        ("udp 10.0.0.1:1 > 10.0.0.2:2 gso=100 len=1000", 28),
        ("tcp 10.0.0.1:1 > 10.0.0.2:2 S", 0),
    ] {
        let packet = packet.parse::<PacketSpec>().unwrap().to_buf();
        assert_eq!(dataplane::header_length(&packet), length);
    }
}
