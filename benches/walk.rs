//! What the first packet of a flow costs, without I/O: parse, walk, commit, rewrite. And what tables cost to make.

#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark")]

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cap::Cap;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
#[path = "cpu_time.rs"]
mod cpu_time;

use cpu_time::CpuTime;
use vpc_benches::network;
use vpc_benches::scenario::{SIZES, Scenario, Way};
use vpc_engine::Snapshot;

/// Counts allocations, to show that there are none.
#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

fn walks(c: &mut Criterion<CpuTime>) {
    for enis in SIZES {
        let desired = network::desired(enis).unwrap_or_else(|error| unreachable!("{error}"));
        let snapshot = Arc::new(Snapshot::compile(&desired, None));
        c.bench_function(&format!("compile/{enis}"), |b| {
            b.iter_batched(|| (), |()| Snapshot::compile(&desired, None), BatchSize::PerIteration);
        });
        for way in [Way::Local, Way::Nat] {
            let scenario = Scenario::new(Arc::clone(&snapshot), FLOWS, way, 36);
            let mut scenario = scenario.unwrap_or_else(|error| unreachable!("{error}"));
            let allocated = allocations(&mut scenario);
            let name = format!("miss/{way:?}/{enis}").to_lowercase();
            println!("{name}: {allocated} bytes allocated by {} new flows", FLOWS / 2);
            assert_eq!(allocated, 0, "a new flow allocates");
            c.bench_function(&name, |b| {
                b.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    let mut left = iterations;
                    while left > 0 {
                        scenario.forget();
                        let batch = left.min(FLOWS as u64 / 2);
                        let start = cpu_time::now();
                        for _ in 0..batch {
                            black_box(scenario.miss());
                        }
                        spent += Duration::from_nanos(cpu_time::now() - start);
                        left -= batch;
                    }
                    spent
                });
            });
        }
    }
}

/// Bytes that new flows allocate in an engine that has had as many flows before.
fn allocations(scenario: &mut Scenario) -> u64 {
    let all = |scenario: &mut Scenario| (0..FLOWS / 2).for_each(|_| _ = black_box(scenario.miss()));
    all(scenario);
    scenario.forget();
    let before = ALLOCATED.total_allocated();
    all(scenario);
    (ALLOCATED.total_allocated() - before) as u64
}

const FLOWS: usize = 1 << 16;

criterion_group! {
    name = all;
    config = Criterion::default()
        .with_measurement(CpuTime::default())
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = walks
}
criterion_main!(all);
