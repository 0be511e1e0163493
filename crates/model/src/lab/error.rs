//! What is wrong with a lab file, and where.

use std::fmt;

use super::tree::{Place, Span, Tree};

/// One thing that is wrong with a lab file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}:{column}: {}{message}", Prefixed(.path))]
pub struct LabError {
    /// The file's name as it was given, or the edit that brought the text.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// Names from the top of the file to the value: `vpcs.vpc-a.subnets.a1.cidr`; empty for what is not YAML.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
    /// EC2's code for it, if it is a rule of EC2's that is broken.
    pub aws_code: Option<String>,
    /// The line's text.
    line_text: String,
    /// How many characters of it are meant.
    width: usize,
}

/// Everything that is wrong with a lab file, in the order of the file; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabErrors(Vec<LabError>);

impl LabErrors {
    /// The errors.
    pub fn iter(&self) -> std::slice::Iter<'_, LabError> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Each error with the line it is about and a mark below the value, as plain text for a terminal.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                text.push('\n');
            }
            error.render(&mut text);
        }
        text
    }

    pub(super) fn one(fault: Fault, tree: &Tree) -> Self {
        Self(vec![fault.locate(tree)])
    }

    /// The errors of faults, sorted, each once.
    pub(super) fn new(faults: Vec<Fault>, tree: &Tree) -> Self {
        let mut errors: Vec<LabError> = faults.into_iter().map(|fault| fault.locate(tree)).collect();
        errors.sort();
        errors.dedup();
        Self(errors)
    }
}

impl fmt::Display for LabErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for LabErrors {}

impl<'a> IntoIterator for &'a LabErrors {
    type Item = &'a LabError;
    type IntoIter = std::slice::Iter<'a, LabError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl LabError {
    fn render(&self, text: &mut String) {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are kept under tabs, so that the mark stands below the value whatever their width.
        let pad: String =
            self.line_text.chars().take(self.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        text.push_str(&format!("{self}\n"));
        text.push_str(&format!("{gutter} |\n"));
        text.push_str(&format!("{number} | {}\n", self.line_text));
        text.push_str(&format!("{gutter} | {pad}{}\n", "^".repeat(self.width)));
    }
}

struct Prefixed<'a>(&'a str);

impl fmt::Display for Prefixed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

/// Something wrong, before its place is looked up.
///
/// Shape: also the error type on the way through serde, which adds the place on the way out.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    at: At,
    message: String,
    aws_code: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Nowhere,
    Place(Place),
    Span(Span),
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { at: At::Nowhere, message: message.into(), aws_code: None }
    }

    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { at: At::Place(place), message: message.into(), aws_code: None }
    }

    pub(super) const fn at_span(span: Span, message: String) -> Self {
        Self { at: At::Span(span), message, aws_code: None }
    }

    /// The fault with a place, if it has none yet.
    pub(super) fn or_at(self, place: Place) -> Self {
        match self.at {
            At::Nowhere => Self { at: At::Place(place), ..self },
            At::Place(_) | At::Span(_) => self,
        }
    }

    /// The fault with more to say.
    pub(super) fn and(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The fault with EC2's code for it.
    pub(super) fn with_aws_code(mut self, code: String) -> Self {
        self.aws_code = Some(code);
        self
    }

    fn locate(self, tree: &Tree) -> LabError {
        let (span, path) = match self.at {
            At::Nowhere => (Span::default(), String::new()),
            At::Place(place) => (tree.span(place), tree.path(place.node)),
            At::Span(span) => (span, String::new()),
        };
        let (file, line, column, source) = match tree.source(span) {
            Some(source) => {
                let (line, column) = source.line(span.start);
                let text = source.text.lines().nth(line - 1).unwrap_or_default();
                (source.name.to_string(), line, column, text.to_owned())
            }
            None => (String::new(), 1, 1, String::new()),
        };
        let written = tree
            .source(span)
            .and_then(|source| source.text.get(span.start..span.end))
            .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count());
        let left = source.chars().count().saturating_sub(column - 1);
        LabError {
            file,
            line,
            column,
            path,
            message: self.message,
            aws_code: self.aws_code,
            width: written.min(left).max(1),
            line_text: source,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// The words of a list that look like a given one, nearest first, at most three.
pub(super) fn near<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = words
        .into_iter()
        .map(|other| (distance(word, other), other))
        .filter(|&(distance, _)| distance <= most)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, word)| word).collect()
}

/// `; did you mean 'a' or 'b'?`, or else what there is.
pub(super) fn hint<'a>(word: &str, words: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let near = near(word, words.clone());
    if !near.is_empty() {
        let near: Vec<String> = near.iter().map(|word| format!("'{word}'")).collect();
        return format!("; did you mean {}?", near.join(" or "));
    }
    let mut all: Vec<&str> = words.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    match all.len() {
        0 => String::new(),
        1 => format!("; there is {}", all.join(", ")),
        2..=12 => format!("; there are {}", all.join(", ")),
        more => format!("; there are {} and {} more", all[..11].join(", "), more - 11),
    }
}

/// How many letters have to change, come or go, or be swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_those_a_finger_could_have_meant() {
        let words = ["subnet", "subnets", "security_groups", "address"];
        assert_eq!(near("subent", words), ["subnet", "subnets"]);
        assert_eq!(near("adress", words), ["address"]);
        assert_eq!(near("security_group", words), ["security_groups"]);
        assert!(near("nothing", words).is_empty());
        assert_eq!(near("a9", ["a1", "a2", "b1"]), ["a1", "a2"]);
    }
}
