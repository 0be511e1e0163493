//! `vpcctl explain`.

use std::path::Path;
use std::process::ExitCode;

use vpc_model::control::{Reply, Request};
use vpc_model::explain::Verdict;

use crate::client::{ask, unexpected};
use crate::render::{print, print_json};

/// What `--help` promises.
const DROPPED: u8 = 3;

pub(crate) fn run(socket: &Path, sender: String, packet: String, json: bool) -> anyhow::Result<ExitCode> {
    let reply = ask(socket, &Request::Explain { sender, packet })?;
    let Reply::Explained(explanation) = &reply else {
        return Err(unexpected(&reply));
    };
    if json {
        print_json(explanation)?;
    } else {
        print(&explanation.to_string())?;
    }
    Ok(match explanation.verdict {
        Verdict::Drop { .. } => ExitCode::from(DROPPED),
        Verdict::Send { .. } => ExitCode::SUCCESS,
    })
}
