//! The published JSON Schema is the one that the types say.

use std::{fs, path::Path};

use evenkeel::message::Message1;
use serde_json::{Value, json};
use url_shortening::Shortening;

/// The schema of a job type's messages, with the type's name pinned.
fn schema() -> Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(Message1<Shortening>)).unwrap();
    schema["title"] = json!("url_shortening message, version 1");
    schema["properties"]["type"]["const"] = json!("url_shortening");
    schema
}

#[test]
fn the_published_schema_is_in_step_with_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/url_shortening.schema.json");
    let expected = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let published = fs::read_to_string(&path).unwrap_or_default();
    // To update it, put what is printed here into the file.
    assert_eq!(published, expected, "docs/url_shortening.schema.json; it should read:\n{expected}");
}
