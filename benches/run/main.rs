//! `vpc-bench`: the generators, counters and labs behind `scripts/bench`. See README.md beside it.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]
#![allow(clippy::disallowed_methods, reason = "stopwatches")]

mod compare;
mod instructions;
mod lab;
mod machine;
mod metric;
mod pump;
mod report;
mod shell;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::json;
use vpc_io::{Backend, InterfaceName, NetNsName};

/// What can go wrong here ends the run with one line.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "vpc-bench", about = "Measures vpcd beside kernel forwarding and a null pump", max_term_width = 100)]
enum Command {
    /// Raises all labs and measures every contender in turn
    Compare {
        /// Two short rounds, to see that it runs
        #[arg(long)]
        quick: bool,
        /// Rounds; each visits every contender once
        #[arg(long)]
        rounds: Option<usize>,
        /// Where results go
        #[arg(long, default_value = "target/bench")]
        out: PathBuf,
        /// The daemon; left out of the comparison when it is not there
        #[arg(long, default_value = "target/release/vpcd")]
        vpcd: PathBuf,
        /// Contenders to take, by their short names, separated by commas
        #[arg(long, value_delimiter = ',')]
        only: Vec<lab::Contender>,
        /// What the names of all namespaces begin with
        #[arg(long, default_value_t = format!("bench-{}", std::process::id()))]
        prefix: String,
    },
    /// Carries packets between a TUN in one namespace and a TUN in another, and does nothing to them
    Pump {
        left: NetNsName,
        right: NetNsName,
        #[arg(long, default_value = "eth0")]
        name: InterfaceName,
        #[arg(long, default_value_t)]
        backend: Backend,
    },
    #[command(flatten)]
    Tool(Tool),
    /// Counts the instructions of the engine's paths under callgrind
    Instructions {
        /// Do what is counted instead of counting: what callgrind runs
        #[arg(long, hide = true)]
        inner: bool,
        /// Write the counts instead of comparing with them
        #[arg(long)]
        update: bool,
        /// Percent more instructions that are not worth a word
        #[arg(long, default_value_t = 3.0)]
        tolerance: f64,
        /// The counts to compare with
        #[arg(long, default_value = "benches/instructions.txt")]
        file: PathBuf,
    },
}

/// Both ends of a measurement, to be run in namespaces by hand: `ip netns exec NAME vpc-bench …`.
#[derive(Subcommand)]
enum Tool {
    /// Sends UDP datagrams to a sink
    Blast {
        to: IpAddr,
        #[command(flatten)]
        load: udp::Load,
    },
    /// Counts what `blast` sends, until nothing came for a second
    Sink {
        #[arg(long, default_value_t = 1)]
        flows: u32,
    },
    /// Opens and resets TCP connections to `accept`, one after the other in each thread
    Connect {
        to: SocketAddr,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        #[arg(long, default_value_t = 4)]
        threads: usize,
    },
    /// Accepts TCP connections and closes them
    Accept {
        at: SocketAddr,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// Sends a datagram to `pong`, waits for it to come back, and again
    Ping {
        to: SocketAddr,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// Returns datagrams to their senders
    Pong {
        at: SocketAddr,
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Compare { quick, rounds, out, vpcd, only, prefix } => {
            compare::run(&compare::Options { quick, rounds, out, vpcd, only, prefix })
        }
        Command::Pump { left, right, name, backend } => pump::run(&left, &right, name, backend),
        Command::Tool(tool) => run(&tool),
        Command::Instructions { inner: true, .. } => instructions::inner(),
        Command::Instructions { inner: false, update, tolerance, file } => {
            instructions::count(&file, tolerance, update)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(tool: &Tool) -> Result<()> {
    let after = |seconds: f64| Duration::from_secs_f64(seconds);
    let said = match *tool {
        Tool::Blast { to, load } => {
            let sockets = udp::sources(load.flows)?;
            udp::blast(&sockets, to, &load)?.to_json()
        }
        Tool::Sink { flows } => {
            let stop = udp::Stop::after_silence(Duration::from_secs(1));
            udp::sink(&udp::destinations(flows)?, flows, &stop)?.to_json()
        }
        Tool::Connect { to, seconds, threads } => {
            json!({ "connections_per_second": tcp::connect(to, after(seconds), threads)? })
        }
        Tool::Accept { at, seconds } => json!({ "accepted": tcp::accept(&tcp::listen(at)?, after(seconds))? }),
        Tool::Ping { to, seconds } => udp::ping(&UdpSocket::bind(udp::ANY)?, to, after(seconds))?.to_json(),
        Tool::Pong { at, seconds } => json!({ "returned": udp::pong(&UdpSocket::bind(at)?, after(seconds))? }),
    };
    println!("{said}");
    Ok(())
}
