//! A real daemon with namespaces of its own, and traffic inside them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use vpc_io::{NetNs, NetNsError, NetNsName};
use vpc_model::control::{self, Applied, Failure, Reply, Request, Status};
use vpc_model::explain::{Explanation, Verdict};
use vpc_packet::PacketSpec;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory for files and a prefix for namespaces; whatever is left of both is removed when the test ends.
pub(crate) struct Place {
    directory: TempDir,
    prefix: String,
}

impl Place {
    /// `None`, after saying so, when the process may not make namespaces.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        match NetNs::scratch() {
            Ok(_) => {}
            Err(NetNsError::NotPermitted { .. }) => {
                println!("skipped: needs root");
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Some(Self { directory: tempfile::tempdir().unwrap(), prefix: format!("vpcdt-{}-{n}-", std::process::id()) })
    }

    /// The name of a namespace of this test.
    pub(crate) fn name(&self, short: &str) -> String {
        format!("{}{short}", self.prefix)
    }

    pub(crate) fn netns(&self, short: &str) -> NetNsName {
        NetNsName::new(&self.name(short)).unwrap()
    }

    /// Enters a namespace of this test.
    pub(crate) fn inside<T: Send>(&self, short: &str, work: impl FnOnce() -> T + Send) -> T {
        NetNs::open(&self.netns(short)).unwrap().run_in(work).unwrap()
    }

    /// The namespaces of this test that exist, without the prefix.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        let names = NetNs::list().unwrap();
        names.iter().filter_map(|name| Some(name.as_str().strip_prefix(&self.prefix)?.to_owned())).collect()
    }

    /// Writes a lab file in which `@` stands for the prefix.
    pub(crate) fn lab(&self, text: &str) -> PathBuf {
        let path = self.path("lab.yaml");
        std::fs::write(&path, self.filled(text)).unwrap();
        path
    }

    pub(crate) fn filled(&self, text: &str) -> String {
        text.replace('@', &self.prefix)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// The daemon, not started yet.
    pub(crate) fn vpcd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vpcd"));
        command
            .arg("--ephemeral")
            .arg("--socket")
            .arg(self.path("socket"))
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("NOTIFY_SOCKET")
            .stdout(Stdio::piped());
        command
    }

    /// A daemon with this lab, ready.
    pub(crate) fn start(&self, lab: &str, arguments: &[&str]) -> Daemon<'_> {
        let file = self.lab(lab);
        let mut command = self.vpcd(arguments);
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut child = command.arg("--lab").arg(file).stderr(log).spawn().unwrap();
        let mut ready = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut ready).unwrap();
        let daemon = Daemon { place: self, child };
        assert!(ready.starts_with("ready socket="), "{ready:?} {}", self.log());
        daemon
    }

    /// A daemon that is expected to end by itself: its exit code and standard error.
    pub(crate) fn run_to_end(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.vpcd(arguments).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in self.namespaces() {
            let _ = NetNs::delete(&self.netns(&name));
        }
    }
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon<'a> {
    place: &'a Place,
    child: Child,
}

impl Daemon<'_> {
    pub(crate) fn connect(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(self.place.path("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        BufReader::new(stream)
    }

    /// Sends a line as it is and returns the answer's.
    pub(crate) fn ask_raw(&self, line: &[u8]) -> String {
        let mut stream = self.connect();
        stream.get_mut().write_all(line).unwrap();
        stream.get_mut().write_all(b"\n").unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).unwrap();
        answer
    }

    pub(crate) fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        let line = control::encode(request).unwrap();
        let reply = control::decode(&self.ask_raw(line.as_bytes())).unwrap();
        if let Reply::Error(failure) = reply { Err(failure) } else { Ok(reply) }
    }

    pub(crate) fn apply(&self, lab: &str) -> Result<Applied, Failure> {
        let request = Request::Apply { file: "next.yaml".to_owned(), text: self.place.filled(lab) };
        let reply = self.ask(&request)?;
        let Reply::Applied(applied) = reply else { panic!("{reply:?}") };
        Ok(applied)
    }

    pub(crate) fn status(&self) -> Status {
        let reply = self.ask(&Request::Status {});
        let Ok(Reply::Status(status)) = reply else { panic!("{reply:?}") };
        status
    }

    pub(crate) fn explain(&self, sender: &str, packet: &str) -> Explanation {
        let request = Request::Explain { sender: sender.to_owned(), packet: packet.to_owned() };
        let reply = self.ask(&request);
        let Ok(Reply::Explained(explanation)) = reply else { panic!("{reply:?}") };
        explanation
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        within(PATIENCE, || self.child.try_wait().unwrap()).expect("the daemon ends")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the daemon:\n{}", self.place.log());
        }
        // A clean end where possible: it knows best what it made.
        if self.is_running() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            if within(PATIENCE, || self.child.try_wait().unwrap()).is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

/// Whether an echo request from the current namespace is answered.
pub(crate) fn ping(source: &str, destination: &str) -> bool {
    let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
    let (family, protocol, header) = match destination {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 20),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 40),
    };
    let id = 0x4242;
    let spec: PacketSpec =
        format!("icmp {source} > {destination} echo request id={id} seq=1 payload=\"hello\"").parse().unwrap();
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol)).unwrap();
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(2))).unwrap();
    let to = SocketAddr::new(destination, 0);
    if sendto(&socket, &spec.build()[header..], SendFlags::empty(), &to).is_err() {
        return false;
    }
    let reply = if destination.is_ipv4() { 0 } else { 129 };
    // IPv4 raw sockets deliver the IP header, IPv6 ones do not; others' messages come by as well.
    let offset = if destination.is_ipv4() { 20 } else { 0 };
    let mut buffer = [0_u8; 1500];
    while let Ok(length) = rustix::io::read(&socket, &mut buffer) {
        let message = buffer.get(offset..length).unwrap_or_default();
        if message.first() == Some(&reply) && message.get(4..6) == Some(&[0x42, 0x42]) {
            return true;
        }
    }
    false
}

/// Sends `bytes` over TCP from one namespace to an address in another; returns what arrived and was sent back as a sum.
pub(crate) fn tcp(place: &Place, from: &str, to: &str, address: &str, bytes: usize) {
    let address: SocketAddr = address.parse().unwrap();
    let listener = place.inside(to, || TcpListener::bind(address).unwrap());
    let received = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        let mut data = Vec::new();
        stream.read_to_end(&mut data).unwrap();
        stream.write_all(&sum(&data).to_be_bytes()).unwrap();
        (data.len(), peer)
    });
    let answer = place.inside(from, move || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        let data: Vec<u8> = (0..bytes).map(|i| (i * 31 % 251) as u8).collect();
        stream.write_all(&data).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        (u64::from_be_bytes(answer), sum(&data))
    });
    assert_eq!(answer.0, answer.1);
    assert_eq!(received.join().unwrap().0, bytes);
}

fn sum(data: &[u8]) -> u64 {
    data.iter().fold(0, |sum: u64, &byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// A UDP socket in a namespace, bound to an address.
pub(crate) fn udp(place: &Place, inside: &str, address: &str) -> UdpSocket {
    let socket = place.inside(inside, || UdpSocket::bind(address).unwrap());
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

pub(crate) fn is_delivered(explanation: &Explanation) -> bool {
    match explanation.verdict {
        Verdict::Drop { .. } => false,
        Verdict::Send { .. } => true,
    }
}

/// Calls `attempt` until it has a result or `patience` is at its end.
pub(crate) fn within<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    #[allow(clippy::disallowed_methods)] // Bounds the wait for a real process.
    let start = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return Some(result);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::yield_now();
    }
}
