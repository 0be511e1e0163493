//! `vpcctl apply`.

use std::path::Path;
use std::process::ExitCode;

use vpc_model::control::{Applied, Reply, Request};

use super::lab::load;
use crate::client::{ask, unexpected};
use crate::render::print;

pub(crate) fn run(socket: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let (file, text) = load(file)?;
    let reply = ask(socket, &Request::Apply { file, text })?;
    let Reply::Applied(applied) = &reply else {
        return Err(unexpected(&reply));
    };
    print(&summary(applied))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(applied: &Applied) -> String {
    let generation = applied.generation;
    if !applied.changed {
        return format!("unchanged, generation {generation}\n");
    }
    let parts = [
        (applied.namespaces_made, "namespace", "made"),
        (applied.namespaces_deleted, "namespace", "deleted"),
        (applied.interfaces_made, "interface", "made"),
        (applied.interfaces_removed, "interface", "removed"),
        (applied.interfaces_changed, "interface", "changed"),
    ];
    let parts = parts.iter().filter(|(count, _, _)| *count > 0).map(|(count, noun, verb)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!(", {count} {noun}{plural} {verb}")
    });
    format!("applied, generation {generation}{}\n", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_was_done_and_nothing_else() {
        let applied =
            Applied { generation: 7, changed: true, namespaces_made: 1, interfaces_made: 2, ..Applied::default() };
        assert_eq!(summary(&applied), "applied, generation 7, 1 namespace made, 2 interfaces made\n");
        let applied = Applied { generation: 7, changed: true, ..Applied::default() };
        assert_eq!(summary(&applied), "applied, generation 7\n");
        let applied = Applied { generation: 7, ..Applied::default() };
        assert_eq!(summary(&applied), "unchanged, generation 7\n");
    }
}
