//! The content hash: a car whose hash is unchanged needs no new jobs.

use evenkeel::base::hash::sha256_hex;

use crate::{payload::Condition, price::Cents, vehicle::Vehicle};

/// Version prefix of the hashed text. Any change of the format makes every stored car count as
/// changed, and creates jobs for all of them.
const FORM: &str = "vehicle/1";

/// SHA-256 over the fields that a scraping or a short link depends on, as 64 hexadecimal digits.
///
/// Included are the fields that can change and matter to a buyer: make, model, trim, stock number,
/// condition, prices, odometer, address, whether it is sold, reserved or on order, and whether there are pictures. A car
/// in stock is as one of which the site says nothing.
///
/// Excluded are the fields that change although the car does not, because each such change would
/// create jobs for every car of the dealer:
///
/// - the title, which is advertising and otherwise repeats make and model;
/// - the order, number and addresses of the pictures, which depend on the site's image server;
/// - the ids of the listing, which the address contains anyway, and of the account;
/// - the inventory date, and the notes on unreadable fields.
///
/// Also excluded are fields that never change for a VIN, such as engine and paint. One endpoint
/// omits them, so a switch between the endpoints would make every car count as changed. For the
/// same reason words are compared without regard to case.
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
        ("availability", vehicle.availability.clone().filter(|state| state != "in_stock")),
        ("final_price", amount(prices.final_price)),
        ("internet", amount(prices.internet)),
        ("sale", amount(prices.sale)),
        ("asking", amount(prices.asking)),
        ("retail", amount(prices.retail)),
        ("msrp", amount(prices.msrp)),
        ("link", vehicle.link.clone()),
        ("pictures", (!vehicle.images.is_empty()).then(|| "yes".to_owned())),
    ];
    // No value can imitate another field's line, because values contain no line breaks.
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
