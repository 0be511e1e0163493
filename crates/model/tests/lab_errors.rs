//! Lab files that are wrong, and what is said about them.

mod golden;

use proptest::prelude::*;
use vpc_model::lab;

const T1: &str = include_str!("../../sim/topologies/t1.yaml");

/// Each `bad/NAME.yaml` is refused with what is in `bad/NAME.txt`.
#[test]
fn bad_files_are_refused_with_every_error_in_its_place() {
    let folder = golden::folder("tests/bad");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 20);
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let errors = lab::read(&text, name).map(|_| name).expect_err("is wrong");
        golden::check(&path.with_extension("txt"), &errors.render());
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let errors = lab::read(&"#".repeat(2_000_000), "lab.yaml").unwrap_err();
    assert_eq!(errors.to_string(), "lab.yaml:1:1: the text has 2000000 bytes; expected at most 1048576");
}

#[test]
fn an_error_has_one_line_for_programs() {
    let errors = lab::read("vpcs:\n  v: { cidr: 10.0.0.0/8 }\n", "lab.yaml").unwrap_err();
    let error = errors.iter().next().unwrap();
    assert_eq!((error.line, error.column, error.path.as_str()), (2, 14, "vpcs.v.cidr"));
    assert_eq!(error.aws_code.as_deref(), Some("InvalidVpcRange"));
    let line = "lab.yaml:2:14: vpcs.v.cidr: 10.0.0.0/8 has length /8; a VPC block of its family has /16 to /28";
    assert_eq!(errors.to_string(), line);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Characters cut out, put in or exchanged for others that mean something in YAML or in labs.
    #[test]
    fn a_damaged_file_is_read_or_refused_in_its_place(edits in proptest::collection::vec(damage(), 1..6)) {
        let mut text = T1.to_owned();
        for (at, length, new) in edits {
            let start = boundary(&text, at.index(text.len() + 1));
            let end = boundary(&text, start + length).max(start);
            text.replace_range(start..end, &new);
        }
        if let Err(errors) = lab::read(&text, "lab.yaml") {
            let lines: Vec<&str> = text.split('\n').collect();
            for error in &errors {
                prop_assert!(error.line <= lines.len(), "{error}");
                prop_assert!(error.column <= lines[error.line - 1].chars().count() + 1, "{error}");
                prop_assert!(!error.message.is_empty());
            }
            prop_assert!(errors.render().contains('^'));
        }
    }
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let text = "[ -~\t\n\u{e9}\u{1f600}]{0,4}|[:{}\\[\\],&*#\"'|>%@!-]|<<: \\*a|&a|~|\u{0}|\r|\u{feff}";
    (any::<prop::sample::Index>(), 0..12_usize, text)
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
