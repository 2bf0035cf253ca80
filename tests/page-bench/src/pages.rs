//! Reads a page with several parsers. Each of the others collects what a reader of pages needs: tags, attributes and
//! texts.

use std::cell::Cell;

use bench_engine::page::{ADDRESS, VIN};
use html5gum::{DefaultEmitter, Token, Tokenizer};
use inventory::budget::Budget;
use lol_html::{RewriteStrSettings, element, rewrite_str, text};
use product_detail_scraping::page::{self, markup::Markup, record::Details};
use scraper::{Html, Selector};
use url::Url;

use crate::stopwatch::{self, Bound};

/// Prints the times of all parsers. Returns that of ours in microseconds, and whether it is as short as promised.
pub(crate) fn compare(html: &str) -> (f64, bool) {
    let address: Url = ADDRESS.parse().expect("an address");
    let read = || page::read(html, &address, VIN, &Details::default());
    assert!(read().is_ok(), "the page is about the car");
    let ours = stopwatch::ours(read);
    stopwatch::other("ours, tags alone", ours, || {
        Markup::of(html, &Budget::of(html.len())).tags().count()
    });
    // A ratio above 1 says that ours is faster; lol_html collects the same, and reads no value of it.
    let held = [
        stopwatch::judged("scraper", ours, Bound::AtLeast(3.0), || of_scraper(html)),
        stopwatch::judged("lol_html", ours, Bound::AtLeast(0.6), || of_lol_html(html)),
    ];
    stopwatch::other("html5gum", ours, || of_html5gum(html));
    (ours, held.iter().all(|held| *held))
}

fn of_scraper(html: &str) -> usize {
    let all = Selector::parse("*").expect("a selector");
    let document = Html::parse_document(html);
    let attributes = document.select(&all).flat_map(|element| element.value().attrs());
    let attributes: usize = attributes.map(|(name, value)| name.len() + value.len()).sum();
    attributes + document.root_element().text().map(str::len).sum::<usize>()
}

fn of_lol_html(html: &str) -> usize {
    let bytes = Cell::new(0);
    let settings = RewriteStrSettings {
        element_content_handlers: vec![
            element!("*", |element| {
                for attribute in element.attributes() {
                    let length = attribute.name().len() + attribute.value().len();
                    bytes.set(bytes.get() + length);
                }
                Ok(())
            }),
            text!("*", |text| {
                bytes.set(bytes.get() + text.as_str().len());
                Ok(())
            }),
        ],
        ..RewriteStrSettings::new()
    };
    rewrite_str(html, settings).expect("a page without ambiguities");
    bytes.get()
}

fn of_html5gum(html: &str) -> usize {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let tokens = Tokenizer::new_with_emitter(html, emitter).map_while(Result::ok);
    tokens
        .map(|token| match token {
            Token::StartTag(tag) => tag.attributes.values().map(|value| value.value.len()).sum(),
            Token::String(text) => text.value.len(),
            _ => 0,
        })
        .sum()
}
