//! Writing equal datagrams of one flow as one super-packet (USO).
//!
//! A small datagram costs the kernel a whole trip through its stack per write; 64 of them in one write cost
//! little more than one. The packets of one burst are collected as long as they continue each other, and
//! written at the latest when the burst ends: nothing ever waits for a packet that has not arrived yet.

use vpc_packet::checksum::Sum;
use vpc_packet::{Gso, GsoKind, PacketBuf, PartialChecksum};

use crate::link::{Link, LinkError, Received, Sent};

/// Segments in a super-packet; the kernel refuses more (`UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: u16 = 128;
/// The largest IP packet, and so the largest super-packet.
const MAX_PACKET: usize = 65_535;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// Of the checksum within the UDP header.
const CHECKSUM_OFFSET: u16 = 6;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// A link with room in front of it for the datagrams of one burst.
///
/// Order is kept: what cannot join the train sends it off first. Packets go out unchanged unless they are
/// merged; merged ones come out of the segmentation as they went in, but for the IPv4 identification of
/// packets with DF set, which has no meaning there.
/// Source: RFC 6864 §4.1 (atomic datagrams); io.md §A step 5.
#[derive(Debug)]
pub struct Writer {
    link: Link,
    train: Option<Train>,
    merged: u64,
}

impl Writer {
    /// Puts a writer in front of `link`.
    #[must_use]
    pub const fn new(link: Link) -> Self {
        Self { link, train: None, merged: 0 }
    }

    /// The link. What is sent by it directly overtakes a waiting train.
    pub const fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// The link, to look at.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Datagrams that were written as part of a super-packet made here.
    #[must_use]
    pub const fn merged(&self) -> u64 {
        self.merged
    }

    /// Whether there is something for [`Writer::flush`] to send.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.train.is_some()
    }

    /// Receives the next packet; see [`Link::recv`].
    #[inline]
    pub fn recv(&mut self, packet: &mut PacketBuf) -> Result<Received, LinkError> {
        self.link.recv(packet)
    }

    /// Sends a packet, or takes a copy of it to be sent by [`Writer::flush`].
    ///
    /// Shape: as [`Link::send`]. What is lost is counted by the link.
    /// Errors: the link is broken for good; a waiting train is lost with it.
    pub fn push(&mut self, pool: &mut TrainPool, packet: &mut PacketBuf, header_length: u16) -> Result<(), LinkError> {
        let datagram = if self.link.offloads().udp { Datagram::of(packet) } else { None };
        let Some(datagram) = datagram else {
            self.flush(pool)?;
            return self.send(packet, header_length);
        };
        if let Some(train) = &mut self.train {
            match train.append(packet, &datagram) {
                Appended::AndOpen => return Ok(()),
                Appended::AndFull => return self.flush(pool),
                Appended::No => self.flush(pool)?,
            }
        }
        self.train = Some(Train::start(pool.take(), packet, datagram));
        Ok(())
    }

    /// Sends what is waiting. To be called at the end of every burst.
    pub fn flush(&mut self, pool: &mut TrainPool) -> Result<(), LinkError> {
        let Some(mut train) = self.train.take() else {
            return Ok(());
        };
        if train.segments > 1 {
            train.seal();
            self.merged += u64::from(train.segments);
        }
        let header_length = train.header_length();
        let result = self.send(&mut train.packet, header_length);
        pool.give_back(train.packet);
        result
    }

    fn send(&mut self, packet: &mut PacketBuf, header_length: u16) -> Result<(), LinkError> {
        match self.link.send(packet, header_length)? {
            Sent::Accepted | Sent::Dropped(_) => Ok(()),
        }
    }
}

/// Buffers for trains, shared by the writers of one worker: the last one given back is the next one taken,
/// so a burst to one link at a time keeps to one buffer, which stays in the cache.
///
/// Shape: as many buffers as trains ever waited at once, which is at most one per packet of a burst.
#[derive(Debug, Default)]
pub struct TrainPool {
    free: Vec<PacketBuf>,
}

impl TrainPool {
    fn take(&mut self) -> PacketBuf {
        self.free.pop().unwrap_or_default()
    }

    fn give_back(&mut self, buffer: PacketBuf) {
        self.free.push(buffer);
    }
}

/// Datagrams that continue each other, laid out as the super-packet they will be.
#[derive(Debug)]
struct Train {
    /// The first datagram as it came, and the payloads of the others behind it.
    packet: PacketBuf,
    first: Datagram,
    segments: u16,
}

enum Appended {
    AndFull,
    AndOpen,
    No,
}

impl Train {
    fn start(mut buffer: PacketBuf, packet: &PacketBuf, first: Datagram) -> Self {
        buffer.set_packet(packet.bytes());
        buffer.offload = packet.offload;
        Self { packet: buffer, first, segments: 1 }
    }

    fn append(&mut self, packet: &PacketBuf, datagram: &Datagram) -> Appended {
        let length = self.packet.len() + datagram.payload;
        if datagram.payload > self.first.payload || length > MAX_PACKET || !self.continues(packet, datagram) {
            return Appended::No;
        }
        let Some(payload) = packet.bytes().get(datagram.header()..) else {
            return Appended::No;
        };
        self.packet.append(payload);
        self.segments += 1;
        // A short segment can only be the last one.
        let full = datagram.payload < self.first.payload
            || self.segments == MAX_SEGMENTS
            || length + self.first.payload > MAX_PACKET;
        if full { Appended::AndFull } else { Appended::AndOpen }
    }

    /// Whether segmentation would give `packet` the headers it has.
    fn continues(&self, packet: &PacketBuf, datagram: &Datagram) -> bool {
        let (a, b) = (self.packet.bytes(), packet.bytes());
        match (self.first.ip, datagram.ip) {
            (Ip::V4 { id: first, atomic }, Ip::V4 { id, .. }) => {
                // Version, TOS; flags, TTL, protocol; addresses and ports. Not lengths and checksums.
                same(a, b, 0..2)
                    && same(a, b, 6..10)
                    && same(a, b, 12..24)
                    && (atomic || id == first.wrapping_add(self.segments))
            }
            // Version, class, label; next header, hop limit, addresses and ports.
            (Ip::V6, Ip::V6) => same(a, b, 0..4) && same(a, b, 6..44),
            (Ip::V4 { .. }, Ip::V6) | (Ip::V6, Ip::V4 { .. }) => false,
        }
    }

    /// Makes the headers those of a super-packet: its lengths, its pseudo-header sum.
    fn seal(&mut self) {
        let start = self.first.ip.header();
        let length = self.packet.len();
        let bytes = self.packet.bytes_mut();
        // At most MAX_PACKET, so both lengths fit.
        let udp_length = u16::try_from(length - start).unwrap_or(u16::MAX);
        match self.first.ip {
            Ip::V4 { .. } => {
                put(bytes, 2, u16::try_from(length).unwrap_or(u16::MAX));
                put(bytes, 10, 0);
                let checksum = Sum::new().bytes(&bytes[..IPV4_HEADER]).checksum();
                put(bytes, 10, checksum);
            }
            Ip::V6 => put(bytes, 4, udp_length),
        }
        put(bytes, start + 4, udp_length);
        let pseudo = self.first.ip.pseudo_sum(bytes, udp_length).fold();
        put(bytes, start + 6, pseudo);
        self.packet.offload.partial =
            Some(PartialChecksum { start: u16::try_from(start).unwrap_or_default(), offset: CHECKSUM_OFFSET });
        self.packet.offload.gso =
            Some(Gso { kind: GsoKind::Udp, size: u16::try_from(self.first.payload).unwrap_or(u16::MAX), ecn: false });
    }

    fn header_length(&self) -> u16 {
        u16::try_from(self.first.header()).unwrap_or_default()
    }
}

/// What there is to know about a datagram that may join a train.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    ip: Ip,
    /// Bytes behind the UDP header; never 0.
    payload: usize,
}

#[derive(Clone, Copy, Debug)]
enum Ip {
    V4 {
        id: u16,
        /// DF is set, so the identification means nothing.
        atomic: bool,
    },
    V6,
}

impl Datagram {
    /// `None` unless `packet` is one whole UDP datagram without IP options, not empty, no super-packet
    /// itself, and its checksum is either still to be computed or right.
    ///
    /// A checksum of 0 says there is none, and segmentation would invent one; a wrong one would come out
    /// right.
    fn of(packet: &PacketBuf) -> Option<Self> {
        if packet.offload.gso.is_some() {
            return None;
        }
        let bytes = packet.bytes();
        let ip = Ip::of(bytes)?;
        let start = ip.header();
        let udp = bytes.get(start..)?;
        let header = udp.first_chunk::<UDP_HEADER>()?;
        let length = u16::from_be_bytes([header[4], header[5]]);
        if usize::from(length) != udp.len() || udp.len() == UDP_HEADER {
            return None;
        }
        match packet.offload.partial {
            Some(partial) => {
                if usize::from(partial.start) != start || partial.offset != CHECKSUM_OFFSET {
                    return None;
                }
            }
            None => {
                let none = header[6..8] == [0, 0];
                if none || ip.pseudo_sum(bytes, length).bytes(udp).checksum() != 0 {
                    return None;
                }
            }
        }
        Some(Self { ip, payload: udp.len() - UDP_HEADER })
    }

    const fn header(&self) -> usize {
        self.ip.header() + UDP_HEADER
    }
}

impl Ip {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? {
            0x45 => {
                let header = bytes.first_chunk::<IPV4_HEADER>()?;
                let length = u16::from_be_bytes([header[2], header[3]]);
                let fragment = u16::from_be_bytes([header[6], header[7]]);
                let whole = fragment & 0x3FFF == 0 && usize::from(length) == bytes.len();
                let right = Sum::new().bytes(header).checksum() == 0;
                (header[9] == UDP && whole && right).then_some(Self::V4 {
                    id: u16::from_be_bytes([header[4], header[5]]),
                    atomic: fragment & 0x4000 != 0,
                })
            }
            0x60..=0x6F => {
                let header = bytes.first_chunk::<IPV6_HEADER>()?;
                let length = u16::from_be_bytes([header[4], header[5]]);
                (header[6] == UDP && IPV6_HEADER + usize::from(length) == bytes.len()).then_some(Self::V6)
            }
            _ => None,
        }
    }

    const fn header(self) -> usize {
        match self {
            Self::V4 { .. } => IPV4_HEADER,
            Self::V6 => IPV6_HEADER,
        }
    }

    /// The sum of the pseudo-header for `length` bytes of UDP.
    fn pseudo_sum(self, bytes: &[u8], length: u16) -> Sum {
        let addresses = match self {
            Self::V4 { .. } => bytes.get(12..20),
            Self::V6 => bytes.get(8..40),
        };
        Sum::new().bytes(addresses.unwrap_or_default()).word(u16::from(UDP)).word(length)
    }
}

fn same(a: &[u8], b: &[u8], range: std::ops::Range<usize>) -> bool {
    match (a.get(range.clone()), b.get(range)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn put(bytes: &mut [u8], position: usize, value: u16) {
    if let Some(field) = bytes.get_mut(position..position + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
