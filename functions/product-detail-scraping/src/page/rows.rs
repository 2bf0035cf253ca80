//! The rows of a page that label a fact: a table, a list of terms, or a label and its value.

use super::{
    availability, distance,
    price::{self, Amount},
    record::Details,
    shown_text::PageText,
    value,
    vocabulary::{Availability, Condition},
};

/// How far from the row of the VIN, or from the heading, its facts stand, in texts.
pub(super) const NEAR: usize = 60;

/// Labels of rows, in lower case, without the colon.
const VIN: [&str; 6] =
    ["vin", "vin #", "vin number", "vin no", "vin no.", "vehicle identification number"];
const PRICE: [&str; 14] = [
    "price",
    "internet price",
    "sale price",
    "selling price",
    "asking price",
    "our price",
    "our best price",
    "your price",
    "dealer price",
    "final price",
    "cash price",
    "special price",
    "now",
    "now only",
];
const MSRP: [&str; 2] = ["msrp", "list price"];
const FORMER: [&str; 8] = [
    "was",
    "was price",
    "before",
    "former price",
    "old price",
    "original price",
    "previous price",
    "regular price",
];
const MILEAGE: [&str; 6] =
    ["mileage", "miles", "odometer", "mileage (mi)", "mileage (miles)", "odometer (miles)"];
const METRIC: [&str; 7] =
    ["kilometers", "kilometres", "km", "kms", "mileage (km)", "odometer (km)", "kilometers (km)"];
const STOCK: [&str; 5] = ["stock", "stock #", "stock number", "stock no", "stk #"];
const STATUS: [&str; 7] = [
    "status",
    "availability",
    "vehicle status",
    "inventory status",
    "stock status",
    "sale status",
    "vehicle availability",
];

/// The rows with one of these labels, outside of links and of other cars: the place of each, and its value.
fn rows<'t>(texts: &'t [PageText], labels: &'t [&str]) -> impl Iterator<Item = (usize, &'t str)> {
    let is_own = |text: &PageText| !text.is_link && !text.is_of_other;
    texts.iter().enumerate().filter(move |(_, text)| is_own(text)).filter_map(move |(at, text)| {
        let lower = text.text.to_lowercase();
        let is_label = |label: &str| labels.contains(&label.trim_end_matches([':', '.', ' ']));
        if is_label(&lower) {
            // What is struck out is the value of before.
            let next = texts.iter().skip(at + 1).find(|next| !next.is_struck);
            return Some((at, next.filter(|next| is_own(next))?.text.as_str()));
        }
        let (label, value) = text.text.split_once(':')?;
        is_label(&label.to_lowercase()).then(|| (at, value.trim()))
    })
}

/// The VINs in rows that label them.
pub(super) fn vins(texts: &[PageText]) -> Vec<String> {
    let found = rows(texts, &VIN).filter_map(|(_, text)| value::vin(&text.into()));
    let mut vins: Vec<String> = found.collect();
    vins.sort();
    vins.dedup();
    vins
}

/// The place of the first row that labels a VIN.
pub(super) fn first_vin(texts: &[PageText]) -> Option<usize> {
    rows(texts, &VIN).next().map(|(at, _)| at)
}

/// The place of the row of this VIN, if no row has another.
pub(super) fn place(texts: &[PageText], vin: &str) -> Option<usize> {
    let own = |text: &str| value::vin(&text.into()).is_some_and(|found| found == vin);
    let found = rows(texts, &VIN).find(|(_, text)| own(text));
    found.map(|(at, _)| at).filter(|_| vins(texts) == [vin])
}

/// The value of the rows near this place with one of these labels, if they have just one.
fn near<'t>(
    texts: &'t [PageText],
    place: usize,
    labels: &'static [&'static str],
) -> Option<&'t str> {
    let from = place.saturating_sub(NEAR);
    let until = texts.len().min(place + NEAR + 1);
    // A value may stand behind the last label.
    let texts = &texts[from..texts.len().min(until + 1)];
    let mut values: Vec<&str> = rows(texts, labels).map(|(_, value)| value).collect();
    values.sort_unstable();
    values.dedup();
    if values.len() == 1 { values.pop() } else { None }
}

/// The details in the rows near this place. A mileage of zero is one of a new car only.
pub(super) fn details(texts: &[PageText], place: usize, condition: Option<Condition>) -> Details {
    let near = |labels: &'static [&'static str]| near(texts, place, labels);
    let amount = |labels: &'static [&'static str], said: &str| {
        near(labels).and_then(|text| price::read(text, said))
    };
    let mut details = Details::default();
    if let Some(amount @ Amount::Asking(_)) = amount(&PRICE, "") {
        details.price(Some(amount));
        details.currency = near(&PRICE).and_then(value::currency_beside).map(str::to_owned);
    }
    details.price(amount(&MSRP, "msrp"));
    // The label may have the unit.
    let metric = near(&METRIC).map(|text| format!("{text} km"));
    details.mileage = metric
        .or_else(|| near(&MILEAGE).map(str::to_owned))
        .and_then(|text| distance::read(&text))
        .filter(|mileage| mileage.value > 0 || condition == Some(Condition::New));
    let stock = near(&STOCK).filter(|text| !value::is_placeholder(text));
    details.stock_number = stock.map(str::to_owned);
    details
}

/// The former price in the rows near this place, in cents.
pub(super) fn former(texts: &[PageText], place: usize) -> Option<u64> {
    let number = value::number(near(texts, place, &FORMER)?)?;
    Some(number.whole * 100 + number.hundredths)
}

/// The state in the rows near this place.
pub(super) fn status(texts: &[PageText], place: usize) -> Option<Availability> {
    near(texts, place, &STATUS).and_then(availability::read)
}
