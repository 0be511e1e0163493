#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod api;
mod control;
mod layout;
mod logging;
mod machine;
mod netlink;
mod options;
mod publisher;
mod show;
mod socket;
mod worker;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use vpc_engine::{EngineConfig, Snapshot};
use vpc_io::{Backend, Offloads, selftest};
use vpc_model::{Desired, lab};

use crate::control::Server;
use crate::machine::{Devices, Machine};
use crate::options::Options;
use crate::publisher::Publisher;
use crate::socket::Socket;
use crate::worker::Worker;

/// A lab file that is not one: what `--help` promises as exit code 2.
const BAD_LAB: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    logging::start(options.log_format);
    let desired = match initial(&options) {
        Ok(desired) => desired,
        Err(message) => {
            complain(&message);
            return ExitCode::from(BAD_LAB);
        }
    };
    match run(&options, desired) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// The network to start with, or what is wrong with its file.
fn initial(options: &Options) -> Result<Desired, String> {
    let Some(file) = &options.lab else {
        return Ok(Desired::new());
    };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("error: cannot read {name}: {error}\n"))?;
    lab::read(&text, &name).map(|lab| lab.to_desired()).map_err(|errors| errors.render())
}

fn run(options: &Options, desired: Desired) -> anyhow::Result<()> {
    let devices = Devices { backend: options.tun, offloads: usable_offloads(options)? };
    let (socket, listener) = Socket::listen(&options.socket)?;
    if !options.ephemeral {
        tracing::info!("this release keeps the network in memory only; say --ephemeral to mean it");
    }
    let machine = Machine::new(devices, socket.path());
    let left = machine.clean_up()?;
    if !left.is_empty() {
        tracing::warn!(namespaces = left.len(), "deleted the namespaces of a vpcd that did not end properly");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the control side")?;
    // Dropped in reverse: first the worker with its devices, then the namespaces, then the socket.
    let snapshot = Arc::new(Snapshot::compile(&Desired::new(), None));
    let config = EngineConfig { seed: seed()?, ..EngineConfig::default() };
    let (worker, worker_ended) = Worker::start(config, Arc::clone(&snapshot))?;
    let mut publisher = Publisher::new(machine, worker.handle().clone(), snapshot);
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let publisher = {
            // On a thread that may wait, so that a signal meanwhile is noted.
            let applied =
                tokio::task::spawn_blocking(move || publisher.apply(desired).map(|applied| (publisher, applied)));
            let (publisher, applied) = applied.await.context("starting failed")??;
            tracing::info!(
                namespaces = applied.namespaces_made,
                interfaces = applied.interfaces_made,
                generation = applied.generation,
                "network in force"
            );
            publisher
        };
        let server = Server::new(publisher, worker.handle().clone(), options.tun);
        // Listening before anybody is told that the network is there.
        let api = api::start(&options.api, server.clone()).await?;
        ready(&socket, &server)?;
        tokio::select! {
            error = server.serve(listener) => Err(error),
            error = api => Err(error),
            name = signals.any() => {
                tracing::info!(signal = name, "ending");
                Ok(())
            }
            _ = worker_ended => Err(anyhow!("the worker thread has stopped")),
        }
    });
    // A notification that nobody waits for is no reason to fail.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    // Devices before namespaces: closing a device that is there takes less than one whose namespace is being undone.
    drop(worker);
    drop(runtime);
    outcome
}

/// What was asked for, without what this kernel is found to do wrong. Finds out as well whether namespaces and
/// devices can be made at all.
fn usable_offloads(options: &Options) -> anyhow::Result<Offloads> {
    let report = selftest::run().context("cannot make a TUN device in a network namespace")?;
    let usable = options.offloads.and(report.offloads);
    tracing::debug!(?report, "self-test");
    if usable != options.offloads && options.tun == Backend::Vnet {
        tracing::warn!(asked = %options.offloads, %usable, "this kernel does not carry every kind of unfinished packet rightly");
    }
    Ok(usable)
}

/// Tells everybody who waits that the network is there.
fn ready(socket: &Socket, server: &Server) -> anyhow::Result<()> {
    let current = server.current();
    let line = format!(
        "ready socket={} generation={} namespaces={} links={}",
        socket.path().display(),
        current.generation,
        current.layout.namespaces.len(),
        current.layout.links().count(),
    );
    // Whoever started us may have closed our output and wait in another way.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
    Ok(())
}

/// The signals that end the daemon.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let handle = |kind| signal(kind).context("cannot handle signals");
        Ok(Self {
            hangup: handle(SignalKind::hangup())?,
            interrupt: handle(SignalKind::interrupt())?,
            terminate: handle(SignalKind::terminate())?,
        })
    }

    /// The name of the next one.
    async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.hangup.recv() => "SIGHUP",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// What makes this run's hashing and port choice differ from others'.
fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    let mut random = std::fs::File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    std::io::Read::read_exact(&mut random, &mut bytes).context("cannot read /dev/urandom")?;
    Ok(u64::from_ne_bytes(bytes))
}

fn complain(message: &str) {
    let _ = std::io::stderr().write_all(message.as_bytes());
}
