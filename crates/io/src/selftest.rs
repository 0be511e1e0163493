//! Whether this kernel does right by what is written to a TUN.
//!
//! Some kernels refuse super-packets and some mangle them. So at start-up one of each kind is
//! written into a scratch namespace, forwarded there by the kernel to a second TUN that takes nothing
//! unfinished, and compared byte by byte with what it should have become.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use vpc_packet::checksum::Sum;
use vpc_packet::{Gso, GsoKind, PacketBuf, PartialChecksum};

use crate::counters::LinkDrop;
use crate::link::{LinkError, Received, Sent};
use crate::netns::NetNs;
use crate::poll::Poller;
use crate::software::Segmenter;
use crate::sys;
use crate::tun::{InterfaceName, Offloads, Tun, TunConfig, TunError, open};

/// How long a written packet may take to come out again; the kernel hands it on within the write.
const PATIENCE: Duration = Duration::from_millis(20);

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const DESTINATION: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 6);
const TTL: u8 = 64;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What may be used: what the kernel grants, without the kinds that failed.
    pub offloads: Offloads,
    /// Every check and its outcome.
    pub checks: Vec<(Check, Outcome)>,
    /// How long it took.
    pub took: Duration,
}

/// One thing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A datagram with a partial checksum.
    PartialChecksum,
    /// TCP in three full segments.
    TcpEqual,
    /// TCP in two full segments and a short one.
    TcpShortTail,
    /// UDP in three equal segments.
    UdpEqual,
    /// UDP in two equal segments and a short one.
    UdpShortTail,
}

impl Check {
    /// Every check, in the order they are made.
    pub const ALL: [Self; 5] =
        [Self::PartialChecksum, Self::TcpEqual, Self::TcpShortTail, Self::UdpEqual, Self::UdpShortTail];

    const fn needs(self) -> Offloads {
        match self {
            Self::PartialChecksum => Offloads { checksum: true, tcp: false, udp: false },
            Self::TcpEqual | Self::TcpShortTail => Offloads { checksum: true, tcp: true, udp: false },
            Self::UdpEqual | Self::UdpShortTail => Offloads { checksum: true, tcp: false, udp: true },
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A segment came out different.
    Mangled {
        /// Which, from 0.
        segment: usize,
        /// The first byte that differs.
        offset: usize,
    },
    /// Too few segments came out.
    Missing {
        /// How many came.
        got: usize,
        /// How many there should have been.
        wanted: usize,
    },
    /// The kernel does not grant it; not tried.
    NotGranted,
    /// The write was refused.
    Refused(LinkDrop),
    /// Written, but what came of it could not be seen, since `/proc/sys` is read-only here.
    Unseen,
    /// As it should be.
    Works,
}

impl Outcome {
    /// Whether the offload may be used; what cannot be seen is believed.
    #[must_use]
    pub const fn passes(self) -> bool {
        match self {
            Self::Unseen | Self::Works => true,
            Self::Mangled { .. } | Self::Missing { .. } | Self::NotGranted | Self::Refused(_) => false,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offloads to use: {} ({} ms)", self.offloads, self.took.as_millis())?;
        for (check, outcome) in &self.checks {
            if !outcome.passes() {
                write!(f, "; {check:?}: {outcome:?}")?;
            }
        }
        Ok(())
    }
}

/// Why the test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The scratch devices could not be had.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// A scratch device broke.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// They could not be waited for.
    #[error(transparent)]
    Poll(#[from] crate::poll::PollError),
}

/// Makes every check, in a namespace of its own that is gone afterwards.
///
/// Errors: no privileges or no TUN driver; a check that fails is an [`Outcome`].
pub fn run() -> Result<Report, SelfTestError> {
    // A link is where the outside world begins, and its clock with it.
    #[allow(clippy::disallowed_methods)]
    let start = Instant::now();
    let mut bench = Bench::new()?;
    let granted = bench.input.offloads();
    let mut checks = Vec::with_capacity(Check::ALL.len());
    let mut offloads = granted;
    for check in Check::ALL {
        let needs = check.needs();
        let outcome = if granted.and(needs) == needs { bench.check(check)? } else { Outcome::NotGranted };
        if !outcome.passes() {
            offloads = without(offloads, needs);
        }
        checks.push((check, outcome));
    }
    Ok(Report { offloads, checks, took: start.elapsed() })
}

/// `offloads` without the kind that `failed`; without the checksum there is no other.
const fn without(offloads: Offloads, failed: Offloads) -> Offloads {
    match failed {
        Offloads { tcp: true, .. } => Offloads { tcp: false, ..offloads },
        Offloads { udp: true, .. } => Offloads { udp: false, ..offloads },
        Offloads { .. } => Offloads::NONE,
    }
}

/// Two TUNs in a namespace that forwards from the one to the other.
struct Bench {
    input: Tun,
    output: Tun,
    forwards: bool,
    poller: Poller,
}

impl Bench {
    fn new() -> Result<Self, SelfTestError> {
        let ns = NetNs::scratch().map_err(TunError::from)?;
        let config = |name: &str, offloads| -> Result<TunConfig, TunError> {
            let name = InterfaceName::new(name).map_err(TunError::from)?;
            Ok(TunConfig { offloads, exclusive: true, transmit_queue_length: None, ..TunConfig::new(name) })
        };
        let input = Tun::open(&ns, &config("in", Offloads::ALL)?)?;
        let output = Tun::open(&ns, &config("out", Offloads::NONE)?)?;
        let forwards = ns
            .run_in(|| -> Result<bool, TunError> {
                let forwards = std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").is_ok();
                connect(input.name(), Ipv4Addr::new(192, 0, 2, 1), SOURCE)?;
                connect(output.name(), Ipv4Addr::new(192, 0, 2, 5), DESTINATION)?;
                Ok(forwards)
            })
            .map_err(TunError::from)??;
        let poller = Poller::new()?;
        poller.add(&output, 0)?;
        Ok(Self { input, output, forwards, poller })
    }

    fn check(&mut self, check: Check) -> Result<Outcome, SelfTestError> {
        let mut packet = sample(check);
        let expected = forwarded(&packet);
        let header_length = if packet.bytes()[9] == TCP { 40 } else { 28 };
        match self.input.send_unfinished(&mut packet, header_length)? {
            Sent::Accepted => {}
            Sent::Dropped(reason) => return Ok(Outcome::Refused(reason)),
        }
        if !self.forwards {
            return Ok(Outcome::Unseen);
        }
        for (segment, wanted) in expected.iter().enumerate() {
            let Some(got) = self.next()? else {
                return Ok(Outcome::Missing { got: segment, wanted: expected.len() });
            };
            if got.bytes() != wanted {
                let differs = got.bytes().iter().zip(wanted).position(|(a, b)| a != b);
                let offset = differs.unwrap_or_else(|| got.len().min(wanted.len()));
                return Ok(Outcome::Mangled { segment, offset });
            }
        }
        Ok(Outcome::Works)
    }

    /// The next packet of ours to come out; the interface's own IPv6 chatter is passed over.
    fn next(&mut self) -> Result<Option<PacketBuf>, SelfTestError> {
        let mut packet = PacketBuf::new();
        loop {
            match self.output.recv(&mut packet)? {
                Received::Packet if packet.bytes().get(12..16) == Some(&SOURCE.octets()) => {
                    return Ok(Some(packet));
                }
                Received::Packet | Received::Malformed(_) => {}
                Received::Empty => {
                    self.poller.wait(Some(PATIENCE))?;
                    if self.poller.events().is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Brings an interface of the calling thread's namespace up, with a route to `peer`.
fn connect(name: InterfaceName, own: Ipv4Addr, peer: Ipv4Addr) -> Result<(), TunError> {
    let socket = open::control_socket(name)?;
    sys::set_addresses(socket.as_fd(), name.to_kernel(), own, peer)
        .and_then(|()| sys::set_up(socket.as_fd(), name.to_kernel()))
        .map_err(|e| TunError::os("configure a scratch device", name, e))
}

/// What to write for `check`.
fn sample(check: Check) -> PacketBuf {
    const SEGMENT: u16 = 1000;
    let (protocol, payload, kind) = match check {
        Check::PartialChecksum => (UDP, 333, None),
        Check::TcpEqual => (TCP, 3000, Some(GsoKind::Tcpv4)),
        Check::TcpShortTail => (TCP, 2345, Some(GsoKind::Tcpv4)),
        Check::UdpEqual => (UDP, 3000, Some(GsoKind::Udp)),
        Check::UdpShortTail => (UDP, 2345, Some(GsoKind::Udp)),
    };
    let header: &[u8] = match protocol {
        // Ports, sequence and acknowledgement numbers, 20 bytes, PSH and ACK, window.
        TCP => &[0x80, 1, 0x80, 2, 0, 0, 1, 0, 0, 0, 2, 0, 0x50, 0x18, 0x10, 0, 0, 0, 0, 0],
        _ => &[0x80, 1, 0x80, 2, 0, 0, 0, 0],
    };
    let length = u16::try_from(header.len() + payload).unwrap_or_default();
    let mut bytes = vec![0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, TTL, protocol, 0, 0];
    bytes[2..4].copy_from_slice(&(length + 20).to_be_bytes());
    bytes.extend(SOURCE.octets());
    bytes.extend(DESTINATION.octets());
    let checksum = Sum::new().bytes(&bytes).checksum();
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    let pseudo = Sum::new().bytes(&bytes[12..20]).word(u16::from(protocol)).word(length).fold();
    bytes.extend(header);
    let offset: u16 = if protocol == TCP {
        16
    } else {
        bytes[24..26].copy_from_slice(&length.to_be_bytes());
        6
    };
    let field = 20 + usize::from(offset);
    bytes[field..field + 2].copy_from_slice(&pseudo.to_be_bytes());
    // No two segments alike.
    bytes.extend((0..payload).map(|n| (n % 251) as u8));
    let mut packet = PacketBuf::from_packet(&bytes);
    packet.offload.partial = Some(PartialChecksum { start: 20, offset });
    packet.offload.gso = kind.map(|kind| Gso { kind, size: SEGMENT, ecn: false });
    packet
}

/// What `packet` looks like in segments behind one router.
fn forwarded(packet: &PacketBuf) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    // Our own sample can be cut; were it not, the check would fail for want of segments.
    let _ = Segmenter::default().for_each(&mut packet.clone(), |segment| {
        let mut bytes = segment.bytes().to_vec();
        bytes[8] -= 1;
        bytes[10..12].fill(0);
        let checksum = Sum::new().bytes(&bytes[..20]).checksum();
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        segments.push(bytes);
    });
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_in_the_segments_their_name_says() {
        let lengths = |check| forwarded(&sample(check)).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(Check::PartialChecksum), [361]);
        assert_eq!(lengths(Check::TcpEqual), [1040, 1040, 1040]);
        assert_eq!(lengths(Check::TcpShortTail), [1040, 1040, 385]);
        assert_eq!(lengths(Check::UdpEqual), [1028, 1028, 1028]);
        assert_eq!(lengths(Check::UdpShortTail), [1028, 1028, 373]);
    }

    #[test]
    fn a_failed_kind_takes_only_itself_away_and_the_checksum_takes_all() {
        let without_tcp = without(Offloads::ALL, Check::TcpEqual.needs());
        assert_eq!(without_tcp, Offloads { tcp: false, ..Offloads::ALL });
        let without_udp = without(Offloads::ALL, Check::UdpShortTail.needs());
        assert_eq!(without_udp, Offloads { udp: false, ..Offloads::ALL });
        assert_eq!(without(Offloads::ALL, Check::PartialChecksum.needs()), Offloads::NONE);
    }
}
