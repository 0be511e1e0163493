//! What a packet of a known flow costs, without I/O: parse, find, guard, rewrite.

#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
#[path = "cpu_time.rs"]
mod cpu_time;

use cpu_time::CpuTime;
use vpc_benches::network;
use vpc_benches::scenario::{SIZES, Scenario, Way};
use vpc_engine::Snapshot;

fn hits(c: &mut Criterion<CpuTime>) {
    for enis in SIZES {
        let desired = network::desired(enis).unwrap_or_else(|error| unreachable!("{error}"));
        let snapshot = Arc::new(Snapshot::compile(&desired, None));
        for way in [Way::Local, Way::Nat] {
            let ready = |flows: u32| {
                let scenario = Scenario::new(Arc::clone(&snapshot), 1 << 20, way, 36);
                let mut scenario = scenario.unwrap_or_else(|error| unreachable!("{error}"));
                scenario.hit();
                for flow in 0..flows {
                    scenario.one_of(flow);
                }
                scenario
            };
            let mut one = ready(1);
            let name = format!("hit/{way:?}/1-flow/{enis}").to_lowercase();
            c.bench_function(&name, |b| b.iter(|| black_box(one.hit())));
            // More flows than the second-level cache holds, in an order the hardware cannot guess.
            let mut many = ready(FLOWS);
            let mut at = 0_u32;
            let name = format!("hit/{way:?}/64k-flows/{enis}").to_lowercase();
            c.bench_function(&name, |b| {
                b.iter(|| {
                    at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    black_box(many.one_of(at >> 16))
                });
            });
        }
    }
    let scenario = network::desired(10)
        .and_then(|desired| Scenario::new(Arc::new(Snapshot::compile(&desired, None)), 16, Way::Local, 36));
    let scenario = scenario.unwrap_or_else(|error| unreachable!("{error}"));
    c.bench_function("parse/udp4", |b| b.iter(|| black_box(&scenario).parse()));
}

const FLOWS: u32 = 1 << 16;

criterion_group! {
    name = all;
    config = Criterion::default()
        .with_measurement(CpuTime::default())
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = hits
}
criterion_main!(all);
