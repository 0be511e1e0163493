//! Tables and output.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;
use vpc_model::control::Table;

/// A table with its columns under each other, two spaces apart.
pub(crate) fn aligned(table: &Table) -> String {
    let lines = || std::iter::once(&table.columns).chain(&table.rows);
    let width = |column: usize| {
        let cells = lines().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let mut text = String::new();
    for line in lines() {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Prints a value as JSON, for programs and people.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Whether the reader of our output has seen enough, as `head` does.
pub(crate) fn is_closed_output(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        && error.to_string().contains("standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
        let owned = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect();
        Table { columns: owned(columns), rows: rows.iter().map(|row| owned(row)).collect() }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = table(&["NAME", "ID", "VPC"], &[&["a-long-name", "x", "v"], &["ü", "-", ""]]);
        assert_eq!(aligned(&table), "NAME         ID  VPC\na-long-name  x   v\nü            -\n");
    }

    #[test]
    fn a_table_without_rows_has_its_headings() {
        assert_eq!(aligned(&table(&["A", "B"], &[])), "A  B\n");
    }

    #[test]
    fn rows_of_other_lengths_do_no_harm() {
        assert_eq!(aligned(&table(&["A", "B"], &[&["1"], &["1", "2", "3"]])), "A  B\n1\n1  2\n");
    }
}
