//! The labs: a client and a server in namespaces of their own, and what carries packets between them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use vpc_io::NetNs;

use crate::Result;
use crate::machine::process_time;
use crate::shell::{Background, run, run_all, until};

/// Where the client is.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 10);
/// Where the server is.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 9);
/// The MTU of every interface of every lab.
const MTU: u16 = 1_500;

/// What carries packets between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// Kernel forwarding between veth pairs
    K,
    /// The same with a stateful nftables filter and masquerading
    Kn,
    /// The null pump
    P,
    /// vpcd on plain TUNs
    Plain,
    /// vpcd
    Vpcd,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] = [Self::K, Self::Kn, Self::P, Self::Plain, Self::Vpcd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::K => "K",
            Self::Kn => "Kn",
            Self::P => "P",
            Self::Plain => "vpcd plain",
            Self::Vpcd => "vpcd",
        }
    }

    pub(crate) const fn is_vpcd(self) -> bool {
        matches!(self, Self::Plain | Self::Vpcd)
    }
}

/// One lab, up and connected; taken down when dropped.
pub(crate) struct Lab {
    pub(crate) contender: Contender,
    pub(crate) client: NetNs,
    pub(crate) server: NetNs,
    pub(crate) client_name: String,
    // Ended in this order: nothing is taken away from under a process that runs.
    _iperf: Background,
    daemon: Option<Background>,
    _file: Option<LabFile>,
    _namespaces: Namespaces,
}

impl Lab {
    /// Raises the lab of a contender; the names of its namespaces begin with `prefix`.
    pub(crate) fn raise(contender: Contender, prefix: &str, vpcd: &Path) -> Result<Self> {
        let name = |role: &str| format!("{prefix}-{contender:?}-{role}").to_lowercase();
        let (client, router, server) = (name("c"), name("r"), name("s"));
        let mut namespaces = Namespaces::default();
        let (mut daemon, mut file) = (None, None);
        match contender {
            Contender::K | Contender::Kn => {
                for namespace in [&client, &router, &server] {
                    namespaces.add(namespace)?;
                }
                kernel(&client, &router, &server)?;
                if contender == Contender::Kn {
                    filter(&router)?;
                }
            }
            Contender::P => {
                for namespace in [&client, &server] {
                    namespaces.add(namespace)?;
                }
                let mut pump = Command::new(std::env::current_exe()?);
                daemon = Some(ready(pump.args(["pump", &client, &server]))?);
                run_all(&format!(
                    "ip -n {client} address add {CLIENT} peer {SERVER} dev eth0
                     ip -n {client} link set eth0 up mtu {MTU}
                     ip -n {server} address add {SERVER} peer {CLIENT} dev eth0
                     ip -n {server} link set eth0 up mtu {MTU}"
                ))?;
            }
            Contender::Plain | Contender::Vpcd => {
                let written = LabFile::write(&name("lab"), &nat_lab(&client, &server))?;
                let backend = if contender == Contender::Plain { "plain" } else { "vnet" };
                daemon = Some(start_vpcd(vpcd, &written, &["--tun", backend])?);
                file = Some(written);
                run(&format!("ip -n {client} link set eth0 mtu {MTU}"))?;
                run(&format!("ip -n {server} link set eth0 mtu {MTU}"))?;
            }
        }
        let iperf = Background::start(
            Command::new("ip")
                .args(["netns", "exec", &server, "iperf3", "-s"])
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let lab = Self {
            contender,
            client: NetNs::open(&client.parse()?)?,
            server: NetNs::open(&server.parse()?)?,
            client_name: client,
            _iperf: iperf,
            daemon,
            _file: file,
            _namespaces: namespaces,
        };
        lab.await_connection()?;
        Ok(lab)
    }

    /// Seconds of processor time spent by what carries the packets, where that is a process.
    pub(crate) fn daemon_time(&self) -> f64 {
        self.daemon.as_ref().map_or(0.0, |daemon| process_time(daemon.id()))
    }

    fn await_connection(&self) -> Result<()> {
        const IPERF: u16 = 5_201;
        let connect = || {
            let to = (SERVER, IPERF).into();
            std::net::TcpStream::connect_timeout(&to, Duration::from_millis(300)).ok()
        };
        let connected = self.client.run_in(|| until(Duration::from_secs(10), connect))?;
        connected
            .map(drop)
            .ok_or_else(|| format!("{}: client and server do not reach each other", self.contender.name()).into())
    }
}

/// A vpcd with `enis` instances and nothing to do, and the share of a processor it takes.
pub(crate) fn idle_share(vpcd: &Path, prefix: &str, enis: usize, length: Duration) -> Result<f64> {
    let mut text = format!("{HEAD}    instances:\n");
    for eni in 0..enis {
        text += &format!(
            "      i-{eni}: {{ subnet: inside, namespace: {prefix}-idle-{eni}, address: 10.0.2.{} }}\n",
            10 + eni
        );
    }
    let file = LabFile::write(&format!("{prefix}-idle-lab"), &text)?;
    let daemon = start_vpcd(vpcd, &file, &[])?;
    // What starting leaves to be done is not idling: router solicitations of new interfaces end after some seconds.
    std::thread::sleep(Duration::from_secs(12).min(length * 3));
    let before = process_time(daemon.id());
    std::thread::sleep(length);
    Ok((process_time(daemon.id()) - before) / length.as_secs_f64())
}

fn start_vpcd(vpcd: &Path, file: &LabFile, more: &[&str]) -> Result<Background> {
    let mut command = Command::new(vpcd);
    command.arg("--lab").arg(&file.lab).arg("--socket").arg(&file.socket).arg("--ephemeral").args(more);
    ready(command.env("RUST_LOG", "warn"))
}

/// Two veth pairs and a router between them.
fn kernel(client: &str, router: &str, server: &str) -> Result<()> {
    run_all(&format!(
        "ip -n {client} link add eth0 mtu {MTU} type veth peer name inside mtu {MTU} netns {router}
         ip -n {server} link add eth0 mtu {MTU} type veth peer name outside mtu {MTU} netns {router}
         ip -n {client} address add {CLIENT}/24 dev eth0
         ip -n {router} address add 10.0.2.1/24 dev inside
         ip -n {router} address add 198.18.0.1/24 dev outside
         ip -n {server} address add {SERVER}/24 dev eth0
         ip -n {client} link set eth0 up
         ip -n {router} link set inside up
         ip -n {router} link set outside up
         ip -n {server} link set eth0 up
         ip -n {client} route add default via 10.0.2.1
         ip -n {server} route add default via 198.18.0.1"
    ))?;
    let forward = || fs::write("/proc/sys/net/ipv4/ip_forward", "1");
    NetNs::open(&router.parse()?)?.run_in(forward)??;
    Ok(())
}

/// What vpcd's lab does to the same packets, in nftables: connections from inside pass and are translated, answers
/// come back, nothing else.
fn filter(router: &str) -> Result<()> {
    const RULES: &str = "
        table ip lab {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                iifname inside ip saddr 10.0.2.0/24 ct state new accept
            }
            chain outside {
                type nat hook postrouting priority srcnat;
                oifname outside masquerade
            }
        }";
    let output = Command::new("ip").args(["netns", "exec", router, "nft", RULES]).output()?;
    if !output.status.success() {
        return Err(format!("nft: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(())
}

/// The beginning of a lab: one VPC with a private subnet that reaches the internet through a NAT gateway.
const HEAD: &str = "\
name: bench
vpcs:
  vpc-bench:
    cidr: 10.0.0.0/16
    internet_gateway: igw
    subnets:
      outside: { cidr: 10.0.1.0/24, az: us-east-1a, routes: to-igw }
      inside: { cidr: 10.0.2.0/24, az: us-east-1a, routes: to-nat }
    route_tables:
      to-igw: { 0.0.0.0/0: igw }
      to-nat: { 0.0.0.0/0: nat }
    nat_gateways:
      nat: { subnet: outside, address: 10.0.1.200, public: 203.0.113.200 }
    security_groups:
      client: { egress: [ { protocol: all, to: 198.18.0.0/15 } ] }
";

fn nat_lab(client: &str, server: &str) -> String {
    format!(
        "{HEAD}    instances:\n      client: {{ subnet: inside, namespace: {client}, address: {CLIENT}, security_groups: client }}\n\
         internet:\n  server: {{ namespace: {server}, addresses: {SERVER}, prefixes: 0.0.0.0/0 }}\n"
    )
}

/// Starts a program that says so when it is ready, and waits for that.
fn ready(command: &mut Command) -> Result<Background> {
    let name = command.get_program().display().to_string();
    let (mut daemon, out) = Background::with_output(command.stdout(Stdio::piped()))?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    if line.starts_with("ready") && !daemon.has_ended() {
        Ok(daemon)
    } else {
        Err(format!("{name} did not become ready").into())
    }
}

/// A lab file and a socket beside it, removed when dropped.
struct LabFile {
    directory: PathBuf,
    lab: PathBuf,
    socket: PathBuf,
}

impl LabFile {
    fn write(name: &str, text: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        let lab = directory.join("lab.yaml");
        fs::write(&lab, text)?;
        Ok(Self { socket: directory.join("vpcd.sock"), lab, directory })
    }
}

impl Drop for LabFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Namespaces, deleted when dropped.
#[derive(Default)]
struct Namespaces(Vec<String>);

impl Namespaces {
    fn add(&mut self, name: &str) -> Result<()> {
        run(&format!("ip netns add {name}"))?;
        self.0.push(name.to_owned());
        run(&format!("ip -n {name} link set lo up"))?;
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = run(&format!("ip netns delete {name}"));
        }
    }
}

impl Background {
    fn with_output(command: &mut Command) -> Result<(Self, std::process::ChildStdout)> {
        let mut child: Child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
        let out = child.stdout.take().ok_or("no standard output")?;
        Ok((Self::from(child), out))
    }
}
