//! The blocks of a pcapng file.

use super::{Input, LinkType, NANOSECONDS, PcapError, Record};

/// Type of a section header block; the same in both byte orders.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const OLD_PACKET: u32 = 2;
const ENHANCED_PACKET: u32 = 6;

/// What an interface description block says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    link_type: LinkType,
    snap_len: u32,
    /// Time units per second.
    units: u64,
}

/// The next packet; other blocks are gone through.
pub(super) fn record<'a>(
    input: &mut Input<'a>,
    interfaces: &mut Vec<Interface>,
) -> Result<Option<Record<'a>>, PcapError> {
    while !input.is_at_end() {
        let start = input.at;
        let kind = input.u32()?;
        if kind == SECTION {
            input.take(4)?;
            input.big_endian = *input.array::<4>()? == [0x1a, 0x2b, 0x3c, 0x4d];
            input.at = start + 4;
            interfaces.clear();
        }
        let len = input.u32()? as usize;
        if len < 12 || !len.is_multiple_of(4) {
            return Err(PcapError::BlockLength { offset: start, len });
        }
        let body = input.take(len - 12)?;
        input.take(4)?;
        let mut body = Input { file: body, at: 0, big_endian: input.big_endian };
        // Offsets in errors are those of the file.
        let place = |error| match error {
            PcapError::Truncated { offset, needed } => PcapError::Truncated { offset: start + 8 + offset, needed },
            PcapError::BlockLength { .. } | PcapError::Interface { .. } | PcapError::Magic { .. } => error,
        };
        match kind {
            INTERFACE => interfaces.push(interface(&mut body).map_err(place)?),
            ENHANCED_PACKET | OLD_PACKET | SIMPLE_PACKET => {
                return packet(&mut body, kind, interfaces, start).map(Some).map_err(place);
            }
            _ => {}
        }
    }
    Ok(None)
}

fn interface(body: &mut Input<'_>) -> Result<Interface, PcapError> {
    let link_type = LinkType(body.u16()?.into());
    body.take(2)?;
    let snap_len = body.u32()?;
    let mut units = 1_000_000;
    while !body.is_at_end() {
        let (code, len) = (body.u16()?, usize::from(body.u16()?));
        let value = body.take(len.next_multiple_of(4))?;
        match (code, value.first()) {
            (0, _) => break,
            (TIME_RESOLUTION, Some(power)) => {
                let exponent = u32::from(power & 0x7f);
                let base = if power & 0x80 == 0 { 10 } else { 2_u64 };
                units = base.checked_pow(exponent).unwrap_or(units);
            }
            _ => {}
        }
    }
    Ok(Interface { link_type, snap_len, units })
}

const TIME_RESOLUTION: u16 = 9;

fn packet<'a>(
    body: &mut Input<'a>,
    kind: u32,
    interfaces: &[Interface],
    offset: usize,
) -> Result<Record<'a>, PcapError> {
    let index = match kind {
        ENHANCED_PACKET => body.u32()? as usize,
        OLD_PACKET => {
            let index = body.u16()?;
            body.take(2)?;
            index.into()
        }
        _ => 0,
    };
    let interface = interfaces.get(index).ok_or(PcapError::Interface { offset, index })?;
    let link_type = interface.link_type;
    if kind == SIMPLE_PACKET {
        let sent_len = body.u32()?;
        let most = if interface.snap_len == 0 { sent_len } else { interface.snap_len };
        let bytes = body.take(sent_len.min(most) as usize)?;
        return Ok(Record { time: 0, link_type, bytes, sent_len });
    }
    let (high, low) = (u64::from(body.u32()?), u64::from(body.u32()?));
    let (len, sent_len) = (body.u32()? as usize, body.u32()?);
    let bytes = body.take(len)?;
    let ticks = u128::from(high << 32 | low);
    let time = (ticks * u128::from(NANOSECONDS) / u128::from(interface.units.max(1))) as u64;
    Ok(Record { time, link_type, bytes, sent_len })
}
