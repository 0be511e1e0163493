//! Prints the packets of a capture file, one line each: `cargo run -p vpc-packet --example dissect FILE`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use vpc_packet::PacketSpec;
use vpc_packet::pcap::{Reader, ip_packet};

/// Payload bytes up to which a line shows them.
const MOST: usize = 32;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: dissect FILE");
        return ExitCode::from(2);
    };
    let result = std::fs::read(&path).map_err(Into::into).and_then(|file| dissect(&file));
    if let Err(error) = result {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn dissect(file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (index, record) in Reader::new(file)?.enumerate() {
        let record = record?;
        let number = index + 1;
        match ip_packet(record.link_type, record.bytes).map(PacketSpec::dissect) {
            Some(Ok(spec)) => writeln!(out, "{number:5} {}", spec.brief(MOST))?,
            Some(Err(error)) => writeln!(out, "{number:5} ! {error}")?,
            None => writeln!(out, "{number:5} - not IP")?,
        }
    }
    Ok(out.flush()?)
}
