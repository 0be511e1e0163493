//! boto3 against the server, one script per group of resources.
use std::path::Path;
use std::process::Command;

use crate::python;
use crate::server::Server;
use vpc_api::http::{Config, Key, Signatures};

/// Runs a script of `tests/python` against a server of its own.
fn run(script: &str, config: Config) {
    let Some(python) = python::boto3() else { return };
    let server = Server::start(config);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = Command::new(python).arg(path).arg(server.url()).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}:\n{out}\n{error}");
    print!("{out}");
}

#[test]
fn vpcs_subnets_and_what_all_actions_have_in_common() {
    run("vpc.py", Config::default());
}

#[test]
fn route_tables_gateways_and_nat() {
    run("routing.py", Config::default());
}

#[test]
fn security_groups_network_acls_and_prefix_lists() {
    run("security.py", Config::default());
}

#[test]
fn network_interfaces_and_addresses() {
    run("interfaces.py", Config::default());
}

#[test]
fn instances_and_peering_between_accounts() {
    run("instances.py", Config::default());
}

#[test]
fn endpoints_and_the_literal_command() {
    run("endpoints.py", Config::default());
}

#[test]
fn signatures_matter_when_they_should() {
    let key = Key {
        secret: "right".to_owned(),
        account: "333333333333".parse().unwrap(),
        principal: Some("arn:aws:iam::333333333333:user/ann".to_owned()),
    };
    let config = |signatures| Config {
        signatures,
        keys: [("AKIDTEST".to_owned(), key.clone())].into(),
        lab: true,
        ..Config::default()
    };
    run("strict.py", config(Signatures::Strict));
    run("known.py", config(Signatures::Known));
}
