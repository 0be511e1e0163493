//! The numeric attributes as a table: name, range, default, and the packets that have them.

use super::{Attributes, Kind, Mismatch, PacketSpec};

/// Packets an attribute makes sense for: kinds, then IP versions.
pub(super) const TCP: u8 = 1;
pub(super) const UDP: u8 = 2;
pub(super) const ICMP: u8 = 4;
pub(super) const OTHER: u8 = 8;
pub(super) const LATER: u8 = 16;
pub(super) const V4: u8 = 32;
pub(super) const V6: u8 = 64;
pub(super) const IP: u8 = TCP | UDP | ICMP | OTHER | LATER | V4 | V6;
const L4: u8 = V4 | V6;

/// One numeric attribute.
pub(super) struct Number {
    pub(super) name: &'static str,
    pub(super) most: u32,
    /// `None`: the default depends on the rest of the packet.
    pub(super) default: Option<u32>,
    pub(super) scope: u8,
    pub(super) hex: bool,
    pub(super) value: fn(&Attributes) -> Option<u32>,
    pub(super) place: fn(&mut Attributes) -> &mut Option<u32>,
}

macro_rules! number {
    ($name:ident, $most:expr, $default:expr, $scope:expr, $hex:expr) => {
        Number {
            name: stringify!($name),
            most: $most,
            default: $default,
            scope: $scope,
            hex: $hex,
            value: |a| a.$name,
            place: |a| &mut a.$name,
        }
    };
}

/// In the order they are written.
pub(super) const NUMBERS: [Number; 16] = [
    number!(id, 0xffff, Some(0), ICMP | L4, false),
    number!(seq, u32::MAX, Some(0), TCP | ICMP | L4, false),
    number!(ack, u32::MAX, Some(0), TCP | L4, false),
    number!(win, 0xffff, Some(65_535), TCP | L4, false),
    number!(urg, 0xffff, Some(0), TCP | L4, false),
    number!(mss, 0xffff, None, TCP | L4, false),
    number!(mtu, u32::MAX, Some(0), ICMP | L4, false),
    number!(rest, u32::MAX, Some(0), ICMP | L4, true),
    number!(ttl, 0xff, Some(64), IP, false),
    number!(dscp, 0x3f, Some(0), IP, false),
    number!(ecn, 3, Some(0), IP, false),
    number!(ipid, u32::MAX, Some(0), IP, false),
    number!(flow, 0xf_ffff, Some(0), IP & !V4, true),
    number!(udplen, 0xffff, None, UDP | L4, false),
    number!(sum, 0xffff, None, TCP | UDP | ICMP | L4, true),
    number!(gso, 0xffff, None, TCP | UDP | L4, false),
];

/// What bits an attribute's scope needs for it to make sense in `spec`.
pub(super) fn scope_of(spec: &PacketSpec) -> u8 {
    let version = if spec.src.is_ipv4() { V4 } else { V6 };
    if spec.is_later_fragment() {
        return version | LATER;
    }
    version
        | match spec.kind {
            Kind::Icmp { .. } => ICMP,
            Kind::Other(_) => OTHER,
            Kind::Tcp { .. } => TCP,
            Kind::Udp { .. } => UDP,
        }
}

/// Leaves out what is the default anyway.
pub(super) fn drop_defaults(attributes: &mut Attributes) {
    for number in &NUMBERS {
        let place = (number.place)(attributes);
        if place.is_some() && *place == number.default {
            *place = None;
        }
    }
}

pub(super) fn expect(expected: &PacketSpec, actual: &PacketSpec) -> Result<(), Mismatch> {
    expect_kind(expected, actual)?;
    let (want, have) = (&expected.attributes, &actual.attributes);
    for number in &NUMBERS {
        let Some(value) = (number.value)(want) else {
            continue;
        };
        let found = (number.value)(have).or(number.default);
        let text = |v: Option<u32>| v.map_or("none".to_owned(), |v| v.to_string());
        check(number.name, &Some(value), &found, |v| text(*v))?;
    }
    let df = |df: &bool| if *df { "df" } else { "nodf" }.to_owned();
    if let Some(value) = &want.df {
        check("df", value, &have.df.unwrap_or(false), df)?;
    }
    if want.frag.is_some() {
        check("frag", &want.frag, &have.frag, |piece| format!("{piece:?}"))?;
    }
    if let Some(len) = want.len {
        check("len", &len, &(actual.build().len() as u32), u32::to_string)?;
    }
    if let Some(payload) = &want.payload {
        let found = super::build::payload(actual);
        check("payload", payload, &found, |bytes| super::print::bytes_to_text(bytes))?;
    }
    let hex = |bytes: &Option<Vec<u8>>| format!("{bytes:02x?}");
    if want.opts.is_some() {
        check("opts", &want.opts, &have.opts, hex)?;
    }
    if want.ipopts.is_some() {
        check("ipopts", &want.ipopts, &have.ipopts, hex)?;
    }
    if want.ext.is_some() {
        check("ext", &want.ext, &have.ext, |ext| format!("{ext:02x?}"))?;
    }
    Ok(())
}

fn expect_kind(expected: &PacketSpec, actual: &PacketSpec) -> Result<(), Mismatch> {
    // The line without attributes is what a reader compares first.
    let line = |spec: &PacketSpec| {
        let kind = match &spec.kind {
            Kind::Tcp { ports, .. } => Kind::Tcp { ports: *ports, flags: None },
            Kind::Icmp { message, .. } => Kind::Icmp { message: *message, quoted: None },
            Kind::Other(_) | Kind::Udp { .. } => spec.kind.clone(),
        };
        PacketSpec { kind, attributes: Attributes::default(), ..*spec }
    };
    let (mut want, have) = (line(expected), line(actual));
    if let Kind::Icmp { message, .. } = &mut want.kind
        && !expected.is_later_fragment()
    {
        *message = Some(message.unwrap_or(expected.echo_request()));
    }
    check("packet", &want, &have, PacketSpec::to_string)?;
    match (&expected.kind, &actual.kind) {
        (Kind::Tcp { flags: Some(want), .. }, Kind::Tcp { flags, .. }) => {
            check("flags", want, &flags.unwrap_or_default(), |flags| super::print::flags_to_text(*flags))
        }
        (Kind::Icmp { quoted: Some(want), .. }, Kind::Icmp { quoted, .. }) => {
            let text = |tuple: &Option<crate::FiveTuple>| tuple.map_or("none".to_owned(), |t| t.to_string());
            check("quote", &Some(*want), quoted, text)
        }
        (Kind::Icmp { .. } | Kind::Other(_) | Kind::Tcp { .. } | Kind::Udp { .. }, _) => Ok(()),
    }
}

fn check<T: PartialEq>(
    what: &'static str,
    expected: &T,
    actual: &T,
    text: impl Fn(&T) -> String,
) -> Result<(), Mismatch> {
    if expected == actual {
        return Ok(());
    }
    Err(Mismatch { what, expected: text(expected), actual: text(actual) })
}
