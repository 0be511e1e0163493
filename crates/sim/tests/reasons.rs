//! Nothing is left out: every reason to drop is provoked, every row that is covered has one file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use vpc_model::DropReason;
use vpc_sim::scenario_files;
use vpc_sim::script::{Script, Step, Verb, repeated};

/// Rows of vpc-semantics §18 that are about routing, security layers and gateways.
const ROWS: [RangeInclusive<u16>; 2] = [1..=60, 115..=151];

/// Those of them that no scenario can play: each has its reason in the README.
const NO_SCENARIO: [u16; 5] = [22, 38, 39, 43, 125];

/// Every reason that a step expects.
fn reasons(script: &Script, steps: &[Step], found: &mut BTreeSet<DropReason>) {
    for step in steps {
        match &step.verb {
            Verb::Drop(reason) => {
                found.insert(*reason);
            }
            Verb::Repeat { body, .. } => {
                let once = body.iter().map(|(line, text)| repeated(&script.file, *line, text, 0).unwrap());
                reasons(script, &once.collect::<Vec<_>>(), found);
            }
            Verb::Advance(_)
            | Verb::Change(_)
            | Verb::Expect { .. }
            | Verb::Explain { .. }
            | Verb::Flows(_)
            | Verb::Refused(_)
            | Verb::Routes { .. }
            | Verb::Send { .. } => {}
        }
    }
}

#[test]
fn every_drop_reason_is_provoked_by_a_scenario() {
    let mut found = BTreeSet::new();
    for path in scenario_files().unwrap() {
        let script = Script::read(&path).unwrap();
        reasons(&script, &script.steps, &mut found);
    }
    let missing = DropReason::ALL.iter().filter(|reason| !found.contains(reason));
    let missing: Vec<&str> = missing.map(|reason| reason.code()).collect();
    println!("{} of {} drop reasons are provoked", found.len(), DropReason::COUNT);
    assert!(missing.is_empty(), "no scenario has `drop` and one of: {}", missing.join(", "));
}

#[test]
fn every_row_has_exactly_one_file() {
    let mut files: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for path in scenario_files().unwrap() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with("x-") {
            continue;
        }
        let number = name.strip_prefix('s').and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
        let row: u16 = number.unwrap_or_else(|| panic!("{name} begins neither with s and three digits nor with x-"));
        assert_eq!(name.as_bytes().get(4), Some(&b'-'), "{name}");
        files.entry(row).or_default().push(name);
    }
    let twice: Vec<_> = files.values().filter(|names| names.len() > 1).collect();
    assert!(twice.is_empty(), "rows with more than one file: {twice:?}");
    let rows: BTreeSet<u16> = ROWS.into_iter().flatten().filter(|row| !NO_SCENARIO.contains(row)).collect();
    let missing: Vec<_> = rows.iter().filter(|row| !files.contains_key(row)).collect();
    assert!(missing.is_empty(), "rows without a file: {missing:?}");
    let unlisted: Vec<_> = files.keys().filter(|row| !rows.contains(row)).collect();
    assert!(unlisted.is_empty(), "rows with a file that are not in the list of this test: {unlisted:?}");
}

#[test]
fn every_row_without_a_file_has_its_reason_in_the_readme() {
    let readme = include_str!("../README.md");
    for row in NO_SCENARIO {
        assert!(readme.contains(&format!("| S{row} |")), "no reason for S{row}");
    }
}
