//! Reading a vehicle's detail page: one car, field by field, with where each value comes from.
//!
//! Everything here is a function of its arguments. Time and memory are linear in the page, which is
//! cut at [`MAX_PAGE_BYTES`]; lists, texts and nesting have limits of their own.

use std::{error::Error, fmt};

use serde::Serialize;
use url::Url;

mod agreement;
pub mod challenge;
pub mod data_layer;
pub mod json_ld;
pub mod markup;
pub mod meta;
pub mod microdata;
mod price;
pub mod quality;
mod reader;
pub mod record;
pub mod repair;
mod schema_org;
pub mod script;
pub mod sighting;
mod value;
pub mod vocabulary;

use price::Asked;
use quality::{Code, MAX_OTHER_VINS, Quality, Warning};
use record::{Details, Record};
use script::Language;
use sighting::Sightings;
use vocabulary::{Found, Provenance};

/// Bytes of a page that are read. Real ones have a tenth of it.
pub const MAX_PAGE_BYTES: usize = 10 * 1024 * 1024;

/// What a page says of the job's car.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The car's VIN, and where the page names it.
    pub vin: Found<String>,
    /// The page's address.
    pub address: String,
    /// The car.
    pub record: Record,
    /// How good the reading is.
    pub quality: Quality,
}

/// Why a page says nothing of the job's car.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum PageError {
    /// It is the challenge of a bot wall: stop, do not try to get around it.
    Challenge {
        /// The wall, if it is a known one.
        wall: &'static str,
    },
    /// It is about other cars.
    OtherVehicle {
        /// The job's VIN.
        expected: String,
        /// The VINs on the page, some of them if there are many.
        found: Vec<String>,
    },
    /// It names no VIN at all, so whose page it is cannot be said.
    NoVin,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge { wall } => write!(f, "a bot wall's challenge ({wall})"),
            Self::OtherVehicle { expected, found } => {
                write!(f, "the page is not about {expected} but about {}", found.join(", "))
            }
            Self::NoVin => f.write_str("the page names no VIN"),
        }
    }
}

impl Error for PageError {}

/// Reads the page at `address` about the car `vin`, which is in upper case; what the page lacks is
/// taken from the dealer's `feed`.
///
/// Missing fields are no failure. Fails if the page is a bot wall's, is about other cars, or names
/// no VIN.
pub fn read(html: &str, address: &Url, vin: &str, feed: &Details) -> Result<Reading, PageError> {
    let page = &html[..html.floor_char_boundary(MAX_PAGE_BYTES)];
    let seen = look(page, address, vin);
    let named_in = confirm(page, vin, &seen)?;
    let mut quality = Quality { other_vins: other_vins(&seen), ..Quality::default() };
    if page.len() < html.len() {
        quality.warn(Warning::new(Code::Skipped, Provenance::Page, "page", "too long"));
    }
    let mut sources = Vec::new();
    for source in seen {
        let from = source.source();
        let (details, warnings) = source.chosen();
        sources.extend(details.into_iter().map(|details| (from, details)));
        for warning in warnings {
            quality.warn(warning);
        }
    }
    sources.push((Provenance::Feed, feed.clone()));
    let vin = Found { value: vin.to_owned(), from: named_in };
    Ok(Reading::of(vin, address, sources, quality))
}

/// What is known of a car without its page: the feed's own data.
#[must_use]
pub fn without_page(address: &Url, vin: &str, feed: &Details) -> Reading {
    let vin = Found { value: vin.to_owned(), from: Provenance::Feed };
    let sources = vec![(Provenance::Feed, feed.clone())];
    Reading::of(vin, address, sources, Quality::default())
}

impl Reading {
    fn of(
        vin: Found<String>,
        address: &Url,
        sources: Vec<(Provenance, Details)>,
        mut quality: Quality,
    ) -> Self {
        let record = Record::of(sources, &mut quality);
        Self { vin, address: address.to_string(), record, quality }
    }
}

impl Record {
    /// Puts together what the sources say, given in their order, and reports on it.
    fn of(mut sources: Vec<(Provenance, Details)>, quality: &mut Quality) -> Self {
        price::sift(&mut sources, quality);
        let mut record = Self::merge(&sources, quality);
        let asked = |(from, details): &(Provenance, Details)| {
            let from = *from;
            let cents = details.asking_cents.clone();
            cents.into_iter().map(move |cents| Asked { from, cents })
        };
        let asked: Vec<Asked> = sources.iter().flat_map(asked).collect();
        let msrp = record.msrp_cents.as_ref().map(|found| found.value);
        let retail = record.retail_value_cents.as_ref().map(|found| found.value);
        record.price_cents = price::settle(&asked, msrp, retail, quality);
        record
    }
}

/// What each source of the page shows, in the order in which they are believed.
fn look<'s>(page: &str, address: &'s Url, vin: &'s str) -> [Sightings<'s>; 5] {
    let of = |source| Sightings::new(source, vin, address);
    let (mut data_layer, mut json_ld) = (of(Provenance::DataLayer), of(Provenance::JsonLd));
    for script in script::scripts(page) {
        match script.language {
            Language::JavaScript => data_layer::read(script.body, &mut data_layer),
            Language::JsonLd => json_ld::read(script.body, &mut json_ld),
            Language::Other => {}
        }
    }
    let mut microdata = of(Provenance::Microdata);
    microdata::read(page, &mut microdata);
    let mut data_vins = of(Provenance::DataVin);
    meta::read_data_vins(page, &mut data_vins);
    let mut open_graph = of(Provenance::OpenGraph);
    meta::read(page, &mut open_graph);
    [data_layer, json_ld, microdata, data_vins, open_graph]
}

/// Where the page names the job's VIN. The first source that names any VIN decides: a car that a
/// page about another one recommends has its VIN in a lesser source, too. The text is asked last,
/// and only of a page that is no challenge, for challenges repeat the address that was asked for.
fn confirm(page: &str, vin: &str, seen: &[Sightings<'_>]) -> Result<Provenance, PageError> {
    let names_any = |source: &&Sightings<'_>| source.names_ours() || !source.others().is_empty();
    match seen.iter().find(names_any) {
        Some(source) if source.names_ours() => Ok(source.source()),
        Some(_) => {
            Err(PageError::OtherVehicle { expected: vin.to_owned(), found: other_vins(seen) })
        }
        None => match challenge::recognise(page) {
            Some(wall) => Err(PageError::Challenge { wall }),
            None if has_word(page, vin) => Ok(Provenance::Page),
            None => Err(PageError::NoVin),
        },
    }
}

/// The VINs of other cars, each once.
fn other_vins(seen: &[Sightings<'_>]) -> Vec<String> {
    let mut vins: Vec<String> = Vec::new();
    for vin in seen.iter().flat_map(Sightings::others) {
        if vins.len() < MAX_OTHER_VINS && !vins.contains(vin) {
            vins.push(vin.clone());
        }
    }
    vins
}

/// Whether a text holds an ASCII word, in either case, that is not a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    if word.is_empty() {
        return false;
    }
    let is_part =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    text.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word)
            && !is_part(at.checked_sub(1))
            && !is_part(Some(at + word.len()))
    })
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
