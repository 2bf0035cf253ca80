//! The link of a car: one for each dealer and VIN, for as long as the car is known. Its destination follows the car.
//!
//! Several jobs may want to set it, and their messages may overtake each other. Each says as of when its destination
//! is right. The newest is what is wanted; an older one changes nothing.

use std::cmp::Ordering;

use evenkeel::{
    base::{hash::sha256_hex, time::Time},
    record::item::{Condition, TableItem, Value},
};
use url::Url;

use crate::slashtag;

/// How many addresses of a car are known at most: the latest.
pub const ADDRESSES: usize = 5;

/// Hexadecimal digits of the hash that stands for an address.
const MARK_DIGITS: usize = 16;

/// What stands for an address where only equality matters: the beginning of a hash of its compared form.
#[must_use]
pub fn mark(address: &Url) -> String {
    sha256_hex(&[&slashtag::normalised(address)])[..MARK_DIGITS].to_owned()
}

/// `marks` with the one of `address` as the latest; at most [`ADDRESSES`].
#[must_use]
pub fn with_address(marks: &[String], address: &Url) -> Vec<String> {
    let mark = mark(address);
    let mut marks: Vec<String> = marks.iter().filter(|known| **known != mark).cloned().collect();
    marks.push(mark);
    let surplus = marks.len().saturating_sub(ADDRESSES);
    marks.split_off(surplus)
}

/// The link kept for a car, as the item `link#VIN` of its dealer holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLink {
    /// Where the link has to lead.
    pub wanted: String,
    /// As of when that is so.
    pub as_of: Time,
    /// The `as_of` of the destination that was set last; `None` if it is not known.
    pub set: Option<Time>,
    /// Rebrandly's id of the link.
    pub link_id: String,
    /// The part of the short address after the domain.
    pub slashtag: String,
    /// The short address, without a scheme.
    pub short_url: String,
    /// [`mark`]s of the car's latest addresses, the latest last.
    pub addresses: Vec<String>,
    /// When the link was found to be deleted.
    pub deleted_at: Option<Time>,
}

impl KeptLink {
    /// How this destination, right as of `as_of`, compares with the wanted one: `Less` is older. Ties are decided by
    /// the destination, so that all processes decide alike.
    #[must_use]
    pub fn order(&self, destination: &str, as_of: Time) -> Ordering {
        (as_of, destination).cmp(&(self.as_of, self.wanted.as_str()))
    }

    /// The same link with another destination wanted.
    #[must_use]
    pub fn wanting(&self, destination: &Url, as_of: Time) -> Self {
        Self {
            wanted: destination.as_str().to_owned(),
            as_of,
            addresses: with_address(&self.addresses, destination),
            ..self.clone()
        }
    }

    /// Whether `address` is one of the car's latest.
    #[must_use]
    pub fn had(&self, address: &Url) -> bool {
        self.addresses.contains(&mark(address))
    }

    /// Whether the wanted destination is the one that was set last.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set == Some(self.as_of)
    }

    /// The attributes of the item. A time of 0 stands for none.
    #[must_use]
    pub fn attributes(&self) -> Vec<(&'static str, Value)> {
        let time = |time: Option<Time>| Value::Number(time.unwrap_or_default().as_millis());
        vec![
            ("wanted", Value::Text(self.wanted.clone())),
            ("as_of", time(Some(self.as_of))),
            ("set_as_of", time(self.set)),
            ("link_id", Value::Text(self.link_id.clone())),
            ("slashtag", Value::Text(self.slashtag.clone())),
            ("short_url", Value::Text(self.short_url.clone())),
            ("addresses", Value::Text(self.addresses.join(","))),
            ("deleted_at", time(self.deleted_at)),
        ]
    }

    /// The link that an item's attributes describe; `None` if one is missing.
    #[must_use]
    pub fn of(attribute: impl Fn(&str) -> Option<Value>) -> Option<Self> {
        let text = |name| match attribute(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let time = |name| match attribute(name) {
            Some(Value::Number(ms)) if ms > 0 => Some(Time::from_millis(ms)),
            _ => None,
        };
        let marks = text("addresses")?;
        Some(Self {
            wanted: text("wanted")?,
            as_of: time("as_of")?,
            set: time("set_as_of"),
            link_id: text("link_id")?,
            slashtag: text("slashtag")?,
            short_url: text("short_url")?,
            addresses: marks
                .split(',')
                .filter(|mark| !mark.is_empty())
                .map(str::to_owned)
                .collect(),
            deleted_at: time("deleted_at"),
        })
    }

    /// The condition that nobody has wanted another destination since this was read.
    #[must_use]
    pub fn unchanged(&self) -> Condition {
        let wanted = ("wanted", Value::Text(self.wanted.clone()));
        Condition::Unchanged(vec![wanted, ("as_of", Value::Number(self.as_of.as_millis()))])
    }

    /// The item of a car that has had no link.
    #[must_use]
    pub fn new_item(&self, table: &str, dealer: &str, vin: &str) -> TableItem {
        let (attributes, condition) = (self.attributes(), Condition::Absent);
        TableItem { table: table.to_owned(), key: key(dealer, vin), attributes, condition }
    }

    /// What notes that the wanted destination is set, unless another one is wanted by now.
    #[must_use]
    pub fn set_item(&self, table: &str, dealer: &str, vin: &str) -> TableItem {
        TableItem {
            table: table.to_owned(),
            key: key(dealer, vin),
            attributes: vec![("set_as_of", Value::Number(self.as_of.as_millis()))],
            condition: self.unchanged(),
        }
    }
}

/// The beginning of the sort keys of links.
pub const PREFIX: &str = "link#";

/// The key of a car's link.
#[must_use]
pub fn key(dealer: &str, vin: &str) -> [(&'static str, String); 2] {
    [("dealer", dealer.to_owned()), ("vin", format!("{PREFIX}{vin}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn link() -> KeptLink {
        let wanted = url("https://www.acme.example/car");
        KeptLink {
            wanted: wanted.as_str().to_owned(),
            as_of: Time::from_millis(1_000),
            set: None,
            link_id: "ffs24cc5b6ee4a5gh7897b06ac2d16d4".into(),
            slashtag: "acme-004352".into(),
            short_url: "go.acme.example/acme-004352".into(),
            addresses: with_address(&[], &wanted),
            deleted_at: None,
        }
    }

    #[test]
    fn the_newest_destination_is_wanted() {
        let link = link();
        let same = link.wanted.clone();
        for (destination, ms, expected) in [
            (same.as_str(), 1_000, Ordering::Equal),
            (same.as_str(), 1_001, Ordering::Greater),
            ("https://z.example/", 999, Ordering::Less),
            ("https://a.example/", 1_000, Ordering::Less),
            ("https://z.example/", 1_000, Ordering::Greater),
        ] {
            let order = link.order(destination, Time::from_millis(ms));
            assert_eq!(order, expected, "{destination} {ms}");
        }
    }

    #[test]
    fn the_latest_five_addresses_are_known() {
        let mut moved = link();
        for page in 0..5 {
            let address = url(&format!("https://acme.example/{page}"));
            moved = moved.wanting(&address, Time::from_millis(2_000 + page));
        }
        assert_eq!(moved.addresses.len(), ADDRESSES);
        assert!(!moved.had(&url("https://acme.example/car")), "the oldest is forgotten");
        assert!(moved.had(&url("http://www.acme.example/0/")), "compared after normalisation");
        let back = moved.wanting(&url("https://acme.example/0"), Time::from_millis(3_000));
        assert_eq!(back.addresses.last(), moved.addresses.first(), "it is the latest again");
        assert_eq!(back.addresses.len(), ADDRESSES);
    }

    #[test]
    fn an_item_reads_back_as_the_link_and_fits_into_a_write_unit() {
        let long = url(&format!("https://www.acme.example/{}", "x".repeat(575)));
        assert_eq!(long.as_str().len(), 600);
        let mut link = link();
        for page in 0..5 {
            link = link.wanting(&url(&format!("https://acme.example/{page}")), link.as_of);
        }
        let link = KeptLink { set: Some(link.as_of), ..link.wanting(&long, link.as_of) };
        let item = link.new_item("vehicles", "acme-motors-of-springfield", "1HGCM82633A004352");
        let attribute = |name: &str| {
            let found = item.attributes.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(KeptLink::of(attribute), Some(link));
        assert!(item.bytes() <= 1_024, "{}", item.bytes());
        assert_eq!(KeptLink::of(|name| attribute(name).filter(|_| name != "wanted")), None);
    }
}
