//! The AWS CLI's own documented examples, each through the unmodified CLI.
use std::process::Command;

use crate::python;
use crate::server::Server;
use vpc_api::http::Config;

#[test]
fn every_documented_command_of_our_actions_is_understood() {
    let Some(python) = python::cli() else { return };
    let server = Server::start(Config::default());
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(python)
        .args([&format!("{root}/tests/python/examples.py"), &server.url(), &format!("{root}/model")])
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{out}\n{error}");
}
