//! One change of a lab, as scenarios write it: `set PATH: VALUE` and `delete PATH`.
//!
//! A path names keys from the top of the file, with dots between: `vpcs.vpc-a.subnets.a1.cidr`. Its beginning may
//! be left out as long as the rest is found in one place only: `security_groups.sg-web.egress`. Items of lists
//! are `[0]`, `[1]` … A key may contain dots and slashes, and may stand in quotes: `rtb-prv.198.18.0.0/24`,
//! `rtb-prv."198.18.0.0/24"`.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::error::{Fault, LabErrors, hint};
use super::tree::{Content, NodeId, Span, Tree};
use super::{Lab, NamesByKind};
use crate::desired::Change;

/// One change of a lab.
///
/// Shape: parsed from `set PATH: VALUE`, where the value is YAML, or `delete PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    text: String,
    path: Part,
    value: Option<Part>,
}

/// A part of an edit's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    start: usize,
    end: usize,
}

/// A text that is no edit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no edit; expected 'set PATH: VALUE' or 'delete PATH'")]
pub struct EditError {
    /// What was given.
    pub text: String,
}

impl Edit {
    /// Gives the value at a path, which may be new, another one.
    #[must_use]
    pub fn set(path: &str, value: &str) -> Self {
        let text = format!("set {path}: {value}");
        let path = Part { start: 4, end: 4 + path.len() };
        let value = Some(Part { start: path.end + 2, end: text.len() });
        Self { text, path, value }
    }

    /// Takes away what is at a path.
    #[must_use]
    pub fn delete(path: &str) -> Self {
        let text = format!("delete {path}");
        let path = Part { start: 7, end: text.len() };
        Self { text, path, value: None }
    }

    fn part(&self, part: Part) -> &str {
        self.text.get(part.start..part.end).unwrap_or_default()
    }
}

impl FromStr for Edit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let error = || EditError { text: text.to_owned() };
        let (verb, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(error)?;
        let rest = rest.trim();
        match verb {
            "set" => {
                let colon = separator(rest).ok_or_else(error)?;
                let (path, value) = (rest[..colon].trim(), rest[colon + 1..].trim());
                if path.is_empty() {
                    return Err(error());
                }
                Ok(Self::set(path, value))
            }
            "delete" if !rest.is_empty() => Ok(Self::delete(rest)),
            _ => Err(error()),
        }
    }
}

impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Lab {
    /// The lab with one change; this one stays what it was.
    ///
    /// Shape: where a deleted gateway, interface or group is still a route's target or a rule's peer, the route
    /// becomes a black hole and the rule goes stale, as in EC2 (R2.11, R8.4).
    ///
    /// # Errors
    /// A path that is found nowhere or in several places; everything that would be wrong with the outcome.
    pub fn edit(&self, edit: &Edit) -> Result<Self, LabErrors> {
        let mut tree = self.tree.clone();
        let mut faults = Vec::new();
        if let Err(fault) = apply(&mut tree, edit, &mut faults) {
            return Err(LabErrors::one(fault, &tree));
        }
        let mut gone = self.gone.clone();
        gone.extend(names_of(&self.changes));
        Self::from_tree(tree, faults, gone)
    }
}

fn names_of(changes: &[Change]) -> NamesByKind {
    let named = |change: &Change| match change {
        Change::Delete(_) | Change::Record { .. } => None,
        Change::Put(resource) => {
            let (id, name) = (resource.id(), resource.name()?);
            Some(((id.noun(), name.to_string()), id))
        }
    };
    changes.iter().filter_map(named).collect()
}

fn apply(tree: &mut Tree, edit: &Edit, faults: &mut Vec<Fault>) -> Result<(), Fault> {
    let path = edit.part(edit.path);
    let source = tree.add_source("edit", &edit.text);
    let span = Span { source, start: edit.path.start, end: edit.path.end };
    let fault = |message: String| Fault::at_span(span, message);
    let Some(value) = edit.value else {
        let node = find(tree, path).map_err(fault)?;
        tree.remove(node);
        return Ok(());
    };
    let value = tree.read_source(source, value.start, faults)?;
    match find(tree, path) {
        Ok(node) => match (tree.parent(node), tree.key(node).map(str::to_owned)) {
            (Some(parent), Some(key)) => tree.put(parent, &key, span, value),
            (Some(_) | None, _) => tree.replace(node, value),
        },
        Err(message) => {
            let (parent, key) = find_parent(tree, path, message).map_err(fault)?;
            tree.put(parent, &key, span, value);
        }
    }
    Ok(())
}

/// The node at a path.
fn find(tree: &Tree, path: &str) -> Result<NodeId, String> {
    let whole = |matches: Vec<Match<'_>>| -> BTreeSet<NodeId> {
        matches.into_iter().filter(|found| found.rest.is_empty()).map(|found| found.node).collect()
    };
    let from_top = whole(matches_from(tree, tree.root(), path));
    if let Some(&node) = from_top.first() {
        return Ok(node);
    }
    let anywhere: BTreeSet<NodeId> =
        tree.all().into_iter().flat_map(|start| whole(matches_from(tree, start, path))).collect();
    let mut found = anywhere.iter();
    match (found.next(), found.next()) {
        (Some(&node), None) => Ok(node),
        (None, _) => Err(missing(tree, path)),
        (Some(_), Some(_)) => Err(ambiguous(tree, path, &anywhere)),
    }
}

/// The map in which the last part of a path is a new key.
fn find_parent(tree: &Tree, path: &str, message: String) -> Result<(NodeId, String), String> {
    let is_map = |found: &Match<'_>| {
        let content = tree.content(found.node);
        matches!(content, Content::Map(_)) || content.is_null()
    };
    let top = Match { node: tree.root(), rest: path };
    let mut parents: Vec<Match<'_>> = tree
        .all()
        .into_iter()
        .flat_map(|start| matches_from(tree, start, path))
        .chain([top])
        .filter(|found| is_map(found) && !found.rest.is_empty())
        .collect();
    let shortest = parents.iter().map(|found| found.rest.len()).min();
    parents.retain(|found| Some(found.rest.len()) == shortest);
    let nodes: BTreeSet<NodeId> = parents.iter().map(|found| found.node).collect();
    match (parents.first(), nodes.len()) {
        (Some(found), 1) => match new_key(found.rest) {
            Some(key) => Ok((found.node, key.to_owned())),
            None => Err(message),
        },
        (Some(_), _) => Err(ambiguous(tree, path, &nodes)),
        (None, _) => Err(message),
    }
}

/// A key that does not exist yet: in quotes, or without dots unless it is a prefix.
fn new_key(rest: &str) -> Option<&str> {
    match quoted(rest) {
        Some((key, "")) => Some(key),
        Some(_) => None,
        None if rest.contains(['[', '"']) || rest.contains('.') && !rest.contains('/') => None,
        None => Some(rest),
    }
}

/// A node that the beginning of a path leads to, and what is left of the path.
#[derive(Clone, Copy)]
struct Match<'p> {
    node: NodeId,
    rest: &'p str,
}

/// All nodes that a path passes when it starts below a node.
fn matches_from<'p>(tree: &Tree, start: NodeId, path: &'p str) -> Vec<Match<'p>> {
    let mut found = Vec::new();
    let mut open = vec![Match { node: start, rest: path }];
    while let Some(Match { node, rest }) = open.pop() {
        for (index, child) in tree.children(node).enumerate() {
            let after = match tree.key(child) {
                Some(key) => match quoted(rest) {
                    Some((quoted, after)) if quoted == key => Some(after),
                    Some(_) => None,
                    None => rest.strip_prefix(key),
                },
                None => rest.strip_prefix(format!("[{index}]").as_str()),
            };
            let next = after.and_then(|after| match after.chars().next() {
                None | Some('[') => Some(after),
                Some('.') => Some(&after[1..]),
                Some(_) => None,
            });
            if let Some(rest) = next {
                let next = Match { node: child, rest };
                found.push(next);
                if !rest.is_empty() {
                    open.push(next);
                }
            }
        }
    }
    found
}

/// A quoted key at the beginning of a text, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// Where the path of a `set` ends: at a colon outside quotes, before a space or the end.
fn separator(text: &str) -> Option<usize> {
    let mut in_quotes = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let at_end = chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        match c {
            '"' => in_quotes = !in_quotes,
            ':' if !in_quotes && at_end => return Some(at),
            _ => {}
        }
    }
    None
}

fn missing(tree: &Tree, path: &str) -> String {
    let furthest =
        tree.all().into_iter().flat_map(|start| matches_from(tree, start, path)).min_by_key(|found| found.rest.len());
    match furthest {
        Some(found) => {
            let keys: Vec<&str> = tree.children(found.node).filter_map(|child| tree.key(child)).collect();
            let wanted = found.rest.split('.').next().unwrap_or(found.rest);
            let hint = hint(wanted, keys.iter().copied());
            format!("there is no '{}' in {}{hint}", found.rest, tree.path(found.node))
        }
        None => format!("there is no '{path}' in the lab"),
    }
}

fn ambiguous(tree: &Tree, path: &str, nodes: &BTreeSet<NodeId>) -> String {
    let paths: Vec<String> = nodes.iter().take(4).map(|&node| tree.path(node)).collect();
    format!("'{path}' could be in {}; expected a longer path", paths.join(" or "))
}
