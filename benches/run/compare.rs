//! The comparison: every contender, every metric, in turn.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::lab::{Contender, Lab, idle_share};
use crate::machine;
use crate::metric::{Capacity, Lengths, Metric};
use crate::report::{self, Key, Results};
use crate::shell;

/// How to compare.
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: Option<usize>,
    pub(crate) out: PathBuf,
    pub(crate) vpcd: PathBuf,
    pub(crate) only: Vec<Contender>,
    /// What the names of all namespaces begin with.
    pub(crate) prefix: String,
}

/// Interfaces of the idle lab.
const IDLE_ENIS: usize = 100;

/// Raises all labs, measures, writes `results.json`, `results.md` and the charts.
///
/// Shape: within a round each metric visits all contenders, in every other round in the opposite order; what is
/// compared are values of the same metric and round, which are seconds apart.
pub(crate) fn run(options: &Options) -> Result<()> {
    if shell::run("id -u")?.trim() != "0" {
        return Err("needs root: it makes network namespaces".into());
    }
    let lengths = if options.quick {
        Lengths { bulk: 1, other: Duration::from_millis(200) }
    } else {
        Lengths { bulk: 1, other: Duration::from_millis(800) }
    };
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 10 });
    let has_vpcd = options.vpcd.is_file();
    if !has_vpcd {
        eprintln!("no {}: comparing without vpcd", options.vpcd.display());
    }
    let wanted = |c: &Contender| (options.only.is_empty() || options.only.contains(c)) && (has_vpcd || !c.is_vpcd());
    let start = Instant::now();
    let mut results = Results { about: machine::describe(), samples: BTreeMap::new(), failures: Vec::new() };
    results.about["load_before"] = json!(machine::load());
    results.about["date"] = json!(shell::run("date -u +%Y-%m-%d")?.trim());
    let labs: Vec<Lab> = Contender::ALL
        .into_iter()
        .filter(wanted)
        .map(|contender| Lab::raise(contender, &options.prefix, &options.vpcd))
        .collect::<Result<_>>()?;
    for round in 0..rounds {
        let mut capacities = vec![Capacity::default(); labs.len()];
        for metric in Metric::ALL {
            for turn in turns(round, labs.len()) {
                let lab = &labs[turn];
                match metric.measure(lab, &mut capacities[turn], lengths) {
                    Ok(measured) => {
                        for sample in measured {
                            let key = Key { metric: sample.name, contender: lab.contender };
                            let series = results.samples.entry(key).or_default();
                            // A failure before leaves a gap, so that pairs stay pairs.
                            series.resize(round, f64::NAN);
                            series.push(sample.value);
                        }
                    }
                    Err(error) => {
                        let failure = format!("round {round}, {metric:?}, {}: {error}", lab.contender.name());
                        eprintln!("{failure}");
                        results.failures.push(failure);
                    }
                }
            }
        }
        results.about["rounds"] = json!(round + 1);
        results.about["seconds"] = json!(start.elapsed().as_secs());
        results.about["load_after"] = json!(machine::load());
        // What is there is kept, should the run be ended before its time.
        results.write(&options.out)?;
        eprintln!("round {} of {rounds} done after {:.0} s", round + 1, start.elapsed().as_secs_f64());
    }
    drop(labs);
    if has_vpcd && options.only.iter().all(|c| *c == Contender::Vpcd) {
        let length = if options.quick { Duration::from_secs(2) } else { Duration::from_secs(8) };
        match idle_share(&options.vpcd, &options.prefix, IDLE_ENIS, length) {
            Ok(share) => {
                let key =
                    Key { metric: format!("idle, {IDLE_ENIS} interfaces, % of a CPU"), contender: Contender::Vpcd };
                results.samples.insert(key, vec![share * 100.0]);
            }
            Err(error) => results.failures.push(format!("idle: {error}")),
        }
    }
    results.write(&options.out)?;
    report::charts(&results, &options.out)?;
    println!("{}", results.to_markdown());
    let failed = results.failures.len();
    if failed == 0 { Ok(()) } else { Err(format!("{failed} measurements failed").into()) }
}

/// The order in which a round visits `labs` labs: A B C, C B A, A B C …
fn turns(round: usize, labs: usize) -> Vec<usize> {
    let there = 0..labs;
    if round.is_multiple_of(2) { there.collect() } else { there.rev().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_10_no_contender_is_always_the_first_or_has_the_same_one_before_it() {
        assert_eq!((0..4).flat_map(|round| turns(round, 3)).collect::<Vec<_>>(), [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0]);
    }
}
