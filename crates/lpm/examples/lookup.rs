//! Looks up addresses in a table of prefixes.
//!
//! `lookup TABLE ADDRESSES` prints a line `address prefix value` for each address, `address - -` where nothing
//! matches. `lookup --bench TABLE [ADDRESSES]` prints rates instead.
//!
//! TABLE has one prefix a line, optionally followed by a space and a value (`-` is printed where there is none);
//! ADDRESSES has one address a line. Empty lines and lines that start with `#` are passed over. Exit code 2 if
//! either is wrong.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a command-line tool with a stopwatch")]

use std::fmt::{Display, Write as _};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::str::FromStr;

use vpc_lpm::{Builder, Prefix, Table};

#[path = "lookup/bench.rs"]
mod bench;

const USAGE: &str = "usage: lookup TABLE ADDRESSES | lookup --bench TABLE [ADDRESSES]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["--bench", table] => read_table(table).and_then(|routes| bench::run(&routes, &[])),
        ["--bench", table, addrs] => {
            read_table(table).and_then(|routes| bench::run(&routes, &read_lines(addrs, "an IP address", parse_addr)?))
        }
        [table, addrs] if !table.starts_with('-') => answer(table, addrs),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn answer(table: &str, addrs: &str) -> Result<(), String> {
    let routes = read_table(table)?;
    let addrs = read_lines(addrs, "an IP address", parse_addr)?;
    let table: Table<&str> = routes.iter().map(|(prefix, value)| (*prefix, value.as_str())).collect();
    let mut found = Vec::new();
    table.longest_match_batch(&addrs, &mut found);
    let mut text = String::new();
    for (addr, found) in addrs.iter().zip(found) {
        let written = match found {
            Some((prefix, value)) => writeln!(text, "{addr} {prefix} {value}"),
            None => writeln!(text, "{addr} - -"),
        };
        written.map_err(|e| e.to_string())?;
    }
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
        _ => Ok(()),
    }
}

/// The routes in the order of the file, each prefix once.
fn read_table(path: &str) -> Result<Vec<(Prefix, String)>, String> {
    let mut seen: Builder<usize> = Builder::new();
    let mut line = 0;
    read_lines(path, "a prefix, optionally followed by a value", |text| {
        let (prefix, value) = text.split_once([' ', '\t']).unwrap_or((text, "-"));
        let prefix: Prefix = prefix.parse().map_err(|e| format!("{e}"))?;
        line += 1;
        match seen.insert(prefix, line) {
            None => Ok((prefix, value.trim().to_owned())),
            Some(before) => Err(format!("`{prefix}` is in the table already, as entry {before}")),
        }
    })
}

fn read_lines<T>(
    path: &str,
    expected: &str,
    mut parse: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let mut parsed = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            let value = parse(line).map_err(|e| format!("{path}:{number}: {e} (expected {expected})"))?;
            parsed.push(value);
        }
    }
    Ok(parsed)
}

fn parse_addr(text: &str) -> Result<IpAddr, String> {
    // The family is clear from the colon, and its own parser is the stricter one.
    fn read<A: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, String>
    where
        A::Err: Display,
    {
        text.parse::<A>().map(Into::into).map_err(|e| format!("`{text}`: {e}"))
    }
    if text.contains(':') { read::<Ipv6Addr>(text) } else { read::<Ipv4Addr>(text) }
}
