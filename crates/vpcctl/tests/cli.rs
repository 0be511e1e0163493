//! The program as people call it, against a daemon that says what the test wants.

// The helpers fail as the tests do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use vpc_io::{NetNs, NetNsError, NetNsName};
use vpc_model::control::{self, Applied, Failure, FailureKind, Reply, Request, Table};
use vpc_model::explain::{Explanation, Verdict};

fn vpcctl(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vpcctl"))
        .args(arguments)
        .env("VPCD_SOCKET", socket)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Answers one client's request with this line; returns the request.
fn daemon(socket: &Path, answer: String) -> JoinHandle<String> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut request = String::new();
        stream.read_line(&mut request).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        request
    })
}

/// Runs vpcctl against a daemon that answers with `reply`.
fn converse(reply: &Reply, arguments: &[&str]) -> (Request, Output) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let daemon = daemon(&socket, control::encode(reply).unwrap() + "\n");
    let output = vpcctl(&socket, arguments);
    (control::decode(&daemon.join().unwrap()).unwrap(), output)
}

fn explained(verdict: Verdict) -> Reply {
    Reply::Explained(Explanation { question: "h1 > udp".to_owned(), steps: vec![], verdict, generation: 1 })
}

#[test]
fn explain_tells_by_its_exit_code_whether_the_packet_arrives() {
    let send = Verdict::Send { to: "h2".to_owned(), packet: "udp".to_owned(), mtu: 9001 };
    let (request, output) = converse(&explained(send), &["explain", "h1", "udp 10.0.0.1:1 > 10.0.0.2:2"]);
    let packet = "udp 10.0.0.1:1 > 10.0.0.2:2".to_owned();
    assert_eq!(request, Request::Explain { sender: "h1".to_owned(), packet });
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("=> send h2"), "{}", out(&output));
    let drop = Verdict::Drop { reason: "no_route".to_owned(), doc: "No route.".to_owned(), aws: None };
    let (_, output) = converse(&explained(drop), &["explain", "--json", "h1", "udp 10.0.0.1:1 > 10.0.0.2:2"]);
    assert_eq!(output.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(json["verdict"]["reason"], "no_route");
}

#[test]
fn apply_sends_the_file_and_prints_what_was_done() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.yaml");
    std::fs::write(&file, "vpcs: {}\n").unwrap();
    let file = file.to_str().unwrap();
    let applied = Reply::Applied(Applied { generation: 4, changed: true, ..Applied::default() });
    let (request, output) = converse(&applied, &["apply", "-f", file]);
    assert_eq!(request, Request::Apply { file: file.to_owned(), text: "vpcs: {}\n".to_owned() });
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "applied, generation 4\n"));
}

#[test]
fn failures_have_the_exit_codes_of_their_kinds() {
    for (kind, code) in [
        (FailureKind::BadRequest, 2),
        (FailureKind::Failed, 1),
        (FailureKind::InvalidLab, 2),
        (FailureKind::NotFound, 1),
    ] {
        let (_, output) = converse(&Reply::Error(Failure::new(kind, "it is so")), &["show"]);
        assert_eq!(output.status.code(), Some(code), "{kind:?}");
        assert!(err(&output).contains("it is so"));
        assert_eq!(out(&output), "");
    }
    let (_, output) =
        converse(&Reply::Error(Failure::new(FailureKind::NotFound, "no 'h9'")), &["exec", "h9", "--", "true"]);
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn tables_are_aligned() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let table = Table { columns: row(["NAME", "ID"]), rows: vec![row(["a-name", "x"]), row(["b", "y"])] };
    let (request, output) = converse(&Reply::Table(table), &["show", "sg"]);
    assert_eq!(request, Request::Table { kind: Some(control::ResourceKind::SecurityGroups) });
    assert_eq!(out(&output), "NAME    ID\na-name  x\nb       y\n");
}

#[test]
fn a_daemon_that_is_not_there_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let output = vpcctl(&socket, &["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("no vpcd listens on") && err(&output).contains("vpcd --lab FILE"),
        "{}",
        err(&output)
    );
    drop(UnixListener::bind(&socket).unwrap());
    let output = vpcctl(&socket, &["status"]);
    assert!(err(&output).contains("has ended without cleaning up"), "{}", err(&output));
    let output = vpcctl(&socket, &["wait", "--timeout", "0.05"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("waited in vain"), "{}", err(&output));
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error() {
    for (answer, part) in [
        ("", "has gone"),
        ("nonsense\n", "not JSON"),
        ("{\"version\":9,\"reply\":\"ready\",\"generation\":1}\n", "one release"),
        ("{\"version\":1,\"reply\":\"ready\",\"generation\":1}\n", "something else"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let daemon = daemon(&socket, answer.to_owned());
        let output = vpcctl(&socket, &["status"]);
        daemon.join().unwrap();
        assert_eq!(output.status.code(), Some(1), "{answer}");
        assert!(err(&output).contains(part), "{answer}: {}", err(&output));
    }
}

#[test]
fn wait_finds_a_daemon_that_comes_later() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_vpcctl"))
        .args(["wait", "--timeout", "20", "--generation", "7"])
        .env("VPCD_SOCKET", &socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(waiting.try_wait().unwrap().is_none());
    let ready = control::encode(&Reply::Ready { generation: 7 }).unwrap() + "\n";
    let request = daemon(&socket, ready).join().unwrap();
    assert_eq!(control::decode::<Request>(&request).unwrap(), Request::Wait { generation: Some(7) });
    let output = waiting.wait_with_output().unwrap();
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "ready, generation 7\n"));
}

#[test]
fn a_lab_file_is_checked_without_a_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (directory.path().join("good.yaml"), directory.path().join("bad.yaml"));
    std::fs::write(&good, "vpcs:\n  v: { cidr: 10.0.0.0/16 }\n").unwrap();
    std::fs::write(&bad, "vpcs:\n  v: { cidr: 10.0.0.0/16, colour: red }\n  w: { cidr: nowhere }\n").unwrap();
    let nowhere = directory.path().join("no-socket");
    let output = vpcctl(&nowhere, &["lab", "check", good.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let output = vpcctl(&nowhere, &["lab", "check", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("bad.yaml:2:") && err(&output).contains("bad.yaml:3:"), "{}", err(&output));
    let output = vpcctl(&nowhere, &["lab", "check", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("cannot read /nonexistent"), "{}", err(&output));
}

#[test]
fn what_needs_no_daemon_works_without() {
    let nowhere = Path::new("/nonexistent/s");
    let stages = vpcctl(nowhere, &["stages"]);
    assert!(out(&stages).contains("route-lookup") && out(&stages).contains("no_route"));
    let json: serde_json::Value = serde_json::from_str(&out(&vpcctl(nowhere, &["stages", "--json"]))).unwrap();
    assert!(json.as_array().unwrap().len() > 5);
    for shell in ["bash", "zsh", "fish"] {
        assert!(out(&vpcctl(nowhere, &["completions", shell])).contains("explain"), "{shell}");
    }
    let help = out(&vpcctl(nowhere, &["--help"]));
    assert!(help.contains("Exit codes:"), "{help}");
}

/// A namespace that is deleted when the test ends, however it ends.
struct Namespace(NetNsName);

impl Namespace {
    /// `None`, after saying so, when the process may not make one.
    fn new(label: &str) -> Option<Self> {
        let name = NetNsName::new(&format!("vpcdt-ctl-{}-{label}", std::process::id())).unwrap();
        match NetNs::create(&name) {
            Ok(_) => Some(Self(name)),
            Err(NetNsError::NotPermitted { .. }) => {
                println!("skipped: needs root");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = NetNs::delete(&self.0);
    }
}

#[test]
fn exec_runs_inside_and_exits_as_the_command_does() {
    let Some(ns) = Namespace::new("exec") else { return };
    let inside = Reply::Namespace { namespace: ns.0.to_string() };
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    let (request, output) = converse(&inside, &["exec", "h1", "--", "readlink", "/proc/self/ns/net"]);
    assert_eq!(request, Request::Namespace { of: "h1".to_owned() });
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).starts_with("net:["), "{}", out(&output));
    assert_ne!(out(&output).trim(), here.to_str().unwrap());
    let (_, output) = converse(&inside, &["exec", "h1", "--", "ls", "/sys/class/net"]);
    assert_eq!(out(&output), "lo\n", "/sys shows the interfaces of the namespace");
    for (command, code) in [("exit 42", 42), ("exit 0", 0)] {
        let (_, output) = converse(&inside, &["exec", "h1", "--", "sh", "-c", command]);
        assert_eq!(output.status.code(), Some(code));
    }
    let (_, output) = converse(&inside, &["exec", "h1", "--", "/nonexistent/program"]);
    assert_eq!(output.status.code(), Some(127));
    let (_, output) = converse(&inside, &["exec", "h1", "--", "/etc"]);
    assert_eq!(output.status.code(), Some(126));
    let gone = Reply::Namespace { namespace: "vpcdt-ctl-surely-absent".to_owned() };
    let (_, output) = converse(&gone, &["exec", "h1", "--", "true"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(err(&output).contains("has gone"), "{}", err(&output));
}
