//! Variants of the cases in `tests/cases.rs`: other inputs of each kind, with the right value. A wrong number is worse
//! than none, so most of them must give none.

mod amounts;
mod availability;
mod identity;
mod scripts;
mod units;
mod walls;

use product_detail_scraping::{feed_data, page::record::Details};
use serde_json::{Value, json};

use crate::cases::{VIN, differences, page};

/// A page, and what is right of it by field; null says that there is no value.
type Variant = (String, Value);

/// Asserts that each page has these fields beside this data of the feed.
fn assert_read_beside(feed: &Details, variants: Vec<Variant>) {
    let mut wrong = Vec::new();
    for (html, expected) in variants {
        let differing = differences(&page(&html, feed), &expected);
        wrong.extend(differing.into_iter().map(|what| format!("{what}\n  of {html}")));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn assert_read(variants: Vec<Variant>) {
    assert_read_beside(&Details::default(), variants);
}

/// The feed's data of the car.
fn feed(data: &Value) -> Details {
    feed_data::details(&data.to_string())
}

/// The data layer of our car.
fn layer(rest: &str) -> String {
    format!(r#"<script>d.vehicles=[{{"vin":"{VIN}",{rest}}}]</script>"#)
}

/// The same of a car of 2019.
fn ours(rest: &str) -> String {
    layer(&format!(r#""modelYear":"2019",{rest}"#))
}

/// Linked data of our car with these further properties.
fn car(rest: &str) -> String {
    format!(r#"<script type="application/ld+json">{{"@type":"Car","vin":"{VIN}",{rest}}}</script>"#)
}

/// Linked data of our car of 2019 with this offer.
fn linked(offer: &str) -> String {
    car(&format!(r#""vehicleModelDate":"2019","offers":{{{offer}}}"#))
}

/// Our car's heading, which has the VIN.
fn headed(rest: &str) -> String {
    format!("<h1>2019 Honda Accord {VIN}</h1>{rest}")
}

fn no_price() -> Value {
    json!({"price_cents": null})
}

fn price(dollars: u64) -> Value {
    json!({"price_cents": dollars * 100})
}
