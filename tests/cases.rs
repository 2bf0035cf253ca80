//! Small inputs made from what people reported in public, each with the right value. They stand in `tests/cases/`, one
//! file a case; each is one of a kind.

use std::{collections::BTreeMap, fs, path::PathBuf};

use product_detail_scraping::page::{PageError, read, record::Details};
use serde_json::{Value, json};
use url::Url;

const VIN: &str = "1HGCM82633A004352";

const ADDRESS: &str = "https://www.acme.example/used/x/car.htm";

/// The text of a case.
fn text(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// What the page of a case says of the car, by field; or the error.
fn page(html: &str) -> BTreeMap<String, Value> {
    let address: Url = ADDRESS.parse().unwrap();
    match read(html, &address, VIN, &Details::default()) {
        Ok(reading) => {
            let record = serde_json::to_value(&reading.record).unwrap();
            let fields = record.as_object().unwrap().iter();
            fields.map(|(name, found)| (name.clone(), found["value"].clone())).collect()
        }
        Err(error) => {
            let name = match error {
                PageError::Challenge { .. } => "challenge",
                PageError::OtherVehicle { .. } => "other_vehicle",
                PageError::NoVin => "no_vin",
            };
            BTreeMap::from([("error".to_owned(), json!(name))])
        }
    }
}

/// The expected fields of each page; null says that there is no value.
fn pages() -> Vec<(&'static str, Value)> {
    let miles = |value: u32| json!({"value": value, "unit": "miles"});
    vec![
        ("01-soft404-other-car.html", json!({"error": "no_vin", "title": null})),
        (
            "03-datalayer-object-payment.html",
            json!({"price_cents": 24_490_000, "msrp_cents": 28_900_000, "mileage": miles(1_200),
                "year": 2025, "make": "Acme", "model": "Coupe"}),
        ),
        ("04-savings-as-offer.html", json!({"price_cents": 5_794_400, "msrp_cents": 7_296_500})),
        ("05-zero-dealer-prices-payment.html", json!({"price_cents": null, "year": 2024})),
        ("07-payment-frequency.html", json!({"price_cents": null})),
        // Two prices of the page that differ by more than a tenth: no price, and the report lists both.
        ("10-folded-incentive.html", json!({"price_cents": null, "msrp_cents": 7_238_500})),
        // Two thirds below the manufacturer's price of a new car: few buyers get that.
        ("11-conditional-discount.html", json!({"price_cents": null, "msrp_cents": 8_953_000})),
        (
            "12-state-block-and-or-lines.html",
            json!({"year": 2026, "make": "Acme", "model": "Coupe", "trim": "XLE",
                "condition": "new", "stock_number": "A1", "msrp_cents": 4_106_300,
                "price_cents": 4_406_400, "mileage": miles(0)}),
        ),
        (
            "13-js-hex-escapes.html",
            json!({"make": "Mercedes-Benz", "model": "Grand Caravan", "trim": "SXT | Plus",
                "price_cents": 1_850_000}),
        ),
        (
            "17-makes-offer.html",
            json!({"price_cents": 1_800_000, "currency": "USD", "exterior_color": "Black"}),
        ),
        ("18-motor-vehicle.html", json!({"model": "Tucson", "price_cents": 2_149_500})),
        ("19-comments-in-json.html", json!({"model": "Accord", "price_cents": 1_250_000})),
        (
            "21-msrp-and-vehicle-condition.html",
            json!({"msrp_cents": 5_319_000, "condition": "new", "price_cents": 5_099_500}),
        ),
        ("22-entities.html", json!({"trim": "4MATIC® Sport", "exterior_color": "Bleu étoile"})),
        ("24-nested-text.html", json!({"mileage": miles(42_000), "price_cents": 1_850_000})),
        (
            "26-facts-in-plain-html.html",
            json!({"price_cents": 3_295_000, "mileage": miles(14_588)}),
        ),
        ("27-stale-markup-price.html", json!({"price_cents": 2_399_500})),
        ("28-wall-incident-number.html", json!({"error": "challenge"})),
        ("30-sold.html", json!({"availability": "sold", "price_cents": null})),
    ]
}

#[test]
fn pages_are_read_right() {
    let mut wrong = Vec::new();
    for (name, expected) in pages() {
        let found = page(&text(name));
        for (field, value) in expected.as_object().unwrap() {
            let read = found.get(field).unwrap_or(&Value::Null);
            if read != value {
                wrong.push(format!("{name}: {field} is {read}, expected {value}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
