use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::page::{
    record::FIELDS,
    vocabulary::{Condition, Mileage, Unit},
};

const VIN: &str = "1HGCM82633A004352";
const OTHER: &str = "1M8GDM9AXKP042788";

/// Fewest fixtures: the test must fail if it finds none of them.
const FEWEST_FIXTURES: usize = 60;

fn address() -> Url {
    "https://www.dealer.example/used/1.htm".parse().unwrap()
}

fn read_alone(html: &str) -> Result<Reading, PageError> {
    read(html, &address(), VIN, &Details::default())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// The fixture files with this extension, sorted: stem and content.
fn files(extension: &str) -> Vec<(String, String)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut files: Vec<_> = paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn as_json(result: Result<Reading, PageError>) -> Value {
    match result {
        Ok(reading) => serde_json::to_value(reading).unwrap(),
        Err(error) => serde_json::to_value(error).unwrap(),
    }
}

/// `UPDATE_PAGES=1` writes the readings of the fixtures anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for developers")]
fn every_fixture_reads_as_expected() {
    let pages = files("html");
    let expected = files("json");
    let names = |files: &[(String, String)]| -> BTreeSet<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(
        names(&pages),
        names(&expected),
        "every page needs an expected reading, and the reverse"
    );
    assert!(pages.len() >= FEWEST_FIXTURES, "{} fixtures", pages.len());
    let mut wrong = Vec::new();
    for ((name, html), (_, expected)) in pages.iter().zip(&expected) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let found = as_json(read_alone(html));
        if std::env::var_os("UPDATE_PAGES").is_some() {
            let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
            fs::write(folder().join(format!("{name}.json")), text).unwrap();
        } else if found != expected {
            wrong.push(format!("{name}: found {found:#}\nexpected {expected:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_field_is_found_missing_or_conflicting() {
    for (name, html) in files("html") {
        let Ok(reading) = read_alone(&html) else { continue };
        let quality = &reading.quality;
        let conflicting = quality.conflicting.iter().map(|conflict| &conflict.field);
        let named = quality.found.iter().chain(&quality.missing).chain(conflicting);
        let (named, all): (BTreeSet<_>, BTreeSet<_>) = (named.collect(), FIELDS.iter().collect());
        assert_eq!(named, all, "{name}");
        let record = serde_json::to_value(&reading.record).unwrap();
        let in_record: BTreeSet<_> =
            record.as_object().unwrap().keys().map(String::as_str).collect();
        let found: BTreeSet<_> = quality.found.iter().copied().collect();
        assert_eq!(in_record, found, "{name}");
    }
}

fn feed() -> Details {
    Details {
        year: Some(2003),
        make: Some("Honda".into()),
        condition: Some(Condition::Used),
        mileage: Some(Mileage { value: 80_000, unit: Unit::Miles }),
        asking_cents: vec![999_500],
        ..Details::default()
    }
}

#[test]
fn the_feed_fills_what_the_page_lacks() {
    let html = format!(
        r#"<script>DDC.dataLayer['vehicles'] = [{{"vin": "{VIN}", "make": "HONDA",
            "trim": "EX", "internetPrice": "9,495"}}];</script>"#
    );
    let reading = read(&html, &address(), VIN, &feed()).unwrap();
    let record = &reading.record;
    let trim = Found { value: "EX".to_owned(), from: Provenance::DataLayer };
    assert_eq!(record.trim, Some(trim));
    let make = Found { value: "HONDA".to_owned(), from: Provenance::DataLayer };
    assert_eq!(record.make, Some(make));
    assert_eq!(record.year, Some(Found { value: 2003, from: Provenance::Feed }));
    // The page is newer than the feed, so its price wins. The difference is reported.
    let price = Found { value: 949_500, from: Provenance::DataLayer };
    assert_eq!(record.price_cents, Some(price));
    let conflicts: Vec<_> = reading.quality.conflicting.iter().map(|found| found.field).collect();
    assert_eq!(conflicts, ["price_cents"]);
}

#[test]
fn without_a_page_every_value_comes_from_the_feed() {
    let reading = without_page(&address(), VIN, &feed());
    assert_eq!(reading.vin, Found { value: VIN.to_owned(), from: Provenance::Feed });
    let found = ["year", "make", "condition", "mileage", "price_cents"];
    assert_eq!(reading.quality.found, found);
    assert_eq!(reading.quality.missing.len(), FIELDS.len() - found.len());
}

fn colour(text: &str) -> Details {
    Details { exterior_color: Some(text.into()), ..Details::default() }
}

#[test]
fn the_first_source_that_names_a_field_supplies_it() {
    let mut quality = Quality::default();
    let sources = vec![
        (Provenance::DataLayer, Details { year: Some(2003), ..Details::default() }),
        (Provenance::JsonLd, Details { year: Some(2004), ..colour("Blue") }),
        (Provenance::Feed, colour("blue")),
    ];
    let record = Record::of(sources, &Shown::default(), &mut quality);
    let expected = json!({
        "year": {"value": 2003, "from": "data_layer"},
        "exterior_color": {"value": "Blue", "from": "json_ld"},
    });
    assert_eq!(serde_json::to_value(record).unwrap(), expected);
    assert_eq!(quality.found, ["year", "exterior_color"]);
    assert_eq!(quality.missing.len(), FIELDS.len() - 2);
    let conflicts: Vec<_> = quality.conflicting.iter().map(|conflict| conflict.field).collect();
    assert_eq!(conflicts, ["year"]);
}

#[test]
fn without_sources_every_field_is_missing() {
    let mut quality = Quality::default();
    assert_eq!(Record::of(Vec::new(), &Shown::default(), &mut quality), Record::default());
    assert_eq!(quality.missing, FIELDS);
    assert!(quality.found.is_empty() && quality.conflicting.is_empty());
}

#[test]
fn errors_explain_what_is_wrong() {
    let html = format!("<li data-vin={OTHER}>");
    let error = read_alone(&html).unwrap_err();
    let expected = format!("the page is not about {VIN} but about {OTHER}");
    assert_eq!(error.to_string(), expected);
    assert_eq!(read_alone("").unwrap_err().to_string(), "the page names no VIN");
    let error = read_alone("<title>Just a moment...</title>").unwrap_err();
    assert_eq!(error.to_string(), "a bot wall's challenge (cloudflare)");
}

#[test]
fn a_vin_in_the_text_must_be_a_whole_word() {
    for (text, expected) in [
        (VIN.to_owned(), true),
        (format!("VIN: {}.", VIN.to_lowercase()), true),
        (format!("/used/honda-{VIN}.htm"), true),
        (format!("x{VIN}"), false),
        (format!("{VIN}0"), false),
        (format!("é{VIN}é"), true),
        (VIN[1..].to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(has_word(&text, VIN), expected, "{text}");
    }
    assert!(!has_word("anything", ""));
}

#[path = "page_tests/limits.rs"]
mod limits;
