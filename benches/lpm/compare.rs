//! Ratios of ours to each peer, from interleaved passes.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::contenders::{Contender, Family, Route};
use crate::random::Random;
use crate::{KEYS, real};

/// How many routes are removed and inserted again to time updates.
const UPDATES: usize = 2_000;
/// The first contenders of a family are ours; the very first is what peers are timed against.
const REFERENCE: usize = 0;

/// Prints one markdown table for each table of routes.
///
/// Shape: `pairs` is how often both are timed; only tables whose name contains `filter`.
pub(crate) fn run(pairs: usize, filter: &str) {
    println!(
        "{KEYS} addresses a pass, median of {pairs} pairs (ours, theirs, theirs, ours), one thread, its CPU time\n"
    );
    for (name, routes) in real::tables_v4().into_iter().filter(|(name, _)| name.contains(filter)) {
        compare::<u32>(&name, &routes, pairs);
    }
    for (name, routes) in real::tables_v6().into_iter().filter(|(name, _)| name.contains(filter)) {
        compare::<u128>(&name, &routes, pairs);
    }
}

fn compare<A: Family>(name: &str, routes: &[Route<A>], pairs: usize) {
    let kinds = A::kinds(routes, KEYS);
    println!("### {name}: {} prefixes\n", routes.len());
    let heads: Vec<String> = kinds.iter().map(|(kind, _)| format!("{kind} Mlps (ours / it)")).collect();
    println!("| contender | {} | memory, bytes/prefix | build, ms | update, µs |", heads.join(" | "));
    println!("|---|{}--:|--:|--:|", "--:|".repeat(kinds.len()));
    let reference = A::contenders()[REFERENCE](routes);
    for build in A::contenders() {
        let (mut contender, built_in) = fastest_build(routes, build);
        let cells: Vec<String> = kinds
            .iter()
            .map(|(kind, keys)| {
                let (rate, ratio) = interleaved(&reference, &contender, keys, pairs);
                assert_eq!(
                    (reference.lookup)(keys),
                    (contender.lookup)(keys),
                    "{} answers {name}, {kind} otherwise",
                    contender.name
                );
                format!("{rate:.0} ({ratio:.2})")
            })
            .collect();
        let per_prefix = contender.memory as f64 / routes.len() as f64;
        let update = update_time(&mut contender, routes)
            .map_or("-".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1e6));
        let built_in = built_in.as_secs_f64() * 1e3;
        println!("| {} | {} | {per_prefix:.1} | {built_in:.3} | {update} |", contender.name, cells.join(" | "));
    }
    println!();
}

/// The second contender's best rate, and how many times as fast the first is.
fn interleaved<A>(ours: &Contender<A>, theirs: &Contender<A>, keys: &[A], pairs: usize) -> (f64, f64) {
    let time = |contender: &Contender<A>| {
        let started = now();
        black_box((contender.lookup)(black_box(keys)));
        (now() - started).as_secs_f64()
    };
    // Both are warm before the first pair.
    time(ours);
    time(theirs);
    let (mut rates, mut ratios): (Vec<f64>, Vec<f64>) = (0..pairs)
        .map(|_| {
            let (before, first, second, after) = (time(ours), time(theirs), time(theirs), time(ours));
            (2.0 * KEYS as f64 / (first + second) / 1e6, (first + second) / (before + after))
        })
        .unzip();
    (median(&mut rates), median(&mut ratios))
}

/// What this thread has computed for: a machine shared with others takes time, but not this time.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn fastest_build<A>(routes: &[Route<A>], build: fn(&[Route<A>]) -> Contender<A>) -> (Contender<A>, Duration) {
    let mut fastest = Duration::MAX;
    let passes = if routes.len() < 10_000 { 20 } else { 2 };
    for _ in 1..passes {
        let started = now();
        black_box(build(routes));
        fastest = fastest.min(now() - started);
    }
    let started = now();
    let contender = build(routes);
    fastest = fastest.min(now() - started);
    // Contenders that can be updated are built twice, once to be updated.
    let copies = if contender.update.is_some() && !contender.name.starts_with("ours") { 2 } else { 1 };
    (contender, fastest / copies)
}

/// One removal or insertion, the mean of many, on random prefixes of at least 18 bits where there are such.
fn update_time<A: Family>(contender: &mut Contender<A>, routes: &[Route<A>]) -> Option<Duration> {
    let update = contender.update.as_mut()?;
    let mut random = Random(3);
    let long: Vec<Route<A>> = routes.iter().filter(|route| route.1 >= 18).copied().collect();
    let chosen: Vec<Route<A>> = (0..UPDATES).map(|_| long[random.below(long.len())]).collect();
    // As many as fit in a second: some peers rewrite the whole table each time.
    let started = now();
    let mut done = 0;
    for route in chosen.chunks(10) {
        update(route);
        done += 2 * route.len();
        if (now() - started) > Duration::from_secs(1) {
            break;
        }
    }
    Some((now() - started) / u32::try_from(done).unwrap_or(u32::MAX))
}
