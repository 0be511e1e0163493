//! Programs run for what they do: `ip`, `nft`, `sysctl`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// Runs a command, words separated by blanks; what it says on standard output.
pub(crate) fn run(line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().ok_or("no command")?;
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs commands, one a line.
pub(crate) fn run_all(lines: &str) -> Result<()> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).try_for_each(|line| run(line).map(drop))
}

/// A program that runs until dropped.
pub(crate) struct Background(Child);

impl Background {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        Ok(Self(child.map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl From<Child> for Background {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It gets the chance to clean up after itself.
        let asked = run(&format!("kill -TERM {}", self.0.id()));
        let gone = asked.is_ok() && until(Duration::from_secs(10), || self.has_ended().then_some(())).is_some();
        if !gone {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer or `patience` is at its end.
pub(crate) fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
