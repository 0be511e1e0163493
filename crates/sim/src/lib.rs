#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod generate;
pub mod net;
pub mod reference;
pub mod run;
pub mod script;
pub mod world;

use std::io;
use std::path::{Path, PathBuf};

/// The scenario files that come with this crate, in the order of their names.
///
/// Errors: those of the file system.
pub fn scenario_files() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
