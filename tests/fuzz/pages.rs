//! Pages and feeds of dealers.

use std::hint::black_box;

use dealer_com_feed::{endpoint, inventory as feed};
use inventory::budget::Budget;
use product_detail_scraping::page::{
    self, challenge, charset, data_layer, json_ld,
    markup::{self, Markup},
    meta, microdata,
    record::Details,
    repair, script,
    sighting::Sightings,
    vocabulary::Provenance,
};
use url::Url;

const VIN: &str = "1HGCM82633A004352";

fn url() -> Url {
    "https://www.acme.example/car".parse().unwrap()
}

/// Lets a reader of pages read a text; returns whether that names our car.
fn sees(source: Provenance, read: impl Fn(&str, &mut Sightings<'_>), text: &str) -> bool {
    let (url, budget) = (url(), Budget::of(text.len()));
    let mut sightings = Sightings::new(source, VIN, &url, &budget);
    read(text, &mut sightings);
    assert!(sightings.others().len() <= 1_000, "the number of values is bounded");
    sightings.names_ours()
}

/// A reader of tags as one of a text.
fn of_markup(read: impl Fn(&Markup<'_>, &mut Sightings<'_>)) -> impl Fn(&str, &mut Sightings<'_>) {
    move |text, sightings| read(&Markup::of(text, &Budget::of(text.len())), sightings)
}

#[test]
fn whole_page() {
    target!("whole_page", |text: &str| {
        let reading = page::read(text, &url(), VIN, &Details::default());
        let json = reading.map(|reading| serde_json::to_string(&reading).unwrap());
        assert!(json.as_ref().map_or(0, String::len) < 128 * 1024, "the result fits into a record");
        json.is_ok_and(|json| json.contains("2399500"))
    });
}

#[test]
fn page_data_layer() {
    target!("page_data_layer", |text: &str| sees(Provenance::DataLayer, data_layer::read, text));
}

#[test]
fn page_json_ld() {
    target!("page_json_ld", |text: &str| {
        let read = |text: &str, seen: &mut Sightings<'_>| {
            let shared = json_ld::shared([text, text].into_iter(), seen);
            json_ld::read(text, &shared, seen);
        };
        sees(Provenance::JsonLd, read, text)
    });
}

#[test]
fn page_microdata() {
    target!("page_microdata", |text: &str| {
        sees(Provenance::Microdata, of_markup(microdata::read), text)
    });
}

#[test]
fn page_meta() {
    target!("page_meta", |text: &str| {
        let names_ours = sees(Provenance::OpenGraph, of_markup(meta::read), text);
        names_ours | sees(Provenance::DataVin, of_markup(meta::read_data_vins), text)
    });
}

#[test]
fn page_markup() {
    target!("page_markup", |text: &str| {
        let tags = Markup::of(text, &Budget::of(text.len())).tags().count();
        assert!(tags <= text.len());
        assert!(markup::decode(text).len() <= text.len() * 4 + 16);
        black_box(challenge::recognise(text));
        tags > 0
    });
}

#[test]
fn page_script() {
    target!("page_script", |text: &str| {
        let markup = Markup::of(text, &Budget::of(text.len()));
        assert!(script::scripts(&markup).all(|script| text.contains(script.body)));
        if let Some(value) = script::isolate(text) {
            black_box(repair::parse(value).is_ok());
        }
        black_box(repair::parse(repair::unwrapped(text)).is_ok());
        script::scripts(&markup).next().is_some()
    });
}

/// A page's bytes after a line with the character set of its header.
#[test]
fn page_charset() {
    bytes_target!("page_charset", |bytes: &[u8]| {
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (header, body) = (&bytes[..line], bytes.get(line + 1..).unwrap_or_default());
        let header = str::from_utf8(header).ok().filter(|header| !header.is_empty());
        let text = charset::text(body.to_vec(), header);
        assert!(text.len() <= body.len() * 3, "a byte becomes at most three");
        if let Ok(utf8) = str::from_utf8(body) {
            assert_eq!(text, utf8.strip_prefix('\u{feff}').unwrap_or(utf8), "UTF-8 stays as it is");
        }
        str::from_utf8(body).is_err() && !text.contains('\u{fffd}')
    });
}

#[test]
fn feed_inventory() {
    let site: Url = "https://www.acme.example/".parse().unwrap();
    target!("feed_inventory", |text: &str| {
        black_box(endpoint::find_site_id(text.as_bytes()));
        feed::read(text.as_bytes(), &site).is_ok_and(|page| {
            assert!(page.vehicles.len() <= feed::MAX_ENTRIES);
            !page.vehicles.is_empty()
        })
    });
}
