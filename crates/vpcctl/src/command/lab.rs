//! `vpcctl lab`: what needs no daemon.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use vpc_model::control::{Failure, FailureKind};
use vpc_model::lab;

use crate::render::print;

pub(crate) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let (name, text) = load(file)?;
    lab::read(&text, &name).map_err(|errors| Failure::new(FailureKind::InvalidLab, errors.render()))?;
    print(&format!("{name}: no errors\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What errors call a file, and its text; `-` is standard input.
pub(crate) fn load(file: &Path) -> anyhow::Result<(String, String)> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(("(standard input)".to_owned(), text));
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(FailureKind::BadRequest, format!("cannot read {name}: {error}")))?;
    Ok((name, text))
}
