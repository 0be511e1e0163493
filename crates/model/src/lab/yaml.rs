//! Reads YAML into a tree, within limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle};

use super::error::Fault;
use super::tree::{Content, Key, NodeId, Place, Span, Tree};

/// The largest text that is read.
///
/// Units: bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// How deep nodes may be nested.
const MAX_DEPTH: usize = 32;

impl Tree {
    /// Reads a source from a byte on; the nodes hang nowhere yet.
    pub(super) fn read_source(&mut self, source: usize, from: usize, faults: &mut Vec<Fault>) -> Result<NodeId, Fault> {
        let whole = self.sources.get(source).map(|source| source.text.clone()).unwrap_or_default();
        // What stands before is blanked, so that places are right in the whole text.
        let text = format!("{}{}", " ".repeat(from), whole.get(from..).unwrap_or_default());
        let text = text.as_str();
        let here = |start| Span { source, start, end: start };
        if text.len() > MAX_TEXT {
            return Err(Fault::at_span(
                here(0),
                format!("the text has {} bytes; expected at most {MAX_TEXT}", text.len()),
            ));
        }
        let mut reader = Reader { tree: self, source, open: Vec::new(), anchors: HashMap::new(), root: None, faults };
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let marker = error.marker();
                let start = marker.byte_offset().unwrap_or_else(|| byte_of(text, marker.index()));
                Fault::at_span(here(start), format!("not YAML: {}", error.info()))
            })?;
            let range =
                span.byte_range().unwrap_or_else(|| byte_of(text, span.start.index())..byte_of(text, span.end.index()));
            let span = Span { source, start: range.start, end: range.end };
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    return Err(Fault::at_span(span, "a second document starts here; expected one".to_owned()));
                }
            }
            reader.take(event, span)?;
        }
        match reader.root {
            Some(root) => Ok(root),
            None => self.add(Content::null(), here(0)),
        }
    }

    /// A copy of a node and all below it, for an alias.
    fn copy(&mut self, from: NodeId, depth: usize, at: Span) -> Result<NodeId, Fault> {
        check_depth(depth, at)?;
        let Some(node) = self.node(from).cloned() else {
            return self.add(Content::null(), at);
        };
        let id = self.add(Content::null(), at)?;
        let mut copies = Vec::new();
        for child in self.children(from).collect::<Vec<_>>() {
            let copy = self.copy(child, depth + 1, at)?;
            let key = self.node(child).and_then(|node| node.key.clone());
            if let Some(node) = self.node_mut(copy) {
                node.parent = Some(id);
                node.key = key;
            }
            copies.push(copy);
        }
        let content = match node.content {
            Content::List(_) => Content::List(copies),
            Content::Map(_) => Content::Map(copies),
            scalar @ Content::Scalar { .. } => scalar,
        };
        if let Some(copy) = self.node_mut(id) {
            copy.content = content;
            copy.span = node.span;
        }
        Ok(id)
    }
}

/// Builds a tree from a parser's events.
struct Reader<'a> {
    tree: &'a mut Tree,
    source: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Option<NodeId>>,
    root: Option<NodeId>,
    faults: &'a mut Vec<Fault>,
}

/// The keys of a map whose end was not seen yet.
#[derive(Default)]
struct Keys {
    seen: BTreeMap<Arc<str>, Span>,
    /// The one whose value comes next.
    pending: Option<Key>,
}

/// A list or map whose end was not seen yet.
struct Open {
    id: NodeId,
    span: Span,
    anchor: usize,
    children: Vec<NodeId>,
    /// For maps only.
    keys: Option<Keys>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let content = Content::Scalar { text: text.as_ref().into(), plain: style == ScalarStyle::Plain };
                let id = self.tree.add(content, span)?;
                self.remember(anchor, Some(id));
                self.attach(id, span)
            }
            Event::SequenceStart(_, anchor, _) => self.start(Content::List(Vec::new()), anchor, None, span),
            Event::MappingStart(_, anchor, _) => {
                let keys = Some(Keys::default());
                self.start(Content::Map(Vec::new()), anchor, keys, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&Some(id)) => {
                    let copy = self.tree.copy(id, self.open.len(), span)?;
                    self.attach(copy, span)
                }
                Some(None) | None => Err(Fault::at_span(span, "an alias inside what it stands for".to_owned())),
            },
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => Ok(()),
        }
    }

    fn start(&mut self, content: Content, anchor: usize, keys: Option<Keys>, span: Span) -> Result<(), Fault> {
        check_depth(self.open.len(), span)?;
        if let Some(Keys { pending: None, .. }) = self.open.last().and_then(|open| open.keys.as_ref()) {
            return Err(Fault::at_span(span, "a list or map as a key; expected text".to_owned()));
        }
        let id = self.tree.add(content, span)?;
        self.remember(anchor, None);
        self.open.push(Open { id, span, anchor, children: Vec::new(), keys });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let merge = |child: &NodeId| self.tree.key(*child) == Some("<<");
        let content = if open.keys.is_none() {
            Content::List(open.children)
        } else if let Some(at) = open.children.iter().position(merge) {
            Content::Map(self.merged(open.id, open.children, at)?)
        } else {
            Content::Map(open.children)
        };
        if let Some(node) = self.tree.node_mut(open.id) {
            node.content = content;
        }
        self.remember(open.anchor, Some(open.id));
        self.attach(open.id, open.span)
    }

    /// The children of a map in which `<<` stands for those of other maps; its own win.
    fn merged(&mut self, map: NodeId, mut children: Vec<NodeId>, at: usize) -> Result<Vec<NodeId>, Fault> {
        let merge = children.remove(at);
        let span = self.tree.span(Place::key(merge));
        let maps = match self.tree.content(merge) {
            Content::Map(_) => vec![merge],
            Content::List(maps) => maps.clone(),
            Content::Scalar { .. } => Vec::new(),
        };
        let is_map = |&id: &NodeId| matches!(self.tree.content(id), Content::Map(_));
        if maps.is_empty() || !maps.iter().all(is_map) {
            return Err(Fault::at_span(span, "expected a map or a list of maps under <<".to_owned()));
        }
        for other in maps {
            for child in self.tree.children(other).collect::<Vec<_>>() {
                let taken = |own: &NodeId| self.tree.key(*own) == self.tree.key(child);
                if !children.iter().any(taken) {
                    if let Some(node) = self.tree.node_mut(child) {
                        node.parent = Some(map);
                    }
                    children.push(child);
                }
            }
        }
        Ok(children)
    }

    fn attach(&mut self, id: NodeId, span: Span) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(id);
            return Ok(());
        };
        let parent = open.id;
        let key = match &mut open.keys {
            None => None,
            Some(Keys { pending: pending @ None, .. }) => {
                let Some(Content::Scalar { text, .. }) = self.tree.node(id).map(|node| &node.content) else {
                    return Err(Fault::at_span(span, "a list or map as a key; expected text".to_owned()));
                };
                let text = text.clone();
                *pending = Some(Key { text, span });
                return Ok(());
            }
            Some(Keys { pending, .. }) => pending.take(),
        };
        if let Some(node) = self.tree.node_mut(id) {
            node.parent = Some(parent);
            node.key.clone_from(&key);
        }
        if let (Some(Keys { seen, .. }), Some(key)) = (&mut open.keys, key) {
            if let Some(&first) = seen.get(&key.text) {
                let line = self.tree.sources.get(self.source).map_or(0, |source| source.line(first.start).0);
                self.faults
                    .push(Fault::at(Place::key(id), format!("'{}' is here twice; first in line {line}", key.text)));
                return Ok(());
            }
            seen.insert(key.text, key.span);
        }
        open.children.push(id);
        Ok(())
    }

    fn remember(&mut self, anchor: usize, id: Option<NodeId>) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }
}

fn check_depth(depth: usize, span: Span) -> Result<(), Fault> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(Fault::at_span(span, format!("nested deeper than {MAX_DEPTH} levels"))) }
}

/// The byte at which a character starts.
fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}
