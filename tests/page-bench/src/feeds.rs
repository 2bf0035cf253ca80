//! Reads a feed as the job does, and with other parsers of JSON.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use bench_engine::feed;
use dealer_com_feed::inventory;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::stopwatch::{self, Bound};

/// Cars of the feed.
const CARS: usize = 500;

/// A feed with the fields that the job reads, and no tolerance.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
#[serde(rename_all = "camelCase")]
struct Feed {
    inventory: Vec<Car>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
#[serde(rename_all = "camelCase")]
struct Car {
    vin: String,
    year: u16,
    make: String,
    model: String,
    trim: String,
    stock_number: String,
    link: String,
    images: Vec<Image>,
    attributes: Vec<Attribute>,
    pricing: Pricing,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
struct Image {
    uri: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
struct Attribute {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
struct Pricing {
    dprice: Vec<Price>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is compared is their deserialization")]
#[serde(rename_all = "camelCase")]
struct Price {
    type_class: String,
    value: String,
}

/// Prints the times of all. Returns whether ours is as fast as promised.
pub(crate) fn compare() -> bool {
    let feed = feed::of_cars(CARS);
    let site: Url = feed::SITE.parse().expect("an address");
    println!("feed of {} KB:", feed.len() / 1_000);
    let read = || inventory::read(feed.as_bytes(), &site);
    assert!(read().is_ok_and(|page| page.vehicles.iter().all(Result::is_ok)), "all cars are read");
    let ours = stopwatch::ours(read);
    // A struct of the fields is the least that any reader of JSON does with them.
    let at_most = Bound::AtMost(2.5);
    let held = stopwatch::judged("typed serde_json", ours, at_most, || {
        serde_json::from_str::<Feed>(&feed).is_ok()
    });
    stopwatch::other("serde_json::Value", ours, || serde_json::from_str::<Value>(&feed).is_ok());
    stopwatch::other("simd-json, to a Value", ours, || of_simd_json(&feed));
    held
}

/// It parses in place, so the text is copied first, as it would be for any body that is needed afterwards.
fn of_simd_json(feed: &str) -> bool {
    let mut bytes = feed.as_bytes().to_vec();
    simd_json::to_owned_value(&mut bytes).is_ok()
}
