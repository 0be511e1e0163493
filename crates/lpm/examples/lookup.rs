//! Looks up addresses in a table of prefixes.
//!
//! `lookup TABLE ADDRESSES` prints a line `address prefix value` for each address, `address - -` where nothing
//! matches. `lookup --bench TABLE [ADDRESSES]` prints rates instead.
//!
//! TABLE has one prefix a line, optionally followed by a space and a value (`-` is printed where there is none);
//! ADDRESSES has one address a line. Empty lines and lines that start with `#` are passed over. Exit code 2 if
//! either is wrong.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a command-line tool with a stopwatch")]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use vpc_lpm::{Builder, Prefix, Table};

#[path = "lookup/bench.rs"]
mod bench;
#[path = "../tests/support/keys.rs"]
mod keys;
#[path = "../tests/support/random.rs"]
mod random;

const USAGE: &str = "usage: lookup TABLE ADDRESSES | lookup --bench TABLE [ADDRESSES]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["--bench", table] => measure(table, None),
        ["--bench", table, addrs] => measure(table, Some(addrs)),
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

fn measure(table: &str, addrs: Option<&str>) -> Result<(), String> {
    let routes = read_table(table)?;
    let addrs = addrs.map_or(Ok(Vec::new()), read_addrs)?;
    bench::run(&routes, &addrs);
    Ok(())
}

fn answer(table: &str, addrs: &str) -> Result<(), String> {
    let routes = read_table(table)?;
    let addrs = read_addrs(addrs)?;
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
    read_lines(path, |number, text| {
        let (prefix, value) = text.split_once([' ', '\t']).unwrap_or((text, "-"));
        let prefix: Prefix = prefix.parse().map_err(|e| format!("{e}"))?;
        match seen.insert(prefix, number) {
            None => Ok((prefix, value.trim().to_owned())),
            Some(before) => Err(format!("`{prefix}` is in the table already, on line {before}")),
        }
    })
}

fn read_addrs(path: &str) -> Result<Vec<IpAddr>, String> {
    read_lines(path, |_, text| {
        text.parse().map_err(|_| match text.contains(':') {
            true => format!("`{text}` is not an IPv6 address; expected one a line, as in 2001:db8::1"),
            false => format!("`{text}` is not an IPv4 address; expected one a line, as in 10.0.0.1"),
        })
    })
}

/// What `parse` makes of each line, given its number.
fn read_lines<T>(path: &str, mut parse: impl FnMut(usize, &str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| parse(number, line).map_err(|e| format!("{path}:{number}: {e}")))
        .collect()
}
