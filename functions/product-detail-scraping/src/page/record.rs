//! The vehicle record: what the sources say of a car, put together field by field.

use serde::Serialize;

use super::{
    agreement::{always, close, equal, same_distance, similar},
    quality::{Conflict, Quality},
    vocabulary::{Condition, Found, Mileage, Provenance},
};

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
            pub(super) fn merge(sources: &[(Provenance, Details)], quality: &mut Quality) -> Self {
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
