//! A YAML text as a tree that remembers where everything was written.

use std::sync::Arc;

use super::error::{Fault, LabErrors};

/// How many nodes a tree may have, those that aliases repeat included.
const MAX_NODES: usize = 100_000;

/// Everything that was read, and later edits of it.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    pub(super) sources: Vec<Source>,
    root: NodeId,
}

/// A text that was read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What errors call it: a file's name.
    pub(super) name: Arc<str>,
    /// What it says.
    pub(super) text: Arc<str>,
}

/// A node of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

/// A node, or the key it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The node.
    pub(super) node: NodeId,
    /// Whether its key is meant.
    pub(super) key: bool,
}

/// Where something stands in a source.
///
/// Units: bytes from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) source: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) span: Span,
    pub(super) parent: Option<NodeId>,
    pub(super) key: Option<Key>,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Nodes in order.
    List(Vec<NodeId>),
    /// Nodes that have keys, in the order they were written.
    Map(Vec<NodeId>),
    /// Text; `plain` when it stands without quotes.
    Scalar { text: Arc<str>, plain: bool },
}

/// What a node that does not exist holds.
static NOTHING: Content = Content::Map(Vec::new());

/// What a node is called in its parent map.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: Arc<str>,
    pub(super) span: Span,
}

impl Tree {
    /// Reads one YAML document.
    ///
    /// Errors: what YAML or the limits do not allow ends the reading with one fault; a key written twice is a
    /// fault beside the tree, in which the first one counts.
    pub(super) fn read(name: &str, text: &str) -> Result<(Self, Vec<Fault>), LabErrors> {
        let mut tree = Self { nodes: Vec::new(), sources: Vec::new(), root: NodeId(0) };
        let mut faults = Vec::new();
        let source = tree.add_source(name, text);
        match tree.read_source(source, 0, &mut faults) {
            Ok(root) => {
                tree.root = root;
                Ok((tree, faults))
            }
            Err(fault) => Err(LabErrors::one(fault, &tree)),
        }
    }

    /// Takes up a text that nodes will be read from.
    pub(super) fn add_source(&mut self, name: &str, text: &str) -> usize {
        self.sources.push(Source { name: name.into(), text: text.into() });
        self.sources.len() - 1
    }

    /// The outermost node.
    pub(super) const fn root(&self) -> NodeId {
        self.root
    }

    /// What a node holds.
    pub(super) fn content(&self, id: NodeId) -> &Content {
        self.node(id).map_or(&NOTHING, |node| &node.content)
    }

    /// The key a node stands under in its parent, if that is a map.
    pub(super) fn key(&self, id: NodeId) -> Option<&str> {
        self.node(id)?.key.as_ref().map(|key| key.text.as_ref())
    }

    /// The node inside a map that has this key.
    pub(super) fn child(&self, map: NodeId, key: &str) -> Option<NodeId> {
        self.children(map).find(|&child| self.key(child) == Some(key))
    }

    /// The nodes of a map or list.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        match self.content(id) {
            Content::List(children) | Content::Map(children) => children.as_slice(),
            Content::Scalar { .. } => &[],
        }
        .iter()
        .copied()
    }

    /// Names from the root to a node, as edits and errors spell them: `vpcs.vpc-a.subnets.a1.cidr`.
    pub(super) fn path(&self, id: NodeId) -> String {
        let mut parts = Vec::new();
        let mut at = Some(id);
        while let Some(node) = at.and_then(|id| self.node(id)) {
            if let Some(key) = &node.key {
                parts.push(format!(".{}", key.text));
            } else if let Some(parent) = node.parent {
                let index = self.children(parent).position(|child| Some(child) == at).unwrap_or(0);
                parts.push(format!("[{index}]"));
            }
            at = node.parent;
        }
        parts.reverse();
        parts.concat().trim_start_matches('.').to_owned()
    }

    /// Where a place is written. An empty node is shown by its key.
    pub(super) fn span(&self, place: Place) -> Span {
        let Some(node) = self.node(place.node) else {
            return Span::default();
        };
        match &node.key {
            Some(key) if place.key || node.span.start >= node.span.end && node.content.is_null() => key.span,
            Some(_) | None => node.span,
        }
    }

    /// The text a span is in.
    pub(super) fn source(&self, span: Span) -> Option<&Source> {
        self.sources.get(span.source)
    }

    /// Every node that hangs in the tree, parents first.
    pub(super) fn all(&self) -> Vec<NodeId> {
        let mut all = vec![self.root];
        let mut next = 0;
        while let Some(&id) = all.get(next) {
            all.extend(self.children(id));
            next += 1;
        }
        all
    }

    /// Puts a node into a map under a key, in place of what stood there.
    pub(super) fn put(&mut self, map: NodeId, key: &str, key_span: Span, value: NodeId) {
        let old = self.child(map, key);
        if let Some(node) = self.node_mut(value) {
            node.parent = Some(map);
            node.key = Some(Key { text: key.into(), span: key_span });
        }
        let Some(node) = self.node_mut(map) else { return };
        if node.content.is_null() {
            node.content = Content::Map(Vec::new());
        }
        if let Content::Map(children) = &mut node.content {
            match old.and_then(|old| children.iter_mut().find(|child| **child == old)) {
                Some(slot) => *slot = value,
                None => children.push(value),
            }
        }
    }

    /// Puts a node into a list in place of another one.
    pub(super) fn replace(&mut self, old: NodeId, value: NodeId) {
        let Some(list) = self.node(old).and_then(|node| node.parent) else {
            return;
        };
        if let Some(node) = self.node_mut(value) {
            node.parent = Some(list);
        }
        if let Some(Content::List(children)) = self.node_mut(list).map(|node| &mut node.content) {
            children.iter_mut().filter(|child| **child == old).for_each(|child| *child = value);
        }
    }

    /// Takes a node out of its parent.
    pub(super) fn remove(&mut self, id: NodeId) {
        let Some(parent) = self.node(id).and_then(|node| node.parent) else {
            return;
        };
        match self.node_mut(parent).map(|node| &mut node.content) {
            Some(Content::List(children) | Content::Map(children)) => children.retain(|&child| child != id),
            Some(Content::Scalar { .. }) | None => {}
        }
    }

    /// The parent of a node.
    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id)?.parent
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    pub(super) fn add(&mut self, content: Content, span: Span) -> Result<NodeId, Fault> {
        let next = u32::try_from(self.nodes.len()).ok();
        let Some(id) = next.filter(|_| self.nodes.len() < MAX_NODES) else {
            return Err(Fault::at_span(span, format!("more than {MAX_NODES} values, counting what aliases repeat")));
        };
        self.nodes.push(Node { content, span, parent: None, key: None });
        Ok(NodeId(id))
    }
}

impl Place {
    /// A node itself.
    pub(super) const fn value(node: NodeId) -> Self {
        Self { node, key: false }
    }

    /// The key of a node.
    pub(super) const fn key(node: NodeId) -> Self {
        Self { node, key: true }
    }

    /// The place as a number, for the way through serde.
    pub(super) const fn to_number(self) -> u64 {
        ((self.node.0 as u64) << 1) | self.key as u64
    }

    /// The place of a number.
    pub(super) const fn from_number(number: u64) -> Self {
        Self { node: NodeId((number >> 1) as u32), key: number & 1 == 1 }
    }
}

impl Content {
    pub(super) fn null() -> Self {
        Self::Scalar { text: Arc::from(""), plain: true }
    }

    /// Whether nothing is written, or YAML's words for it.
    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Scalar { text, plain: true } => matches!(text.as_ref(), "" | "~" | "null"),
            Self::Scalar { plain: false, .. } | Self::List(_) | Self::Map(_) => false,
        }
    }
}

impl Source {
    /// The line and column of a byte, both counted from 1, columns in characters; never past the last character.
    pub(super) fn line(&self, byte: usize) -> (usize, usize) {
        let mut byte = byte.min(self.text.trim_end().len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &self.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
