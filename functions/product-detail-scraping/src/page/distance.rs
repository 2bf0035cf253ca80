//! Odometer readings: a number and its unit, and nothing else. A fuel consumption, a warranty or a term has other words.

use serde_json::{Map, Value};

use super::{
    value::{self, CURRENCIES},
    vocabulary::{Mileage, Unit},
};

/// Largest mileage accepted, in miles or kilometres: more than any car has covered.
const MAX_MILEAGE: u32 = 2_000_000;

/// Most words of a text in which a distance is looked for.
const MAX_WORDS: usize = 60;

/// The units. KMT and SMI are the codes of UN/CEFACT, which schema.org uses.
const METRIC: [&str; 9] =
    ["km", "kms", "kmt", "klm", "kilometer", "kilometers", "kilometre", "kilometres", "kilometros"];
const MILES: [&str; 5] = ["mi", "mile", "miles", "mls", "smi"];

/// Words that may stand beside an odometer reading.
const BESIDE: [&str; 22] = [
    "about",
    "actual",
    "approx",
    "approximately",
    "certified",
    "current",
    "driven",
    "has",
    "is",
    "just",
    "low",
    "mileage",
    "odo",
    "odometer",
    "on",
    "only",
    "original",
    "reading",
    "the",
    "total",
    "verified",
    "with",
];

/// Parses a distance, with its unit if the text names one. `None` if the text speaks of anything else, such as `32 MPG`
/// or `100,000 mile warranty`.
pub(crate) fn read(text: &str) -> Option<Mileage> {
    let number = value::number(text)?;
    let value = u32::try_from(number.whole).ok().filter(|value| *value <= MAX_MILEAGE)?;
    let around = number.around.to_lowercase();
    if around.contains(CURRENCIES) {
        return None;
    }
    let mut unit = Unit::Unstated;
    for word in around.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        match unit_named(word) {
            // The label may say miles, and the number kilometres.
            Some(Unit::Kilometres) => unit = Unit::Kilometres,
            Some(named) if unit == Unit::Unstated => unit = named,
            None if !BESIDE.contains(&word) => return None,
            _ => {}
        }
    }
    Some(Mileage { value, unit })
}

/// The first number with a unit within a text that says other things, too.
pub(crate) fn within(text: &str) -> Option<Mileage> {
    let words: Vec<&str> = text.split_whitespace().take(MAX_WORDS).collect();
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    words.iter().enumerate().find_map(|(at, word)| {
        let word = bare(word);
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let stated = read(&word).filter(|read| read.unit != Unit::Unstated);
        stated.or_else(|| {
            let next = bare(words.get(at + 1)?);
            unit_named(&next)?;
            read(&format!("{word} {next}"))
        })
    })
}

/// The unit that a word, in lower case, stands for.
fn unit_named(word: &str) -> Option<Unit> {
    let is_of = |names: &[&str], unit| names.contains(&word).then_some(unit);
    is_of(&METRIC, Unit::Kilometres).or_else(|| is_of(&MILES, Unit::Miles))
}

/// Whether a property with this name has the unit of an odometer reading: `odometerUnit`, `mileageUnitOfMeasure`,
/// `data-odometer-uom`.
pub(crate) fn names_unit(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    has(&["unit", "uom"]) && has(&["odometer", "mileage", "miles", "distance"])
}

/// Whether a property with this name has an odometer reading in kilometres: `kilometers`, `odometerKm`.
pub(crate) fn names_kilometres(name: &str) -> bool {
    let letters = name.bytes().filter(u8::is_ascii_alphabetic);
    let letters: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
    let subject = ["odometerin", "odometer", "mileagein", "mileage", "data", ""];
    subject.iter().any(|subject| {
        let unit = letters.strip_prefix(subject.as_bytes());
        unit.is_some_and(|unit| METRIC.iter().any(|name| name.as_bytes() == unit))
    })
}

/// The unit within the object of a reading: `{"value": 45000, "unit": "km"}`.
pub(crate) fn unit_within(reading: &Value) -> Option<&Value> {
    let object: &Map<String, Value> = value::elements(Some(reading)).first()?.as_object()?;
    value::first(object, &["unitCode", "unitText", "unit", "units", "uom", "unitOfMeasure"])
}

/// The text of a unit without the vocabulary around it: the last part of an address.
pub(crate) fn unit_text(unit: &str) -> &str {
    unit.rsplit(['/', '#', ':']).next().unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_number_and_its_unit_are_an_odometer_reading() {
        let (miles, metric) = (Unit::Miles, Unit::Kilometres);
        let cases = [
            ("45,000", Some((45_000, Unit::Unstated))),
            ("12345.9", Some((12_345, Unit::Unstated))),
            ("12345 SMI", Some((12_345, miles))),
            ("20,000km", Some((20_000, metric))),
            ("Kilometers: 20,000", Some((20_000, metric))),
            ("low", None),
            ("45,000 mi.", Some((45_000, miles))),
            ("Odometer: 45,000 miles", Some((45_000, miles))),
            ("Mileage 45,000 km", Some((45_000, metric))),
            ("45000 KMT", Some((45_000, metric))),
            ("miles: 45,000 km", Some((45_000, metric))),
            ("32 MPG", None),
            ("32 mpg highway", None),
            ("100,000 mile warranty", None),
            ("45 thousand miles", None),
            ("10,000 miles per year", None),
            ("45k miles", None),
            ("$18,995 km", None),
            ("2,000,001", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).map(|read| (read.value, read.unit)), expected, "{text}");
        }
    }

    #[test]
    fn a_distance_is_found_within_a_text() {
        for (text, expected) in [
            ("2019 Honda Accord, 45,000 km", Some((45_000, Unit::Kilometres))),
            ("Only 45,000km!", Some((45_000, Unit::Kilometres))),
            ("Blue (12,345 mi)", Some((12_345, Unit::Miles))),
            ("2019 Honda Accord", None),
            ("32 MPG in town", None),
            ("4 doors and miles of smiles", None),
            ("", None),
        ] {
            let found = within(text).map(|found| (found.value, found.unit));
            assert_eq!(found, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_possible_distance_or_none(text in "[0-9,.kKmMiI ]{0,30}|.{0,30}") {
            prop_assert!(read(&text).is_none_or(|read| read.value <= MAX_MILEAGE));
        }
    }

    #[test]
    fn units_are_found_wherever_a_source_states_them() {
        for name in ["odometerUnit", "odometerUnitOfMeasure", "mileageUnits", "data-mileage-unit"] {
            assert!(names_unit(name), "{name}");
        }
        for name in ["odometer", "unit", "businessUnit", "mileage"] {
            assert!(!names_unit(name), "{name}");
        }
        for name in ["kilometers", "Kilometres", "odometer_km", "odometerInKm", "data-km"] {
            assert!(names_kilometres(name), "{name}");
        }
        for name in ["odometer", "km/h", "kmRange", "rangeKm", ""] {
            assert!(!names_kilometres(name), "{name}");
        }
        let within = |value: Value| unit_within(&value).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(within(json!({"value": 45_000, "unit": "km"})).as_deref(), Some("km"));
        assert_eq!(within(json!([{"value": 1, "unitCode": "KMT"}])).as_deref(), Some("KMT"));
        assert_eq!(within(json!(45_000)), None);
        assert_eq!(unit_text("https://qudt.example/vocab/unit/KM"), "KM");
    }
}
