//! Pages and feeds of several sizes, and hostile ones.

use bench_engine::{
    feed::{self, SITE},
    page::{self, ADDRESS, VIN},
};
use dealer_com_feed::inventory;
use product_detail_scraping::page::{self as reader, record::Details};
use url::Url;

use crate::case::Case;

/// Cars of the small, the usual and the large feed: 1.5 KB each.
const SMALL_FEED: usize = 10;
const USUAL_FEED: usize = 200;
const LARGE_FEED: usize = 2_000;

const LARGE_BYTES: usize = 3_000_000;
const HOSTILE_BYTES: usize = 1_000_000;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        of_page("page, small", 500, || page::of_a_car(0)),
        of_page("page, 300 KB", 10, || page::of_a_car(page::USUAL_BYTES)),
        of_page("page, 3 MB", 1, || page::of_a_car(LARGE_BYTES)),
        of_page("page, hostile", 2, || page::hostile(HOSTILE_BYTES)),
        of_feed("feed, small", 100, || feed::of_cars(SMALL_FEED)),
        of_feed("feed, 300 KB", 5, || feed::of_cars(USUAL_FEED)),
        of_feed("feed, 3 MB", 1, || feed::of_cars(LARGE_FEED)),
        of_feed("feed, hostile", 2, || feed::hostile(HOSTILE_BYTES)),
    ]
}

fn of_page(name: &str, rounds: u32, text: fn() -> String) -> Case {
    let set_up = move || {
        let (html, address) = (text(), address(ADDRESS));
        move || reader::read(&html, &address, VIN, &Details::default())
    };
    Case::pure(name, "page", rounds, set_up).per_megabyte(text().len())
}

fn of_feed(name: &str, rounds: u32, text: fn() -> String) -> Case {
    let set_up = move || {
        let (body, site) = (text(), address(SITE));
        move || inventory::read(body.as_bytes(), &site)
    };
    Case::pure(name, "feed", rounds, set_up).per_megabyte(text().len())
}

fn address(text: &str) -> Url {
    text.parse().expect("an address")
}
