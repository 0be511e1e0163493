//! From text to value.

use super::attribute::{self, NUMBERS, Number};
use super::{FLAG_LETTERS, Kind, PacketSpec, Piece, names};
use crate::{FiveTuple, Protocol, TcpFlags};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Why a line is not a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What should have been there.
    pub expected: String,
    /// What was there; empty at the end of the line.
    pub found: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, expected, found } = self;
        let found = if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
        write!(f, "column {column}: expected {expected}, found {found}")
    }
}

impl std::error::Error for TextError {}

impl FromStr for PacketSpec {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut words = Words { text, at: 0 };
        let start = words.next();
        let name = start.text;
        let number = match name {
            "proto" => Some(words.next()),
            "tcp" | "udp" | "icmp" => None,
            _ => return Err(start.expected("tcp, udp, icmp or proto")),
        };
        let (src_word, src) = words.end()?;
        let arrow = words.next();
        if arrow.text != ">" {
            return Err(arrow.expected("`>`"));
        }
        let (dst_word, dst) = words.end()?;
        if src.0.is_ipv4() != dst.0.is_ipv4() {
            return Err(dst_word.expected("an address of the same IP version"));
        }
        let ports = match (src.1, dst.1) {
            (Some(src), Some(dst)) => Some((src, dst)),
            (None, None) => None,
            (Some(_), None) => return Err(dst_word.expected("an address with a port")),
            (None, Some(_)) => return Err(dst_word.expected("an address without a port, as the source")),
        };
        let kind = match (name, number) {
            ("tcp", _) => Kind::Tcp { ports, flags: None },
            ("udp", _) => Kind::Udp { ports },
            _ if ports.is_some() => return Err(src_word.expected("an address without a port")),
            (_, Some(number)) => Kind::Other(other_protocol(&number, src.0)?),
            (_, None) => Kind::Icmp { message: None, quoted: None },
        };
        let attributes = super::Attributes::default();
        let mut spec = Self { src: src.0, dst: dst.0, kind, attributes };
        let mut seen = Vec::new();
        loop {
            let word = words.next();
            if word.text.is_empty() {
                break;
            }
            read_word(&mut spec, &word, &mut words)?;
            seen.push(word);
        }
        check(&spec, &src_word, &seen)?;
        Ok(spec)
    }
}

impl FromStr for FiveTuple {
    type Err = TextError;

    /// Reads what `Display` writes; attributes that are no part of a tuple are allowed and forgotten.
    fn from_str(text: &str) -> Result<Self, TextError> {
        PacketSpec::from_str(text).map(|spec| spec.tuple())
    }
}

/// One word and where it is.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    column: usize,
}

impl Word<'_> {
    fn expected(&self, what: impl Into<String>) -> TextError {
        TextError { column: self.column, expected: what.into(), found: self.text.to_owned() }
    }
}

/// Splits at blanks, except inside `"…"` and `(…)`.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Word<'a> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let start = self.at + (rest.len() - rest.trim_start().len());
        let (mut quoted, mut depth) = (false, 0u32);
        let word = self.text.get(start..).unwrap_or_default();
        let end = word.find(|c: char| {
            match c {
                '"' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            c.is_whitespace() && !quoted && depth == 0
        });
        let word = word.get(..end.unwrap_or(word.len())).unwrap_or_default();
        let column = self.text.get(..start).unwrap_or_default().chars().count() + 1;
        self.at = start + word.len();
        Word { text: word, column }
    }

    /// An address, with or without port.
    fn end(&mut self) -> Result<(Word<'a>, (IpAddr, Option<u16>)), TextError> {
        let word = self.next();
        let bare = word.text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(word.text);
        if let Ok(address) = bare.parse() {
            return Ok((word, (address, None)));
        }
        match word.text.parse::<SocketAddr>() {
            // A scope would be lost.
            Ok(SocketAddr::V6(end)) if end.scope_id() != 0 => Err(word.expected("an address without scope")),
            Ok(end) => Ok((word, (end.ip(), Some(end.port())))),
            Err(_) => Err(word.expected("ADDRESS or ADDRESS:PORT")),
        }
    }
}

fn other_protocol(word: &Word<'_>, src: IpAddr) -> Result<Protocol, TextError> {
    let number = word.text.parse().map_err(|_| word.expected("a protocol number, 0 to 255"))?;
    match (Protocol(number), src) {
        (Protocol::TCP, _) => Err(word.expected("`tcp` for this protocol")),
        (Protocol::UDP, _) => Err(word.expected("`udp` for this protocol")),
        (Protocol::ICMP, IpAddr::V4(_)) | (Protocol::ICMPV6, IpAddr::V6(_)) => {
            Err(word.expected("`icmp` for this protocol"))
        }
        (protocol, _) => Ok(protocol),
    }
}

/// One word behind the addresses: flags, an ICMP message, a quote or an attribute.
fn read_word(spec: &mut PacketSpec, word: &Word<'_>, words: &mut Words<'_>) -> Result<(), TextError> {
    let is_ipv4 = spec.src.is_ipv4();
    if let Some((key, value)) = word.text.split_once('=')
        && key != "type"
        && !key.starts_with('(')
    {
        return read_attribute(spec, word, key, value);
    }
    match (&mut spec.kind, word.text) {
        (_, "df" | "nodf") => {
            set(word, &mut spec.attributes.df, word.text == "df")?;
        }
        (Kind::Tcp { flags, .. }, text) => {
            let read = read_flags(text)
                .ok_or(word.expected("TCP flags (letters of FSRPAUEC, `.`, `none`) or an attribute"))?;
            set(word, flags, read)?;
        }
        (Kind::Icmp { quoted, .. }, text) if text.starts_with('(') => {
            let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
            let inner = inner.ok_or(word.expected("a packet in parentheses"))?;
            let tuple = inner
                .parse::<FiveTuple>()
                .map_err(|error| TextError { column: error.column + word.column, ..error })?;
            if tuple.src.is_ipv4() != is_ipv4 {
                return Err(word.expected("a quoted packet of the same IP version"));
            }
            set(word, quoted, tuple)?;
        }
        (Kind::Icmp { message, .. }, text) => {
            let second = if text == "echo" { Some(words.next()) } else { None };
            let name = second.map_or(text.to_owned(), |second| format!("{text} {}", second.text));
            let read = read_message(&name, is_ipv4)
                .ok_or(word.expected("an ICMP message, TYPE as type=T/C, or an attribute"))?;
            set(word, message, read)?;
        }
        (Kind::Other(_) | Kind::Udp { .. }, _) => return Err(word.expected("an attribute")),
    }
    Ok(())
}

fn read_flags(text: &str) -> Option<TcpFlags> {
    match text {
        "." => return Some(TcpFlags::ACK),
        "none" => return Some(TcpFlags(0)),
        _ => {}
    }
    text.chars().try_fold(TcpFlags(0), |flags, c| {
        let (flag, _) = FLAG_LETTERS.iter().find(|(_, letter)| *letter == c)?;
        (!flags.contains(*flag)).then(|| flags.with(*flag))
    })
}

fn read_message(name: &str, is_ipv4: bool) -> Option<(u8, u8)> {
    if let Some((kind, code)) = name.strip_prefix("type=").and_then(|t| t.split_once('/')) {
        return Some((kind.parse().ok()?, code.parse().ok()?));
    }
    names(is_ipv4).iter().find(|(_, _, known)| *known == name).map(|(kind, code, _)| (*kind, *code))
}

fn read_attribute(spec: &mut PacketSpec, word: &Word<'_>, key: &str, value: &str) -> Result<(), TextError> {
    let attributes = &mut spec.attributes;
    if let Some(number) = NUMBERS.iter().find(|number| number.name == key) {
        let most = if key == "seq" && matches!(spec.kind, Kind::Icmp { .. }) { 0xffff } else { number.most };
        return set(word, (number.place)(attributes), read_number(word, value, most)?);
    }
    match key {
        "ext" => {
            let (first, bytes) = value.split_once(':').ok_or(word.expected("ext=TYPE:0x…"))?;
            let first = first.parse().map_err(|_| word.expected("ext=TYPE:0x…"))?;
            set(word, &mut attributes.ext, (first, read_bytes(word, bytes)?))
        }
        "frag" => {
            let (offset, more) = value.strip_suffix('+').map_or((value, false), |offset| (offset, true));
            let offset = offset.parse().ok().filter(|offset| offset % 8 == 0);
            let offset = offset.ok_or(word.expected("an offset that is a multiple of 8, below 65536"))?;
            set(word, &mut attributes.frag, Piece { offset, more })
        }
        "ipopts" => set(word, &mut attributes.ipopts, read_bytes(word, value)?),
        "len" => set(word, &mut attributes.len, read_number(word, value, 65_535)?),
        "opts" => set(word, &mut attributes.opts, read_bytes(word, value)?),
        "payload" => {
            let text = value.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
            let bytes = match text {
                Some(text) => text.as_bytes().to_vec(),
                None => read_bytes(word, value)?,
            };
            set(word, &mut attributes.payload, bytes)
        }
        _ => Err(word.expected("an attribute")),
    }
}

fn set<T>(word: &Word<'_>, place: &mut Option<T>, value: T) -> Result<(), TextError> {
    if place.is_some() {
        return Err(word.expected("this only once"));
    }
    *place = Some(value);
    Ok(())
}

fn read_number(word: &Word<'_>, value: &str, most: u32) -> Result<u32, TextError> {
    let read = match value.strip_prefix("0x") {
        Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => value.parse().ok(),
    };
    read.filter(|value| *value <= most).ok_or_else(|| word.expected(format!("a number up to {most}")))
}

fn read_bytes(word: &Word<'_>, value: &str) -> Result<Vec<u8>, TextError> {
    let error = || word.expected("0x and pairs of hex digits");
    let digits = value.strip_prefix("0x").ok_or_else(error)?.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else {
        return Err(error());
    };
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let pair = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    pairs.iter().map(pair).collect::<Option<_>>().ok_or_else(error)
}

/// What can only be checked when everything is known.
fn check<'a>(spec: &PacketSpec, src: &Word<'a>, seen: &[Word<'a>]) -> Result<(), TextError> {
    let word = |key: &'static str| {
        let found = seen.iter().find(|w| w.text.split('=').next() == Some(key));
        found.copied().unwrap_or(Word { text: key, column: src.column })
    };
    let later = spec.is_later_fragment();
    match &spec.kind {
        Kind::Tcp { ports: None, .. } | Kind::Udp { ports: None } if !later => {
            return Err(src.expected("ADDRESS:PORT"));
        }
        Kind::Tcp { ports: Some(_), .. } | Kind::Udp { ports: Some(_) } if later => {
            return Err(src.expected("an address without a port: a later fragment has none"));
        }
        Kind::Tcp { flags: Some(_), .. } | Kind::Icmp { message: Some(_), .. } | Kind::Icmp { quoted: Some(_), .. }
            if later =>
        {
            return Err(word("frag").expected("frag=0+: a later fragment has no layer-4 header"));
        }
        Kind::Icmp { .. } | Kind::Other(_) | Kind::Tcp { .. } | Kind::Udp { .. } => {}
    }
    let scope = attribute::scope_of(spec);
    let out_of_place = |number: &&Number| (number.value)(&spec.attributes).is_some() && number.scope & scope != scope;
    if let Some(number) = NUMBERS.iter().find(out_of_place) {
        return Err(word(number.name).expected("an attribute that this packet has"));
    }
    check_bytes(spec, &word)
}

fn check_bytes<'a>(spec: &PacketSpec, word: &impl Fn(&'static str) -> Word<'a>) -> Result<(), TextError> {
    let a = &spec.attributes;
    let is_ipv4 = spec.src.is_ipv4();
    let is_tcp = matches!(spec.kind, Kind::Tcp { .. }) && !spec.is_later_fragment();
    let room = if a.mss.is_some() { 36 } else { 40 };
    let fits = |bytes: &Vec<u8>, most: usize| bytes.len().is_multiple_of(4) && bytes.len() <= most;
    if a.df.is_some() && !is_ipv4 {
        return Err(word(if a.df == Some(true) { "df" } else { "nodf" }).expected("an attribute of IPv6"));
    }
    if a.opts.as_ref().is_some_and(|bytes| !is_tcp || !fits(bytes, room)) {
        return Err(word("opts").expected(format!("TCP options, a multiple of 4 up to {room} bytes")));
    }
    if a.ipopts.as_ref().is_some_and(|bytes| !is_ipv4 || !fits(bytes, 40)) {
        return Err(word("ipopts").expected("IPv4 options, a multiple of 4 up to 40 bytes"));
    }
    if a.ext.as_ref().is_some_and(|(_, bytes)| is_ipv4 || !bytes.len().is_multiple_of(4)) {
        return Err(word("ext").expected("IPv6 extension headers, a multiple of 4 bytes"));
    }
    if a.gso == Some(0) {
        return Err(word("gso").expected("a segment size above 0"));
    }
    let mut bare = spec.clone();
    let len = bare.attributes.len.take();
    let least = super::build::length(&bare);
    if least > 65_535 {
        return Err(word("payload").expected("a packet of at most 65535 bytes"));
    }
    if len.is_some_and(|len| (len as usize) < least) {
        return Err(word("len").expected(format!("at least {least}, the headers and the payload")));
    }
    Ok(())
}
