//! Items of the tables, as another version or a person may have written them.

use evenkeel::aws::plain_item::{decode_control, decode_jobs, of_json};
use serde_json::{Map, Value};

/// An item from its JSON.
fn fields(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

#[test]
fn job_items() {
    target!("job_items", |text: &str| {
        fields(text).is_some_and(|fields| decode_jobs(&of_json(&fields)) > 0)
    });
}

#[test]
fn control_items() {
    target!("control_items", |text: &str| {
        fields(text).is_some_and(|fields| decode_control(&of_json(&fields)) > 0)
    });
}

#[test]
fn vehicle_items() {
    target!("vehicle_items", |text: &str| {
        let decode = inventory::testing::items::decode_all;
        fields(text).is_some_and(|fields| decode(&of_json(&fields)) > 0)
    });
}

#[test]
fn operators_items() {
    target!("operators_items", |text: &str| {
        fields(text).is_some_and(|fields| evenkeel_cli::aws::is_readable(&of_json(&fields)))
    });
}
