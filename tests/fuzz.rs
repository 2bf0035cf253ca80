//! Fuzz targets, one for each parser of input from outside.
//!
//! `cargo test` runs each target with some thousands of inputs. `cargo bolero test fuzz::NAME`
//! (libFuzzer or AFL) runs one for as long as you like. Random input rarely resembles a page, so
//! each input is also inserted into a valid one.

use std::hint::black_box;

use dealer_com_feed::{endpoint, inventory as feed};
use evenkeel::{message, record::trace::Trace};
use inventory::budget::Budget;
use product_detail_scraping::page::{
    self, challenge, data_layer, json_ld,
    markup::{self, Markup},
    meta, microdata,
    record::Details,
    repair, script,
    sighting::Sightings,
    vocabulary::Provenance,
};
use url::Url;
use url_shortening::Shortening;

const ITERATIONS: usize = 3_000;
const MAX_BYTES: usize = 8 * 1024;
const VIN: &str = "1HGCM82633A004352";

const PAGE: &str = r#"<html><head><meta property="og:title" content="A car">
<script type="application/ld+json">{"@type":["Car"],"vehicleIdentificationNumber":"1HGCM82633A004352",
"offers":[{"price":"$23,995"}],"mileageFromOdometer":{"value":"31,000","unitCode":"SMI"}}</script>
<script>DDC.dataLayer['vehicles'] = [{"vin":"1HGCM82633A004352","internetPrice":"23995"}];</script>
</head><body itemscope itemtype="https://schema.org/Car"><b itemprop="vin">1HGCM82633A004352</b>
<i data-vin="1HGCM82633A004352"></i></body></html>"#;

const FEED: &str = r#"{"pageInfo":{"totalCount":2,"pageSize":"35","trackingData":[]},"inventory":[
{"vin":"1hgcm82633a004352","title":["2021","Honda"],"year":"2021","link":"/new/car.htm",
"pricing":{"dprice":[{"typeClass":"internetPrice","value":"$23,995","isFinalPrice":true}]},
"attributes":[{"name":"odometer","value":"31,000"}],"images":[{"uri":"//x/1.jpg"}]},{"vin":null}]}"#;

/// Calls `parse` with each input, by itself and inserted into `around`.
fn fuzz(around: &str, parse: impl Fn(&str) + std::panic::RefUnwindSafe) {
    bolero::check!().with_iterations(ITERATIONS).with_max_len(MAX_BYTES).for_each(
        |input: &[u8]| {
            let text = String::from_utf8_lossy(input);
            parse(&text);
            let sum =
                input.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
            let at = around.floor_char_boundary(sum % (around.len() + 1));
            parse(&[&around[..at], &text, &around[at..]].concat());
        },
    );
}

fn seen(source: Provenance, read: impl Fn(&str, &mut Sightings<'_>), text: &str) {
    let url: Url = "https://www.acme.example/car".parse().unwrap();
    let budget = Budget::of(text.len());
    let mut sightings = Sightings::new(source, VIN, &url, &budget);
    read(text, &mut sightings);
    assert!(sightings.others().len() <= 1_000, "the number of values is bounded");
}

/// A reader of tags as one of a text.
fn of_markup(read: impl Fn(&Markup<'_>, &mut Sightings<'_>)) -> impl Fn(&str, &mut Sightings<'_>) {
    move |text, sightings| read(&Markup::of(text, &Budget::of(text.len())), sightings)
}

#[test]
fn whole_page() {
    let url: Url = "https://www.acme.example/car".parse().unwrap();
    fuzz(PAGE, |text| {
        let reading = page::read(text, &url, VIN, &Details::default());
        let size = reading.map(|reading| serde_json::to_string(&reading).unwrap().len());
        assert!(size.unwrap_or_default() < 128 * 1024, "the result fits into a record");
    });
}

#[test]
fn page_data_layer() {
    fuzz(PAGE, |text| seen(Provenance::DataLayer, data_layer::read, text));
}

#[test]
fn page_json_ld() {
    fuzz(PAGE, |text| seen(Provenance::JsonLd, json_ld::read, text));
}

#[test]
fn page_microdata() {
    fuzz(PAGE, |text| seen(Provenance::Microdata, of_markup(microdata::read), text));
}

#[test]
fn page_meta() {
    fuzz(PAGE, |text| seen(Provenance::OpenGraph, of_markup(meta::read), text));
    fuzz(PAGE, |text| seen(Provenance::DataVin, of_markup(meta::read_data_vins), text));
}

#[test]
fn page_markup() {
    fuzz(PAGE, |text| {
        assert!(Markup::of(text, &Budget::of(text.len())).tags().count() <= text.len());
        assert!(markup::decode(text).len() <= text.len() * 4 + 16);
        black_box(challenge::recognise(text));
    });
}

#[test]
fn page_script() {
    fuzz(PAGE, |text| {
        let markup = Markup::of(text, &Budget::of(text.len()));
        assert!(script::scripts(&markup).all(|script| text.contains(script.body)));
        if let Some(value) = script::isolate(text) {
            black_box(repair::parse(value).is_ok());
        }
        black_box(repair::parse(repair::unwrapped(text)).is_ok());
    });
}

#[test]
fn traces() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    for around in [header, traceparent] {
        fuzz(around, |text| {
            if let Some(trace) = Trace::of_message(Some(text), Some(text)) {
                let header = trace.to_string();
                assert!(header.len() <= 74 && trace.id().len() == 35, "{header}");
                assert_eq!(Trace::of_header(&header), Some(trace));
            }
        });
    }
}

#[test]
fn feed_inventory() {
    let site: Url = "https://www.acme.example/".parse().unwrap();
    fuzz(FEED, |text| {
        if let Ok(page) = feed::read(text.as_bytes(), &site) {
            assert!(page.vehicles.len() <= feed::MAX_ENTRIES);
        }
        black_box(endpoint::find_site_id(text.as_bytes()));
    });
}

#[test]
fn message_body() {
    let body = r#"{"version":1,"type":"url_shortening","id":"x","payload":{"destination":
        "https://a.example/","dealer_slug":"a","vin":"1HGCM82633A004352"}}"#;
    fuzz(body, |text| {
        if let Ok(message) = message::decode::<Shortening>("url_shortening", text) {
            assert!(message.key.starts_with("url_shortening#"));
        }
    });
}
