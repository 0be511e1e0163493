//! `Index4`: from an IPv4 address to a number.

use crate::Prefix;
use crate::dir24::Dir24;
use crate::runs::{Run, runs, spans4};
use crate::tree::Tree32;
use crate::trie::Trie;

/// Up to this many runs the tree is as fast as the trie and takes a hundredth of the memory.
const TREE_RUNS: usize = 16_384;

/// Frozen longest-prefix match from an IPv4 address to a number, for those who keep their next hops elsewhere.
#[derive(Clone, Debug)]
pub struct Index4 {
    form: Form,
}

/// How an [`Index4`] is laid out in memory; the answers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout4 {
    /// A search tree over the runs of equal answers: 4 to 6 bytes a run, no fixed cost.
    Tree,
    /// An array over the first 18 bits, then bitmap nodes: 1 MiB and some 6 bytes a prefix.
    Trie,
    /// An array over the first 24 bits: 64 MiB, for the one table that may have them.
    Dir24,
}

#[derive(Clone, Debug)]
enum Form {
    Tree(Tree32),
    Trie(Trie),
    Dir24(Dir24),
}

impl Index4 {
    /// Compiles the IPv4 prefixes of `routes`; IPv6 prefixes are passed over, later duplicates win.
    ///
    /// Shape: 0 is the answer for no route, so a route of value 0 hides the routes that cover it. Values below
    /// 2^31 are the fast ones; below 2^16 they also take half the room.
    pub fn build(routes: impl IntoIterator<Item = (Prefix, u32)>) -> Self {
        let runs = runs(&spans4(routes));
        Self::from_runs(&runs, if runs.len() <= TREE_RUNS { Layout4::Tree } else { Layout4::Trie })
    }

    /// As [`build`](Self::build), with the layout given instead of chosen by size.
    pub fn with_layout(layout: Layout4, routes: impl IntoIterator<Item = (Prefix, u32)>) -> Self {
        Self::from_runs(&runs(&spans4(routes)), layout)
    }

    /// How the index is laid out.
    pub fn layout(&self) -> Layout4 {
        match self.form {
            Form::Tree(_) => Layout4::Tree,
            Form::Trie(_) => Layout4::Trie,
            Form::Dir24(_) => Layout4::Dir24,
        }
    }

    /// The value of the longest prefix that contains `addr`, 0 if there is none.
    #[inline]
    pub fn lookup(&self, addr: u32) -> u32 {
        match &self.form {
            Form::Tree(tree) => tree.lookup(addr),
            Form::Trie(trie) => trie.lookup(addr),
            Form::Dir24(table) => table.lookup(addr),
        }
    }

    /// Looks up each of `addrs` into the same place of `found`.
    ///
    /// Shape: any length; of two different lengths the shorter counts.
    pub fn lookup_batch(&self, addrs: &[u32], found: &mut [u32]) {
        let len = addrs.len().min(found.len());
        let (addrs, found) = (&addrs[..len], &mut found[..len]);
        match &self.form {
            Form::Tree(tree) => tree.lookup_batch(addrs, found),
            Form::Trie(trie) => trie.lookup_batch(addrs, found),
            Form::Dir24(table) => table.lookup_batch(addrs, found),
        }
    }

    /// What the index occupies. Units: bytes.
    pub fn memory(&self) -> usize {
        let outside = match &self.form {
            Form::Tree(tree) => tree.memory(),
            Form::Trie(trie) => trie.memory(),
            Form::Dir24(table) => table.memory(),
        };
        size_of::<Self>() + outside
    }

    fn from_runs(runs: &[Run<u32>], layout: Layout4) -> Self {
        let form = match layout {
            Layout4::Tree => {
                let ends: Vec<u32> = runs.iter().skip(1).map(|next| next.start - 1).collect();
                Form::Tree(Tree32::new(&ends, runs.iter().map(|run| run.value).collect()))
            }
            Layout4::Trie => Form::Trie(Trie::new(runs)),
            Layout4::Dir24 => Form::Dir24(Dir24::new(runs)),
        };
        Self { form }
    }
}
