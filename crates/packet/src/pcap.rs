//! Capture files: reading pcap and pcapng, writing pcap.

use std::fmt;
use std::io::{self, Write};

mod link;
mod pcapng;

pub use link::ip_packet;

/// What a capture's packets begin with.
///
/// Source: <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the capturing host's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// An IP packet.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked", as `tcpdump -i any` writes it.
    pub const LINUX_SLL: Self = Self(113);
    /// An IPv4 packet.
    pub const IPV4: Self = Self(228);
    /// An IPv6 packet.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked", second version.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// What `bytes` begin with.
    pub link_type: LinkType,
    /// The bytes captured, perhaps fewer than were sent.
    pub bytes: &'a [u8],
    /// Length of the packet as it was sent, in bytes.
    pub sent_len: u32,
}

/// Why a capture cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcapError {
    /// A block length that cannot be.
    BlockLength {
        /// Byte offset in the file.
        offset: usize,
        /// As read.
        len: usize,
    },
    /// A packet of an interface that was not described.
    Interface {
        /// Byte offset in the file.
        offset: usize,
        /// As read.
        index: usize,
    },
    /// Neither pcap nor pcapng.
    Magic {
        /// The first four bytes, read in network order.
        magic: u32,
    },
    /// The file ends inside a header or a packet.
    Truncated {
        /// Byte offset in the file of what is cut off.
        offset: usize,
        /// Bytes that should follow.
        needed: usize,
    },
}

impl fmt::Display for PcapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockLength { offset, len } => {
                write!(f, "block at byte {offset} has impossible length {len}")
            }
            Self::Interface { offset, index } => {
                write!(f, "packet at byte {offset} is of interface {index}, which is not described")
            }
            Self::Magic { magic } => write!(f, "magic number {magic:#010x} is neither pcap's nor pcapng's"),
            Self::Truncated { offset, needed } => {
                write!(f, "file ends inside the {needed} bytes at byte {offset}")
            }
        }
    }
}

impl std::error::Error for PcapError {}

/// The packets of a capture file in memory, in file order.
///
/// Shape: an iterator; after the first error there is nothing more.
/// Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: Input<'a>,
    format: Format,
    done: bool,
}

#[derive(Clone, Debug)]
enum Format {
    Pcap { link_type: LinkType, nanoseconds: bool },
    Pcapng(Vec<pcapng::Interface>),
}

impl<'a> Reader<'a> {
    /// Reads the file header, in either format and byte order.
    ///
    /// Errors: [`PcapError::Magic`], or the header is cut off.
    pub fn new(file: &'a [u8]) -> Result<Self, PcapError> {
        let mut input = Input { file, at: 0, big_endian: false };
        let [a, b, c, d] = *input.array::<4>()?;
        let magic = u32::from_be_bytes([a, b, c, d]);
        let (nanoseconds, big_endian) = match magic {
            0xa1b2_c3d4 => (false, true),
            0xa1b2_3c4d => (true, true),
            0xd4c3_b2a1 => (false, false),
            0x4d3c_b2a1 => (true, false),
            pcapng::SECTION => {
                input.at = 0;
                return Ok(Self { input, format: Format::Pcapng(Vec::new()), done: false });
            }
            _ => return Err(PcapError::Magic { magic }),
        };
        input.big_endian = big_endian;
        input.take(16)?;
        // The upper bits say whether frames end with a checksum.
        let link_type = LinkType(input.u32()? & 0x0fff_ffff);
        Ok(Self { input, format: Format::Pcap { link_type, nanoseconds }, done: false })
    }

    fn record(&mut self) -> Result<Option<Record<'a>>, PcapError> {
        let input = &mut self.input;
        let (link_type, nanoseconds) = match &mut self.format {
            Format::Pcapng(interfaces) => return pcapng::record(input, interfaces),
            Format::Pcap { link_type, nanoseconds } => (*link_type, *nanoseconds),
        };
        if input.is_at_end() {
            return Ok(None);
        }
        let (seconds, fraction) = (u64::from(input.u32()?), u64::from(input.u32()?));
        let (len, sent_len) = (input.u32()? as usize, input.u32()?);
        let bytes = input.take(len)?;
        let time = seconds * NANOSECONDS + fraction * if nanoseconds { 1 } else { 1000 };
        Ok(Some(Record { time, link_type, bytes, sent_len }))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, PcapError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.record().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

/// Writes IP packets as a pcap file with nanosecond times.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Writes the file header.
    ///
    /// Errors: those of `to`.
    pub fn new(mut to: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(0xa1b2_3c4d_u32.to_le_bytes());
        header.extend([2, 0, 4, 0]);
        header.extend([0; 8]);
        header.extend(0x0004_0000_u32.to_le_bytes());
        header.extend(LinkType::RAW.0.to_le_bytes());
        to.write_all(&header)?;
        Ok(Self { to })
    }

    /// Writes one packet.
    ///
    /// Units: `time` in nanoseconds, from whatever the reader shall take for 1970.
    /// Errors: those of the file.
    pub fn write(&mut self, time: u64, packet: &[u8]) -> io::Result<()> {
        let len = (packet.len() as u32).to_le_bytes();
        self.to.write_all(&((time / NANOSECONDS) as u32).to_le_bytes())?;
        self.to.write_all(&((time % NANOSECONDS) as u32).to_le_bytes())?;
        self.to.write_all(&len)?;
        self.to.write_all(&len)?;
        self.to.write_all(packet)
    }

    /// Gives the file back.
    ///
    /// Errors: what has not been written cannot be.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

/// A place in the file, and how to read numbers there.
#[derive(Clone, Debug)]
struct Input<'a> {
    file: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Input<'a> {
    const fn is_at_end(&self) -> bool {
        self.at >= self.file.len()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], PcapError> {
        let truncated = PcapError::Truncated { offset: self.at, needed: len };
        let end = self.at.checked_add(len).ok_or(truncated)?;
        let bytes = self.file.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], PcapError> {
        let truncated = PcapError::Truncated { offset: self.at, needed: N };
        self.take(N)?.first_chunk().ok_or(truncated)
    }

    fn u16(&mut self) -> Result<u16, PcapError> {
        let bytes = *self.array()?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Result<u32, PcapError> {
        let bytes = *self.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests;
