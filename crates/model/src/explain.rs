//! Why a packet goes where it goes: what `explain` answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The whole answer, for people ([`fmt::Display`]) and programs (serde).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked: who sends what.
    pub question: String,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// How it ended.
    pub verdict: Verdict,
    /// Number of the tables that answered.
    pub generation: u64,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// The packet stands somewhere: at an interface, at a subnet's edge, at a gateway.
    Hop {
        /// `eni h2, egress`, `leave a2`, `enter a1, as nat-a`.
        place: String,
        /// The packet as it is here.
        packet: String,
    },
    /// A stage decided.
    Stage {
        /// The stage's name.
        stage: String,
        /// `pass`, what was chosen, or a drop reason's code.
        outcome: String,
        /// The fact that decided it, with the names of resources and rules.
        because: String,
        /// The id of the resource whose rule or route decided.
        resource: Option<String>,
        /// Whether the packet ended here.
        refused: bool,
    },
}

/// How a packet ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is dropped.
    Drop {
        /// The reason's code.
        reason: String,
        /// One sentence about it.
        doc: String,
        /// The Reachability Analyzer's code, where it has one.
        aws: Option<String>,
    },
    /// It is sent.
    Send {
        /// The name of the interface, service or internet host it is sent to.
        to: String,
        /// The packet as it arrives there.
        packet: String,
        /// The largest IP packet the path takes, in bytes.
        mtu: u16,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "explain {}", self.question)?;
        let mut shown = "";
        for step in &self.steps {
            match step {
                Step::Hop { place, packet } if packet == shown => writeln!(f, "  {place}")?,
                Step::Hop { place, packet } => {
                    writeln!(f, "  {place:<24} {packet}")?;
                    shown = packet;
                }
                Step::Stage { stage, outcome, because, .. } => {
                    let line = format!("    {stage:<20} {outcome:<22} {because}");
                    writeln!(f, "{}", line.trim_end())?;
                }
            }
        }
        match &self.verdict {
            Verdict::Drop { reason, doc, aws } => {
                write!(f, "  => drop {reason}")?;
                aws.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))?;
                writeln!(f, ": {doc}")
            }
            Verdict::Send { to, packet, mtu } => {
                let changed = if packet == shown { String::new() } else { format!(" {packet}") };
                writeln!(f, "  => send {to}{changed}, mtu {mtu}, generation {}", self.generation)
            }
        }
    }
}
