//! The vehicle record: what the sources say of a car, put together field by field.

use serde::Serialize;

use super::{
    price::{self, Amount, Asked},
    quality::{Conflict, Quality},
};

/// Most prices kept of one source.
const MAX_PRICES: usize = 8;

/// Where a value comes from. The sources of a record are asked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The dealer's platform describes the car to its own scripts.
    DataLayer,
    /// Linked data in a script.
    JsonLd,
    /// Linked data in attributes.
    Microdata,
    /// A `data-vin` attribute; it gives no more than a VIN.
    DataVin,
    /// Metas for social networks.
    OpenGraph,
    /// The page's text or the page as a whole; it gives no more than a VIN.
    Page,
    /// The dealer's feed, which led to the page.
    Feed,
}

impl Provenance {
    /// Whether the dealer's own system speaks here, where it names the manufacturer's price and its
    /// own apart. What templates make for search engines often repeats one as the other.
    pub(crate) fn is_the_dealers(self) -> bool {
        matches!(self, Self::DataLayer | Self::Feed)
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub from: Provenance,
}

/// Whether a car had an owner before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It had none.
    New,
    /// It had one or more.
    Used,
}

/// What an odometer shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mileage {
    /// The distance.
    pub value: u32,
    /// Its unit.
    pub unit: Unit,
}

/// A unit of distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Statute miles.
    Miles,
    /// Kilometres.
    Kilometres,
}

// One list of the fields, each with when two values of it agree, so that none can be forgotten in
// the record, in what sources say, or in putting them together.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $kind:ty => $agree:path,)*) => {
        /// What one source says of a car. The feed's own data comes in this form, too.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Details {
            $($(#[$doc])* pub $name: Option<$kind>,)*
            /// What the source asks for the car, in cents, the figure that means most first.
            pub asking_cents: Vec<u64>,
        }

        /// What is known of a car: each field with where its value comes from.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct Record {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<Found<$kind>>,
            )*
            /// What the dealer asks for the car, in cents.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub price_cents: Option<Found<u64>>,
        }

        /// The names of all fields, in the order of reports.
        pub const FIELDS: &[&str] = &[$(stringify!($name),)* "price_cents"];

        impl Record {
            /// Every field but the price, from the first source that names it.
            fn merge(sources: &[(Provenance, Details)], quality: &mut Quality) -> Self {
                Self {
                    $($name: first(
                        stringify!($name),
                        sources.iter().filter_map(|(from, details)| {
                            details.$name.as_ref().map(|value| (*from, value))
                        }),
                        $agree,
                        quality,
                    ),)*
                    price_cents: None,
                }
            }
        }
    };
}

fields! {
    /// The headline.
    title: String => always,
    /// The model year.
    year: u16 => equal,
    /// The maker.
    make: String => similar,
    /// The model.
    model: String => similar,
    /// The trim or grade.
    trim: String => similar,
    /// New or used.
    condition: Condition => equal,
    /// Whether it is certified by its maker.
    certified: bool => equal,
    /// The dealer's number for it.
    stock_number: String => similar,
    /// What the odometer shows.
    mileage: Mileage => same_distance,
    /// The shape of the body.
    body_style: String => similar,
    /// The engine.
    engine: String => similar,
    /// The transmission.
    transmission: String => similar,
    /// Which wheels are driven.
    drive_line: String => similar,
    /// What it runs on.
    fuel_type: String => similar,
    /// The colour outside.
    exterior_color: String => similar,
    /// The colour inside.
    interior_color: String => similar,
    /// The maker's codes of its equipment.
    option_codes: Vec<String> => always,
    /// Addresses of its pictures.
    images: Vec<String> => always,
    /// The manufacturer's suggested price, in cents.
    msrp_cents: u64 => close,
    /// What a guide or the dealer says that it is worth, in cents.
    retail_value_cents: u64 => close,
    /// The currency of the amounts (ISO 4217).
    currency: String => equal,
    /// The dealer's name.
    dealer_name: String => similar,
    /// The dealer's town.
    city: String => similar,
    /// The dealer's state or province.
    state: String => similar,
    /// The dealer's postal code.
    postal_code: String => similar,
}

impl Details {
    /// Takes in an amount: of the manufacturer's price the first, of prices each.
    pub(crate) fn price(&mut self, amount: Option<Amount>) {
        match amount {
            Some(Amount::Asking(cents)) => {
                if self.asking_cents.len() < MAX_PRICES && !self.asking_cents.contains(&cents) {
                    self.asking_cents.push(cents);
                }
            }
            Some(Amount::Msrp(cents)) => self.msrp_cents = self.msrp_cents.or(Some(cents)),
            Some(Amount::Other(_) | Amount::Zero) | None => {}
        }
    }
}

impl Record {
    /// Puts together what the sources say, given in their order, and reports on it.
    pub(crate) fn of(mut sources: Vec<(Provenance, Details)>, quality: &mut Quality) -> Self {
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

/// The first claim, noting in `quality` whether there is any and whether others contradict it.
fn first<'a, T: Clone + Serialize + 'a>(
    field: &'static str,
    claims: impl Iterator<Item = (Provenance, &'a T)>,
    agree: impl Fn(&T, &T) -> bool,
    quality: &mut Quality,
) -> Option<Found<T>> {
    let claims: Vec<(Provenance, &T)> = claims.collect();
    let Some(&(from, value)) = claims.first() else {
        quality.missing.push(field);
        return None;
    };
    quality.found.push(field);
    if claims.iter().any(|&(_, other)| !agree(value, other)) {
        quality.conflicting.push(Conflict::between(field, claims.iter().copied()));
    }
    Some(Found { value: value.clone(), from })
}

/// For what is worded differently everywhere and means the same.
fn always<T>(_: &T, _: &T) -> bool {
    true
}

fn equal<T: PartialEq>(one: &T, other: &T) -> bool {
    one == other
}

/// Whether two names are the same but for case and punctuation, or one is the other with more
/// words: "Silver" and "Lunar Silver Metallic".
fn similar<T: AsRef<str>>(one: &T, other: &T) -> bool {
    let letters = |text: &T| -> String {
        let letters = text.as_ref().chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let (one, other) = (letters(one), letters(other));
    one.contains(&other) || other.contains(&one)
}

/// Whether two amounts are the same but for rounding or a small fee: within 1 %.
pub(crate) fn close<T: Copy + Into<u64>>(one: &T, other: &T) -> bool {
    let (one, other): (u64, u64) = ((*one).into(), (*other).into());
    one.abs_diff(other) <= one.max(other) / 100
}

/// Whether two odometers show about the same: within 1 %, or the few miles of a test drive.
fn same_distance(one: &Mileage, other: &Mileage) -> bool {
    /// Ten miles.
    const TEST_DRIVE_METRES: u64 = 16_093;
    let metres = |mileage: &Mileage| {
        let metres_a_unit = match mileage.unit {
            Unit::Miles => 1_609,
            Unit::Kilometres => 1_000,
        };
        u64::from(mileage.value) * metres_a_unit
    };
    let (one, other) = (metres(one), metres(other));
    close(&one, &other) || one.abs_diff(other) <= TEST_DRIVE_METRES
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn colour(text: &str) -> Details {
        Details { exterior_color: Some(text.into()), ..Details::default() }
    }

    #[test]
    fn the_first_source_that_names_a_field_has_it() {
        let mut quality = Quality::default();
        let sources = vec![
            (Provenance::DataLayer, Details { year: Some(2003), ..Details::default() }),
            (Provenance::JsonLd, Details { year: Some(2004), ..colour("Blue") }),
            (Provenance::Feed, colour("blue")),
        ];
        let record = Record::of(sources, &mut quality);
        let expected = json!({
            "year": {"value": 2003, "from": "data_layer"},
            "exterior_color": {"value": "Blue", "from": "json_ld"},
        });
        assert_eq!(serde_json::to_value(record).unwrap(), expected);
        assert_eq!(quality.found, ["year", "exterior_color"]);
        assert_eq!(quality.missing.len(), FIELDS.len() - 2);
        let conflicts: Vec<_> = quality.conflicting.iter().map(|conflict| conflict.field).collect();
        assert_eq!(conflicts, ["year"]);
    }

    #[test]
    fn nothing_said_is_everything_missing() {
        let mut quality = Quality::default();
        assert_eq!(Record::of(Vec::new(), &mut quality), Record::default());
        assert_eq!(quality.missing, FIELDS);
        assert!(quality.found.is_empty() && quality.conflicting.is_empty());
    }

    #[test]
    fn names_agree_in_spite_of_their_spelling() {
        let agree = |one: &str, other: &str| similar(&one, &other);
        assert!(agree("Lunar Silver Metallic", "SILVER"));
        assert!(agree("F-150", "F150"));
        assert!(agree("4WD", "4wd"));
        assert!(!agree("Silver", "Blue"));
        assert!(!agree("EX", "LX"));
    }

    #[test]
    fn amounts_and_distances_agree_within_reason() {
        assert!(close(&10_000_u64, &10_100_u64));
        assert!(!close(&10_000_u64, &10_200_u64));
        let miles = |value| Mileage { value, unit: Unit::Miles };
        let kilometres = |value| Mileage { value, unit: Unit::Kilometres };
        assert!(same_distance(&miles(5), &miles(12)));
        assert!(!same_distance(&miles(5), &miles(16)));
        assert!(same_distance(&miles(50_000), &miles(50_400)));
        assert!(same_distance(&miles(50_000), &kilometres(80_467)));
        assert!(!same_distance(&miles(50_000), &kilometres(50_000)));
    }
}
