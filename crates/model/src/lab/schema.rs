//! The JSON Schema of lab files, by which editors complete and check them.

use schemars::generate::SchemaSettings;

use super::file::File;

/// The JSON Schema (draft 2020-12) of a lab file.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().to_value()
}
