//! Cutting an IPv4 datagram to a smaller MTU.

use crate::checksum::{complete_checksum, read16, write16};
use crate::{OffloadError, PacketBuf, Parsed, emit};
use std::fmt;

/// Passes the fragments of the packet in `buf` to `each`, in order.
///
/// Shape: `out` is overwritten for every fragment. A packet that fits comes out once, as it is. A partial
/// checksum is finished in `buf` first, because it covers all fragments. A fragment can be cut again. Options
/// with the copy bit are in every fragment, the others in the first only.
/// Units: `mtu` in bytes of layer 3.
/// Errors: nothing has been passed on then.
/// Source: RFC 791 §3.2 ("An Example Fragmentation Procedure"), RFC 1812 §4.2.2.7.
pub fn fragment(
    buf: &mut PacketBuf,
    parsed: &Parsed,
    mtu: u16,
    out: &mut PacketBuf,
    mut each: impl FnMut(&mut PacketBuf),
) -> Result<(), FragmentError> {
    if !parsed.tuple.src.is_ipv4() {
        return Err(FragmentError::Ipv6);
    }
    if let Some(gso) = buf.offload.gso {
        return Err(FragmentError::Offload(OffloadError::SuperPacket { size: gso.size }));
    }
    let len = parsed.packet.len as usize;
    let mtu = usize::from(mtu);
    if len > mtu && parsed.packet.dont_fragment {
        return Err(FragmentError::DontFragment { len, mtu });
    }
    let header = usize::from(parsed.packet.l4);
    if len > mtu && mtu < header + 8 {
        return Err(FragmentError::Mtu { mtu, least: header + 8 });
    }
    complete_checksum(buf).map_err(FragmentError::Offload)?;
    buf.truncate(len);
    if len <= mtu {
        out.set_packet(buf.bytes());
        each(out);
        return Ok(());
    }
    let (first, data) = buf.bytes().split_at(header.min(buf.len()));
    let later = later_header(first);
    let word = read16(first, 6).unwrap_or_default();
    let (base, more) = (usize::from(word & OFFSET), word & MORE);
    let mut at = 0;
    while at < data.len() {
        let header = if at == 0 { first } else { later.as_slice() };
        let most = (mtu - header.len()) & !7;
        let rest = data.len() - at;
        // The last fragment needs no multiple of eight.
        let take = if rest <= mtu - header.len() { rest } else { most };
        let flags = if take < rest { MORE } else { more };
        out.set_packet(header);
        out.append(data.get(at..at + take).unwrap_or_default());
        write16(out.bytes_mut(), 6, flags | (base + at / 8) as u16);
        let len = out.len();
        emit::set_length(out.bytes_mut(), len);
        each(out);
        at += take;
    }
    Ok(())
}

/// Why a packet is not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentError {
    /// Its sender forbids it; answer with [`crate::reply::too_big`].
    DontFragment {
        /// Length of the packet.
        len: usize,
        /// What it should have been cut to.
        mtu: usize,
    },
    /// Routers do not fragment IPv6.
    Ipv6,
    /// The MTU leaves no room for data.
    Mtu {
        /// As asked for.
        mtu: usize,
        /// The least this packet can be cut to.
        least: usize,
    },
    /// A super-packet (segment it first), or a checksum that cannot be finished.
    Offload(OffloadError),
}

impl fmt::Display for FragmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DontFragment { len, mtu } => write!(f, "packet of {len} bytes may not be cut to {mtu}"),
            Self::Ipv6 => f.write_str("ipv6 is not fragmented on the way"),
            Self::Mtu { mtu, least } => write!(f, "mtu {mtu} is below {least}, the header and eight bytes"),
            Self::Offload(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FragmentError {}

const OFFSET: u16 = 0x1fff;
const MORE: u16 = 0x2000;

/// The header of the fragments behind the first: only the options marked to be copied.
fn later_header(first: &[u8]) -> Vec<u8> {
    let (fixed, mut options) = first.split_at(first.len().min(20));
    let mut header = fixed.to_vec();
    while let [kind, rest @ ..] = options {
        let len = match *kind {
            0 => break,
            1 => {
                options = rest;
                continue;
            }
            _ => usize::from(rest.first().copied().unwrap_or_default()),
        };
        let Some((option, rest)) = options.split_at_checked(len).filter(|_| len >= 2) else {
            break;
        };
        if kind & 0x80 != 0 {
            header.extend(option);
        }
        options = rest;
    }
    header.resize(header.len().next_multiple_of(4), 0);
    if let Some(b) = header.first_mut() {
        *b = 0x40;
    }
    let words = (header.len() / 4) as u8;
    if let Some(b) = header.first_mut() {
        *b |= words;
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::{Build, build};
    use crate::{Fragment, Protocol, parse};
    use proptest::prelude::*;

    /// A UDP datagram that may be cut, with IPv4 options.
    fn datagram(payload: &[u8], options: &[u8]) -> PacketBuf {
        let tuple = crate::FiveTuple { protocol: Protocol::UDP, ..Build::default().tuple };
        let plain = build(&Build { tuple, payload, ..Build::default() });
        let mut bytes = plain[..20].to_vec();
        bytes.extend(options);
        bytes.extend(&plain[20..]);
        bytes[0] = 0x45 + (options.len() / 4) as u8;
        bytes[4..8].copy_from_slice(&[0xbe, 0xef, 0, 0]);
        let len = bytes.len();
        emit::set_length(&mut bytes, len);
        PacketBuf::from_packet(&bytes)
    }

    fn cut(mut buf: PacketBuf, mtu: u16) -> Vec<PacketBuf> {
        let parsed = parse(&buf).unwrap();
        let mut fragments = Vec::new();
        fragment(&mut buf, &parsed, mtu, &mut PacketBuf::new(), |out| fragments.push(out.clone())).unwrap();
        fragments
    }

    proptest! {
        #[test]
        fn fragments_put_together_are_the_datagram(
            payload in proptest::collection::vec(any::<u8>(), 0..600),
            mtu in 68u16..700,
            again in 68u16..700,
        ) {
            let buf = datagram(&payload, &[]);
            let whole = buf.bytes()[20..].to_vec();
            let mut back = vec![0; whole.len()];
            let mut bytes = 0;
            let twice = cut(buf, mtu).into_iter().flat_map(|f| cut(f, again)).collect::<Vec<_>>();
            for (index, fragment) in twice.iter().enumerate() {
                let parsed = parse(fragment).unwrap();
                prop_assert!(fragment.len() <= usize::from(mtu.min(again)));
                let last = index + 1 == twice.len();
                match parsed.packet.fragment {
                    Fragment::Whole => prop_assert_eq!(twice.len(), 1),
                    Fragment::First { id } => prop_assert_eq!((id, index, last), (0xbeef, 0, false)),
                    Fragment::Later { id, last: end } => prop_assert_eq!((id, end), (0xbeef, last)),
                }
                let at = usize::from(read16(fragment.bytes(), 6).unwrap() & OFFSET) * 8;
                let data = &fragment.bytes()[20..];
                back[at..at + data.len()].copy_from_slice(data);
                bytes += data.len();
            }
            prop_assert_eq!((back, bytes), (whole.clone(), whole.len()));
        }
    }

    #[test]
    fn only_marked_options_are_copied() {
        // Record route (7) is not copied, router alert (148) is.
        let options = [7, 4, 4, 0, 148, 4, 0, 0];
        let fragments = cut(datagram(&[0; 200], &options), 100);
        assert!(fragments.len() > 2);
        assert_eq!(fragments[0].bytes()[20..28], options);
        for later in &fragments[1..] {
            assert_eq!((later.bytes()[0], &later.bytes()[20..24]), (0x46, &[148, 4, 0, 0][..]));
            assert_eq!(parse(later).unwrap().packet.l4, 24);
        }
    }

    #[test]
    fn what_may_not_be_cut_is_not() {
        let try_cut = |bytes: &[u8], mtu| {
            let mut buf = PacketBuf::from_packet(bytes);
            let parsed = parse(&buf).unwrap();
            fragment(&mut buf, &parsed, mtu, &mut PacketBuf::new(), |_| {})
        };
        let df = build(&Build { payload: &[0; 100], ..Build::default() });
        assert_eq!(try_cut(&df, 100), Err(FragmentError::DontFragment { len: 140, mtu: 100 }));
        assert_eq!(try_cut(&df, 140), Ok(()));
        let free = datagram(&[0; 100], &[]);
        assert_eq!(try_cut(free.bytes(), 27), Err(FragmentError::Mtu { mtu: 27, least: 28 }));
        assert_eq!(try_cut(free.bytes(), 28), Ok(()));
    }
}
