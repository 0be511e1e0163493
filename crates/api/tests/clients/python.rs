//! AWS's own clients, installed by the test into a virtual environment under the target directory.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The versions that the checked-in models and expectations are of.
const PACKAGES: [&str; 2] = ["boto3==1.44.5", "botocore==1.44.5"];
/// A Python with boto3; `None`, with a printed line, if it cannot be installed here.
pub fn boto3() -> Option<PathBuf> {
    environment("boto3", &PACKAGES).map(|home| home.join("bin/python"))
}

/// A Python with the AWS CLI, which carries a botocore of its own.
pub fn cli() -> Option<PathBuf> {
    environment("awscli", &["awscli==1.46.2"]).map(|home| home.join("bin/python"))
}

/// A virtual environment with these packages, made once.
fn environment(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let home = root.join(format!("venv-{name}"));
    let stamp = home.join("complete");
    let wanted = packages.join(" ");
    // Test binaries run side by side and may want the same environment.
    let lock = File::create(root.join(format!("venv-{name}.lock"))).ok()?;
    lock.lock().ok()?;
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Some(home);
    }
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output().ok();
        output.filter(|output| output.status.success()).is_some()
    };
    let made = run(Command::new("python3").arg("-m").arg("venv").arg(&home))
        && run(Command::new(home.join("bin/pip"))
            .args(["install", "-q", "--disable-pip-version-check", "--retries", "1"])
            .args(packages));
    if !made {
        println!("skipped: {wanted} cannot be installed from PyPI here");
        return None;
    }
    fs::write(stamp, wanted).ok()?;
    Some(home)
}
