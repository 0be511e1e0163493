//! The buffer a packet lives in from the read of one TUN to the write of the next.

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

/// One packet with headroom, and what the kernel said about it.
#[derive(Clone, Debug)]
pub struct PacketBuf {
    store: Vec<u8>,
    start: usize,
    end: usize,
    /// Offload state, carried from read to write.
    pub offload: Offload,
}

impl Default for PacketBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl PacketBuf {
    /// An empty buffer with room for the largest packet.
    #[must_use]
    pub fn new() -> Self {
        Self { store: vec![0; HEADROOM + MAX_PACKET], start: HEADROOM, end: HEADROOM, offload: Offload::default() }
    }

    /// The IP packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.store[self.start..self.end]
    }

    /// The IP packet, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.store[self.start..self.end]
    }
}
