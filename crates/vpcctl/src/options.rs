//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use vpc_model::control::{DEFAULT_SOCKET, ResourceKind};

/// Looks at and changes the network of a running vpcd.
#[derive(Debug, Parser)]
#[command(name = "vpcctl", version, after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// Where the daemon listens
    #[arg(long, global = true, value_name = "PATH", env = "VPCD_SOCKET", default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the running network what a lab file says, without disturbing what stays as it is
    Apply {
        /// The lab file; `-` for standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Run a command inside an instance, service or internet host
    Exec {
        /// Its name or id
        name: String,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Say what would happen to a packet, and why
    Explain {
        /// Who sends it: the name or id of an instance, interface, service or internet host
        name: String,
        /// The packet, such as 'tcp 10.0.1.10:40000 > 198.51.100.20:443'
        packet: String,
        /// Print the explanation as JSON
        #[arg(long)]
        json: bool,
    },
    /// Work with lab files, without a daemon
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
    /// Print resources: a table of one kind, or how many there are of each
    Show {
        /// Which kind
        #[arg(value_parser = kind_parser())]
        kind: Option<ResourceKind>,
        /// Print all fields as JSON
        #[arg(long)]
        json: bool,
        /// Print the whole network as a lab file
        #[arg(long, conflicts_with_all = ["json", "kind"])]
        yaml: bool,
    },
    /// Print the stages packets go through, with every reason they are dropped for
    Stages {
        /// Print the table as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print how the daemon is: links, packets, drops
    Status {
        /// Print everything as JSON
        #[arg(long)]
        json: bool,
    },
    /// Wait until the daemon is there and its network in force
    Wait {
        /// How long, in seconds; for ever if not given
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        timeout: Option<Duration>,
        /// Wait for tables of this number or a later one
        #[arg(long, value_name = "N")]
        generation: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Say what is wrong with a lab file, or that nothing is
    Check {
        /// The lab file; `-` for standard input
        file: PathBuf,
    },
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done; of `explain`: the packet would be delivered
  1  failed: no daemon, no such name, the machine refused, time ran out
  2  wrong usage, packet or lab file; every error of a file is printed with its place
  3  of `explain`: the packet would be dropped
  `exec` exits as its command does, with 125 when vpcctl itself failed, 126 when the command cannot be run and
  127 when there is no such command";

fn kind_parser() -> impl TypedValueParser<Value = ResourceKind> {
    let value = |kind: &ResourceKind| PossibleValue::new(kind.name()).aliases(kind.aliases());
    let values: Vec<PossibleValue> = ResourceKind::ALL.iter().map(value).collect();
    PossibleValuesParser::new(values).try_map(|text| text.parse())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn kinds_have_short_names() {
        let kind = |text| {
            let Command::Show { kind, .. } = Options::parse_from(["vpcctl", "show", text]).command else {
                panic!("not show");
            };
            kind.unwrap()
        };
        assert_eq!(kind("sg"), ResourceKind::SecurityGroups);
        assert_eq!(kind("route-tables"), ResourceKind::RouteTables);
        let error = Options::try_parse_from(["vpcctl", "show", "routing-tables"]).unwrap_err().to_string();
        assert!(error.contains("route-tables"), "{error}");
    }

    #[test]
    fn a_lab_file_is_always_the_whole_network() {
        assert!(Options::try_parse_from(["vpcctl", "show", "vpcs", "--yaml"]).is_err());
        assert!(Options::try_parse_from(["vpcctl", "show", "--json", "--yaml"]).is_err());
    }

    #[test]
    fn a_command_to_run_keeps_its_own_options() {
        let options = Options::parse_from(["vpcctl", "exec", "h1", "--", "ping", "-c", "1", "--socket"]);
        let Command::Exec { name, command } = options.command else {
            panic!("not exec");
        };
        assert_eq!((name.as_str(), command.len()), ("h1", 4));
        assert_eq!(options.socket.to_str(), Some(DEFAULT_SOCKET));
    }

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(seconds("10s"), Ok(Duration::from_secs(10)));
        assert!(seconds("-1").is_err() && seconds("soon").is_err() && seconds("nan").is_err());
    }
}
