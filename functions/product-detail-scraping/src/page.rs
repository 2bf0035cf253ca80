//! Extracts one car's record from the HTML of its detail page and keeps the source of every value.
//!
//! Every function here is pure. The tags of a page are found in one pass, and all readers walk them. Time and memory
//! are linear in the size of the page, which is cut at [`MAX_PAGE_BYTES`]: lists, texts and nesting have limits, and
//! every loop pays from the page's [`Budget`].

use std::{error::Error, fmt};

use inventory::budget::Budget;
use serde::Serialize;
use url::Url;

mod agreement;
mod amount;
mod assignment;
mod availability;
pub mod challenge;
pub mod charset;
pub mod data_layer;
mod distance;
mod flight;
mod headings;
mod identity;
pub mod json_ld;
mod likeness;
pub mod markup;
pub mod meta;
pub mod microdata;
mod noted;
mod others;
mod price;
mod price_block;
pub mod quality;
mod reader;
pub mod record;
pub mod references;
pub mod repair;
mod rows;
mod schema_org;
pub mod script;
mod shown;
mod shown_text;
pub mod sighting;
mod sold;
mod value;
mod vehicle_object;
mod visible;
pub mod vocabulary;
mod weight;

use markup::Markup;
use price::{Asked, Evidence};
use quality::{Code, Quality, Warning};
use record::{Details, Record};
use script::Language;
use shown::Shown;
use sighting::Sightings;
use vocabulary::{Availability, Found, Provenance};

/// Most bytes read of a page. Real pages have about a tenth of this.
pub const MAX_PAGE_BYTES: usize = 10 * 1024 * 1024;

/// Version of the rules by which a page is read. A change of what is read of any page raises it: then no reading of
/// before is used again.
pub const RULES: u32 = 2;

/// The result of reading a page about the job's car.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The car's VIN, with the first source that names it.
    pub vin: Found<String>,
    /// The page's address: after redirects, if a page was fetched.
    pub address: String,
    /// The car's fields.
    pub record: Record,
    /// Which fields were found, are missing or contradict each other, and what was odd.
    pub quality: Quality,
}

/// Why a page gives no reading of the job's car.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum PageError {
    /// The page is a bot wall's challenge. The job must stop here, not work around the wall.
    Challenge {
        /// The product that made the challenge, or `unknown`.
        wall: &'static str,
    },
    /// The page describes other cars.
    OtherVehicle {
        /// The job's VIN.
        expected: String,
        /// The VINs on the page, cut to the limit of a quality report.
        found: Vec<String>,
    },
    /// The page names no VIN, so it cannot be matched to a car.
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

/// Reads the page at `address` about the car `vin`, which must be in upper case. Fields that the
/// page lacks come from the dealer's `feed`.
///
/// A missing field is not an error, and a page that is too complex to be read whole gives what was found. Fails if the
/// page is a bot wall's challenge, describes other cars, or names no VIN.
pub fn read(html: &str, address: &Url, vin: &str, feed: &Details) -> Result<Reading, PageError> {
    read_within(&Budget::of(html.len().min(MAX_PAGE_BYTES)), html, address, vin, feed)
}

/// The same with this budget.
fn read_within(
    budget: &Budget,
    html: &str,
    address: &Url,
    vin: &str,
    feed: &Details,
) -> Result<Reading, PageError> {
    let page = &html[..html.floor_char_boundary(MAX_PAGE_BYTES)];
    let markup = Markup::of(page, budget);
    let base = visible::base(&markup, address);
    let seen = read_sources(&markup, &base, vin, budget);
    // Last, because most texts of a page are of no use: if the budget ends, it ends here.
    let visible = visible::read(&markup, budget);
    let identity = identity::decide(page, vin, &seen, &visible, feed)?;
    let mut quality = Quality {
        other_vins: identity::other_vins(&seen),
        too_complex: budget.is_exceeded(),
        ..Quality::default()
    };
    if page.len() < html.len() {
        quality.warn(Warning::new(Code::Skipped, Provenance::Page, "page", "too long"));
    }
    let mut known: Vec<Details> = seen.iter().flat_map(|source| source.named().cloned()).collect();
    known.push(feed.clone());
    known.extend(visible.titled(vin, has_word));
    let heading = visible.headed();
    let dealer = seen.iter().find_map(|source| Some((source.source(), source.dealer()?.clone())));
    let mut sources = Vec::new();
    for source in seen {
        let from = source.source();
        let admits = |unnamed: &Details| identity.proof.admits(from, unnamed, &known, &heading);
        let (details, warnings) = source.chosen(admits);
        sources.extend(details.into_iter().map(|details| (from, details)));
        for warning in warnings {
            quality.warn(warning);
        }
    }
    let mut shown = Shown::default();
    if identity.proof != identity::Proof::None {
        let condition = known.iter().find_map(|details| details.condition);
        let is_ours = identity.is_shown;
        let mut details = visible.details(vin, condition, is_ours);
        if likeness::contradicts(&heading, &known) {
            (details.title, details.condition) = (None, None);
        }
        sources.push((Provenance::Page, details));
        shown = Shown::of(&visible, vin, is_ours);
        // On the site of a group, a car may be another dealer's, which its own fields say.
        sources.extend(dealer);
    }
    sources.push((Provenance::Feed, feed.clone()));
    for (_, details) in &mut sources {
        if details.title.as_deref().is_some_and(sold::is_headed_sold) {
            details.availability = Some(Availability::Sold);
        }
    }
    let vin = Found { value: vin.to_owned(), from: identity.from };
    Ok(Reading::of(vin, address, sources, &shown, quality))
}

/// The reading of a car whose page gave nothing: every field comes from the feed.
#[must_use]
pub fn without_page(address: &Url, vin: &str, feed: &Details) -> Reading {
    let vin = Found { value: vin.to_owned(), from: Provenance::Feed };
    let sources = vec![(Provenance::Feed, feed.clone())];
    Reading::of(vin, address, sources, &Shown::default(), Quality::default())
}

impl Reading {
    fn of(
        vin: Found<String>,
        address: &Url,
        sources: Vec<(Provenance, Details)>,
        shown: &Shown,
        mut quality: Quality,
    ) -> Self {
        let record = Record::of(sources, shown, &mut quality);
        Self { vin, address: address.to_string(), record, quality }
    }
}

impl Record {
    /// Merges the details of all sources, most trusted first, and reports gaps and contradictions
    /// in `quality`.
    fn of(mut sources: Vec<(Provenance, Details)>, shown: &Shown, quality: &mut Quality) -> Self {
        price::sift(&mut sources, quality);
        if let (Some(page), Some(currency)) =
            (sources.iter_mut().find(|(from, _)| *from == Provenance::Page), shown.currency)
        {
            page.1.currency.get_or_insert_with(|| currency.to_owned());
        }
        let mut record = Self::merge(&sources, quality);
        if let Some(mileage) = &mut record.mileage {
            mileage.value.unit = shown::unit(mileage, &sources, shown);
        }
        // Whoever says that it is sold knows it best: the others are older.
        let sold =
            sources.iter().find(|(_, details)| details.availability == Some(Availability::Sold));
        if let (Some((from, _)), Some(availability)) = (sold, &mut record.availability) {
            *availability = Found { value: Availability::Sold, from: *from };
        }
        let evidence = Evidence::of(&record, &sources, shown, sold.is_some());
        // What the page shows its visitors is trusted most.
        let shown = shown.asked.map(|cents| Asked { from: Provenance::Page, cents });
        let asked = sources.iter().flat_map(|(from, details)| {
            let from = *from;
            details.asking_cents.iter().map(move |cents| Asked { from, cents: *cents })
        });
        let (labelled, others): (Vec<Asked>, Vec<Asked>) =
            asked.partition(|asked| asked.from == Provenance::Page);
        let asked: Vec<Asked> = labelled.into_iter().chain(shown).chain(others).collect();
        record.price_cents = price::settle(&asked, &evidence, quality);
        record
    }
}

impl Evidence {
    /// What the merged `record`, its sources and the page's texts say of the amounts.
    fn of(
        record: &Record,
        sources: &[(Provenance, Details)],
        shown: &Shown,
        is_sold: bool,
    ) -> Self {
        let named = sources.iter().flat_map(|(_, details)| details.other_cents.iter().copied());
        let currencies = sources.iter().filter_map(|(from, details)| {
            Some((*from, details.currency.clone().filter(|_| *from != Provenance::Feed)?))
        });
        let mileage = record.mileage.as_ref().map(|found| found.value.value);
        Self {
            msrp: record.msrp_cents.as_ref().map(|found| found.value).or(shown.msrp),
            retail: record.retail_value_cents.as_ref().map(|found| found.value),
            struck: shown.struck.clone(),
            others: shown.others.iter().copied().chain(named).collect(),
            year: record.year.as_ref().map(|found| found.value),
            condition: record.condition.as_ref().map(|found| found.value),
            mileage,
            currencies: currencies.collect(),
            is_sold,
        }
    }
}

/// Reads every source of the page. The result is ordered from the most to the least trusted.
fn read_sources<'s>(
    markup: &Markup<'_>,
    address: &'s Url,
    vin: &'s str,
    budget: &'s Budget,
) -> [Sightings<'s>; 5] {
    let of = |source| Sightings::new(source, vin, address, budget);
    let (mut data_layer, mut json_ld) = (of(Provenance::DataLayer), of(Provenance::JsonLd));
    let linked = script::scripts(markup).filter(|script| script.language == Language::JsonLd);
    let shared = json_ld::shared(linked.map(|script| script.body), &json_ld);
    for script in script::scripts(markup) {
        match script.language {
            Language::JavaScript => data_layer::read(script.body, &mut data_layer),
            Language::JsonLd => json_ld::read(script.body, &shared, &mut json_ld),
            Language::Json => data_layer::read_data(script.body, &mut data_layer),
            Language::Other => {}
        }
    }
    let mut microdata = of(Provenance::Microdata);
    microdata::read(markup, &mut microdata);
    let mut data_vins = of(Provenance::DataVin);
    meta::read_data_vins(markup, &mut data_vins);
    let mut open_graph = of(Provenance::OpenGraph);
    meta::read(markup, &mut open_graph);
    [data_layer, json_ld, microdata, data_vins, open_graph]
}

/// Whether a text contains an ASCII word as a whole word. Case is ignored.
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
