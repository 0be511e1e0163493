//! The client's end of [`vpc_model::control`].

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use vpc_model::control::{self, Failure, FailureKind, MAX_LINE, Reply, Request};

/// A connection to a daemon.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    socket: String,
}

impl Client {
    /// Connects.
    ///
    /// Errors: what [`absent`] says.
    pub(crate) fn connect(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).map_err(|error| absent(socket, &error))?;
        Ok(Self { stream: BufReader::new(stream), socket: socket.display().to_string() })
    }

    /// Gives up waiting for a reply after so long.
    pub(crate) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(timeout)
    }

    /// Asks and waits for the answer.
    ///
    /// Errors: a [`Failure`] that the daemon answered with, or no answer.
    pub(crate) fn ask(&mut self, request: &Request) -> anyhow::Result<Reply> {
        let mut line = control::encode(request)?;
        line.push('\n');
        let gone = || format!("the vpcd of {} has gone; its log says why", self.socket);
        self.stream.get_mut().write_all(line.as_bytes()).with_context(gone)?;
        let mut line = String::new();
        let read = (&mut self.stream).take(MAX_LINE + 1).read_line(&mut line).with_context(gone)?;
        if read == 0 {
            bail!(gone());
        }
        let reply = control::decode(line.trim_end())
            .with_context(|| format!("cannot understand the vpcd of {}", self.socket))?;
        if let Reply::Error(failure) = reply {
            return Err(failure.into());
        }
        Ok(reply)
    }
}

/// Connects and asks one thing.
pub(crate) fn ask(socket: &Path, request: &Request) -> anyhow::Result<Reply> {
    Client::connect(socket)?.ask(request)
}

/// A reply that does not belong to its request.
pub(crate) fn unexpected(reply: &Reply) -> anyhow::Error {
    let line = control::encode(reply).unwrap_or_default();
    let start: String = line.chars().take(80).collect();
    Failure::new(FailureKind::Failed, format!("the daemon answered something else: {start}")).into()
}

/// Why there is no connection, and what to do.
fn absent(socket: &Path, error: &io::Error) -> anyhow::Error {
    let socket = socket.display();
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        anyhow!("no vpcd listens on {socket}; start one with `vpcd --lab FILE`, or say where it listens with --socket")
    } else if kind == io::ErrorKind::ConnectionRefused {
        anyhow!("the vpcd of {socket} has ended without cleaning up; start it again")
    } else if kind == io::ErrorKind::PermissionDenied {
        anyhow!("may not connect to {socket}; run as root")
    } else {
        anyhow!("cannot connect to {socket}: {error}")
    }
}
