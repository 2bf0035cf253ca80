//! The types that all modules of a page share: a value with its source, and the values that are
//! more than a text or a number.

use serde::Serialize;

/// The source of a value, from the most to the least trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The object in which the dealer's platform describes the car to its own scripts.
    DataLayer,
    /// A script block of linked data.
    JsonLd,
    /// Linked data in the attributes of elements.
    Microdata,
    /// The attributes of an element that has a `data-vin`.
    DataVin,
    /// The `meta` elements for social networks.
    OpenGraph,
    /// The text that the page shows its visitors, by its labels. For a price it is the most trusted source.
    Page,
    /// The dealer's feed, which listed the page's address.
    Feed,
}

impl Provenance {
    /// Whether the source describes cars one by one, so that it can say which of them the page is about.
    pub(crate) fn has_entities(self) -> bool {
        matches!(self, Self::DataLayer | Self::JsonLd | Self::Microdata)
    }

    /// Whether the data comes from the dealer's own system, which keeps the manufacturer's price
    /// apart from the asking price. Templates for search engines often mix up the two.
    pub(crate) fn is_the_dealers(self) -> bool {
        matches!(self, Self::DataLayer | Self::Page | Self::Feed)
    }
}

/// A value and its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Found<T> {
    pub value: T,
    pub from: Provenance,
}

/// Whether a car has had an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Condition {
    New,
    Used,
}

/// Whether a car can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// It stands at the dealer's.
    InStock,
    /// It is sold. Then it has no asking price.
    Sold,
    /// It cannot be bought, for a reason that the page does not tell.
    OutOfStock,
    /// Somebody has reserved it.
    Reserved,
    /// It is ordered, or on its way to the dealer.
    OnOrder,
}

impl Availability {
    /// The state with this name in a record; `None` for any other text.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "in_stock" => Some(Self::InStock),
            "sold" => Some(Self::Sold),
            "out_of_stock" => Some(Self::OutOfStock),
            "reserved" => Some(Self::Reserved),
            "on_order" => Some(Self::OnOrder),
            _ => None,
        }
    }
}

/// An odometer reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Mileage {
    pub value: u32,
    pub unit: Unit,
}

/// A unit of distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    Miles,
    Kilometres,
    /// The source states none.
    Unstated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_the_name_that_it_is_written_by() {
        let states = [
            Availability::InStock,
            Availability::Sold,
            Availability::OutOfStock,
            Availability::Reserved,
            Availability::OnOrder,
        ];
        for state in states {
            let name = serde_json::to_value(state).unwrap();
            assert_eq!(Availability::named(name.as_str().unwrap()), Some(state), "{name}");
        }
        assert_eq!(Availability::named("gone"), None);
    }
}
