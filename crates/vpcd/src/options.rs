//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use vpc_io::{Backend, Offloads};
use vpc_model::control::DEFAULT_SOCKET;

/// Carries the packets of an AWS-style VPC between network namespaces.
///
/// Makes a network namespace for every instance, service and internet host of a lab file, with a TUN device for every
/// network interface, and is the VPC's router, security groups, network ACLs, gateways and endpoints to them. Runs in
/// the foreground until SIGTERM, SIGINT or SIGHUP; then everything it made is gone. `vpcctl` talks to it.
#[derive(Clone, Debug, Parser)]
#[command(name = "vpcd", version, after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// The lab file to start with; without one, start empty and wait for `vpcctl apply`
    #[arg(long, value_name = "FILE")]
    pub(crate) lab: Option<PathBuf>,

    /// Keep the network in memory only. There is no other way in this release: with or without this option, nothing
    /// is remembered when the daemon ends
    #[arg(long)]
    pub(crate) ephemeral: bool,

    /// Where to listen for vpcctl; one daemon per socket
    #[arg(long, value_name = "PATH", env = "VPCD_SOCKET", default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,

    /// How packets cross TUN devices: `vnet` passes super-packets and partial checksums on, `plain` carries finished
    /// packets only
    #[arg(long, value_name = "vnet|plain", default_value_t, value_parser = Backend::from_str)]
    pub(crate) tun: Backend,

    /// What may cross TUN devices unfinished: `on`, `off`, or a list of `checksum`, `tcp` and `udp`. What this kernel
    /// does wrong is left out by itself
    #[arg(long, value_name = "on|off|LIST", default_value = "on", value_parser = offloads)]
    pub(crate) offloads: Offloads,

    /// How log lines look; `auto` is for people on a terminal and JSON elsewhere
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// As a terminal or no terminal suggests.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

const AFTER_HELP: &str = "\
Ready: a line `ready socket=… generation=…` on standard output, sd_notify's READY=1, and `vpcctl wait`.
Logs go to standard error; RUST_LOG sets what is logged (default: info).

Exit codes:
  0  ended by a signal, everything cleaned up
  1  the machine refused: not root, no /dev/net/tun, a namespace taken, another vpcd on the socket
  2  wrong usage or lab file; every error of the file is printed with its place";

fn offloads(text: &str) -> Result<Offloads, String> {
    let mut offloads = match text {
        "on" => return Ok(Offloads::ALL),
        "off" => return Ok(Offloads::NONE),
        _ => Offloads::NONE,
    };
    for word in text.split(',').map(str::trim) {
        match word {
            "checksum" => offloads.checksum = true,
            "tcp" => offloads.tcp = true,
            "udp" => offloads.udp = true,
            other => {
                return Err(format!("'{other}' is not an offload; there is checksum, tcp and udp, or on and off"));
            }
        }
    }
    if !offloads.checksum {
        return Err("tcp and udp need checksum as well".to_owned());
    }
    Ok(offloads)
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
    fn offloads_are_all_none_or_a_list() {
        assert_eq!(offloads("on"), Ok(Offloads::ALL));
        assert_eq!(offloads("off"), Ok(Offloads::NONE));
        assert_eq!(offloads("checksum, udp").unwrap().to_string(), "checksum+udp");
        assert!(offloads("tcp").unwrap_err().contains("need checksum"));
        assert!(offloads("checksum,ufo").unwrap_err().contains("'ufo' is not an offload"));
        assert!(offloads("").is_err());
    }

    #[test]
    fn defaults_are_the_usual_daemon() {
        let options = Options::parse_from(["vpcd", "--lab", "lab.yaml"]);
        assert_eq!(options.tun, Backend::Vnet);
        assert_eq!(options.offloads, Offloads::ALL);
        assert_eq!(options.log_format, LogFormat::Auto);
        assert!(Options::try_parse_from(["vpcd", "--tun", "tap"]).unwrap_err().to_string().contains("tap"));
    }
}
