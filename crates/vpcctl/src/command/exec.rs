//! `vpcctl exec`.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, anyhow};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use vpc_model::control::{Reply, Request};

use crate::client::{ask, unexpected};

/// As `env` and container tools have it: told apart from what the command itself exits with.
pub(crate) const OWN_FAILURE: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NO_SUCH_COMMAND: u8 = 127;

/// Becomes the command; returns only when that fails.
pub(crate) fn run(socket: &Path, name: &str, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let reply = ask(socket, &Request::Namespace { of: name.to_owned() })?;
    let Reply::Namespace { namespace } = &reply else {
        return Err(unexpected(&reply));
    };
    enter(namespace)?;
    let (program, arguments) = command.split_first().context("no command given")?;
    let error = Command::new(program).args(arguments).exec();
    let message = anyhow!("cannot run {}: {error}", program.display());
    crate::complain(&format!("error: {message}"));
    let no_such = error.kind() == io::ErrorKind::NotFound;
    Ok(ExitCode::from(if no_such { NO_SUCH_COMMAND } else { CANNOT_RUN }))
}

/// Moves this process into a network namespace, with a `/sys` that shows it, as `ip netns exec` does.
fn enter(namespace: &str) -> anyhow::Result<()> {
    let path = Path::new("/run/netns").join(namespace);
    let ns = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("namespace {namespace} has gone; apply the lab file again to make it anew"))?;
    move_into_link_name_space(ns.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| {
        if errno == Errno::PERM {
            anyhow!("may not enter namespace {namespace}; run as root")
        } else {
            anyhow!("cannot enter namespace {namespace}: {errno}")
        }
    })?;
    own_mounts().context("cannot get a mount namespace of its own")?;
    // Where this is not allowed, as in some containers, /sys shows the interfaces of the machine; nothing else is amiss.
    let _ = rustix::mount::mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None);
    Ok(())
}

/// What is mounted from here on is seen by the command only.
fn own_mounts() -> rustix::io::Result<()> {
    #[expect(
        deprecated,
        reason = "deprecated for the sake of CLONE_FILES, which splits the descriptor table; this flag does not"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    rustix::mount::mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}
