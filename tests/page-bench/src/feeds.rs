//! Reads a feed as the job does, and as bare typed deserialization.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use dealer_com_feed::inventory;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::stopwatch;

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

/// Prints the times of both.
pub(crate) fn compare() {
    let names =
        ["odometer", "engine", "transmission", "exteriorColor", "interiorColor", "fuelType"];
    let attributes: Vec<_> =
        names.iter().map(|name| json!({"name": name, "value": "12,345"})).collect();
    let images: Vec<_> =
        (0..20).map(|n| json!({"uri": format!("//pictures.example/{n}.jpg")})).collect();
    let car = json!({
        "vin": "1HGCM82633A004352", "year": 2021, "make": "Honda", "model": "Accord", "trim": "EX",
        "stockNumber": "A1", "link": "/used/Honda/2021-Honda-Accord.htm", "images": images,
        "attributes": attributes,
        "pricing": {"dprice": [{"typeClass": "internetPrice", "value": "$23,995"}]},
    });
    let feed = json!({"inventory": vec![car; CARS]}).to_string();
    let site: Url = "https://www.dealer.example/".parse().expect("an address");
    println!("feed of {} KB:", feed.len() / 1_000);
    let read = || inventory::read(feed.as_bytes(), &site);
    assert!(read().is_ok_and(|page| page.vehicles.iter().all(Result::is_ok)), "all cars are read");
    let ours = stopwatch::ours(read);
    stopwatch::other("typed serde", ours, || serde_json::from_str::<Feed>(&feed).is_ok());
}
