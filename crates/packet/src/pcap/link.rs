//! What lies between a capture's frame and the IP packet in it.

use super::LinkType;

/// The IP packet in a frame, with whatever follows it there.
///
/// Shape: goes through VLAN tags (802.1Q, 802.1ad, the older 0x9100). `None` for frames of other protocols,
/// link types that are not known, and frames cut off before the packet.
#[must_use]
pub fn ip_packet(link_type: LinkType, frame: &[u8]) -> Option<&[u8]> {
    match link_type {
        // 12 and 14 are the values of DLT_RAW on some systems; files with them exist.
        LinkType::RAW | LinkType(12 | 14) => Some(frame),
        LinkType::IPV4 => Some(frame).filter(|frame| version(frame) == Some(4)),
        LinkType::IPV6 => Some(frame).filter(|frame| version(frame) == Some(6)),
        LinkType::ETHERNET => ethertype(frame.get(12..)?),
        LinkType::LINUX_SLL => ethertype(frame.get(14..)?),
        LinkType::LINUX_SLL2 => {
            let rest = frame.get(20..)?;
            is_ip(u16::from_be_bytes(*frame.first_chunk()?)).then_some(rest)
        }
        LinkType::NULL | LinkType::LOOP => {
            let (family, rest) = frame.split_first_chunk::<4>()?;
            // In one of the two orders only one byte is set: 2 is IPv4, the others are IPv6 on various systems.
            let family = family[0] | family[3];
            matches!(family, 2 | 10 | 24 | 28 | 30).then_some(rest)
        }
        LinkType(_) => None,
    }
}

const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

const fn is_ip(ethertype: u16) -> bool {
    matches!(ethertype, 0x0800 | 0x86dd)
}

fn version(packet: &[u8]) -> Option<u8> {
    packet.first().map(|b| b >> 4)
}

/// Goes from an Ethertype over VLAN tags to the packet.
fn ethertype(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, packet) = rest.split_first_chunk::<2>()?;
        let kind = u16::from_be_bytes(*kind);
        if !VLAN.contains(&kind) {
            return is_ip(kind).then_some(packet);
        }
        rest = packet.get(2..)?;
    }
}
