//! `vpcctl stages`.

use std::process::ExitCode;

use serde::Serialize;
use vpc_model::StageId;
use vpc_model::control::Table;

use crate::render::{aligned, print, print_json};

#[derive(Serialize)]
struct Stage {
    stage: StageId,
    doc: &'static str,
    reasons: Vec<Reason>,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    doc: &'static str,
    aws: Option<&'static str>,
}

pub(crate) fn run(json: bool) -> anyhow::Result<ExitCode> {
    let stages: Vec<Stage> = StageId::ALL.iter().map(|&stage| describe(stage)).collect();
    if json {
        print_json(&stages)?;
    } else {
        print(&aligned(&table(&stages)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(stage: StageId) -> Stage {
    let reasons =
        stage.reasons().iter().map(|reason| Reason { code: reason.code(), doc: reason.doc(), aws: reason.aws() });
    Stage { stage, doc: stage.doc(), reasons: reasons.collect() }
}

/// A row for the stage, and one below it for each of its reasons.
fn table(stages: &[Stage]) -> Table {
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let rows = stages.iter().flat_map(|stage| {
        let head = row([stage.stage.name(), "", "", stage.doc]);
        let reasons = stage.reasons.iter();
        std::iter::once(head).chain(reasons.map(|r| row(["", r.code, r.aws.unwrap_or("-"), r.doc])))
    });
    Table { columns: row(["STAGE", "REASON", "REACHABILITY-ANALYZER", "MEANING"]), rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vpc_model::DropReason;

    #[test]
    fn every_stage_and_every_reason_is_in_the_table() {
        let stages: Vec<Stage> = StageId::ALL.iter().map(|&stage| describe(stage)).collect();
        let text = aligned(&table(&stages));
        assert_eq!(text.lines().count(), 1 + StageId::ALL.len() + DropReason::COUNT);
        assert!(DropReason::ALL.iter().all(|reason| text.contains(reason.code()) && text.contains(reason.doc())));
    }
}
