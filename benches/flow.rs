//! What a flow costs: finding it, making it, ending it; beside a plain hash map with the same keys.
//!
//! The memo is as large as a cached path, so that entries are as far apart as in the daemon.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use vpc_flow::{Agreement, Binding, Counts, FlowKey, Flows, FlowsConfig};
use vpc_model::resource::NatGateway;
use vpc_model::{Id, LinkId, ResourceRef, Time};
use vpc_packet::{FiveTuple, Fragment, PerPacket, Protocol, TcpFlags};

type Memo = [u64; 16];

const SIZES: [u32; 2] = [1_000, 1_000_000];
const PACKET: PerPacket = PerPacket {
    l4: 20,
    l4_len: 20,
    len: 1_500,
    segments: 1,
    segment_len: 1_500,
    ttl: 64,
    dont_fragment: true,
    fragment: Fragment::Whole,
    tcp_flags: TcpFlags::ACK,
};

fn key(n: u32) -> FlowKey {
    let tuple = FiveTuple {
        src: Ipv4Addr::from_bits(0x0a00_0000 | n >> 8).into(),
        dst: Ipv4Addr::new(198, 18, 0, 9).into(),
        protocol: Protocol::TCP,
        src_port: 1_024 + (n & 0xff) as u16,
        dst_port: 443,
    };
    FlowKey { link: LinkId(1), tuple }
}

fn agreement(n: u32, nat: bool) -> Agreement {
    let before = key(n).tuple;
    let after = FiveTuple { src: Ipv4Addr::from_bits(0xcb00_0000 | n >> 8).into(), ..before };
    let owner = ResourceRef::NatGateway(Id::<NatGateway>::new(1));
    let binding = Binding { owner, before, after, idle: Duration::from_secs(350) };
    let last = if nat { after } else { before };
    Agreement {
        bindings: nat.then_some(binding).into_iter().collect(),
        responder: Some(FlowKey { link: LinkId(2), tuple: last.reversed() }),
        ..Agreement::default()
    }
}

/// Numbers below `size` in an order without locality.
fn scattered(size: u32) -> impl Iterator<Item = u32> {
    (0_u32..).map(move |n| ((u64::from(n.wrapping_mul(0x9e37_79b1)) * u64::from(size)) >> 32) as u32)
}

fn table(size: u32, nat: bool) -> Flows<Memo> {
    let config = FlowsConfig { capacity: 2 * size as usize, seed: 1, ..FlowsConfig::default() };
    let mut flows = Flows::new(config);
    for n in 0..size {
        let agreement = agreement(n, nat);
        let responder = agreement.responder;
        let _ = flows.commit(None, key(n), agreement, &PACKET, Time::ZERO);
        // The answer establishes it.
        responder.and_then(|responder| flows.admit(&responder, &PACKET, Time::ZERO));
    }
    flows
}

type Plain = HashMap<FlowKey, (Counts, [Memo; 2]), FixedState>;

/// Both keys of every flow, each with a value of its own.
fn plain(size: u32) -> Plain {
    let keys = (0..size).flat_map(|n| [Some(key(n)), agreement(n, false).responder]).flatten();
    let mut plain = HashMap::with_hasher(FixedState::with_seed(1));
    plain.extend(keys.map(|key| (key, Default::default())));
    plain
}

fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit");
    for size in SIZES {
        // Made when it is asked for: a filter on the command line leaves most of them out.
        let mut made = None;
        let mut next = scattered(size);
        group.bench_function(BenchmarkId::new("flows", size), |b| {
            let flows = made.get_or_insert_with(|| table(size, false));
            b.iter(|| {
                let key = key(next.next().unwrap_or_default());
                let at = flows.admit(&key, &PACKET, Time(1));
                at.map(|at| flows.memo(at)[0])
            });
        });
        drop(made);
        let mut made = None;
        let mut next = scattered(size);
        group.bench_function(BenchmarkId::new("plain", size), |b| {
            let plain = made.get_or_insert_with(|| plain(size));
            b.iter(|| {
                let (counts, memos) = plain.get_mut(&key(next.next().unwrap_or_default()))?;
                counts.packets += 1;
                counts.segments += u64::from(PACKET.segments);
                counts.bytes += u64::from(PACKET.len);
                Some(memos[0][0])
            });
        });
    }
    group.finish();
}

fn misses(c: &mut Criterion) {
    let mut group = c.benchmark_group("miss+commit+end");
    for size in SIZES {
        for (name, nat) in [("flows", false), ("flows, one binding", true)] {
            let mut made = None;
            let mut fresh = size..;
            group.bench_function(BenchmarkId::new(name, size), |b| {
                let flows = made.get_or_insert_with(|| table(size, nat));
                b.iter(|| {
                    let n = fresh.next().unwrap_or_default();
                    let known = flows.admit(&key(n), &PACKET, Time(1));
                    let at = flows.commit(known, key(n), agreement(n, nat), &PACKET, Time(1));
                    if let Ok(at) = at {
                        flows.end(at);
                    }
                    flows.expire(Time(1), 1, |ended| {
                        black_box(ended.counts);
                    });
                });
            });
        }
    }
    group.finish();
}

fn expiry(c: &mut Criterion) {
    let mut group = c.benchmark_group("expiry of all");
    group.sample_size(10);
    for size in SIZES {
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_batched_ref(
                || table(size, false),
                |flows| {
                    flows.expire(Time::ZERO + Duration::from_secs(432_001), usize::MAX, |ended| {
                        black_box(ended.counts);
                    })
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = hits, misses, expiry
}
criterion_main!(all);
