//! The daemon's socket: one daemon per path.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A socket that is listened on; its path is free again when this is dropped.
///
/// Who holds the lock on `PATH.lock` is the daemon of that path. The kernel gives the lock back however the daemon
/// ends, so a socket found while holding it is a dead one's and is replaced.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Socket {
    /// Starts listening, for root only.
    ///
    /// Errors: another daemon listens there; the path is no socket; the directory may not be written to.
    pub(crate) fn listen(path: &Path) -> anyhow::Result<(Self, UnixListener)> {
        let path = std::path::absolute(path)?;
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = lock(&lock_path, &path)?;
        // From here on the lock file is removed when leaving.
        let socket = Self { path, lock_path, _lock: lock };
        let path = &socket.path;
        match path.symlink_metadata() {
            Ok(found) if found.file_type().is_socket() => {
                std::fs::remove_file(path)
                    .with_context(|| format!("cannot replace the stale socket {}", path.display()))?;
            }
            Ok(_) => bail!("{} exists and is not a socket; remove it or choose another --socket", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
        }
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
        // Before this moment nobody answers on it.
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))
            .with_context(|| format!("cannot protect {}", path.display()))?;
        Ok((socket, listener))
    }

    /// Where it is, in full.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody else's file at the path stays.
        if self.path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

fn lock(lock_path: &Path, path: &Path) -> anyhow::Result<File> {
    loop {
        let file = File::options().create(true).append(true).mode(0o600).open(lock_path).with_context(|| {
            format!("cannot create {}; run as root or choose another --socket", lock_path.display())
        })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN) => bail!(
                "another vpcd listens on {}; stop it, or choose another --socket and other namespaces",
                path.display()
            ),
            Err(errno) => {
                return Err(io::Error::from(errno)).with_context(|| format!("cannot lock {}", lock_path.display()));
            }
        }
        // The former owner may have removed the file between our opening and locking it.
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        if lock_path.metadata().map(identity).ok() == Some(identity(file.metadata()?)) {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_live_socket_is_an_error_and_a_stale_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (first, _listener) = Socket::listen(&path).unwrap();
        let error = Socket::listen(&path).unwrap_err().to_string();
        assert!(error.contains("another vpcd listens on") && error.contains("/s;"), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
        // As a killed daemon leaves it: lock given back, files still there.
        let Socket { path: _, lock_path: _, _lock: lock } = &first;
        flock(lock, FlockOperation::Unlock).unwrap();
        let (second, _listener) = Socket::listen(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        drop(first);
    }

    #[test]
    fn the_socket_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let (socket, _listener) = Socket::listen(&directory.path().join("s")).unwrap();
        let mode = socket.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        std::fs::write(&path, "precious").unwrap();
        let error = Socket::listen(&path).unwrap_err().to_string();
        assert!(error.contains("is not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let nowhere = Socket::listen(&directory.path().join("no/s")).unwrap_err().to_string();
        assert!(nowhere.contains("choose another --socket"), "{nowhere}");
    }
}
