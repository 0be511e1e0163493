//! Scenarios as text: the verbs. Packets are in [`vpc_packet::text`], networks in [`vpc_model::lab`].

mod read;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vpc_model::{DropReason, Time};
use vpc_packet::PacketSpec;

/// A scenario file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The file, as it was named; errors and failures begin with it.
    pub file: String,
    /// The folder that `lab FILE` starts from.
    pub folder: PathBuf,
    /// Its text.
    pub source: String,
    /// The network at the start.
    pub topology: Topology,
    /// Whether it also makes sense on real namespaces (`mark lab`).
    pub lab: bool,
    /// Whether it takes so long that one mode is enough for a quick run (`mark long`).
    pub long: bool,
    /// Most flows the engine remembers (`engine flows=N`), if the scenario cares.
    pub flow_limit: Option<usize>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// Where the network at the start is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// A lab file, from the scenario's folder.
    Lab(PathBuf),
    /// One of `crates/sim/topologies`, by name.
    Use(String),
}

/// One thing that happens or is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its line in the file, from 1.
    pub line: usize,
    /// What it is.
    pub verb: Verb,
}

/// The verbs of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `+350s`: time passes, timers run.
    Advance(When),
    /// `set PATH: VALUE`, `delete PATH`: one edit of the network, as the lab file's editor takes it.
    Change(String),
    /// `drop CODE`: the packet sent last is dropped for this reason.
    Drop(DropReason),
    /// `NAME < packet`: this comes out at NAME.
    Expect {
        /// Whose link.
        at: String,
        /// What is said about the packet.
        packet: PacketSpec,
    },
    /// `explain NAME > packet` with the answer.
    Explain {
        /// Who would send.
        from: String,
        /// What.
        packet: PacketSpec,
        /// The answer.
        golden: Golden,
    },
    /// `flows N`: so many flows are remembered.
    Flows(usize),
    /// `refused CODE`: the change before it was refused, with this code of EC2's; without, for whatever reason.
    Refused(Option<String>),
    /// `repeat N` … `end`: the lines between, N times, `{40000+}` counting up from 40000.
    Repeat {
        /// How often.
        times: u32,
        /// Line numbers and texts.
        body: Vec<(usize, String)>,
    },
    /// `routes TABLE` with every route in force.
    Routes {
        /// The route table's name or id.
        table: String,
        /// The routes.
        golden: Golden,
    },
    /// `TIME NAME > packet`: NAME sends this.
    Send {
        /// When; now if it is not said.
        when: Option<When>,
        /// Whose link.
        from: String,
        /// What.
        packet: PacketSpec,
    },
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `+20ms`: after the line before.
    After(Duration),
    /// `20ms`: since the start.
    At(Time),
}

impl When {
    /// The point in time, if it is `now` at the line before.
    #[must_use]
    pub fn from(self, now: Time) -> Time {
        match self {
            Self::After(duration) => now + duration,
            Self::At(time) => time,
        }
    }
}

/// Lines that begin with `|`: what a command printed when somebody looked and found it right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Golden {
    /// The lines without `| `.
    pub lines: Vec<String>,
}

impl Script {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Script::parse`].
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let file = shown(path);
        let text = std::fs::read_to_string(path).map_err(|error| ScriptError {
            file: file.clone(),
            line: 1,
            column: 1,
            expected: "a scenario file".to_owned(),
            found: error.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, ..Self::parse(&file, &text)? })
    }

    /// Reads a scenario from text; `file` is what errors call it.
    ///
    /// # Errors
    /// The first line that is not one of the grammar's, with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        read::script(file, text)
    }

    /// The text with other lines below its commands: what `UPDATE_GOLDEN=1` writes.
    ///
    /// Shape: `goldens` are the lines of commands, from 1, and what each printed.
    #[must_use]
    pub fn with_goldens(&self, goldens: &[(usize, Vec<String>)]) -> String {
        let mut text = String::new();
        let mut below = false;
        for (index, line) in self.source.lines().enumerate() {
            if below && line.trim_start().starts_with('|') {
                continue;
            }
            text.push_str(line);
            text.push('\n');
            let golden = goldens.iter().find(|(at, _)| *at == index + 1);
            below = golden.is_some();
            for line in golden.iter().flat_map(|(_, lines)| lines) {
                text.push_str(format!("  | {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

/// Why a scenario cannot be read: where, and what should have been there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What should have been there.
    pub expected: String,
    /// What was there; empty at the end of the line.
    pub found: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, expected, found } = self;
        write!(f, "{file}:{line}:{column}: expected {expected}, found ")?;
        if found.is_empty() { f.write_str("the end of the line") } else { write!(f, "`{found}`") }
    }
}

impl std::error::Error for ScriptError {}

/// A path as people in the repository's top folder would write it.
fn shown(path: &Path) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    top.and_then(|top| path.strip_prefix(top).ok()).unwrap_or(path).display().to_string()
}

/// One line of a [`Verb::Repeat`], for the `index`th time.
///
/// # Errors
/// As [`Script::parse`].
pub fn repeated(file: &str, line: usize, text: &str, index: u32) -> Result<Step, ScriptError> {
    read::repeated(file, line, text, index)
}
