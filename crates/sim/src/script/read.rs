//! From lines to steps.

use std::path::PathBuf;
use std::time::Duration;

use vpc_model::{DropReason, Time};
use vpc_packet::PacketSpec;

use super::{Golden, Script, ScriptError, Step, Topology, Verb, When};

/// What a line may begin with, for errors.
const VERBS: &str = "a time, NAME > or < and a packet, drop, set, delete, refused, explain, routes, flows, repeat, mark, engine, use or lab";

pub(super) fn script(file: &str, text: &str) -> Result<Script, ScriptError> {
    let script = Script {
        file: file.to_owned(),
        folder: PathBuf::new(),
        source: text.to_owned(),
        topology: Topology::Use(String::new()),
        lab: false,
        long: false,
        flow_limit: None,
        steps: Vec::new(),
    };
    let mut reader = Reader { script, topology: None, block: None };
    let mut line = Line { file, number: 1, text: "" };
    for (index, text) in text.lines().enumerate() {
        line = Line { file, number: index + 1, text };
        reader.line(line)?;
    }
    reader.finish(line)
}

/// What is read so far.
struct Reader<'a> {
    script: Script,
    topology: Option<Topology>,
    block: Option<Block<'a>>,
}

/// A `repeat` whose `end` has not come yet.
struct Block<'a> {
    start: Line<'a>,
    times: u32,
    body: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Line<'a>) -> Result<(), ScriptError> {
        let mut words = line.words();
        let Some(first) = words.peek() else { return Ok(()) };
        if let Some(block) = self.block.take() {
            return self.line_of_block(block, line, &first);
        }
        let steps = self.script.steps.len();
        match first.text {
            "use" | "lab" => {
                words.next();
                let name = words.one("a name")?.text;
                words.end()?;
                if self.topology.is_some() {
                    return Err(first.expected("one `use` or `lab` line"));
                }
                let is_name = first.text == "use";
                self.topology = Some(if is_name { Topology::Use(name.to_owned()) } else { Topology::Lab(name.into()) });
            }
            "mark" => {
                words.next();
                let what = words.one("lab or long")?;
                match what.text {
                    "lab" => self.script.lab = true,
                    "long" => self.script.long = true,
                    _ => return Err(what.expected("lab or long")),
                }
                words.end()?;
            }
            "engine" => {
                words.next();
                let option = words.one("flows=N")?;
                let count = option.text.strip_prefix("flows=").and_then(|n| n.parse().ok());
                self.script.flow_limit = Some(count.ok_or_else(|| option.expected("flows=N"))?);
                words.end()?;
            }
            "repeat" => {
                words.next();
                let count = words.one("how often")?;
                let times = count.text.parse().ok().filter(|&n| n > 0);
                let times = times.ok_or_else(|| count.expected("a number above 0"))?;
                words.end()?;
                self.block = Some(Block { start: line, times, body: Vec::new() });
            }
            text if text.starts_with('|') => {
                let golden = self.script.steps.last_mut().and_then(|step| golden_of(&mut step.verb));
                let golden = golden.ok_or_else(|| first.expected("`|` only below `explain` or `routes`"))?;
                let rest = line.text.trim_start().trim_start_matches('|');
                golden.lines.push(rest.strip_prefix(' ').unwrap_or(rest).trim_end().to_owned());
            }
            _ => self.script.steps.push(step(&line)?),
        }
        let happens = self.script.steps.len() > steps || self.block.is_some();
        if happens && self.topology.is_none() {
            return Err(first.expected("`use TOPOLOGY` or `lab FILE` before anything that happens"));
        }
        Ok(())
    }

    fn line_of_block(&mut self, mut block: Block<'a>, line: Line<'a>, first: &Word<'_>) -> Result<(), ScriptError> {
        if first.text == "end" {
            let mut words = line.words();
            words.next();
            words.end()?;
            let verb = Verb::Repeat { times: block.times, body: block.body };
            self.script.steps.push(Step { line: block.start.number, verb });
            return Ok(());
        }
        // Both ends are read now, so that a line that is wrong is wrong at once.
        repeated(line.file, line.number, line.text, 0)?;
        repeated(line.file, line.number, line.text, block.times - 1)?;
        block.body.push((line.number, line.text.to_owned()));
        self.block = Some(block);
        Ok(())
    }

    fn finish(self, last: Line<'_>) -> Result<Script, ScriptError> {
        if let Some(block) = self.block {
            return Err(block.start.words().word_at(0).expected("an `end` for this `repeat`"));
        }
        let at_the_end = Line { text: "", ..last };
        let missing = || at_the_end.words().word_at(0).expected("`use TOPOLOGY` or `lab FILE`");
        let script = Script { topology: self.topology.ok_or_else(missing)?, ..self.script };
        check_order(&script.file, &script.steps)?;
        Ok(script)
    }
}

/// One line of a block, its numbers counted up.
pub(super) fn repeated(file: &str, number: usize, text: &str, index: u32) -> Result<Step, ScriptError> {
    let counted = count_up(file, number, text, index)?;
    step(&Line { file, number, text: &counted })
}

/// Replaces `{40000+}` by 40000 + index.
fn count_up(file: &str, number: usize, text: &str, index: u32) -> Result<String, ScriptError> {
    let line = Line { file, number, text };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}') else {
            break;
        };
        let inside = &rest[open + 1..open + close];
        let Some(start) = inside.strip_suffix('+') else {
            // A value in braces, not a counter.
            out.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
            continue;
        };
        let word = || line.words().word_at(text.len() - rest.len() + open);
        let start: u64 = start.parse().map_err(|_| word().expected("{NUMBER+}"))?;
        out.push_str(&rest[..open]);
        out.push_str(&(start + u64::from(index)).to_string());
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn golden_of(verb: &mut Verb) -> Option<&mut Golden> {
    match verb {
        Verb::Explain { golden, .. } | Verb::Routes { golden, .. } => Some(golden),
        Verb::Advance(_)
        | Verb::Change(_)
        | Verb::Drop(_)
        | Verb::Expect { .. }
        | Verb::Flows(_)
        | Verb::Refused(_)
        | Verb::Repeat { .. }
        | Verb::Send { .. } => None,
    }
}

/// `refused` speaks about the change before it.
fn check_order(file: &str, steps: &[Step]) -> Result<(), ScriptError> {
    let mut after_change = false;
    for step in steps {
        if matches!(step.verb, Verb::Refused(_)) && !after_change {
            let text = "refused";
            let number = step.line;
            return Err(Line { file, number, text }
                .words()
                .word_at(0)
                .expected("`set` or `delete` on the line before `refused`"));
        }
        after_change = matches!(step.verb, Verb::Change(_));
    }
    Ok(())
}

fn step(line: &Line<'_>) -> Result<Step, ScriptError> {
    let mut words = line.words();
    let verb = verb(&mut words)?;
    Ok(Step { line: line.number, verb })
}

fn verb(words: &mut Words<'_>) -> Result<Verb, ScriptError> {
    let first = words.one(VERBS)?;
    match first.text {
        // The editor's own errors have places of their own, so the line is passed on whole.
        "set" | "delete" => Ok(Verb::Change(words.line.text.trim().to_owned())),
        "drop" => {
            let code = words.one("the code of a drop reason")?;
            words.end()?;
            DropReason::from_code(code.text)
                .map(Verb::Drop)
                .ok_or_else(|| code.expected("the code of a drop reason, as `vpcctl stages` lists them"))
        }
        "refused" => {
            let code = words.next().map(|word| word.text.to_owned());
            words.end()?;
            Ok(Verb::Refused(code))
        }
        "flows" => {
            let count = words.one("how many")?;
            words.end()?;
            let count = count.text.parse().map_err(|_| count.expected("a number"))?;
            Ok(Verb::Flows(count))
        }
        "routes" => {
            let table = words.one("a route table")?;
            words.end()?;
            Ok(Verb::Routes { table: table.text.to_owned(), golden: Golden::default() })
        }
        "explain" => {
            let from = words.one("who sends")?.text.to_owned();
            words.arrow(">")?;
            Ok(Verb::Explain { from, packet: words.packet()?, golden: Golden::default() })
        }
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '+') => {
            let when = when(&first)?;
            let Some(from) = words.next() else {
                return Ok(Verb::Advance(when));
            };
            words.arrow(">")?;
            Ok(Verb::Send { when: Some(when), from: from.text.to_owned(), packet: words.packet()? })
        }
        name => match words.next() {
            Some(arrow) if arrow.text == ">" => {
                Ok(Verb::Send { when: None, from: name.to_owned(), packet: words.packet()? })
            }
            Some(arrow) if arrow.text == "<" => Ok(Verb::Expect { at: name.to_owned(), packet: words.packet()? }),
            _ => Err(first.expected(VERBS)),
        },
    }
}

fn when(word: &Word<'_>) -> Result<When, ScriptError> {
    let error = || word.expected("a time such as 0ms, +20ms or +5s");
    let text = word.text.trim_start_matches('+');
    let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
    let count: u64 = text[..unit].parse().map_err(|_| error())?;
    let duration = match &text[unit..] {
        "us" => Duration::from_micros(count),
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        _ => return Err(error()),
    };
    Ok(if word.text.starts_with('+') { When::After(duration) } else { When::At(Time::ZERO + duration) })
}

/// One line and where it is.
#[derive(Clone, Copy)]
struct Line<'a> {
    file: &'a str,
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    const fn words(self) -> Words<'a> {
        Words { line: self, at: 0 }
    }
}

/// A word and where it is.
#[derive(Clone, Copy)]
struct Word<'a> {
    line: Line<'a>,
    text: &'a str,
    /// In bytes from the start of the line.
    at: usize,
}

impl Word<'_> {
    fn expected(&self, what: &str) -> ScriptError {
        ScriptError {
            file: self.line.file.to_owned(),
            line: self.line.number,
            column: self.line.text.get(..self.at).map_or(0, |head| head.chars().count()) + 1,
            expected: what.to_owned(),
            found: self.text.to_owned(),
        }
    }
}

/// Splits a line at blanks; what follows `#` at the start of a word is a comment.
struct Words<'a> {
    line: Line<'a>,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<Word<'a>> {
        let word = self.peek()?;
        self.at = word.at + word.text.len();
        Some(word)
    }

    fn peek(&self) -> Option<Word<'a>> {
        let rest = self.line.text.get(self.at..)?;
        let start = self.at + rest.len() - rest.trim_start().len();
        let word = self.word_at(start);
        (!word.text.is_empty() && !word.text.starts_with('#')).then_some(word)
    }

    fn word_at(&self, at: usize) -> Word<'a> {
        let rest = self.line.text.get(at..).unwrap_or_default();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        Word { line: self.line, text: &rest[..end], at }
    }

    fn one(&mut self, expected: &str) -> Result<Word<'a>, ScriptError> {
        let at_the_end = self.word_at(self.line.text.len());
        self.next().ok_or_else(|| at_the_end.expected(expected))
    }

    fn arrow(&mut self, arrow: &str) -> Result<(), ScriptError> {
        let expected = format!("`{arrow}` and a packet");
        let word = self.one(&expected)?;
        if word.text == arrow { Ok(()) } else { Err(word.expected(&expected)) }
    }

    /// The rest of the line as a packet.
    fn packet(&mut self) -> Result<PacketSpec, ScriptError> {
        let first = self.one("a packet such as `tcp 10.0.1.10:40000 > 10.0.2.10:80 S`")?;
        let rest = self.line.text.get(first.at..).unwrap_or_default();
        let rest = rest.split(" #").next().unwrap_or_default().trim_end();
        rest.parse().map_err(|error: vpc_packet::TextError| {
            let before = first.expected(&error.expected);
            ScriptError { column: before.column + error.column - 1, found: error.found, ..before }
        })
    }

    fn end(&mut self) -> Result<(), ScriptError> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(word.expected("the end of the line")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Script, ScriptError> {
        Script::parse("x.txt", text)
    }

    fn packet(text: &str) -> PacketSpec {
        text.parse().unwrap()
    }

    #[test]
    fn every_verb_is_read() {
        let script = parse(
            "# about\nuse t1\nmark lab\nengine flows=4\n\
             0ms h2 > tcp 10.0.2.10:1 > 10.0.2.11:80 S  # first\n  h2b < tcp 10.0.2.10:1 > 10.0.2.11:80 S\n\
             drop no_route\n+5s\nset a.b: { c: 1 }\nrefused InvalidSubnet.Range\ndelete a.b\nflows 2\n\
             explain h2 > icmp 10.0.2.10 > 10.0.2.11\n  | eni h2\n  |   pass\nroutes rtb-prv\n\
             h2 > icmp 10.0.2.10 > 10.0.2.11\n",
        )
        .unwrap();
        assert_eq!((script.lab, script.flow_limit), (true, Some(4)));
        assert_eq!(script.topology, Topology::Use("t1".into()));
        let verbs: Vec<Verb> = script.steps.into_iter().map(|step| step.verb).collect();
        let tcp = packet("tcp 10.0.2.10:1 > 10.0.2.11:80 S");
        let ping = packet("icmp 10.0.2.10 > 10.0.2.11");
        let golden = |lines: &[&str]| Golden { lines: lines.iter().map(|&line| line.to_owned()).collect() };
        let send = |when, packet| Verb::Send { when, from: "h2".into(), packet };
        let expected = [
            send(Some(When::At(Time::ZERO)), tcp.clone()),
            Verb::Expect { at: "h2b".into(), packet: tcp },
            Verb::Drop(DropReason::NoRoute),
            Verb::Advance(When::After(Duration::from_secs(5))),
            Verb::Change("set a.b: { c: 1 }".into()),
            Verb::Refused(Some("InvalidSubnet.Range".into())),
            Verb::Change("delete a.b".into()),
            Verb::Flows(2),
            Verb::Explain { from: "h2".into(), packet: ping.clone(), golden: golden(&["eni h2", "  pass"]) },
            Verb::Routes { table: "rtb-prv".into(), golden: golden(&[]) },
            send(None, ping),
        ];
        assert_eq!(verbs, expected);
    }

    #[test]
    fn a_repeated_line_counts_up() {
        let script = parse("use t1\nrepeat 3\nh2 > udp 10.0.2.10:{40000+} > 10.0.2.11:53\nend\n").unwrap();
        let Verb::Repeat { times: 3, body } = &script.steps[0].verb else { panic!("{script:?}") };
        let third = repeated("x.txt", body[0].0, &body[0].1, 2).unwrap();
        let Verb::Send { packet, .. } = third.verb else { panic!("{third:?}") };
        assert_eq!(packet.tuple().src_port, 40002);
    }

    #[test]
    fn new_goldens_take_the_place_of_old_ones() {
        let script = parse("use t1\nroutes r\n  | old\n  | older\nflows 1\nroutes s\n").unwrap();
        let goldens = [(2, vec!["a".to_owned(), String::new()]), (6, vec!["b".to_owned()])];
        let expected = "use t1\nroutes r\n  | a\n  |\nflows 1\nroutes s\n  | b\n";
        assert_eq!(script.with_goldens(&goldens), expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let errors = [
            (
                "use t1\n  drop because\n",
                "x.txt:2:8: expected the code of a drop reason, as `vpcctl stages` lists them, found `because`",
            ),
            (
                "use t1\nh2 > tcp 10.0.2.10:1 > 10.0.2.11 S\n",
                "x.txt:2:24: expected an address with a port, found `10.0.2.11`",
            ),
            (
                "use t1\n5 h2 > icmp 10.0.2.10 > 10.0.2.11\n",
                "x.txt:2:1: expected a time such as 0ms, +20ms or +5s, found `5`",
            ),
            ("use t1\nexplain h2 <\n", "x.txt:2:12: expected `>` and a packet, found `<`"),
            ("use t1\nmark\n", "x.txt:2:5: expected lab or long, found the end of the line"),
            ("use t1\n| x\n", "x.txt:2:1: expected `|` only below `explain` or `routes`, found `|`"),
            (
                "use t1\nrefused X\n",
                "x.txt:2:1: expected `set` or `delete` on the line before `refused`, found `refused`",
            ),
            ("use t1\nrepeat 2\nflows 1\n", "x.txt:2:1: expected an `end` for this `repeat`, found `repeat`"),
            ("use t1\nrepeat 2\nudp x\nend\n", "x.txt:3:1: expected a time,"),
            ("use t1\nrepeat 40000\nh2 > udp 10.0.2.10:{40000+} > 10.0.2.11:53\nend\n", "x.txt:3:10: expected"),
            (
                "flows 1\n",
                "x.txt:1:1: expected `use TOPOLOGY` or `lab FILE` before anything that happens, found `flows`",
            ),
            ("# only a comment\n", "x.txt:1:1: expected `use TOPOLOGY` or `lab FILE`, found the end of the line"),
        ];
        for (text, expected) in errors {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}\n  {error}\n  {expected}");
        }
    }
}
