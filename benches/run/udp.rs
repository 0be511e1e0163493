//! Datagrams: a generator and a counter with `sendmmsg` and `recvmmsg`, and a round trip.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};
use serde_json::{Value, json};
use vpc_benches::statistics::quantile;
use vpc_io::Poller;

use crate::Result;
use crate::machine::thread_time;

/// Any port of any address.
pub(crate) const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
/// The first port of a sink.
const FIRST_PORT: u16 = 9_000;
/// Datagrams per system call.
const BATCH: usize = 64;
/// Headers of IPv4 and UDP.
const HEADERS: usize = 28;
/// The flow and the number within it, at the front of every payload.
const STAMP: usize = 12;

/// What is sent.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Load {
    /// Flows: 1, or a square number, which takes its root of sockets at either end
    #[arg(long, default_value_t = 1)]
    pub(crate) flows: u32,
    /// Bytes of each IP packet
    #[arg(long, default_value_t = 64)]
    pub(crate) size: usize,
    /// How long
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// Datagrams per second; as many as possible if not given
    #[arg(long)]
    pub(crate) rate: Option<f64>,
}

/// What a generator did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) datagrams: u64,
    pub(crate) seconds: f64,
    /// Time of its thread on a processor, in seconds.
    pub(crate) cpu: f64,
}

impl Sent {
    pub(crate) fn to_json(self) -> Value {
        json!({ "sent": self.datagrams, "seconds": self.seconds, "cpu_seconds": self.cpu })
    }
}

/// What a counter saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) datagrams: u64,
    /// Those that came after a later one of their flow.
    pub(crate) reordered: u64,
    pub(crate) cpu: f64,
}

impl Counted {
    pub(crate) fn to_json(self) -> Value {
        json!({ "received": self.datagrams, "reordered": self.reordered, "cpu_seconds": self.cpu })
    }
}

/// The sockets that `flows` come from.
pub(crate) fn sources(flows: u32) -> Result<Vec<UdpSocket>> {
    (0..side(flows)).map(|_| Ok(UdpSocket::bind(ANY)?)).collect()
}

/// The sockets that `flows` go to.
pub(crate) fn destinations(flows: u32) -> Result<Vec<UdpSocket>> {
    let sockets = (0..side(flows)).map(|port| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, FIRST_PORT + port as u16))?;
        socket.set_nonblocking(true)?;
        // What is lost shall be lost on the way, not here.
        setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20))?;
        Ok(socket)
    });
    sockets.collect()
}

const fn side(flows: u32) -> u32 {
    flows.isqrt()
}

/// Sends, as `load` says.
pub(crate) fn blast(sockets: &[UdpSocket], to: IpAddr, load: &Load) -> Result<Sent> {
    let IpAddr::V4(to) = to else { return Err(format!("{to} is not an IPv4 address").into()) };
    let ports = side(load.flows) as u16;
    let addresses: Vec<Option<SockaddrIn>> =
        (0..BATCH).map(|n| Some(SockaddrIn::from(SocketAddrV4::new(to, FIRST_PORT + n as u16 % ports)))).collect();
    let payload = load.size.saturating_sub(HEADERS).max(STAMP);
    let mut payloads = vec![vec![0x5a_u8; payload]; BATCH];
    let mut numbers = vec![0_u64; load.flows as usize];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let (start, cpu) = (Instant::now(), thread_time());
    let length = Duration::from_secs_f64(load.seconds);
    let (mut sent, mut turn) = (0_u64, 0_usize);
    while start.elapsed() < length {
        let allowed = match load.rate {
            None => BATCH,
            Some(rate) => (start.elapsed().as_secs_f64() * rate - sent as f64).clamp(0.0, BATCH as f64) as usize,
        };
        if allowed == 0 {
            std::thread::sleep(Duration::from_micros(50));
            continue;
        }
        let nth = turn % sockets.len();
        turn += 1;
        for (n, payload) in payloads[..allowed].iter_mut().enumerate() {
            let flow = nth * usize::from(ports) + n % usize::from(ports);
            payload[..4].copy_from_slice(&(flow as u32).to_be_bytes());
            payload[4..STAMP].copy_from_slice(&numbers[flow].to_be_bytes());
            numbers[flow] += 1;
        }
        let slices: Vec<[IoSlice<'_>; 1]> = payloads[..allowed].iter().map(|p| [IoSlice::new(p)]).collect();
        let done =
            sendmmsg(sockets[nth].as_raw_fd(), &mut headers, &slices, &addresses[..allowed], [], MsgFlags::empty());
        match done {
            Ok(results) => sent += results.count() as u64,
            Err(Errno::ENOBUFS | Errno::EAGAIN) => {}
            Err(error) => return Err(format!("cannot send to {to}: {error}").into()),
        }
    }
    Ok(Sent { datagrams: sent, seconds: start.elapsed().as_secs_f64(), cpu: thread_time() - cpu })
}

/// When a counter stops: when told and nothing is left, or after silence.
pub(crate) struct Stop {
    told: AtomicBool,
    silence: Option<Duration>,
}

impl Stop {
    /// When [`Self::tell`] is called.
    pub(crate) const fn when_told() -> Self {
        Self { told: AtomicBool::new(false), silence: None }
    }

    /// When something has come and then nothing for so long.
    pub(crate) const fn after_silence(silence: Duration) -> Self {
        Self { told: AtomicBool::new(false), silence: Some(silence) }
    }

    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::Release);
    }
}

/// Counts what comes.
pub(crate) fn sink(sockets: &[UdpSocket], flows: u32, stop: &Stop) -> Result<Counted> {
    let mut poller = Poller::new()?;
    for (token, socket) in (0..).zip(sockets) {
        poller.add(socket, token)?;
    }
    let mut room = vec![[0_u8; 2_048]; BATCH];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut expected = vec![0_u64; flows as usize];
    let (mut counted, cpu, mut last) = (Counted::default(), thread_time(), Instant::now());
    loop {
        let told = stop.told.load(Ordering::Acquire);
        poller.wait(Some(Duration::from_millis(20)))?;
        for event in poller.events() {
            let fd = sockets[event.token as usize].as_raw_fd();
            let received = receive(fd, &mut headers, &mut room)?;
            counted.datagrams += received as u64;
            for datagram in &room[..received] {
                let (flow, number) = stamp(datagram);
                let Some(expected) = expected.get_mut(flow as usize) else { continue };
                if number < *expected {
                    counted.reordered += 1;
                } else {
                    *expected = number + 1;
                }
            }
        }
        if !poller.events().is_empty() {
            last = Instant::now();
        } else if told || stop.silence.is_some_and(|most| counted.datagrams > 0 && last.elapsed() > most) {
            counted.cpu = thread_time() - cpu;
            return Ok(counted);
        }
    }
}

fn receive(fd: RawFd, headers: &mut MultiHeaders<SockaddrIn>, room: &mut [[u8; 2_048]]) -> Result<usize> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = room.iter_mut().map(|r| [IoSliceMut::new(r)]).collect();
    let received = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None).map(Iterator::count);
    received.or_else(
        |error| {
            if error == Errno::EAGAIN { Ok(0) } else { Err(format!("cannot receive: {error}").into()) }
        },
    )
}

fn stamp(datagram: &[u8; 2_048]) -> (u32, u64) {
    let mut flow = [0; 4];
    let mut number = [0; 8];
    flow.copy_from_slice(&datagram[..4]);
    number.copy_from_slice(&datagram[4..STAMP]);
    (u32::from_be_bytes(flow), u64::from_be_bytes(number))
}

/// Round-trip times, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trips {
    pub(crate) count: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Trips {
    pub(crate) fn to_json(self) -> Value {
        json!({ "trips": self.count, "p50_us": self.p50, "p99_us": self.p99, "p999_us": self.p999 })
    }
}

/// Sends, waits, and again. A datagram that is not back within 200 ms counts as so much.
pub(crate) fn ping(socket: &UdpSocket, to: SocketAddr, length: Duration) -> Result<Trips> {
    const PATIENCE: Duration = Duration::from_millis(200);
    socket.connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let (mut times, mut back) = (Vec::new(), [0; 64]);
    let start = Instant::now();
    for number in 0_u64.. {
        if start.elapsed() >= length {
            break;
        }
        let sent = Instant::now();
        socket.send(&number.to_be_bytes())?;
        // Late answers to earlier ones are passed over.
        while socket.recv(&mut back).is_ok_and(|n| back[..n] != number.to_be_bytes()) {}
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    let at = |q| quantile(&times, q);
    Ok(Trips { count: times.len(), p50: at(0.5), p99: at(0.99), p999: at(0.999) })
}

/// Returns datagrams for so long; how many.
pub(crate) fn pong(socket: &UdpSocket, length: Duration) -> Result<u64> {
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let (start, mut returned, mut datagram) = (Instant::now(), 0, [0; 64]);
    while start.elapsed() < length {
        if let Ok((n, from)) = socket.recv_from(&mut datagram) {
            socket.send_to(&datagram[..n], from)?;
            returned += 1;
        }
    }
    Ok(returned)
}
