//! The generated tables are what the generator makes of the checked-in models; no network needed.

#[path = "../examples/generate/emit.rs"]
mod emit;
#[path = "../examples/generate/readme.rs"]
mod readme;

use std::fs;
use std::path::Path;

use vpc_api::wire::SERVICES;

#[test]
fn the_checked_in_tables_are_the_generators_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for service in emit::SERVICES {
        let model = fs::read_to_string(root.join(format!("model/{service}.json"))).unwrap();
        let expected = emit::emit(service, &serde_json::from_str(&model).unwrap()).unwrap();
        let found = fs::read_to_string(root.join(format!("src/wire/generated/{service}.rs"))).unwrap();
        assert!(found == expected, "{service}: run `cargo run -p vpc-api --example generate`");
    }
}

#[test]
fn every_chosen_action_is_in_the_tables_with_its_tier() {
    let list = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("model/actions.txt")).unwrap();
    let lines: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), SERVICES.iter().map(|service| service.operations.len()).sum::<usize>());
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let service = SERVICES[emit::SERVICES.iter().position(|name| *name == words[0]).unwrap()];
        let operation = service.operation(words[3]).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((operation.group, operation.tier.to_string().as_str()), (words[1], words[2]), "{line}");
    }
}

#[test]
fn the_readme_lists_what_the_handlers_answer() {
    let found = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let expected = readme::with_table(&found).unwrap();
    assert!(found == expected, "run `cargo run -p vpc-api --example generate`");
}
