//! The published JSON Schemas are the ones that the types say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use dealer_com_feed::payload::Feed;
use evenkeel::message::{Message1, decode};
use product_detail_scraping::Scraping;
use schemars::JsonSchema;
use serde_json::{Value, json};
use url_shortening::Shortening;

const JOB_TYPES: [&str; 3] = ["url_shortening", "dealer_com_feed", "product_detail_scraping"];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn file(kind: &str) -> String {
    format!("{kind}.schema.json")
}

/// The schema of a job type's messages, with the type's name pinned.
fn schema<P: JsonSchema>(kind: &str) -> Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(Message1<P>)).unwrap();
    schema["title"] = json!(format!("{kind} message, version 1"));
    schema["properties"]["type"]["const"] = json!(kind);
    schema
}

fn check<P: JsonSchema>(kind: &str) {
    let name = file(kind);
    let expected = serde_json::to_string_pretty(&schema::<P>(kind)).unwrap() + "\n";
    let published = fs::read_to_string(docs().join(&name)).unwrap_or_default();
    // To update it, put what is printed here into the file.
    assert_eq!(published, expected, "docs/{name}; it should read:\n{expected}");
}

#[test]
fn the_schema_of_url_shortening_is_in_step_with_its_type() {
    check::<Shortening>("url_shortening");
}

#[test]
fn the_schema_of_dealer_com_feed_is_in_step_with_its_type() {
    check::<Feed>("dealer_com_feed");
}

#[test]
fn the_schema_of_product_detail_scraping_is_in_step_with_its_type() {
    check::<Scraping>("product_detail_scraping");
}

#[test]
fn every_published_schema_is_held_here() {
    let held: BTreeSet<String> = JOB_TYPES.into_iter().map(file).collect();
    let found: BTreeSet<String> = fs::read_dir(docs())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".schema.json"))
        .collect();
    assert_eq!(found, held);
}

#[test]
fn the_documentation_has_an_example_of_every_message_and_each_is_valid() {
    let page = fs::read_to_string(docs().join("message.md")).unwrap();
    let examples = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut shown: BTreeSet<String> = BTreeSet::new();
    for example in examples {
        let message: Value = serde_json::from_str(example).unwrap();
        let kind = message["type"].as_str().unwrap_or_default();
        let flaw = match kind {
            "url_shortening" => decode::<Shortening>(kind, example).err(),
            "dealer_com_feed" => decode::<Feed>(kind, example).err(),
            "product_detail_scraping" => decode::<Scraping>(kind, example).err(),
            other => panic!("{other:?} is no job type"),
        };
        assert_eq!(flaw, None, "{example}");
        shown.insert(kind.to_owned());
    }
    let expected: BTreeSet<String> = JOB_TYPES.into_iter().map(str::to_owned).collect();
    assert_eq!(shown, expected);
}

#[test]
fn the_documentation_names_every_metric_with_its_dimension_and_unit() {
    use sweeper::{
        config::Config,
        metrics,
        plan::observation::{DependencySeen, Observation, QueueSeen, TypeSeen},
    };
    let queue = |name: &str| {
        format!(r#"{{"queue":"arn:aws:sqs:r:1:{name}","mapping":"m","concurrency":2}}"#)
    };
    let (normal, high) = (queue("q"), queue("q-high"));
    let types = format!(
        r#"[{{"type":"t","dependency":"d","normal":{normal},"high":{high},"dead":"arn:aws:sqs:r:1:dlq"}}]"#
    );
    let types = Config::types(&types).unwrap();
    let config = Config { types, balance: true, namespace: "n".into() };
    let queue = QueueSeen { concurrency: Some(2), ..QueueSeen::default() };
    let kind = TypeSeen { oldest_s: Some(1), ..TypeSeen::default() };
    let seen = Observation {
        queues: [("q".to_owned(), queue)].into(),
        types: [("t".to_owned(), kind)].into(),
        dependencies: [("d".to_owned(), DependencySeen::default())].into(),
        ..Observation::default()
    };
    let mut told = BTreeSet::new();
    for (of, numbers) in metrics::lines(&config, &seen) {
        let of = of.map_or("none".to_owned(), |(name, _)| format!("`{name}`"));
        told.extend(numbers.into_iter().map(|(name, _, unit)| format!("{of} `{name}` {unit}")));
    }
    let page = fs::read_to_string(docs().join("sweeper.md")).unwrap();
    let table = page.split("## Metrics").nth(1).unwrap().split("## Notes").next().unwrap();
    let mut named = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let metrics = cells[2].split(", ");
        named.extend(metrics.map(|name| format!("{} {name} {}", cells[1], cells[3])));
    }
    assert_eq!(named, told);
}
