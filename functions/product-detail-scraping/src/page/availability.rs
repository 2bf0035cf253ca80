//! Whether a car can be bought: the words and flags by which sources say it.

use inventory::availability;
use serde_json::{Map, Value};

use super::{value, vocabulary::Availability};

/// The flags by which a source says in which state a car is, without the marks between their words.
const FLAGS: [(&str, bool, Availability); 15] = [
    ("sold", true, Availability::Sold),
    ("issold", true, Availability::Sold),
    ("hassold", true, Availability::Sold),
    ("soldflag", true, Availability::Sold),
    ("vehiclesold", true, Availability::Sold),
    ("markedsold", true, Availability::Sold),
    ("reserved", true, Availability::Reserved),
    ("isreserved", true, Availability::Reserved),
    ("salepending", true, Availability::Reserved),
    ("issalepending", true, Availability::Reserved),
    ("ispending", true, Availability::Reserved),
    ("instock", false, Availability::OutOfStock),
    ("isinstock", false, Availability::OutOfStock),
    ("isavailable", false, Availability::OutOfStock),
    ("available", false, Availability::OutOfStock),
];

/// The properties that say when a car was sold.
const SOLD_AT: [&str; 4] = ["solddate", "dateofsale", "datesold", "soldat"];

/// Parses a state, written as a word, as a few words that begin with it, or as a schema.org address.
pub(crate) fn read(text: &str) -> Option<Availability> {
    Availability::named(availability::named(text)?)
}

/// The state that the flags of a car say: `isSold`, `salePending`, `soldDate`. The first of the list counts.
pub(crate) fn flagged(car: &Map<String, Value>) -> Option<Availability> {
    let named = |name: &str| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect::<String>()
    };
    let said: Vec<(String, String)> = car
        .iter()
        .filter_map(|(name, value)| Some((named(name), value::plain(value)?)))
        .filter(|(name, _)| {
            FLAGS.iter().any(|(flag, ..)| flag == name) || SOLD_AT.contains(&name.as_str())
        })
        .collect();
    let is_date = |text: &str| {
        let starts = text.starts_with(|c: char| ('1'..='9').contains(&c));
        starts && text.bytes().filter(u8::is_ascii_digit).count() >= 6
    };
    let is_sold = said.iter().any(|(name, text)| SOLD_AT.contains(&name.as_str()) && is_date(text));
    let mut flags = FLAGS.iter().filter(|(flag, meant, _)| {
        said.iter().any(|(name, text)| name == flag && value::boolean(text) == Some(*meant))
    });
    let flag = flags.next().map(|(_, _, state)| *state);
    if is_sold { Some(Availability::Sold) } else { flag }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_says_it_in_every_spelling() {
        let state = |car: Value| flagged(car.as_object().unwrap());
        for sold in [
            json!({"isSold": true}),
            json!({"sold": "true"}),
            json!({"is_sold": 1}),
            json!({"Sold": "Yes"}),
            json!({"soldDate": "2024-05-01"}),
            json!({"salePending": true, "isSold": "y"}),
        ] {
            assert_eq!(state(sold.clone()), Some(Availability::Sold), "{sold}");
        }
        assert_eq!(state(json!({"salePending": true})), Some(Availability::Reserved));
        assert_eq!(state(json!({"inStock": false})), Some(Availability::OutOfStock));
        for silent in [
            json!({"isSold": false}),
            json!({"sold": "no", "inStock": true}),
            json!({"soldDate": null}),
            json!({"soldDate": "0000-00-00"}),
            json!({"soldBy": "Acme"}),
        ] {
            assert_eq!(state(silent.clone()), None, "{silent}");
        }
    }
}
