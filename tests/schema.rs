//! What is published about messages is what the types say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use generator::{Linked, job_types};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn docs() -> PathBuf {
    root().join("docs")
}

#[test]
fn every_job_type_has_its_schema_and_no_schema_is_left_over() {
    let held: BTreeSet<String> =
        job_types().iter().map(|job| format!("{}.schema.json", job.kind)).collect();
    let found: BTreeSet<String> = fs::read_dir(docs())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".schema.json"))
        .collect();
    assert_eq!(found, held);
}

/// The names of all fields that a schema has, at any depth.
fn fields(schema: &Value, found: &mut BTreeSet<String>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    found.extend(properties.into_iter().flat_map(|fields| fields.keys().cloned()));
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| fields(part, found)),
        Value::Array(parts) => parts.iter().for_each(|part| fields(part, found)),
        _ => {}
    }
}

/// The fields that a schema calls sensitive and does not have.
fn unknown_sensitive(schema: &Value) -> Vec<String> {
    let mut known = BTreeSet::new();
    fields(schema, &mut known);
    let named = schema.get("x-sensitive").and_then(Value::as_array).into_iter().flatten();
    let named = named.map(|name| name.as_str().unwrap_or_default().to_owned());
    named.filter(|name| !known.contains(name)).collect()
}

#[test]
fn a_field_that_a_type_calls_sensitive_is_a_field_of_its_payload() {
    for job in job_types() {
        let mut schema: Value = serde_json::from_str(&job.schema).unwrap();
        assert_eq!(unknown_sensitive(&schema), [""; 0], "{}", job.kind);
        schema["x-sensitive"] = serde_json::json!(["no_such_field", "payload"]);
        assert_eq!(unknown_sensitive(&schema), ["no_such_field"], "{}", job.kind);
    }
}

/// The JSON examples of a page.
fn examples(page: &Path) -> Vec<String> {
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

#[test]
fn every_job_type_has_an_example_in_its_readme_or_in_the_message_page_and_each_is_valid() {
    let types = job_types();
    let of_type = |job: &Linked| root().join("functions").join(job.folder).join("README.md");
    let of_types = types.iter().map(of_type).flat_map(|page| examples(&page));
    // A README may show other JSON than messages; the page about messages may not.
    let is_message = |example: &String| example.contains("\"type\"");
    let all = of_types.filter(is_message).chain(examples(&docs().join("message.md")));
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    for example in all {
        let message: Value = serde_json::from_str(&example).unwrap();
        let kind = message["type"].as_str().unwrap_or_default();
        let job = types.iter().find(|job| job.kind == kind);
        let job = job.unwrap_or_else(|| panic!("{kind:?} is no job type"));
        assert_eq!((job.decode)(kind, &example).err(), None, "{example}");
        shown.insert(job.kind);
    }
    assert_eq!(shown, types.iter().map(|job| job.kind).collect());
}

/// The key of a message without an id is derived from its payload. It must never change, or the same work would be
/// done twice around an update. A field that is added later is left out of the normal form while it has its default.
#[test]
fn keys_that_are_derived_from_a_payload_never_change() {
    use evenkeel::message::decode;
    let body = |kind: &str, payload: serde_json::Value| {
        serde_json::json!({"version": 1, "type": kind, "payload": payload}).to_string()
    };
    let link = serde_json::json!({
        "destination": "https://www.acme.example/car", "dealer_slug": "acme", "vin": "1HGCM82633A004352",
    });
    let page = serde_json::json!({
        "url": "https://www.acme.example/car", "dealer_slug": "acme", "vin": "1HGCM82633A004352",
    });
    let feed = serde_json::json!({"site_url": "https://www.acme.example", "dealer_slug": "acme"});
    let link = decode::<url_shortening::Shortening>(
        url_shortening::TYPE,
        &body(url_shortening::TYPE, link),
    );
    let page = decode::<product_detail_scraping::payload::Scraping>(
        product_detail_scraping::TYPE,
        &body(product_detail_scraping::TYPE, page),
    );
    let feed = decode::<dealer_com_feed::payload::Feed>(
        dealer_com_feed::TYPE,
        &body(dealer_com_feed::TYPE, feed),
    );
    let keys = [link.unwrap().key, page.unwrap().key, feed.unwrap().key];
    let expected = [
        "url_shortening#d:a745d2c20451edc2306cefbb427a61dfaa35816fbe54439c814ce63ca62f5237",
        "product_detail_scraping#d:6b1cb3f64a309ea385f5dec3ff936044fc432faf9e5ae182c47cda72cec83607",
        "dealer_com_feed#d:18f7f83d706e44b62aa764d1b77a700b92b69722054329fdbbc0fadf10f3a5c5",
    ];
    assert_eq!(keys, expected);
}
