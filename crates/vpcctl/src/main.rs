#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod client;
mod command;
mod options;
mod render;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use vpc_model::control::{Failure, FailureKind};

use crate::options::{Command, LabCommand, Options};

/// What `--help` promises as exit code 2.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    let own_failure = match &options.command {
        Command::Exec { .. } => command::exec::OWN_FAILURE,
        Command::Apply { .. }
        | Command::Completions { .. }
        | Command::Explain { .. }
        | Command::Lab { .. }
        | Command::Show { .. }
        | Command::Stages { .. }
        | Command::Status { .. }
        | Command::Wait { .. } => 1,
    };
    match run(options) {
        Ok(code) => code,
        Err(error) => {
            if render::is_closed_output(&error) {
                return ExitCode::SUCCESS;
            }
            let code = match error.downcast_ref::<Failure>().map(|failure| failure.kind) {
                // The message is the list of errors, which has a form of its own.
                Some(FailureKind::InvalidLab) => {
                    complain(&format!("{error:#}"));
                    BAD_INPUT
                }
                Some(FailureKind::BadRequest) => {
                    complain(&format!("error: {error:#}"));
                    BAD_INPUT
                }
                Some(FailureKind::Failed | FailureKind::NotFound) | None => {
                    complain(&format!("error: {error:#}"));
                    own_failure
                }
            };
            ExitCode::from(code)
        }
    }
}

fn run(options: Options) -> anyhow::Result<ExitCode> {
    let socket = options.socket.as_path();
    match options.command {
        Command::Apply { file } => command::apply::run(socket, &file),
        Command::Completions { shell } => command::completions::run(shell),
        Command::Exec { name, command } => command::exec::run(socket, &name, &command),
        Command::Explain { name, packet, json } => command::explain::run(socket, name, packet, json),
        Command::Lab { command: LabCommand::Check { file } } => command::lab::check(&file),
        Command::Show { kind, json, yaml } => command::show::run(socket, kind, json, yaml),
        Command::Stages { json } => command::stages::run(json),
        Command::Status { json } => command::status::run(socket, json),
        Command::Wait { timeout, generation } => command::wait::run(socket, timeout, generation),
    }
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "{}", message.trim_end());
}
