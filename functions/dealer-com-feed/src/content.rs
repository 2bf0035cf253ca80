//! The content hash: two readings of a car with the same hash call for no new work.

use evenkeel::base::hash::sha256_hex;

use crate::{payload::Condition, price::Cents, vehicle::Vehicle};

/// Begins what is hashed. Another form would make every car of every dealer a changed one, so it is
/// changed only on purpose.
const FORM: &str = "vehicle/1";

/// A hash over what a scrape or a short link depends on, in 64 hexadecimal digits.
///
/// In it is what can change about a car and matters to a buyer: what it is called, its condition,
/// its prices, its odometer, its address, and whether it has pictures yet.
///
/// Left out is what changes without the car changing, for each such change would make a job for
/// every car of the dealer: the title, which is advertising and otherwise repeats make and model;
/// the pictures' order, number and addresses, which belong to the site's image server; the id of
/// the listing, which the address holds anyway, and that of the account; the date; and what was
/// unreadable. So is what a car is born with, such as engine and paint: its VIN stands for that,
/// and an endpoint that leaves such attributes out must not make every car a changed one when it
/// takes the other's place. For the same reason upper and lower case of words are one.
#[must_use]
pub fn content_hash(vehicle: &Vehicle) -> String {
    let words = |text: Option<&str>| text.map(str::to_lowercase);
    let prices = &vehicle.prices;
    let fields = [
        ("vin", Some(vehicle.vin.to_string())),
        ("condition", vehicle.condition.map(Condition::name).map(str::to_owned)),
        ("year", number(vehicle.year)),
        ("make", words(vehicle.make.as_deref())),
        ("model", words(vehicle.model.as_deref())),
        ("trim", words(vehicle.trim.as_deref())),
        ("stock_number", words(vehicle.stock_number.as_deref())),
        ("odometer", number(vehicle.odometer)),
        ("final_price", amount(prices.final_price)),
        ("internet", amount(prices.internet)),
        ("sale", amount(prices.sale)),
        ("asking", amount(prices.asking)),
        ("retail", amount(prices.retail)),
        ("msrp", amount(prices.msrp)),
        ("link", vehicle.link.clone()),
        ("pictures", (!vehicle.images.is_empty()).then(|| "yes".to_owned())),
    ];
    // Lines cannot be forged: a field's text is on one line.
    let lines = fields.into_iter().filter_map(|(name, value)| Some(format!("\n{name}={}", value?)));
    sha256_hex(&[FORM, &lines.collect::<String>()])
}

fn number(number: Option<impl ToString>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn amount(amount: Option<Cents>) -> Option<String> {
    number(amount.map(|Cents(cents)| cents))
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
