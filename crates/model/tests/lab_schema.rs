//! The schema that is checked in is the one of the types.

mod golden;

use vpc_model::lab;

#[test]
fn the_schema_is_checked_in() {
    let text = serde_json::to_string_pretty(&lab::schema()).unwrap();
    golden::check(&golden::folder("schema/lab.schema.json"), &format!("{text}\n"));
}
