//! The scenarios marked `lab`, on a real daemon: packets go through the kernel and through TUNs of real namespaces.
//!
//! Needs root and a daemon (`cargo build -p vpcd`); says so and passes without root.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests are tests")]

#[path = "namespaces/daemon.rs"]
mod daemon;
#[path = "namespaces/real.rs"]
mod real;
#[path = "namespaces/tap.rs"]
mod tap;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use vpc_io::{NetNs, NetNsError};
use vpc_sim::run::{Goldens, play};
use vpc_sim::scenario_files;
use vpc_sim::script::Script;

use crate::real::RealNet;

#[test]
fn scenarios_happen_as_written_on_real_namespaces() {
    match NetNs::scratch() {
        Ok(_) => {}
        Err(NetNsError::NotPermitted { .. }) => {
            println!("skipped: scenarios on real namespaces need root");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let files = scenario_files().unwrap();
    let named = files.iter().filter(|path| path.to_string_lossy().contains(&wanted));
    let scripts: Vec<Script> = named.map(|path| Script::read(path).unwrap()).filter(|script| script.lab).collect();
    let next = AtomicUsize::new(0);
    let failures: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                failures.extend(replay(script).err());
            }
            failures
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    println!("{} scenarios on real namespaces", scripts.len());
    assert!(failures.is_empty(), "{} of {} failed:\n\n{}", failures.len(), scripts.len(), failures.join("\n\n"));
}

fn replay(script: &Script) -> Result<(), String> {
    let mut net = RealNet::new(script)?;
    play(script, &mut net, Goldens::Compare).map(|_| ()).map_err(|failure| failure.to_string())
}
