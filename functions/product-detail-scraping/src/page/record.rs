//! The vehicle record: the details that the sources give of a car, merged field by field.

use serde::Serialize;

use super::{
    agreement::{always, close, equal, same_distance, similar},
    quality::{Code, Conflict, Quality},
    vocabulary::{Availability, Condition, Found, Mileage, Provenance},
};

// The one list of fields, each with the function that compares two of its values. The record, the
// details of a source and the merge are all generated from it, so none can omit a field.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $kind:ty => $agree:path,)*) => {
        /// The fields of a car as one source of a page, or the dealer's feed, gives them.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[allow(missing_docs, reason = "most names say it")]
        pub struct Details {
            $($(#[$doc])* pub $name: Option<$kind>,)*
            /// The prices that the source asks for the car, in cents, the most binding first.
            pub asking_cents: Vec<u64>,
            /// Amounts that the source calls something else than a price, in cents: payments, savings, fees, bids.
            pub other_cents: Vec<(u64, Code)>,
        }

        /// The merged fields of a car, each with the source of its value.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        #[allow(missing_docs, reason = "most names say it")]
        pub struct Record {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<Found<$kind>>,
            )*
            /// The price that the dealer asks, in cents.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub price_cents: Option<Found<u64>>,
        }

        /// The names of all fields, in the order in which reports list them.
        pub const FIELDS: &[&str] = &[$(stringify!($name),)* "price_cents"];

        impl Record {
            /// Takes every field except the price from the first source that names it.
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
    /// The headline of the page or listing.
    title: String => always,
    /// The model year.
    year: u16 => equal,
    make: String => similar,
    model: String => similar,
    /// The trim or grade.
    trim: String => similar,
    condition: Condition => equal,
    /// Whether the maker certifies the used car.
    certified: bool => equal,
    /// The dealer's own number for the car.
    stock_number: String => similar,
    mileage: Mileage => same_distance,
    /// Whether it can be bought.
    availability: Availability => equal,
    body_style: String => similar,
    engine: String => similar,
    transmission: String => similar,
    /// The driven wheels, such as `AWD` or `FWD`.
    drive_line: String => similar,
    fuel_type: String => similar,
    exterior_color: String => similar,
    interior_color: String => similar,
    /// The maker's codes of the installed options.
    option_codes: Vec<String> => always,
    /// The addresses of the pictures.
    images: Vec<String> => always,
    /// The manufacturer's suggested price, in cents.
    msrp_cents: u64 => close,
    /// The value according to a price guide or the dealer, in cents.
    retail_value_cents: u64 => close,
    /// The currency of the amounts (ISO 4217).
    currency: String => equal,
    dealer_name: String => similar,
    /// The dealer's town.
    city: String => similar,
    /// The dealer's state or province.
    state: String => similar,
    /// The dealer's postal code.
    postal_code: String => similar,
}

/// The first claim. Reports in `quality` whether the field was found, and a conflict if a later
/// claim contradicts the first one.
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
