//! The buffer a packet lives in from the read of one TUN to the write of the next.

use std::fmt;

/// Which kind of super-packet a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GsoKind {
    /// TCP over IPv4; segments inherit the ECN bit when `ecn` is set.
    Tcpv4,
    /// TCP over IPv6.
    Tcpv6,
    /// UDP segmentation (USO).
    Udp,
}

/// A super-packet: to be cut into segments of `size` payload bytes by whoever cannot carry it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// What kind of segments.
    pub kind: GsoKind,
    /// Layer-4 payload bytes per segment; never 0.
    pub size: u16,
    /// The first segment carries CWR (`VIRTIO_NET_HDR_GSO_ECN`).
    pub ecn: bool,
}

/// A checksum whose field holds only the pseudo-header sum (not inverted); the payload is not summed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where summing starts, in bytes from the start of the IP packet.
    pub start: u16,
    /// Where the field is, in bytes from `start`.
    pub offset: u16,
}

/// What the `virtio_net_hdr` in front of a packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Set when the layer-4 checksum is unfinished.
    pub partial: Option<PartialChecksum>,
    /// Set when the packet is a super-packet.
    pub gso: Option<Gso>,
}

/// Room in front of the packet: virtio header plus the largest encapsulation (GENEVE for GWLB, 68 bytes).
pub const HEADROOM: usize = 128;
/// The largest IP packet.
pub const MAX_PACKET: usize = 65_535;
/// Length of the `virtio_net_hdr` in front of a packet.
pub const VNET_HEADER: usize = 10;

/// One packet with headroom, and what the kernel said about it.
///
/// Shape: all memory is taken at construction; the packet moves inside it but never out of it, and
/// [`VNET_HEADER`] bytes in front of it are always free.
#[derive(Clone, Debug)]
pub struct PacketBuf {
    store: Vec<u8>,
    start: usize,
    end: usize,
    /// Offload state, carried from read to write.
    pub offload: Offload,
}

impl PacketBuf {
    /// An empty buffer with room for the largest packet.
    #[must_use]
    pub fn new() -> Self {
        Self { store: vec![0; HEADROOM + MAX_PACKET], start: HEADROOM, end: HEADROOM, offload: Offload::default() }
    }

    /// A buffer that holds `packet`, without offloads; bytes past [`MAX_PACKET`] belong to no packet and are cut.
    #[must_use]
    pub fn from_packet(packet: &[u8]) -> Self {
        let mut buf = Self::new();
        buf.set_packet(packet);
        buf
    }

    /// Replaces the packet, without offloads; bytes past [`MAX_PACKET`] are cut.
    pub fn set_packet(&mut self, packet: &[u8]) {
        self.reset();
        let len = packet.len().min(MAX_PACKET);
        self.end = HEADROOM + len;
        self.store[HEADROOM..HEADROOM + len].copy_from_slice(&packet[..len]);
    }

    /// Adds bytes at the end of the packet, as many as fit.
    pub fn append(&mut self, bytes: &[u8]) {
        let room = (self.store.len() - self.end).min(MAX_PACKET - self.len());
        let len = bytes.len().min(room);
        self.store[self.end..self.end + len].copy_from_slice(&bytes[..len]);
        self.end += len;
    }

    /// The IP packet.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.store[self.start..self.end]
    }

    /// The IP packet, to be changed in place.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.store[self.start..self.end]
    }

    /// Length of the IP packet, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there is no packet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Where to read a `virtio_net_hdr` and the packet behind it; then call [`PacketBuf::filled`].
    pub fn read_area(&mut self) -> &mut [u8] {
        self.reset();
        &mut self.store[HEADROOM - VNET_HEADER..]
    }

    /// Where to read a packet from a descriptor without header; then call [`PacketBuf::filled`].
    pub fn read_area_plain(&mut self) -> &mut [u8] {
        self.reset();
        &mut self.store[HEADROOM..]
    }

    /// Makes the `n` bytes just read the packet, and decodes the header in front of it if there is one.
    ///
    /// Shape: `with_header` tells which read area was filled. `DATA_VALID` and `hdr_len` are dropped: TUN
    /// ignores the first on write, the second is a hint that is often wrong.
    /// Errors: the buffer is then empty.
    /// Source: io.md §1.1, §1.3.
    pub fn filled(&mut self, n: usize, with_header: bool) -> Result<(), OffloadError> {
        self.reset();
        let header = if with_header { VNET_HEADER } else { 0 };
        let room = MAX_PACKET + header;
        if n < header || n > room {
            return Err(OffloadError::Length { read: n, least: header, most: room });
        }
        if with_header {
            let header = self.store[HEADROOM - VNET_HEADER..].first_chunk();
            self.offload = decode(header.ok_or(OffloadError::Length { read: n, least: VNET_HEADER, most: room })?)?;
        }
        self.end = HEADROOM + n - header;
        Ok(())
    }

    /// Encodes the `virtio_net_hdr` directly in front of the packet and returns both, to be written at once.
    ///
    /// Shape: `hdr_len` is what the kernel makes linear ([`crate::PerPacket::header_len`]); more than the
    /// packet would be refused, so it is cut to it.
    /// Source: io.md §1.3, §1.4.
    pub fn write_area(&mut self, hdr_len: u16) -> &[u8] {
        let hdr_len = usize::from(hdr_len).min(self.len()) as u16;
        let at = self.start - VNET_HEADER;
        self.store[at..self.start].copy_from_slice(&encode(self.offload, hdr_len));
        &self.store[at..self.end]
    }

    /// Cuts the packet to its first `len` bytes; a longer `len` changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(self.start.saturating_add(len));
    }

    /// Opens `n` bytes in front of the packet and returns them, to hold an outer header.
    ///
    /// Shape: contents are whatever was there. A partial checksum moves with its packet. `None`, and no
    /// change, if the headroom (less the virtio header's) or the size of a packet is exceeded.
    #[must_use]
    pub fn push_front(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.start - VNET_HEADER || self.len() + n > MAX_PACKET {
            return None;
        }
        if let Some(partial) = &mut self.offload.partial {
            partial.start = partial.start.checked_add(n as u16)?;
        }
        self.start -= n;
        self.store.get_mut(self.start..self.start + n)
    }

    /// Takes an outer header of `n` bytes off the front.
    ///
    /// Shape: a partial checksum moves with its packet; one that belonged to the removed header is forgotten.
    /// `None`, and no change, if the packet is shorter than that.
    #[must_use]
    pub fn pull_front(&mut self, n: usize) -> Option<()> {
        if n > self.len() {
            return None;
        }
        self.start += n;
        self.offload.partial = self.offload.partial.and_then(|partial| {
            let start = usize::from(partial.start).checked_sub(n)?;
            Some(PartialChecksum { start: start as u16, ..partial })
        });
        Some(())
    }

    fn reset(&mut self) {
        self.start = HEADROOM;
        self.end = HEADROOM;
        self.offload = Offload::default();
    }
}

impl Default for PacketBuf {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a `virtio_net_hdr` cannot be understood or its work cannot be done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffloadError {
    /// The checksum field lies outside the packet.
    ChecksumField {
        /// Offset of the field from the start of the packet.
        field: usize,
        /// Length of the packet.
        len: usize,
    },
    /// A segmentation type that was never asked for.
    GsoType {
        /// `gso_type` as read.
        gso_type: u8,
    },
    /// A super-packet of empty segments.
    GsoSize {
        /// `gso_type` as read.
        gso_type: u8,
    },
    /// Too few bytes for the header or more than the buffer holds.
    Length {
        /// Bytes read.
        read: usize,
        /// The least that makes sense.
        least: usize,
        /// The most that fits.
        most: usize,
    },
    /// A checksum cannot be completed before the super-packet is cut into segments.
    SuperPacket {
        /// Payload bytes per segment.
        size: u16,
    },
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChecksumField { field, len } => {
                write!(f, "virtio header puts the checksum at byte {field} of a packet of {len}")
            }
            Self::GsoType { gso_type } => write!(f, "virtio header has unknown gso_type {gso_type:#04x}"),
            Self::GsoSize { gso_type } => {
                write!(f, "virtio header has gso_size 0 with gso_type {gso_type:#04x}")
            }
            Self::Length { read, least, most } => {
                write!(f, "read of {read} bytes where {least} to {most} are possible")
            }
            Self::SuperPacket { size } => {
                write!(f, "super-packet of {size}-byte segments has no checksum of its own")
            }
        }
    }
}

impl std::error::Error for OffloadError {}

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// Native byte order: a TUN's header has it unless told otherwise.
fn decode(header: &[u8; VNET_HEADER]) -> Result<Offload, OffloadError> {
    let [flags, gso_type, _, _, size_0, size_1, start_0, start_1, offset_0, offset_1] = *header;
    let partial = (flags & NEEDS_CSUM != 0).then(|| PartialChecksum {
        start: u16::from_ne_bytes([start_0, start_1]),
        offset: u16::from_ne_bytes([offset_0, offset_1]),
    });
    let kind = match gso_type & !GSO_ECN {
        GSO_NONE => return Ok(Offload { partial, gso: None }),
        GSO_TCPV4 => GsoKind::Tcpv4,
        GSO_TCPV6 => GsoKind::Tcpv6,
        GSO_UDP_L4 => GsoKind::Udp,
        _ => return Err(OffloadError::GsoType { gso_type }),
    };
    let size = u16::from_ne_bytes([size_0, size_1]);
    if size == 0 {
        return Err(OffloadError::GsoSize { gso_type });
    }
    let ecn = gso_type & GSO_ECN != 0;
    Ok(Offload { partial, gso: Some(Gso { kind, size, ecn }) })
}

fn encode(offload: Offload, hdr_len: u16) -> [u8; VNET_HEADER] {
    let mut header = [0; VNET_HEADER];
    header[2..4].copy_from_slice(&hdr_len.to_ne_bytes());
    if let Some(gso) = offload.gso {
        header[1] = match gso.kind {
            GsoKind::Tcpv4 => GSO_TCPV4,
            GsoKind::Tcpv6 => GSO_TCPV6,
            GsoKind::Udp => GSO_UDP_L4,
        };
        if gso.ecn {
            header[1] |= GSO_ECN;
        }
        header[4..6].copy_from_slice(&gso.size.to_ne_bytes());
    }
    if let Some(partial) = offload.partial {
        header[0] = NEEDS_CSUM;
        header[6..8].copy_from_slice(&partial.start.to_ne_bytes());
        header[8..10].copy_from_slice(&partial.offset.to_ne_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offloads() -> impl Strategy<Value = Offload> {
        let partial =
            proptest::option::of(any::<(u16, u16)>().prop_map(|(start, offset)| PartialChecksum { start, offset }));
        let kind = prop_oneof![Just(GsoKind::Tcpv4), Just(GsoKind::Tcpv6), Just(GsoKind::Udp)];
        let gso =
            proptest::option::of((kind, 1u16.., any::<bool>()).prop_map(|(kind, size, ecn)| Gso { kind, size, ecn }));
        (partial, gso).prop_map(|(partial, gso)| Offload { partial, gso })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            offload in offloads(),
            packet in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut out = PacketBuf::from_packet(&packet);
            out.offload = offload;
            let written = out.write_area(40).to_vec();
            let mut back = PacketBuf::new();
            back.read_area()[..written.len()].copy_from_slice(&written);
            back.filled(written.len(), true).unwrap();
            prop_assert_eq!(back.offload, offload);
            prop_assert_eq!(back.bytes(), &packet[..]);
        }

        #[test]
        fn any_header_is_decoded_or_refused(header: [u8; 10], n in 0usize..70_000) {
            let mut buf = PacketBuf::new();
            buf.read_area()[..10].copy_from_slice(&header);
            if buf.filled(n, true).is_ok() {
                prop_assert_eq!(buf.len(), n - 10);
                let back = buf.write_area(0)[..10].to_vec();
                prop_assert_eq!(back[0], header[0] & NEEDS_CSUM);
            } else {
                prop_assert!(buf.is_empty());
            }
        }
    }

    #[test]
    fn data_valid_and_the_length_hint_are_dropped() {
        let mut buf = PacketBuf::new();
        buf.read_area()[..10].copy_from_slice(&[2, 0, 0xb8, 0x0b, 0, 0, 0, 0, 0, 0]);
        buf.filled(10 + 60, true).unwrap();
        assert_eq!(buf.offload, Offload::default());
        assert_eq!(buf.write_area(28)[..10], [0, 0, 28, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn an_obsolete_or_empty_segmentation_is_refused() {
        let mut buf = PacketBuf::new();
        buf.read_area()[..10].copy_from_slice(&[1, 3, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(buf.filled(50, true), Err(OffloadError::GsoType { gso_type: 3 }));
        buf.read_area()[..10].copy_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(buf.filled(50, true), Err(OffloadError::GsoSize { gso_type: 1 }));
        assert!(buf.is_empty());
    }

    #[test]
    fn the_largest_packet_fits_with_and_without_header() {
        let mut buf = PacketBuf::new();
        assert_eq!(buf.read_area().len(), 10 + MAX_PACKET);
        assert_eq!(buf.filled(10 + MAX_PACKET, true), Ok(()));
        assert_eq!(buf.read_area_plain().len(), MAX_PACKET);
        assert_eq!(buf.filled(MAX_PACKET, false), Ok(()));
        assert!(buf.filled(MAX_PACKET + 1, false).is_err());
        assert_eq!(PacketBuf::from_packet(&[0; MAX_PACKET + 9]).len(), MAX_PACKET);
    }

    #[test]
    fn headroom_is_used_up_to_the_virtio_header() {
        let mut buf = PacketBuf::from_packet(&[7; 100]);
        buf.offload.partial = Some(PartialChecksum { start: 20, offset: 16 });
        assert_eq!(buf.push_front(68).map(|b| b.len()), Some(68));
        assert_eq!(buf.offload.partial.map(|p| p.start), Some(88));
        assert!(buf.push_front(51).is_none());
        assert!(buf.push_front(50).is_some());
        assert_eq!(buf.write_area(0).len(), 10 + 218);
        assert_eq!(buf.pull_front(118), Some(()));
        assert_eq!(buf.bytes(), [7; 100]);
        assert_eq!(buf.offload.partial, Some(PartialChecksum { start: 20, offset: 16 }));
        assert_eq!(buf.pull_front(101), None);
        assert_eq!(buf.pull_front(40), Some(()));
        assert_eq!(buf.offload.partial, None);
        buf.truncate(10);
        assert_eq!(buf.len(), 10);
        buf.truncate(usize::MAX);
        assert_eq!(buf.len(), 10);
    }
}
