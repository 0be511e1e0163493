//! A daemon of its own for each scenario.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use vpc_io::{NetNs, NetNsName};
use vpc_model::control::{self, Reply, Request, Status};

use crate::tap::within;

/// A running daemon; with it go its namespaces, also when it cannot end by itself.
pub(crate) struct Daemon {
    directory: TempDir,
    prefix: String,
    child: Child,
    stream: BufReader<UnixStream>,
}

impl Daemon {
    /// What the names of all namespaces of one daemon begin with.
    pub(crate) fn prefix() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("vpcsim-{}-{}-", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A daemon with this lab, ready.
    pub(crate) fn start(prefix: String, lab: &str) -> Result<Self, String> {
        let in_words = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir().map_err(in_words)?;
        let (file, socket, log) =
            (directory.path().join("lab.yaml"), directory.path().join("socket"), directory.path().join("log"));
        std::fs::write(&file, lab).map_err(in_words)?;
        let errors = std::fs::File::create(&log).map_err(in_words)?;
        let mut command = Command::new(binary()?);
        command.arg("--ephemeral").arg("--socket").arg(&socket).arg("--lab").arg(&file);
        command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(in_words)?;
        let mut ready = String::new();
        let out = child.stdout.take().map(BufReader::new);
        let read = out.ok_or("no standard output")?.read_line(&mut ready);
        let connected = read.and_then(|_| UnixStream::connect(&socket));
        let stream = match connected {
            Ok(stream) => BufReader::new(stream),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                sweep(&prefix);
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("vpcd did not start: {error}\n{log}"));
            }
        };
        Ok(Self { directory, prefix, child, stream })
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, String> {
        let line = control::encode(request).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        let asked = writeln!(self.stream.get_mut(), "{line}");
        asked.and_then(|()| self.stream.read_line(&mut answer)).map_err(|error| format!("{error}\n{}", self.log()))?;
        let reply = control::decode(&answer).map_err(|error| error.to_string())?;
        if let Reply::Error(failure) = reply { Err(failure.to_string()) } else { Ok(reply) }
    }

    pub(crate) fn status(&mut self) -> Result<Status, String> {
        let reply = self.ask(&Request::Status {})?;
        if let Reply::Status(status) = reply { Ok(status) } else { Err(format!("asked for the status, got {reply:?}")) }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let child = &mut self.child;
        if within(|| child.try_wait().ok().flatten()).is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        sweep(&self.prefix);
    }
}

/// Deletes the namespaces of one daemon that are still there.
fn sweep(prefix: &str) {
    let names = NetNs::list().unwrap_or_default();
    for name in names.iter().map(NetNsName::as_str).filter(|name| name.starts_with(prefix)) {
        let _ = NetNsName::new(name).and_then(|name| NetNs::delete(&name));
    }
}

/// The daemon that was built with this test: in the same profile's folder.
fn binary() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = test.ancestors().nth(2).unwrap_or(Path::new("."));
    let binary = folder.join("vpcd");
    if binary.exists() {
        return Ok(binary);
    }
    let flag = if folder.ends_with("release") { " --release" } else { "" };
    Err(format!("there is no {}; build it with: cargo build -p vpcd{flag}", binary.display()))
}
