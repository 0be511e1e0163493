//! From value to text.

use super::attribute::NUMBERS;
use super::{FLAG_LETTERS, Kind, PacketSpec, Piece, names};
use crate::{FiveTuple, TcpFlags};
use std::fmt::{self, Write as _};
use std::net::IpAddr;

impl fmt::Display for PacketSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (src, dst) = (self.src, self.dst);
        match &self.kind {
            Kind::Tcp { ports, flags } => {
                write_ends(f, "tcp", src, dst, *ports)?;
                if let Some(flags) = flags {
                    write!(f, " {}", flags_to_text(*flags))?;
                }
            }
            Kind::Udp { ports } => write_ends(f, "udp", src, dst, *ports)?,
            Kind::Icmp { message, .. } => {
                write_ends(f, "icmp", src, dst, None)?;
                if let Some((kind, code)) = message {
                    let known = names(src.is_ipv4()).iter().find(|(k, c, _)| (k, c) == (kind, code));
                    match known {
                        Some((_, _, name)) => write!(f, " {name}")?,
                        None => write!(f, " type={kind}/{code}")?,
                    }
                }
            }
            Kind::Other(protocol) => write!(f, "proto {} {src} > {dst}", protocol.0)?,
        }
        self.write_attributes(f)?;
        if let Kind::Icmp { quoted: Some(quoted), .. } = &self.kind {
            write!(f, " ({quoted})")?;
        }
        Ok(())
    }
}

impl PacketSpec {
    fn write_attributes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = &self.attributes;
        for number in &NUMBERS {
            match (number.value)(a) {
                Some(value) if number.hex => write!(f, " {}={value:#x}", number.name)?,
                Some(value) => write!(f, " {}={value}", number.name)?,
                None => {}
            }
        }
        match a.df {
            Some(true) => f.write_str(" df")?,
            Some(false) => f.write_str(" nodf")?,
            None => {}
        }
        if let Some(Piece { offset, more }) = a.frag {
            write!(f, " frag={offset}{}", if more { "+" } else { "" })?;
        }
        if let Some(bytes) = &a.opts {
            write!(f, " opts={}", hex(bytes))?;
        }
        if let Some(bytes) = &a.ipopts {
            write!(f, " ipopts={}", hex(bytes))?;
        }
        if let Some((first, bytes)) = &a.ext {
            write!(f, " ext={first}:{}", hex(bytes))?;
        }
        if let Some(len) = a.len {
            write!(f, " len={len}")?;
        }
        if let Some(payload) = &a.payload {
            write!(f, " payload={}", bytes_to_text(payload))?;
        }
        Ok(())
    }
}

/// `tcp 10.0.0.1:1 > 10.0.0.2:2`, as in a [`PacketSpec`] without attributes but an echo's identifier.
impl fmt::Display for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PacketSpec::from(*self).fmt(f)
    }
}

fn write_ends(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    src: IpAddr,
    dst: IpAddr,
    ports: Option<(u16, u16)>,
) -> fmt::Result {
    match ports {
        Some((from, to)) => {
            let (src, dst) = (std::net::SocketAddr::new(src, from), std::net::SocketAddr::new(dst, to));
            write!(f, "{name} {src} > {dst}")
        }
        None => write!(f, "{name} {src} > {dst}"),
    }
}

pub(super) fn flags_to_text(flags: TcpFlags) -> String {
    match flags {
        TcpFlags::ACK => ".".to_owned(),
        TcpFlags(0) => "none".to_owned(),
        _ => FLAG_LETTERS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| letter).collect(),
    }
}

/// As a string where every byte is printable and none needs an escape, in hex otherwise.
pub(super) fn bytes_to_text(bytes: &[u8]) -> String {
    let plain = |b: &u8| (b' '..=b'~').contains(b) && *b != b'"';
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(plain) => format!("\"{text}\""),
        Ok(_) | Err(_) => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = "0x".to_owned();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
