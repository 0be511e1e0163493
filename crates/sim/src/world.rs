//! A network that can be edited.

use std::path::{Path, PathBuf};

use vpc_model::Desired;
use vpc_model::lab::{self, Edit, Lab, LabErrors};

use crate::run::Refusal;
use crate::script::{Script, Topology};

/// A network, and the lab file it came from if it did.
#[derive(Clone, Debug)]
pub struct World {
    desired: Desired,
    lab: Option<Lab>,
}

impl World {
    /// The network that a scenario starts with.
    ///
    /// # Errors
    /// In words: the file cannot be read, or everything that is wrong with it.
    pub fn of(script: &Script) -> Result<Self, String> {
        let path = topology_path(script);
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        lab::read(&text, &name).map(Self::from).map_err(|errors| errors.render())
    }

    /// The network.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The lab file it came from, with what was changed since.
    #[must_use]
    pub const fn lab(&self) -> Option<&Lab> {
        self.lab.as_ref()
    }

    /// Applies one edit: `set PATH: VALUE` or `delete PATH`.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn change(&mut self, edit: &str) -> Result<(), Refusal> {
        let in_words = |text: String| Refusal { codes: Vec::new(), text };
        let edit: Edit = edit.parse().map_err(|error: lab::EditError| in_words(error.to_string()))?;
        let lab = self.lab.as_ref().ok_or_else(|| in_words("this network has no lab file".to_owned()))?;
        let lab = lab.edit(&edit).map_err(|errors| refusal(&errors))?;
        self.desired = lab.to_desired().keeping_links_of(&self.desired);
        self.lab = Some(lab);
        Ok(())
    }
}

impl From<Desired> for World {
    fn from(desired: Desired) -> Self {
        Self { desired, lab: None }
    }
}

impl From<Lab> for World {
    fn from(lab: Lab) -> Self {
        Self { desired: lab.to_desired(), lab: Some(lab) }
    }
}

/// Where the lab file of a scenario is.
#[must_use]
pub fn topology_path(script: &Script) -> PathBuf {
    match &script.topology {
        Topology::Lab(file) => script.folder.join(file),
        Topology::Use(name) => {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies").join(name).with_extension("yaml")
        }
    }
}

fn refusal(errors: &LabErrors) -> Refusal {
    Refusal { codes: errors.iter().filter_map(|error| error.aws_code.clone()).collect(), text: errors.to_string() }
}
