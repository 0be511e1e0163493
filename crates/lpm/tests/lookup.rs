//! The `lookup` example as somebody at a terminal meets it.

#![allow(clippy::unwrap_used, reason = "a test's own input is right or the test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Runs the example on two files of this content.
fn lookup(name: &str, table: &str, addrs: &str, flags: &[&str]) -> (Output, String) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("table"), table).unwrap();
    fs::write(dir.join("addrs"), addrs).unwrap();
    let output = Command::new(example()).args(flags).args(["table", "addrs"]).current_dir(&dir).output().unwrap();
    let text = String::from_utf8(if output.status.success() { &output.stdout } else { &output.stderr }.clone());
    (output, text.unwrap())
}

/// Cargo builds examples before it runs all tests, but not before it runs this one alone.
fn example() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "vpc-lpm", "--example", "lookup", "--target-dir"])
            .arg(target)
            .status();
        assert!(build.unwrap().success());
        target.join("debug/examples/lookup")
    });
    &BUILT
}

#[test]
fn each_address_is_answered_with_its_prefix_and_value() {
    let table = "# comment\n10.0.0.0/8 a\n10.1.0.0/16\tb c\n\n2001:db8::/32 d\n192.0.2.0/24\n";
    let addrs = "10.1.2.3\n10.2.0.1\n2001:db8::1\n192.0.2.255\n8.8.8.8\n::\n";
    let (output, text) = lookup("answers", table, addrs, &[]);
    assert!(output.status.success(), "{text}");
    assert_eq!(
        text,
        "10.1.2.3 10.1.0.0/16 b c\n10.2.0.1 10.0.0.0/8 a\n2001:db8::1 2001:db8::/32 d\n\
         192.0.2.255 192.0.2.0/24 -\n8.8.8.8 - -\n:: - -\n"
    );
}

#[test]
fn a_wrong_line_is_named_with_what_was_expected() {
    for (name, table, addrs, message) in [
        (
            "host-bits",
            "10.0.0.0/8\n10.0.0.1/16 a\n",
            "",
            "table:2: `10.0.0.1/16` has host bits set; the prefix is `10.0.0.0/16`",
        ),
        ("twice", "10.0.0.0/8 a\n10.0.0.0/8 b\n", "", "table:2: `10.0.0.0/8` is in the table already, on line 1"),
        ("word", "ten\n", "", "table:1: `ten` is not a prefix; expected address/length"),
        (
            "address",
            "10.0.0.0/8\n",
            "10.0.0.1\n\n10.0.0.256\n",
            "addrs:3: `10.0.0.256` is not an IPv4 address; expected",
        ),
        ("address6", "10.0.0.0/8\n", "2001:db8::g\n", "addrs:1: `2001:db8::g` is not an IPv6 address; expected"),
    ] {
        let (output, text) = lookup(name, table, addrs, &[]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with(message), "{text}");
    }
}

#[test]
fn wrong_arguments_get_the_usage_and_missing_files_their_name() {
    let (output, text) = lookup("usage", "", "", &["--fast"]);
    assert_eq!((output.status.code(), text.starts_with("usage: lookup")), (Some(2), true), "{text}");
    let output = Command::new(example()).args(["no-such-table", "none"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("no-such-table: "));
}

#[test]
fn an_empty_table_answers_nothing_for_anything() {
    assert_eq!(lookup("empty", "", "10.0.0.1\n", &[]).1, "10.0.0.1 - -\n");
}
