//! How many instructions the engine's paths take: a figure that neighbours and clock speeds do not change.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use vpc_benches::network;
use vpc_benches::scenario::{Scenario, Way};
use vpc_engine::Snapshot;
use vpc_lpm::{Builder, Prefix, Table};

use crate::Result;

/// Operations of each kind that the count is shared by.
const OPERATIONS: u32 = 10_000;
/// Interfaces of the small and the large network. Building more under callgrind takes minutes.
const SIZES: [usize; 2] = [10, 1_000];
const HEAD: &str = "\
# Instructions per operation, by callgrind, release profile. Checked by scripts/bench-compare.
# hit, miss: parse, find (or walk and commit), guard, rewrite, and 28 bytes of headers copied into place.
# The number behind `hit` and `miss` is the network's size in interfaces; behind `lookup`, the table's in routes.
";

/// Each function is a line of the result: callgrind counts by function.
macro_rules! measured {
    ($( $function:ident $name:literal ($($argument:ident: $type:ty),*) $body:expr; )*) => {
        const MEASURED: &[(&str, &str)] = &[$( (stringify!($function), $name), )*];
        $(
            #[inline(never)]
            fn $function($($argument: $type),*) {
                // Two functions with the same body would be merged into one, and counted together.
                black_box($name);
                for n in 0..OPERATIONS {
                    black_box($body(n));
                }
            }
        )*
    };
}

measured! {
    measured_parse "parse udp4" (scenario: &Scenario) |_| black_box(scenario).parse();
    measured_hit_local_small "hit local 10" (scenario: &mut Scenario) |_| scenario.hit();
    measured_hit_local_large "hit local 1000" (scenario: &mut Scenario) |_| scenario.hit();
    measured_hit_nat_small "hit nat 10" (scenario: &mut Scenario) |_| scenario.hit();
    measured_hit_nat_large "hit nat 1000" (scenario: &mut Scenario) |_| scenario.hit();
    measured_miss_local_small "miss local 10" (scenario: &mut Scenario) |_| scenario.miss();
    measured_miss_local_large "miss local 1000" (scenario: &mut Scenario) |_| scenario.miss();
    measured_miss_nat_small "miss nat 10" (scenario: &mut Scenario) |_| scenario.miss();
    measured_miss_nat_large "miss nat 1000" (scenario: &mut Scenario) |_| scenario.miss();
    measured_lookup_small "lookup 42" (table: &Table<u32>) |n: u32| table.longest_match_v4(key(n)).map(|(_, v)| *v);
    measured_lookup_large "lookup 8000" (table: &Table<u32>) |n: u32| table.longest_match_v4(key(n)).map(|(_, v)| *v);
}

/// What callgrind runs.
pub(crate) fn inner() -> Result<()> {
    for size in SIZES {
        let snapshot = Arc::new(Snapshot::compile(&network::desired(size)?, None));
        let large = size == SIZES[1];
        for way in [Way::Local, Way::Nat] {
            let mut scenario = Scenario::new(Arc::clone(&snapshot), 1 << 16, way, 36)?;
            // Tables grown and lists made once are used again, as in a process that has run for a while.
            (0..OPERATIONS).for_each(|_| _ = scenario.miss());
            scenario.forget();
            match (way, large) {
                (Way::Local, false) => measured_miss_local_small(&mut scenario),
                (Way::Local, true) => measured_miss_local_large(&mut scenario),
                (Way::Nat, false) => measured_miss_nat_small(&mut scenario),
                (Way::Nat, true) => measured_miss_nat_large(&mut scenario),
            }
            scenario.hit();
            match (way, large) {
                (Way::Local, false) => measured_hit_local_small(&mut scenario),
                (Way::Local, true) => measured_hit_local_large(&mut scenario),
                (Way::Nat, false) => measured_hit_nat_small(&mut scenario),
                (Way::Nat, true) => measured_hit_nat_large(&mut scenario),
            }
            if way == Way::Local && !large {
                measured_parse(&scenario);
            }
        }
    }
    measured_lookup_small(&table(41));
    measured_lookup_large(&table(8_000));
    Ok(())
}

/// Counts, and compares with what is in `file`; or, with `update`, writes it there.
pub(crate) fn count(file: &Path, tolerance: f64, update: bool) -> Result<()> {
    let counts = under_callgrind()?;
    if update {
        let mut text = HEAD.to_owned();
        for (_, name) in MEASURED {
            writeln!(text, "{name:<16} {:>6}", counts.get(*name).copied().unwrap_or_default())?;
        }
        fs::write(file, &text)?;
        print!("{text}");
        return Ok(());
    }
    let before = read(&fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?);
    let mut worse = 0;
    println!("{:<16} {:>8} {:>8} {:>8}", "", "before", "now", "change");
    for (_, name) in MEASURED {
        let now = counts.get(*name).copied().unwrap_or_default();
        let Some(&before) = before.get(*name) else {
            println!("{name:<16} {:>8} {now:>8}      new", "-");
            continue;
        };
        let change = (now as f64 / before as f64 - 1.0) * 100.0;
        let verdict = if change > tolerance {
            worse += 1;
            "  WORSE"
        } else if change < -tolerance {
            "  better: update the file"
        } else {
            ""
        };
        println!("{name:<16} {before:>8} {now:>8} {change:>+7.1}%{verdict}");
    }
    if worse > 0 { Err(format!("{worse} paths take more than {tolerance} % more instructions").into()) } else { Ok(()) }
}

fn under_callgrind() -> Result<BTreeMap<String, u64>> {
    let out = std::env::temp_dir().join(format!("vpc-bench-{}.callgrind", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["instructions", "--inner"])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    let annotated = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100", "--show-percs=no"])
        .arg(&out)
        .output()
        .map_err(|error| format!("cannot run callgrind_annotate: {error}"));
    let removed = fs::remove_file(&out);
    if !status.success() {
        return Err(format!("valgrind: {status}").into());
    }
    removed?;
    Ok(counts(&String::from_utf8_lossy(&annotated?.stdout)))
}

/// From lines like `3,140,000  ???:vpc_bench::instructions::measured_parse [vpc-bench]`.
fn counts(annotated: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in annotated.lines() {
        let Some((function, name)) = MEASURED.iter().find(|(function, _)| {
            line.split_once(function)
                .is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        }) else {
            continue;
        };
        debug_assert!(line.contains(function));
        let number: String = line.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        if let Ok(total) = number.replace(',', "").parse::<u64>() {
            counts.entry((*name).to_owned()).or_insert(total / u64::from(OPERATIONS));
        }
    }
    counts
}

fn read(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.trim().rsplit_once(' '))
        .filter_map(|(n, v)| Some((n.trim().to_owned(), v.parse().ok()?)))
        .collect()
}

/// A table of routes of one to three different lengths, as route tables have.
fn table(routes: u32) -> Table<u32> {
    let mut builder = Builder::new();
    builder.insert(Prefix::DEFAULT_V4, 0);
    for n in 0..routes {
        let length = [16, 24, 28][n as usize % 3];
        let address = Ipv4Addr::from_bits(key(n).to_bits() & (u32::MAX << (32 - length)));
        if let Ok(prefix) = format!("{address}/{length}").parse() {
            builder.insert(prefix, n);
        }
    }
    builder.freeze()
}

/// Addresses in no order.
const fn key(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(n.wrapping_mul(0x9e37_79b1))
}
