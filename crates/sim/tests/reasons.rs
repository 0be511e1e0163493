//! Nothing is left out: every reason to drop is provoked, every row that is covered has one file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};

use vpc_model::DropReason;
use vpc_sim::scenario_files;
use vpc_sim::script::{Script, Step, Verb, repeated};

/// Rows of vpc-semantics §18 that have to be there.
const ROWS: &[u16] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 27, 28, 29, 31, 33, 35, 36, 40, 41, 42,
    45, 46, 47, 48, 49, 53, 54, 55, 56, 57, 58, 59, 60, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 126, 127,
    144, 145, 146, 147, 148, 149, 150, 151,
];

/// Reasons of elements that a lab file cannot describe: a scenario has no way to bring them about.
const NOT_IN_LABS: &[DropReason] = &[
    DropReason::PcxDestination,
    DropReason::PcxSource,
    DropReason::TgwAz,
    DropReason::TgwBlackhole,
    DropReason::TgwNoRoute,
];

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
    let possible = DropReason::ALL.iter().filter(|reason| !NOT_IN_LABS.contains(reason));
    let missing: Vec<&str> = possible.filter(|reason| !found.contains(reason)).map(|reason| reason.code()).collect();
    let too_modest: Vec<_> = NOT_IN_LABS.iter().filter(|reason| found.contains(reason)).collect();
    assert!(too_modest.is_empty(), "a lab can bring these about after all: {too_modest:?}");
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
    let missing: Vec<_> = ROWS.iter().filter(|row| !files.contains_key(row)).collect();
    assert!(missing.is_empty(), "rows without a file: {missing:?}");
    let unlisted: Vec<_> = files.keys().filter(|row| !ROWS.contains(row)).collect();
    assert!(unlisted.is_empty(), "rows with a file that are not in the list of this test: {unlisted:?}");
}
