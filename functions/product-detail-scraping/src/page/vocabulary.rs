//! The words in which a reading says what it knows: a value and its source, and the values that
//! are neither a text nor a number.

use serde::Serialize;

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
