//! Fields that only some callers need, read when they do.

use super::Parsed;
use crate::{PacketBuf, Protocol};

/// The TCP sequence number.
///
/// Shape: `None` for other protocols and later fragments.
#[must_use]
pub fn tcp_seq(buf: &PacketBuf, parsed: &Parsed) -> Option<u32> {
    tcp_bytes(buf, parsed, 4).map(u32::from_be_bytes)
}

/// The TCP acknowledgment number, whether or not the ACK flag makes it significant.
///
/// Shape: `None` for other protocols and later fragments.
#[must_use]
pub fn tcp_ack(buf: &PacketBuf, parsed: &Parsed) -> Option<u32> {
    tcp_bytes(buf, parsed, 8).map(u32::from_be_bytes)
}

/// The TCP window, not scaled.
///
/// Shape: `None` for other protocols and later fragments.
#[must_use]
pub fn tcp_window(buf: &PacketBuf, parsed: &Parsed) -> Option<u16> {
    tcp_bytes(buf, parsed, 14).map(u16::from_be_bytes)
}

/// The bytes behind the layer-4 header.
#[must_use]
pub fn payload<'a>(buf: &'a PacketBuf, parsed: &Parsed) -> &'a [u8] {
    let range = usize::from(parsed.packet.header_len())..parsed.packet.len as usize;
    buf.bytes().get(range).unwrap_or_default()
}

fn tcp_bytes<const N: usize>(buf: &PacketBuf, parsed: &Parsed, at: usize) -> Option<[u8; N]> {
    if parsed.tuple.protocol != Protocol::TCP || parsed.packet.l4_len == 0 {
        return None;
    }
    buf.bytes().get(usize::from(parsed.packet.l4) + at..)?.first_chunk().copied()
}
