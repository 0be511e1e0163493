//! `vpcctl show`.

use std::path::Path;
use std::process::ExitCode;

use vpc_model::control::{Reply, Request, ResourceKind};

use crate::client::{ask, unexpected};
use crate::render::{aligned, print, print_json};

pub(crate) fn run(socket: &Path, kind: Option<ResourceKind>, json: bool, yaml: bool) -> anyhow::Result<ExitCode> {
    let request = if yaml {
        Request::Lab {}
    } else if json {
        Request::Resources { kind }
    } else {
        Request::Table { kind }
    };
    let reply = ask(socket, &request)?;
    if let Reply::Lab { text } = &reply {
        print(text)?;
    } else if let Reply::Resources { resources } = &reply {
        print_json(resources)?;
    } else if let Reply::Table(table) = &reply {
        print(&aligned(table))?;
    } else {
        return Err(unexpected(&reply));
    }
    Ok(ExitCode::SUCCESS)
}
