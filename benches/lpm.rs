//! Longest-prefix match beside the other crates that do it.
//!
//! `cargo bench -p vpc-benches --bench lpm` runs criterion on each contender, table and kind of address.
//! `… -- --compare [PAIRS]` prints ratios instead: each pair is timed as ours, theirs, theirs, ours on the same
//! addresses in the same order, and the median of the pairs counts, so that a noisy neighbour hurts both alike.
//! `… -- --compare [PAIRS] TABLE` takes only the tables whose name contains TABLE.

#![allow(missing_docs, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark with a stopwatch")]

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use cap::Cap;
use criterion::{Criterion, Throughput};

#[path = "lpm/compare.rs"]
mod compare;
#[path = "lpm/contenders.rs"]
mod contenders;
#[path = "../crates/lpm/tests/support/keys.rs"]
mod keys;
#[path = "../crates/lpm/tests/support/random.rs"]
mod random;
#[path = "lpm/real.rs"]
mod real;
#[path = "../crates/lpm/tests/support/tables.rs"]
mod tables;

use contenders::{Contender, Family};

/// Counts what a structure allocates.
#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

/// How many addresses one pass looks up.
const KEYS: usize = 1 << 18;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|arg| arg == "--compare") {
        let mut rest = args.iter().skip(at + 1).filter(|arg| !arg.starts_with('-')).peekable();
        let pairs = rest.peek().and_then(|arg| arg.parse().ok());
        if pairs.is_some() {
            rest.next();
        }
        compare::run(pairs.unwrap_or(11), rest.next().map_or("", String::as_str));
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    for (name, routes) in real::tables_v4() {
        measure::<u32>(&mut criterion, &name, &routes);
    }
    for (name, routes) in real::tables_v6() {
        measure::<u128>(&mut criterion, &name, &routes);
    }
    criterion.final_summary();
}

fn measure<A: Family>(criterion: &mut Criterion, table: &str, routes: &[(A, u8, u32)]) {
    let kinds = A::kinds(routes, KEYS);
    for build in A::contenders() {
        let Contender { name, lookup, .. } = build(routes);
        for (kind, keys) in &kinds {
            let mut group = criterion.benchmark_group(format!("{table}/{kind}"));
            group.throughput(Throughput::Elements(KEYS as u64));
            group.bench_function(name, |bencher| bencher.iter(|| lookup(black_box(keys))));
            group.finish();
        }
    }
}
