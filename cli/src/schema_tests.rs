//! The check against the published schemas, and the schemas against what the check knows.

use serde_json::json;

use super::*;
use crate::shapes;

/// The keywords that the check heeds, and those that say nothing about a value.
const KNOWN: [&str; 24] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "x-sensitive",
];

/// Adds the keywords of a schema and of all within it.
fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        found.insert(keyword.clone());
        match keyword.as_str() {
            "$defs" | "properties" => {
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, below)| keywords(below, found));
            }
            "anyOf" | "oneOf" => {
                value.as_array().into_iter().flatten().for_each(|below| keywords(below, found));
            }
            "additionalProperties" | "items" => keywords(value, found),
            _ => {}
        }
    }
}

#[test]
fn the_check_knows_every_keyword_of_the_published_schemas_and_of_the_output() {
    let mut found = BTreeSet::new();
    for kind in kinds() {
        keywords(&Schema::of(kind).unwrap().root, &mut found);
    }
    assert!(kinds().count() >= 3 && found.len() > 12, "the schemas are there");
    for (_, shape) in shapes::all() {
        keywords(&shape, &mut found);
    }
    let unknown: Vec<&String> =
        found.iter().filter(|word| !KNOWN.contains(&word.as_str())).collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

fn problems(kind: &str, payload: &Value) -> Vec<String> {
    let message = json!({ "version": 1, "type": kind, "payload": payload });
    let problems = Schema::of(kind).unwrap().problems(&message);
    problems
        .into_iter()
        .map(|FieldProblem { field, problem }| format!("{field}: {problem}"))
        .collect()
}

#[test]
fn a_valid_message_has_no_problem() {
    let payload = json!({ "destination": "https://www.example.com/new/1M8GDM9AXKP042788",
        "dealer_slug": "example-motors", "vin": "1M8GDM9AXKP042788" });
    assert_eq!(problems("url_shortening", &payload), Vec::<String>::new());
    let feed = json!({ "dealer_slug": "a", "site_url": "https://www.example.com/",
        "conditions": ["new"], "fan_out": { "scrape": false }, "max_new": null });
    assert_eq!(problems("dealer_com_feed", &feed), Vec::<String>::new());
}

#[test]
fn every_problem_is_named_with_its_field() {
    let feed = json!({ "site_url": 7, "conditions": ["old"], "fan_out": { "scrape": "yes" },
        "max_new": 0, "confirm": "xyz", "novelty": 1, "account_ids": null });
    let found = problems("dealer_com_feed", &feed);
    for expected in [
        "payload.dealer_slug: missing",
        "payload.site_url: 7, expected a text",
        "payload.conditions[0]: \"old\", expected \"new\" or \"used\" or \"certified\"",
        "payload.fan_out.scrape: \"yes\", expected true or false",
        "payload.max_new: 0, expected at least 1",
        "payload.confirm: \"xyz\", expected ^[0-9a-f]{16}$",
        "payload.account_ids: null, expected a list",
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected}: {found:#?}");
    }
    assert!(found.iter().any(|problem| problem.starts_with("payload.novelty: unknown field")));
}

#[test]
fn a_problem_of_a_sensitive_field_does_not_quote_its_value() {
    let of = |payload: &Value| problems("webhook", payload);
    assert_eq!(of(&json!({ "card": "4711-0815", "url": "https://a.example/" })), [""; 0]);
    let found = of(&json!({ "card": "PLANTED, expected 1", "url": 7 }));
    assert_eq!(
        found,
        ["payload.card: ***, expected ^[0-9-]{4,19}$", "payload.url: 7, expected a text"]
    );
    assert_eq!(of(&json!({ "url": "https://a.example/" })), ["payload.card: missing"]);
    let deep = json!({ "card": { "number": "PLANTED" }, "url": "https://a.example/" });
    assert_eq!(of(&deep), ["payload.card: ***, expected a text"]);
    assert!(sensitive("webhook").has("card") && !sensitive("webhook").has("url"));
    assert!(sensitive("nope").has("card"), "a type that is not known may be a newer one");
}

#[test]
fn the_type_of_a_field_is_found_through_references() {
    let schema = Schema::of("dealer_com_feed").unwrap();
    let types = |path: &str| schema.payload_field(path).map(|field| schema.types(field));
    assert_eq!(types("fan_out.scrape"), Some(vec!["boolean".to_owned()]));
    assert_eq!(types("max_new"), Some(vec!["integer".to_owned(), "null".to_owned()]));
    assert_eq!(types("conditions"), Some(vec!["array".to_owned()]));
    assert_eq!(types("nope"), None);
}

#[test]
fn a_value_that_an_output_may_not_have_is_found_wherever_it_is() {
    let schema = Schema::of_output(json!({
        "type": "object",
        "properties": { "state": { "enum": ["on", "off"] }, "any": true },
        "additionalProperties": { "type": "integer", "minimum": 0 },
        "required": ["state"],
    }));
    let of = |value: &Value| -> Vec<String> {
        schema.problems(value).into_iter().map(|found| found.field).collect()
    };
    assert_eq!(of(&json!({ "state": "on", "any": ["\u{9b}"], "count": 3 })), [""; 0]);
    assert_eq!(of(&json!({ "state": "odd", "any": null, "count": -1 })), ["count", "state"]);
    assert_eq!(of(&json!({ "count": "3" })), ["count", "state"]);
    assert_eq!(of(&json!([])), ["body"]);
}
