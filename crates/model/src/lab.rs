//! The lab file: a network as people write it down, in YAML.
//!
//! [`read`] turns a text into a [`Lab`], or into every error with its place. A [`Lab`] is valid by construction:
//! it holds the [`Desired`] that its file describes. [`Lab::edit`] changes one value of it, as scenarios do, and
//! [`write()`] prints any [`Desired`] as a lab file again.

mod connect;
mod convert;
mod de;
mod edit;
mod emit;
mod error;
mod file;
mod interfaces;
mod names;
mod network;
mod outside;
mod rules;
mod schema;
mod tree;
mod value;
mod violations;
mod write;
mod yaml;

pub use edit::{Edit, EditError};
pub use error::{LabError, LabErrors};
pub use schema::schema;
pub use write::write;

use crate::desired::{Change, Desired};
use convert::{Converted, convert};
use names::NamesByKind;
use tree::Tree;

/// A lab file that was read and found to be valid.
#[derive(Clone, Debug)]
pub struct Lab {
    tree: Tree,
    gone: NamesByKind,
    name: Option<String>,
    description: Option<String>,
    changes: Vec<Change>,
    desired: Desired,
}

/// Reads a lab file.
///
/// Shape: `file_name` is what errors call it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file; what is not YAML at all is one error.
pub fn read(text: &str, file_name: &str) -> Result<Lab, LabErrors> {
    let (tree, faults) = Tree::read(file_name, text)?;
    Lab::from_tree(tree, faults, NamesByKind::new())
}

impl Lab {
    /// What people call it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it describes, as edits of an empty network.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What it describes.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// What it describes, as a value of its own.
    #[must_use]
    pub fn to_desired(&self) -> Desired {
        self.desired.clone()
    }

    fn from_tree(tree: Tree, faults: Vec<error::Fault>, gone: NamesByKind) -> Result<Self, LabErrors> {
        let Converted { name, description, changes, desired } = convert(&tree, faults, gone.clone())?;
        Ok(Self { tree, gone, name, description, changes, desired })
    }
}
