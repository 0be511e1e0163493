//! What the kernel would not do: cutting super-packets and completing checksums.

use vpc_packet::checksum::complete_checksum;
use vpc_packet::segment::segment;
use vpc_packet::{Gso, GsoKind, Offload, PacketBuf, parse};

use crate::tun::Offloads;

/// Whether a packet with this `offload` has to be finished for a link that allows `allowed`.
#[inline]
pub(crate) const fn must_finish(offload: Offload, allowed: Offloads) -> bool {
    match offload.gso {
        None => offload.partial.is_some() && !allowed.checksum,
        Some(Gso { kind: GsoKind::Tcpv4 | GsoKind::Tcpv6, .. }) => !allowed.tcp,
        Some(Gso { kind: GsoKind::Udp, .. }) => !allowed.udp,
    }
}

/// As how many packets this one counts.
#[inline]
pub(crate) fn segments(packet: &PacketBuf) -> u32 {
    let Some(gso) = packet.offload.gso else { return 1 };
    let payload = packet.len().saturating_sub(usize::from(header_length(packet)));
    u32::try_from(payload.div_ceil(usize::from(gso.size).max(1))).unwrap_or(u32::MAX).max(1)
}

/// Where the layer-4 payload of a super-packet begins.
fn header_length(packet: &PacketBuf) -> u16 {
    let start = packet.offload.partial.map_or(0, |partial| partial.start);
    match packet.offload.gso.map(|gso| gso.kind) {
        None => 0,
        Some(GsoKind::Udp) => start.saturating_add(8),
        Some(GsoKind::Tcpv4 | GsoKind::Tcpv6) => {
            let data_offset = packet.bytes().get(usize::from(start) + 12).map_or(0, |byte| byte >> 4);
            start.saturating_add(u16::from(data_offset) * 4)
        }
    }
}

/// Makes finished packets of unfinished ones.
///
/// Shape: holds one buffer for the segments, made when first needed, so that a link which never needs it
/// costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Segmenter {
    room: Option<PacketBuf>,
}

/// A packet whose offload state contradicts its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinishable;

impl Segmenter {
    /// Calls `each` with every segment of `packet`, in order; with the packet itself if it is not a
    /// super-packet.
    ///
    /// Errors: `each` was not called.
    pub(crate) fn for_each(
        &mut self,
        packet: &mut PacketBuf,
        mut each: impl FnMut(&mut PacketBuf),
    ) -> Result<(), Unfinishable> {
        if packet.offload.gso.is_none() {
            complete_checksum(packet).map_err(|_| Unfinishable)?;
            each(packet);
            return Ok(());
        }
        let parsed = parse(packet).map_err(|_| Unfinishable)?;
        segment(packet, &parsed, self.room.get_or_insert_default(), each).map_err(|_| Unfinishable)
    }
}

#[cfg(test)]
mod tests {
    use vpc_packet::PartialChecksum;

    use super::*;

    const PARTIAL: Option<PartialChecksum> = Some(PartialChecksum { start: 20, offset: 16 });

    const fn gso(kind: GsoKind) -> Option<Gso> {
        Some(Gso { kind, size: 1000, ecn: false })
    }

    #[test]
    fn a_packet_is_finished_here_exactly_when_the_link_does_not_carry_its_kind() {
        let complete = Offload::default();
        let partial = Offload { partial: PARTIAL, gso: None };
        let tcp = Offload { partial: PARTIAL, gso: gso(GsoKind::Tcpv6) };
        let udp = Offload { partial: PARTIAL, gso: gso(GsoKind::Udp) };
        let needed = |allowed| [complete, partial, tcp, udp].map(|offload| must_finish(offload, allowed));
        assert_eq!(needed(Offloads::ALL), [false, false, false, false]);
        assert_eq!(needed(Offloads { udp: false, ..Offloads::ALL }), [false, false, false, true]);
        assert_eq!(needed(Offloads { tcp: false, ..Offloads::ALL }), [false, false, true, false]);
        assert_eq!(needed(Offloads::NONE), [false, true, true, true]);
    }

    #[test]
    fn a_super_packet_counts_as_the_segments_of_its_payload() {
        let mut packet = PacketBuf::from_packet(&[0x50; 20 + 20 + 2001]);
        assert_eq!(segments(&packet), 1);
        packet.offload = Offload { partial: PARTIAL, gso: gso(GsoKind::Tcpv4) };
        assert_eq!(segments(&packet), 3);
        packet.truncate(20 + 20 + 2000);
        assert_eq!(segments(&packet), 2);
        packet.truncate(40);
        assert_eq!(segments(&packet), 1);
        packet.truncate(3);
        assert_eq!(segments(&packet), 1);
    }

    #[test]
    fn what_cannot_be_understood_is_not_cut() {
        let mut packet = PacketBuf::from_packet(&[0xFF; 3000]);
        packet.offload = Offload { partial: PARTIAL, gso: gso(GsoKind::Udp) };
        let cut = Segmenter::default().for_each(&mut packet, |_| panic!("no segment of nothing"));
        assert_eq!(cut, Err(Unfinishable));
    }
}
