//! Network namespaces, named the way `ip netns` names them.
//!
//! A namespace lives as long as something refers to it: a thread in it, an open descriptor, or a mount. A
//! *named* one is kept by a bind mount on `/run/netns/NAME`, so `ip netns exec NAME …` works on what is made
//! here and the other way round.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::LinkNameSpaceType;

use crate::sys;

/// The directory whose mounts are the named namespaces.
pub const DIRECTORY: &str = "/run/netns";

/// The magic number of the file system a namespace descriptor belongs to.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// The longest name: one component of a path.
const MAX_NAME: usize = 255;

/// The name of a namespace: one path component of printable characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetNsName(String);

impl NetNsName {
    /// Checks a name.
    ///
    /// Errors: [`NetNsError::BadName`] when it is empty, longer than 255 bytes, `.` or `..`, or has a slash,
    /// white space or a control character in it.
    pub fn new(name: &str) -> Result<Self, NetNsError> {
        let refuse = |why| Err(NetNsError::BadName { name: name.to_owned(), why });
        if name.is_empty() {
            return refuse("it is empty");
        }
        if name.len() > MAX_NAME {
            return refuse("it is longer than 255 bytes");
        }
        if name == "." || name == ".." {
            return refuse("it means a directory");
        }
        if name.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control()) {
            return refuse("it has a slash, white space or a control character in it");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the namespace is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.0)
    }
}

impl fmt::Display for NetNsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NetNsName {
    type Err = NetNsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Why a namespace could not be made, opened, entered or removed.
#[derive(Debug, thiserror::Error)]
pub enum NetNsError {
    /// The name cannot be a namespace's name.
    #[error("{name:?} cannot name a network namespace: {why}")]
    BadName {
        /// What was asked for.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A namespace of that name exists already.
    #[error("network namespace {name} exists already; delete it with `ip netns delete {name}` or choose another name")]
    Taken {
        /// The name.
        name: NetNsName,
    },
    /// No namespace of that name exists.
    #[error("network namespace {name} does not exist; make it with `ip netns add {name}`")]
    Absent {
        /// The name.
        name: NetNsName,
    },
    /// The file is there but no namespace is mounted on it: what a crash between the two steps leaves.
    #[error("{} is a file but not a network namespace; remove it with `ip netns delete {name}`", name.path().display())]
    NotANamespace {
        /// The name.
        name: NetNsName,
    },
    /// The process may not do that.
    #[error("cannot {doing}: needs CAP_NET_ADMIN and CAP_SYS_ADMIN; run as root")]
    NotPermitted {
        /// What was attempted.
        doing: String,
    },
    /// Anything else the kernel refused.
    #[error("cannot {doing}: {source}")]
    Os {
        /// What was attempted.
        doing: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl NetNsError {
    fn os(doing: impl Into<String>, errno: Errno) -> Self {
        let doing = doing.into();
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted { doing },
            other => Self::Os { doing, source: other.into() },
        }
    }
}

/// A handle on a network namespace, which keeps it alive.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
    /// What it is called in messages.
    label: String,
}

impl NetNs {
    /// Makes a namespace and gives it a name; it outlives this process until [`NetNs::delete`].
    ///
    /// Its loopback interface is there but down.
    /// Errors: [`NetNsError::Taken`]; [`NetNsError::NotPermitted`] without the capabilities.
    pub fn create(name: &NetNsName) -> Result<Self, NetNsError> {
        prepare_directory()?;
        let path = name.path();
        match rustix::fs::open(&path, OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::empty()) {
            Ok(_placeholder) => {}
            Err(Errno::EXIST) => return Err(NetNsError::Taken { name: name.clone() }),
            Err(errno) => return Err(NetNsError::os(format!("create {}", path.display()), errno)),
        }
        let made = on_fresh_thread(|| {
            sys::unshare_network().map_err(|e| NetNsError::os("make a network namespace", e))?;
            rustix::mount::mount_bind("/proc/thread-self/ns/net", &path)
                .map_err(|e| NetNsError::os(format!("mount the namespace on {}", path.display()), e))
        })
        .and_then(|inner| inner)
        .and_then(|()| Self::open(name));
        if made.is_err() {
            // Ours since O_EXCL: nobody else's name is taken away.
            let _ = rustix::mount::unmount(&path, UnmountFlags::DETACH);
            let _ = rustix::fs::unlink(&path);
        }
        made
    }

    /// Opens a named namespace.
    ///
    /// Errors: [`NetNsError::Absent`], [`NetNsError::NotANamespace`].
    pub fn open(name: &NetNsName) -> Result<Self, NetNsError> {
        let path = name.path();
        let fd = match rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Err(NetNsError::Absent { name: name.clone() }),
            Err(errno) => return Err(NetNsError::os(format!("open {}", path.display()), errno)),
        };
        let stat = rustix::fs::fstatfs(&fd).map_err(|e| NetNsError::os(format!("look at {}", path.display()), e))?;
        if u64::try_from(stat.f_type) != Ok(NSFS_MAGIC) {
            return Err(NetNsError::NotANamespace { name: name.clone() });
        }
        Ok(Self { fd, label: name.to_string() })
    }

    /// The namespace of the calling thread.
    pub fn current() -> Result<Self, NetNsError> {
        let fd = rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| NetNsError::os("open /proc/thread-self/ns/net", e))?;
        Ok(Self { fd, label: "(current)".to_owned() })
    }

    /// Makes a namespace without a name, gone when the last handle on it is dropped.
    pub fn scratch() -> Result<Self, NetNsError> {
        on_fresh_thread(|| {
            sys::unshare_network().map_err(|e| NetNsError::os("make a network namespace", e))?;
            Self::current()
        })
        .and_then(|inner| inner)
        .map(|ns| Self { label: "(scratch)".to_owned(), ..ns })
    }

    /// Removes the name; the namespace itself goes with its last user.
    ///
    /// Errors: [`NetNsError::Absent`]; a file without a namespace on it is removed as well.
    pub fn delete(name: &NetNsName) -> Result<(), NetNsError> {
        let path = name.path();
        match rustix::mount::unmount(&path, UnmountFlags::DETACH) {
            // EINVAL: not a mount point, what a crash between the two steps of `create` leaves.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(Errno::NOENT) => return Err(NetNsError::Absent { name: name.clone() }),
            Err(errno) => return Err(NetNsError::os(format!("unmount {}", path.display()), errno)),
        }
        rustix::fs::unlink(&path).map_err(|e| NetNsError::os(format!("remove {}", path.display()), e))
    }

    /// The names in use, sorted; files whose name could not be one of ours are left out.
    pub fn list() -> Result<Vec<NetNsName>, NetNsError> {
        let entries = match std::fs::read_dir(DIRECTORY) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(NetNsError::Os { doing: format!("list {DIRECTORY}"), source });
            }
        };
        let mut names: Vec<NetNsName> =
            entries.filter_map(|entry| NetNsName::new(entry.ok()?.file_name().to_str()?).ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Runs `work` on a fresh thread inside this namespace and waits for it.
    ///
    /// Descriptors opened there (TUNs, sockets) belong to the namespace for ever and may be used from every
    /// thread. The thread ends afterwards, so no thread of the caller is ever found in a foreign namespace.
    /// Errors: [`NetNsError::NotPermitted`] when the namespace may not be entered. A panic of `work` goes on
    /// in the caller.
    pub fn run_in<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetNsError> {
        on_fresh_thread(|| {
            rustix::thread::move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|e| NetNsError::os(format!("enter network namespace {}", self.label), e))?;
            Ok(work())
        })
        .and_then(|inner| inner)
    }

    /// Another handle on the same namespace.
    pub fn try_clone(&self) -> Result<Self, NetNsError> {
        let fd = self.fd.try_clone().map_err(|source| NetNsError::Os {
            doing: format!("copy the handle of network namespace {}", self.label),
            source,
        })?;
        Ok(Self { fd, label: self.label.clone() })
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Display for NetNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

fn on_fresh_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, NetNsError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|source| NetNsError::Os { doing: "start a thread".to_owned(), source })?;
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}

/// Makes the directory and turns it into a shared mount of its own, so that other mount namespaces see
/// names come and go and a deletion here frees the namespace there.
fn prepare_directory() -> Result<(), NetNsError> {
    match rustix::fs::mkdir(DIRECTORY, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(NetNsError::os(format!("create {DIRECTORY}"), errno)),
    }
    let directory = rustix::fs::open(DIRECTORY, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| NetNsError::os(format!("open {DIRECTORY}"), e))?;
    // Two processes doing the next steps at once would stack two mounts, hiding each other's names;
    // iproute2 takes the same lock. Closing the descriptor gives it back.
    rustix::fs::flock(&directory, FlockOperation::LockExclusive)
        .map_err(|e| NetNsError::os(format!("lock {DIRECTORY}"), e))?;
    let share = || rustix::mount::mount_change(DIRECTORY, MountPropagationFlags::SHARED | MountPropagationFlags::REC);
    match share() {
        Ok(()) => Ok(()),
        Err(Errno::INVAL) => rustix::mount::mount_bind_recursive(DIRECTORY, DIRECTORY)
            .and_then(|()| share())
            .map_err(|e| NetNsError::os(format!("make {DIRECTORY} a mount"), e)),
        Err(errno) => Err(NetNsError::os(format!("share the mount {DIRECTORY}"), errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_printable_path_component() {
        for good in ["a", "i-0123456789abcdef0", "vpcd", "ünder_score.x", &"n".repeat(255)] {
            assert_eq!(NetNsName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a b", "a\n", "a\0b", &"n".repeat(256)] {
            assert!(matches!(NetNsName::new(bad), Err(NetNsError::BadName { .. })), "{bad:?}");
        }
    }

    #[test]
    fn missing_privileges_say_what_to_do() {
        let error = NetNsError::os("make a network namespace", Errno::PERM);
        assert_eq!(
            error.to_string(),
            "cannot make a network namespace: needs CAP_NET_ADMIN and CAP_SYS_ADMIN; run as root"
        );
    }

    #[test]
    fn a_namespace_that_is_not_there_is_absent() {
        let name = NetNsName::new("vpcdt-io-surely-absent").unwrap();
        assert!(matches!(NetNs::open(&name), Err(NetNsError::Absent { .. })));
    }
}
