//! Every scenario of `scenarios/`, in every mode.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use vpc_sim::net::{Mode, SimNet};
use vpc_sim::run::{Goldens, play};
use vpc_sim::scenario_files;
use vpc_sim::script::Script;
use vpc_sim::world::World;

#[test]
fn every_scenario_happens_as_written_in_every_mode() {
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let mut files = scenario_files().unwrap();
    files.retain(|path| path.to_string_lossy().contains(&wanted));
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        files.iter().for_each(|path| update_goldens(path));
    }
    let full = std::env::var_os("VPC_FULL_TESTS").is_some_and(|value| value == "1");
    let quick = |path: &Path| !full && Script::read(path).is_ok_and(|script| script.long);
    let modes = |path: &Path| if quick(path) { &Mode::ALL[..1] } else { &Mode::ALL };
    let jobs: Vec<(&PathBuf, Mode)> =
        files.iter().flat_map(|path| modes(path).iter().map(move |mode| (path, *mode))).collect();
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures: BTreeMap<&Path, Vec<(usize, String)>> = thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            while let Some((path, mode)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                failures.extend(run(path, *mode).err().map(|failure| (path.as_path(), *mode, failure)));
            }
            failures
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut by_file = BTreeMap::<_, Vec<_>>::new();
        for (path, mode, failure) in handles.into_iter().flat_map(|handle| handle.join().unwrap()) {
            let rank = Mode::ALL.iter().position(|other| *other == mode).unwrap();
            by_file.entry(path).or_default().push((rank, failure));
        }
        by_file
    });
    println!("{} scenarios × {} modes", files.len(), Mode::ALL.len());
    let long = files.iter().filter(|path| quick(path)).count();
    if long > 0 {
        println!("of these, {long} long ones in one mode only (VPC_FULL_TESTS=1 plays them in all)");
    }
    let told: Vec<String> = failures.into_iter().map(|(path, failures)| tell(path, failures)).collect();
    assert!(told.is_empty(), "{} of {} failed:\n\n{}", told.len(), files.len(), told.join("\n\n"));
}

/// The failures of one file: in full the first one, of the others which modes they are in.
fn tell(path: &Path, mut failures: Vec<(usize, String)>) -> String {
    failures.sort();
    let modes: Vec<&str> = failures.iter().map(|(rank, _)| Mode::ALL[*rank].name()).collect();
    let name = path.file_stem().unwrap().to_string_lossy();
    format!("{}\n  in mode {}; traces in target/scenario/{name}", failures[0].1, modes.join(", "))
}

/// Plays a file in one mode; a failure leaves its traces under `target/scenario`.
fn run(path: &Path, mode: Mode) -> Result<(), String> {
    let script = Script::read(path).map_err(|error| error.to_string())?;
    let mut net = SimNet::new(World::of(&script)?, mode, script.flow_limit);
    play(&script, &mut net, Goldens::Compare).map(|_| ()).map_err(|failure| {
        let name = path.file_stem().unwrap();
        net.leave_traces(&traces().join(name).join(mode.name())).unwrap();
        failure.to_string()
    })
}

/// Rewrites the lines that begin with `|`.
fn update_goldens(path: &Path) {
    let Ok(script) = Script::read(path) else { return };
    let Ok(world) = World::of(&script) else { return };
    let mut net = SimNet::new(world, Mode::Plain, script.flow_limit);
    if let Ok(played) = play(&script, &mut net, Goldens::Collect) {
        std::fs::write(path, script.with_goldens(&played.goldens)).unwrap();
    }
}

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/scenario")
}
