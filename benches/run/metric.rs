//! What is measured in a lab.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::lab::{Lab, SERVER};
use crate::machine::{busy_time, softirq_threads_time};
use crate::tcp;
use crate::udp::{self, Load};

/// One kind of load; each gives several numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Bulk TCP from client to server.
    Bulk { flows: u32, direction: Direction },
    /// As many datagrams as possible.
    Flood { size: usize, flows: u32 },
    /// TCP connections opened and reset.
    Connections,
    /// Round trips with nothing else going on.
    IdleTrips,
    /// Round trips beside half the datagrams of [`Self::Flood`] with 1,400 bytes.
    HalfLoadTrips,
    /// What is lost and overtaken at 80 % of the datagrams of [`Self::Flood`] with 64 bytes.
    Loss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    There,
    Back,
    Both,
}

/// A number that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// What earlier measurements in the same lab and round say of its capacity, in datagrams per second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capacity {
    pub(crate) small: f64,
    pub(crate) large: f64,
}

/// How long each takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Of bulk TCP; iperf3 knows whole seconds only.
    pub(crate) bulk: u32,
    pub(crate) other: Duration,
}

impl Metric {
    pub(crate) const ALL: [Self; 12] = [
        Self::Bulk { flows: 1, direction: Direction::There },
        Self::Bulk { flows: 1, direction: Direction::Back },
        Self::Bulk { flows: 1, direction: Direction::Both },
        Self::Bulk { flows: 8, direction: Direction::There },
        Self::Flood { size: 64, flows: 1 },
        Self::Flood { size: 64, flows: 4_096 },
        Self::Flood { size: 1_400, flows: 1 },
        Self::Flood { size: 1_400, flows: 4_096 },
        Self::Connections,
        Self::IdleTrips,
        Self::HalfLoadTrips,
        Self::Loss,
    ];

    /// Measures once.
    pub(crate) fn measure(self, lab: &Lab, capacity: &mut Capacity, lengths: Lengths) -> Result<Vec<Sample>> {
        let seconds = lengths.other.as_secs_f64();
        match self {
            Self::Bulk { flows, direction } => bulk(lab, flows, direction, lengths.bulk),
            Self::Flood { size, flows } => {
                let flood = flood(lab, Load { flows, size, seconds, rate: None })?;
                if flows == 1 {
                    *(if size == 64 { &mut capacity.small } else { &mut capacity.large }) = flood.per_second;
                }
                Ok(flood.samples(&format!("udp {size} x{flows}")))
            }
            Self::Connections => connections(lab, lengths.other),
            Self::IdleTrips => Ok(trips(lab, lengths.other, "rtt idle")?),
            Self::HalfLoadTrips => {
                let rate = Some(capacity.large / 2.0);
                // The load begins before the first round trip and ends after the last.
                let load = Load { flows: 1, size: 1_400, seconds: seconds + 0.1, rate };
                std::thread::scope(|scope| {
                    let beside = scope.spawn(|| flood(lab, load));
                    std::thread::sleep(Duration::from_millis(50));
                    let samples = trips(lab, lengths.other, "rtt half load");
                    joined(beside.join())?;
                    samples
                })
            }
            Self::Loss => {
                let rate = Some(capacity.small * 0.8);
                let flood = flood(lab, Load { flows: 1, size: 64, seconds, rate })?;
                let share = |part: u64| part as f64 / flood.sent.max(1) as f64;
                let mut samples = flood.samples("udp 64 x1 at 80 %");
                samples.push(sample("udp 64 x1 at 80 % lost", share(flood.sent.saturating_sub(flood.delivered))));
                samples.push(sample("udp 64 x1 at 80 % reordered", share(flood.reordered)));
                Ok(samples)
            }
        }
    }
}

fn sample(name: impl Into<String>, value: f64) -> Sample {
    Sample { name: name.into(), value }
}

fn bulk(lab: &Lab, flows: u32, direction: Direction, seconds: u32) -> Result<Vec<Sample>> {
    let (flag, word) = match direction {
        Direction::There => (None, "there"),
        Direction::Back => (Some("-R"), "back"),
        Direction::Both => (Some("--bidir"), "both"),
    };
    let (busy, daemon) = (busy_time(), lab.daemon_time());
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.client_name, "iperf3", "-J", "-C", "cubic", "-l", "128K"]);
    command.args(["-c", &SERVER.to_string(), "-t", &seconds.to_string(), "-P", &flows.to_string()]).args(flag);
    let output = command.output()?;
    let said: Value = serde_json::from_slice(&output.stdout)?;
    if let Some(error) = said["error"].as_str() {
        return Err(format!("iperf3: {error}").into());
    }
    let (busy, daemon) = (busy_time() - busy, lab.daemon_time() - daemon);
    let end = &said["end"];
    let of = |sum: &str, field: &str| end[sum][field].as_f64().unwrap_or_default();
    let both = |field| of("sum_received", field) + of("sum_received_bidir_reverse", field);
    let name = format!("tcp x{flows} {word}");
    let blocks = both("bytes") / 65_536.0;
    Ok(vec![
        sample(format!("{name} Gbit/s"), both("bits_per_second") / 1e9),
        sample(
            format!("{name} retransmits"),
            of("sum_sent", "retransmits") + of("sum_sent_bidir_reverse", "retransmits"),
        ),
        sample(format!("{name} us/64 KiB, machine"), busy * 1e6 / blocks),
        sample(format!("{name} us/64 KiB, daemon"), daemon * 1e6 / blocks),
    ])
}

struct Flood {
    sent: u64,
    delivered: u64,
    reordered: u64,
    per_second: f64,
    /// Seconds of processor time of what carries the packets, where that is a process.
    daemon: f64,
    /// The same of generator, counter, daemon and the kernel's softirq threads together.
    parties: f64,
    /// The same of everything that ran on the machine.
    machine: f64,
}

impl Flood {
    fn samples(&self, name: &str) -> Vec<Sample> {
        let per_datagram = |seconds: f64| seconds * 1e9 / self.delivered.max(1) as f64;
        vec![
            sample(format!("{name} kpps"), self.per_second / 1e3),
            sample(format!("{name} ns/packet"), per_datagram(self.parties)),
            sample(format!("{name} ns/packet, machine"), per_datagram(self.machine)),
            sample(format!("{name} ns/packet, daemon"), per_datagram(self.daemon)),
            sample(format!("{name} delivered share"), self.delivered as f64 / self.sent.max(1) as f64),
        ]
    }
}

fn flood(lab: &Lab, load: Load) -> Result<Flood> {
    let to = lab.server.run_in(|| udp::destinations(load.flows))??;
    let from = lab.client.run_in(|| udp::sources(load.flows))??;
    if load.flows > 1 {
        // Flows exist before they are measured.
        let first = Load { seconds: 0.1, rate: Some(f64::from(load.flows) * 20.0), ..load };
        udp::blast(&from, IpAddr::V4(SERVER), &first)?;
        let stop = udp::Stop::when_told();
        stop.tell();
        udp::sink(&to, load.flows, &stop)?;
    }
    let stop = udp::Stop::when_told();
    let before = (busy_time(), lab.daemon_time(), softirq_threads_time());
    let (sent, counted) = std::thread::scope(|scope| {
        let counter = scope.spawn(|| udp::sink(&to, load.flows, &stop));
        let generator = scope.spawn(|| udp::blast(&from, IpAddr::V4(SERVER), &load));
        let sent = joined(generator.join());
        stop.tell();
        let counted = joined(counter.join());
        Result::Ok((sent?, counted?))
    })?;
    let (machine, daemon) = (busy_time() - before.0, lab.daemon_time() - before.1);
    let softirq = softirq_threads_time() - before.2;
    Ok(Flood {
        sent: sent.datagrams,
        delivered: counted.datagrams,
        reordered: counted.reordered,
        per_second: counted.datagrams as f64 / sent.seconds,
        daemon,
        parties: sent.cpu + counted.cpu + daemon + softirq,
        machine,
    })
}

fn connections(lab: &Lab, length: Duration) -> Result<Vec<Sample>> {
    const PORT: u16 = 9_999;
    const CLIENTS: usize = 4;
    let listener = lab.server.run_in(|| tcp::listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))))??;
    // The server outlasts the clients.
    let longer = length + Duration::from_millis(100);
    let per_second = std::thread::scope(|scope| {
        let server = scope.spawn(|| tcp::accept(&listener, longer));
        let per_second = lab.client.run_in(|| tcp::connect((SERVER, PORT).into(), length, CLIENTS));
        joined(server.join())?;
        per_second?
    })?;
    Ok(vec![sample("connections/s", per_second)])
}

fn trips(lab: &Lab, length: Duration, name: &str) -> Result<Vec<Sample>> {
    const PORT: u16 = 9_998;
    let there = lab.server.run_in(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)))??;
    let here = lab.client.run_in(|| UdpSocket::bind(udp::ANY))??;
    let longer = length + Duration::from_millis(50);
    let trips = std::thread::scope(|scope| {
        let server = scope.spawn(|| udp::pong(&there, longer));
        let trips = udp::ping(&here, (SERVER, PORT).into(), length);
        joined(server.join())?;
        trips
    })?;
    Ok([("p50", trips.p50), ("p99", trips.p99), ("p99.9", trips.p999)]
        .map(|(q, value)| sample(format!("{name} {q} us"), value))
        .into())
}

fn joined<T>(ended: std::thread::Result<Result<T>>) -> Result<T> {
    ended.unwrap_or_else(|_| Err("a thread of the measurement failed".into()))
}
