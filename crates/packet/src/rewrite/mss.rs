//! The maximum segment size a SYN announces.

use crate::checksum::{Delta, TCP_FIELD, read16, write16};
use crate::{L4Checksum, PacketBuf, Parsed, Protocol, TcpFlags};

const END: u8 = 0;
const NOTHING: u8 = 1;
const MSS: u8 = 2;

/// Lowers the MSS option of a SYN to `max_mss`, the checksum kept right.
///
/// Shape: true if it was lowered. Anything but a SYN, a SYN without the option, one that announces less
/// already and options that do not add up stay as they are.
/// Source: RFC 9293 §3.7.1; vpc-semantics R1.17.
pub fn clamp_mss(buf: &mut PacketBuf, parsed: &Parsed, max_mss: u16) -> bool {
    let is_syn = parsed.tuple.protocol == Protocol::TCP && parsed.packet.tcp_flags.contains(TcpFlags::SYN);
    if !is_syn {
        return false;
    }
    let (l4, end) = (usize::from(parsed.packet.l4), usize::from(parsed.packet.header_len()));
    let bytes = buf.bytes_mut();
    let Some(at) = bytes.get(..end).and_then(|headers| find_mss(headers, l4 + 20)) else {
        return false;
    };
    let Some(old) = read16(bytes, at).filter(|old| *old > max_mss) else {
        return false;
    };
    write16(bytes, at, max_mss);
    if parsed.checksum == L4Checksum::Complete {
        // An option may start anywhere; a word at an odd offset counts with its bytes exchanged (RFC 1071 §2(B)).
        let odd = (at - l4) % 2 == 1;
        let word = |value: u16| if odd { value.swap_bytes() } else { value };
        let field = l4 + usize::from(TCP_FIELD);
        if let Some(sum) = read16(bytes, field) {
            write16(bytes, field, Delta::NONE.word(word(old), word(max_mss)).complete(sum));
        }
    }
    true
}

/// Where the value of the MSS option is, walking the options from `at` to the end of `headers`.
fn find_mss(headers: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *headers.get(at)? {
            END => return None,
            NOTHING => at += 1,
            kind => {
                let len = usize::from(*headers.get(at + 1)?);
                if kind == MSS {
                    return (len == 4 && at + 4 <= headers.len()).then_some(at + 2);
                }
                if len < 2 {
                    return None;
                }
                at += len;
            }
        }
    }
}
