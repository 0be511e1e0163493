//! `vpcctl wait`.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use vpc_model::control::{Reply, Request};

use crate::client::{Client, unexpected};
use crate::render::print;

/// How often a daemon that is not there yet is looked for.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn run(socket: &Path, timeout: Option<Duration>, generation: Option<u64>) -> anyhow::Result<ExitCode> {
    // A person or script waits; virtual time has no place here.
    #[allow(clippy::disallowed_methods)]
    let start = Instant::now();
    let left = || timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
    let mut client = loop {
        match Client::connect(socket) {
            Ok(client) => break client,
            Err(error) if left() == Some(Duration::ZERO) => return Err(error.context("waited in vain")),
            Err(_) => sleep(left().map_or(PAUSE, |left| left.min(PAUSE))),
        }
    };
    // Zero would mean for ever to the socket.
    client.set_timeout(left().map(|left| left.max(Duration::from_millis(1))))?;
    let reply = match client.ask(&Request::Wait { generation }) {
        Err(error) if timed_out(&error) => {
            bail!("waited in vain: vpcd is there, but not ready; its log says what it is doing")
        }
        answer => answer.context("waited in vain")?,
    };
    let Reply::Ready { generation } = &reply else {
        return Err(unexpected(&reply));
    };
    print(&format!("ready, generation {generation}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn timed_out(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}
