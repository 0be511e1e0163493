//! Plays a scenario on a network, whichever it is, and compares.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use vpc_model::{DropReason, Time};
use vpc_packet::PacketSpec;

use crate::script::{Golden, Script, Step, Verb, repeated};

/// A network that scenarios are played on: the simulator, or a daemon with namespaces.
///
/// Whatever a method cannot do is said in words; the scenario then fails at its line.
pub trait Net {
    /// Applies one edit to the network.
    ///
    /// # Errors
    /// [`Refusal`] when the network would be invalid; nothing has changed then.
    fn change(&mut self, edit: &str) -> Result<(), Refusal>;

    /// Lets time pass up to `now`; timers run.
    ///
    /// # Errors
    /// Why time cannot pass here.
    fn advance(&mut self, now: Time) -> Result<(), String>;

    /// Sends a packet into the link of `from`.
    ///
    /// # Errors
    /// What is wrong with the sender, or with how the network took the packet.
    fn send(&mut self, from: &str, packet: &PacketSpec) -> Result<(), String>;

    /// What has come out since the last call.
    ///
    /// Shape: `expected` is what the script will ask for next; a network in real time waits for as much.
    ///
    /// # Errors
    /// What is wrong with something that came out.
    fn outputs(&mut self, expected: &[Expected<'_>]) -> Result<Vec<Output>, String>;

    /// What would happen to a packet, as text.
    ///
    /// # Errors
    /// What is wrong with the sender or the packet.
    fn explain(&mut self, from: &str, packet: &PacketSpec) -> Result<String, String>;

    /// Every route in force in a table, a line each.
    ///
    /// # Errors
    /// No such table.
    fn routes(&mut self, table: &str) -> Result<Vec<String>, String>;

    /// How many flows are remembered.
    ///
    /// # Errors
    /// Why the number is not known here.
    fn flows(&mut self) -> Result<usize, String>;
}

/// Why a change was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// EC2's codes, one per violation.
    pub codes: Vec<String>,
    /// In words.
    pub text: String,
}

/// What a script asks for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// The packet is dropped.
    Drop(DropReason),
    /// A packet comes out of the link of this name.
    Packet(&'a str),
}

/// Something that came out of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The packet sent last was dropped.
    Drop(DropReason),
    /// A packet came out.
    Packet {
        /// Whose link.
        at: String,
        /// What was in it.
        packet: Box<PacketSpec>,
    },
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop(reason) => write!(f, "drop {reason}"),
            Self::Packet { at, packet } => write!(f, "{at} < {}", PacketSpec::clone(packet).brief(32)),
        }
    }
}

/// What to do with the lines that begin with `|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goldens {
    /// They have to be what is printed.
    Compare,
    /// What is printed is handed back, to be written in their place.
    Collect,
}

/// What a scenario did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Packets sent.
    pub sent: usize,
    /// Reasons that packets were dropped for.
    pub reasons: BTreeSet<DropReason>,
    /// With [`Goldens::Collect`]: the line of the command, and what it printed.
    pub goldens: Vec<(usize, Vec<String>)>,
}

/// Where a scenario and a network disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The scenario's file.
    pub file: String,
    /// The line of the script, from 1.
    pub line: usize,
    /// The line's text.
    pub text: String,
    /// What the script expects.
    pub expected: String,
    /// What happened.
    pub got: String,
    /// Why, if the packet sent last can be explained.
    pub explanation: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.file, self.line, self.text.trim())?;
        writeln!(f, "  expected: {}", indented(&self.expected))?;
        write!(f, "  got:      {}", indented(&self.got))?;
        match &self.explanation {
            Some(text) => write!(f, "\n  {}", indented(text.trim_end())),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Plays a scenario to its end.
///
/// # Errors
/// The first line at which script and network disagree.
pub fn play(script: &Script, net: &mut dyn Net, goldens: Goldens) -> Result<Played, Box<Failure>> {
    let mut player = Player {
        script,
        net,
        goldens,
        now: Time::ZERO,
        pending: VecDeque::new(),
        refusal: None,
        sent: None,
        played: Played::default(),
    };
    player.steps(&script.steps)?;
    let line = script.steps.last().map_or(1, |step| step.line);
    player.settle(line, "the end of the scenario")?;
    Ok(player.played)
}

struct Player<'a> {
    script: &'a Script,
    net: &'a mut dyn Net,
    goldens: Goldens,
    now: Time,
    /// What came out and was not yet asked for.
    pending: VecDeque<Output>,
    /// Why the change on the line before was refused.
    refusal: Option<Refusal>,
    /// The packet sent last, for explanations.
    sent: Option<(String, PacketSpec)>,
    played: Played,
}

impl Player<'_> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), Box<Failure>> {
        for (index, step) in steps.iter().enumerate() {
            self.step(step, &steps[index + 1..])?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, rest: &[Step]) -> Result<(), Box<Failure>> {
        let line = step.line;
        if let (Some(refusal), false) = (&self.refusal, matches!(step.verb, Verb::Refused(_))) {
            let text = refusal.text.clone();
            return Err(self.failure(line, "the change before it applied", &text));
        }
        match &step.verb {
            Verb::Advance(when) => {
                self.settle(line, "nothing more before this")?;
                self.advance(line, when.from(self.now))?;
                self.collect(line, rest)
            }
            Verb::Change(edit) => {
                self.settle(line, "nothing more before this")?;
                let will_be_refused = matches!(rest.first(), Some(next) if matches!(next.verb, Verb::Refused(_)));
                match (self.net.change(edit), will_be_refused) {
                    (Ok(()), false) => self.collect(line, rest),
                    (Ok(()), true) => Err(self.failure(line, "a refusal", "the change applied")),
                    (Err(refusal), true) => {
                        self.refusal = Some(refusal);
                        Ok(())
                    }
                    (Err(refusal), false) => Err(self.failure(line, "the change applied", &refusal.text)),
                }
            }
            Verb::Refused(code) => {
                let expected = code.as_deref().unwrap_or("a refusal");
                match self.refusal.take() {
                    Some(refusal) if code.as_ref().is_none_or(|code| refusal.codes.contains(code)) => Ok(()),
                    Some(refusal) => {
                        let got = format!("{} ({})", refusal.codes.join(", "), refusal.text);
                        Err(self.failure(line, expected, &got))
                    }
                    None => Err(self.failure(line, expected, "no change on the line before")),
                }
            }
            Verb::Drop(reason) => {
                let found = self.pending.iter().position(|output| *output == Output::Drop(*reason));
                match found.and_then(|at| self.pending.remove(at)) {
                    Some(_) => {
                        self.played.reasons.insert(*reason);
                        Ok(())
                    }
                    None => {
                        let got = self.pending_in_words();
                        Err(self.failure(line, &format!("drop {reason}"), &got))
                    }
                }
            }
            Verb::Expect { at, packet } => self.expect(line, at, packet),
            Verb::Explain { from, packet, golden } => {
                self.settle(line, "nothing more before this")?;
                let text = self.net.explain(from, packet).map_err(|got| self.failure(line, "an answer", &got))?;
                self.golden(line, golden, golden_lines(&text))
            }
            Verb::Routes { table, golden } => {
                self.settle(line, "nothing more before this")?;
                let lines = self.net.routes(table).map_err(|got| self.failure(line, "a table", &got))?;
                self.golden(line, golden, lines)
            }
            Verb::Flows(count) => {
                self.settle(line, "nothing more before this")?;
                let found = self.net.flows().map_err(|got| self.failure(line, "a number", &got))?;
                if found == *count {
                    return Ok(());
                }
                Err(self.failure(line, &format!("flows {count}"), &format!("flows {found}")))
            }
            Verb::Repeat { times, body } => (0..*times).try_for_each(|index| {
                let lines = body.iter().map(|(line, text)| repeated(&self.script.file, *line, text, index));
                let steps: Result<Vec<Step>, _> = lines.collect();
                let steps = steps.map_err(|error| self.failure(line, "a line", &error.to_string()))?;
                self.steps(&steps)
            }),
            Verb::Send { when, from, packet } => {
                self.settle(line, "nothing more before this")?;
                if let Some(when) = when {
                    self.advance(line, when.from(self.now))?;
                    // Timers speak before the packet does.
                    self.collect(line, &[])?;
                    self.settle(
                        line,
                        "no timer runs out before this packet; a time alone on a line shows what they do",
                    )?;
                }
                self.sent = Some((from.clone(), packet.clone()));
                self.played.sent += 1;
                self.net.send(from, packet).map_err(|got| self.failure(line, "the packet taken", &got))?;
                self.collect(line, rest)
            }
        }
    }

    fn advance(&mut self, line: usize, to: Time) -> Result<(), Box<Failure>> {
        if to < self.now {
            return Err(self.failure(line, &format!("a time from {} on", self.now), &to.to_string()));
        }
        self.now = to;
        self.net.advance(to).map_err(|got| self.failure(line, "time to pass", &got))
    }

    /// Takes what came out, knowing what the script asks for next.
    fn collect(&mut self, line: usize, rest: &[Step]) -> Result<(), Box<Failure>> {
        let expected: Vec<Expected<'_>> = rest
            .iter()
            .map_while(|step| match &step.verb {
                Verb::Drop(reason) => Some(Expected::Drop(*reason)),
                Verb::Expect { at, .. } => Some(Expected::Packet(at)),
                Verb::Advance(_)
                | Verb::Change(_)
                | Verb::Explain { .. }
                | Verb::Flows(_)
                | Verb::Refused(_)
                | Verb::Repeat { .. }
                | Verb::Routes { .. }
                | Verb::Send { .. } => None,
            })
            .collect();
        let outputs = self.net.outputs(&expected);
        let outputs = outputs.map_err(|got| self.failure(line, "well-formed packets with valid checksums", &got))?;
        self.pending.extend(outputs);
        Ok(())
    }

    fn expect(&mut self, line: usize, at: &str, packet: &PacketSpec) -> Result<(), Box<Failure>> {
        let here = |output: &Output| matches!(output, Output::Packet { at: other, .. } if other == at);
        let expected = format!("{at} < {packet}");
        let Some(Output::Packet { packet: actual, .. }) =
            self.pending.iter().position(here).and_then(|index| self.pending.remove(index))
        else {
            let got = self.pending_in_words();
            return Err(self.failure(line, &expected, &got));
        };
        packet.expect(&actual).map_err(|mismatch| {
            let got = format!("{at} < {}\n({mismatch})", actual.brief(32));
            self.failure(line, &expected, &got)
        })
    }

    /// Output that no line mentions is a failure.
    fn settle(&mut self, line: usize, expected: &str) -> Result<(), Box<Failure>> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let got = self.pending_in_words();
        Err(self.failure(line, expected, &got))
    }

    fn golden(&mut self, line: usize, golden: &Golden, found: Vec<String>) -> Result<(), Box<Failure>> {
        if self.goldens == Goldens::Collect {
            self.played.goldens.push((line, found));
            return Ok(());
        }
        if golden.lines == found {
            return Ok(());
        }
        self.sent = None;
        Err(self.failure(line, &golden.lines.join("\n"), &found.join("\n")))
    }

    fn pending_in_words(&self) -> String {
        if self.pending.is_empty() {
            return "nothing".to_owned();
        }
        let lines: Vec<String> = self.pending.iter().map(Output::to_string).collect();
        lines.join("\n")
    }

    fn failure(&mut self, line: usize, expected: &str, got: &str) -> Box<Failure> {
        let explanation = self.sent.as_ref().and_then(|(from, packet)| self.net.explain(from, packet).ok());
        let text = self.script.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        Box::new(Failure {
            file: self.script.file.clone(),
            line,
            text: text.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
            explanation,
        })
    }
}

/// An explanation without its question, which the script says already, and without the number of the tables, which
/// differs between modes.
fn golden_lines(text: &str) -> Vec<String> {
    let lines = text.lines().skip(1).map(|line| {
        let line = line.split(", generation ").next().unwrap_or(line);
        line.strip_prefix("  ").unwrap_or(line).trim_end().to_owned()
    });
    lines.collect()
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n            ")
}
