//! Tables that change: recorded and generated updates, checked against a table built afresh.
//!
//! `VPC_FULL_TESTS=1` replays the recorded streams whole on whole tables (use `--release`).

#![allow(clippy::unwrap_used, reason = "a test's own input is right or the test fails")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use vpc_lpm::{Builder, Fib, Prefix, Table};

#[path = "support/random.rs"]
mod random;
#[path = "support/tables.rs"]
mod tables;

use random::Random;

fn full() -> bool {
    std::env::var_os("VPC_FULL_TESTS").is_some_and(|value| value == "1")
}

type Change = (Prefix, Option<u32>);

/// The table and its updatable form side by side.
struct Pair {
    routes: Builder<u32>,
    fib: Fib,
}

impl Pair {
    fn new(routes: Vec<(Prefix, u32)>) -> Self {
        Self { fib: routes.iter().copied().collect(), routes: routes.into_iter().collect() }
    }

    fn change(&mut self, (prefix, value): Change) {
        let before = match value {
            Some(value) => self.routes.insert(prefix, value),
            None => self.routes.remove(prefix),
        };
        let of_fib = match value {
            Some(value) => self.fib.insert(prefix, value),
            None => self.fib.remove(prefix),
        };
        assert_eq!(of_fib, before, "{prefix}");
        assert_eq!(self.fib.get(prefix), value, "{prefix}");
        assert_eq!(self.fib.len(), self.routes.len(), "{prefix}");
    }

    /// Asks both at the edges of the prefixes given.
    fn check(&self, prefixes: impl Iterator<Item = Prefix>) {
        let table = self.routes.build();
        let mut reader = self.fib.reader();
        for prefix in prefixes {
            for addr in [prefix.first(), prefix.last()] {
                let found = match addr {
                    std::net::IpAddr::V4(addr) => reader.lookup_v4(addr.to_bits()),
                    std::net::IpAddr::V6(addr) => reader.lookup_v6(addr.to_bits()),
                };
                assert_eq!(found, value_in(&table, addr), "{addr}");
            }
        }
    }
}

fn value_in(table: &Table<u32>, addr: std::net::IpAddr) -> u32 {
    table.longest_match(addr).map_or(0, |(_, value)| *value)
}

/// `seconds A|W prefix nexthop|- peer`; next hops become small numbers.
fn stream(text: &str) -> Vec<Change> {
    let mut hops = std::collections::HashMap::new();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (verb, prefix, hop) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
            let next = hops.len() as u32 + 1;
            let value = (verb == "A").then(|| *hops.entry(hop.to_owned()).or_insert(next));
            Some((prefix, value))
        })
        .collect()
}

fn replay(name: &str, base: Vec<(Prefix, u32)>, changes: &[Change]) {
    let mut pair = Pair::new(base);
    for part in changes.chunks(if full() { 5_000 } else { 700 }) {
        for &change in part {
            pair.change(change);
        }
        pair.check(part.iter().map(|change| change.0));
    }
    let all: Vec<Prefix> = pair.routes.iter().map(|route| route.0).collect();
    pair.check(all.into_iter());
    eprintln!("{name}: {} updates, {} prefixes at the end", changes.len(), pair.fib.len());
}

#[test]
fn recorded_updates_leave_the_table_a_fresh_build_gives() {
    for (name, base) in [
        ("linx-20141217-p52", "routeviews-20140513-originas.v4"),
        ("ris-20160811-1600", "tier1-20230204.v6"),
        ("pch-20151023", "linx-20141225-p69-nexthop.v6"),
    ] {
        let Some(text) = tables::shared(&format!("rib/{name}.updates.xz")) else {
            continue;
        };
        let base = tables::real(&format!("rib/{base}.txt.xz")).unwrap_or_default();
        let changes = stream(&text);
        let take = if full() { changes.len() } else { 2_100 };
        let keep = if full() { 1 } else { 50 };
        replay(name, base.into_iter().step_by(keep).collect(), &changes[..take]);
    }
}

#[test]
fn generated_updates_leave_the_table_a_fresh_build_gives() {
    let mut random = Random(5);
    let mut known = tables::generated_v4(3_000, 6);
    known.extend(tables::generated_v6(3_000, 7));
    let base = known.iter().copied().step_by(2).collect();
    let mut changes: Vec<Change> = (0..3_000)
        .map(|_| {
            let prefix = known[random.below(known.len())].0;
            (prefix, (random.below(3) > 0).then(|| random.below(5) as u32))
        })
        .collect();
    for default in [Prefix::DEFAULT_V4, Prefix::DEFAULT_V6] {
        changes.extend([(default, Some(7)), (default, None), (default, Some(u32::MAX))]);
    }
    replay("generated", base, &changes);
}

#[test]
fn changes_applied_together_are_as_those_applied_one_by_one() {
    let changes: Vec<Change> = tables::generated_v6(500, 8)
        .into_iter()
        .chain(tables::generated_v4(500, 8))
        .map(|(prefix, value)| (prefix, (value % 4 > 0).then_some(value)))
        .collect();
    let (mut together, mut one_by_one) = (Fib::new(), Pair::new(Vec::new()));
    together.apply(changes.iter().copied());
    for &change in &changes {
        one_by_one.change(change);
    }
    one_by_one.check(changes.iter().map(|change| change.0));
    one_by_one.fib = together;
    one_by_one.check(changes.iter().map(|change| change.0));
}

#[test]
fn a_reader_sees_each_update_whole_and_in_order() {
    const ROUNDS: u32 = 30_000;
    // Both are rewritten in each round: one slot of three nodes, and all slots of a /12.
    let (host, wide): (Prefix, Prefix) = ("10.0.0.1/32".parse().unwrap(), "10.16.0.0/12".parse().unwrap());
    let mut fib: Fib = [(host, 1), (wide, 1)].into_iter().collect();
    let (done, rounds_seen) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = fib.reader();
            let (done, rounds_seen) = (&done, &rounds_seen);
            scope.spawn(move || {
                let (mut last_host, mut last_wide) = (0, 0);
                while !done.load(Ordering::Acquire) {
                    let now = [reader.lookup_v4(0x0a00_0001), reader.lookup_v4(0x0a10_0000)];
                    assert!(now[0] >= last_host && now[1] >= last_wide, "{now:?} after {last_host}, {last_wide}");
                    // Never a value that nobody set: neighbours of the host have no route.
                    assert_eq!([reader.lookup_v4(0x0a00_0000), reader.lookup_v4(0x0a00_0002)], [0, 0]);
                    rounds_seen.fetch_add(u32::from(now[0] != last_host), Ordering::Relaxed);
                    [last_host, last_wide] = now;
                }
                assert_eq!([reader.lookup_v4(0x0a00_0001), reader.lookup_v4(0x0a10_0000)], [ROUNDS, ROUNDS / 64]);
            });
        }
        for round in 2..=ROUNDS {
            fib.insert(host, round);
            if round % 64 == 0 {
                fib.insert(wide, round / 64);
            }
        }
        fib.insert(wide, ROUNDS / 64);
        done.store(true, Ordering::Release);
    });
    assert!(rounds_seen.into_inner() > 0);
}
