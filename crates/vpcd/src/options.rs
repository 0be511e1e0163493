//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, ValueEnum};
use vpc_api::http::Signatures;
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

    #[command(flatten)]
    pub(crate) api: ApiOptions,
}

/// The EC2 API.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "EC2 API")]
pub(crate) struct ApiOptions {
    /// Answer the aws CLI and SDKs here, such as 127.0.0.1:5070
    #[arg(long = "api", value_name = "ADDRESS:PORT")]
    pub(crate) address: Option<SocketAddr>,

    /// How much signatures matter: `off`, `known` keys only, or `strict`; an address that others reach needs `strict`
    #[arg(long, value_name = "off|known|strict", default_value = "off", value_parser = Signatures::from_str, requires = "address")]
    pub(crate) sigv4: Signatures,

    /// An access key, its secret and its account, for --sigv4; may be given several times
    #[arg(long = "api-key", value_name = "KEY:SECRET:ACCOUNT", value_parser = api_key, requires = "address")]
    pub(crate) keys: Vec<(String, vpc_api::http::Key)>,

    /// Answer `POST /_lab/reset` and `GET /_lab/state` as well, to anybody who reaches the address
    #[arg(long = "lab-api", requires = "address")]
    pub(crate) lab_api: bool,
}

fn api_key(text: &str) -> Result<(String, vpc_api::http::Key), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [key, secret, account] = parts[..] else {
        return Err(format!("expected KEY:SECRET:ACCOUNT, found {} parts", parts.len()));
    };
    let account = account.parse().map_err(|error| format!("{error}"))?;
    Ok((key.to_owned(), vpc_api::http::Key { secret: secret.to_owned(), account, principal: None }))
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
    fn an_api_key_is_a_key_a_secret_and_an_account() {
        let parse = |key| Options::try_parse_from(["vpcd", "--api", "127.0.0.1:0", "--api-key", key]);
        let options = parse("AK:secret:222222222222").unwrap();
        assert_eq!(
            (options.api.keys[0].0.as_str(), options.api.keys[0].1.account.to_string().as_str()),
            ("AK", "222222222222")
        );
        assert!(parse("AK:secret:22").unwrap_err().to_string().contains("twelve digits"));
        assert!(parse("AK").is_err());
        assert!(Options::try_parse_from(["vpcd", "--lab-api"]).unwrap_err().to_string().contains("--api"));
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
