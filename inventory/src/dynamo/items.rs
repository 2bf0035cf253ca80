//! The items of the table of vehicles.

use aws_sdk_dynamodb::types::AttributeValue;
use evenkeel::{
    aws::item::{Attribute, Item, Reader, ms, n, owned, s},
    base::time::Time,
    record::item::Value,
};

use crate::{
    link::{self, KeptLink},
    vehicles::{KeptPage, Known, RETENTION, Vehicle},
};

/// The beginning of the sort keys of cars.
pub(super) const CAR: &str = "car#";

pub(super) fn encode(dealer: &str, vehicle: &Vehicle, now: Time) -> Vec<Attribute> {
    let mut attributes = vec![
        ("dealer", s(dealer)),
        ("vin", s(format!("{CAR}{}", vehicle.vin))),
        ("list", s(&vehicle.list)),
        ("data", s(&vehicle.data)),
        ("seen_at", ms(now)),
        ("addresses", s(vehicle.addresses.join(","))),
    ];
    attributes.extend(vehicle.asked.as_ref().map(|asked| ("asked", s(asked))));
    attributes.extend(vehicle.pending.as_ref().map(|hash| ("pending", s(hash))));
    // A car without a hash may not be listed, so its item expires like that of an unlisted car.
    attributes.push(vehicle.hash.as_ref().map_or_else(
        || ("expires_at", n((now + RETENTION).as_secs_ceil())),
        |hash| ("hash", s(hash)),
    ));
    attributes
}

/// `None` for an item that cannot be read: its car counts as new.
pub(crate) fn known(item: &Item) -> Option<Known> {
    let reader = Reader(item);
    let vin = reader.text("vin").ok()?.strip_prefix(CAR)?.to_owned();
    let hash = reader.text("hash").ok();
    let kept_at = reader.time("seen_at").unwrap_or_default();
    Some(Known {
        vin,
        hash,
        list: reader.text("list").ok()?,
        kept_at,
        addresses: addresses(item),
        asked: reader.text("asked").ok(),
        pending: reader.text("pending").ok(),
    })
}

pub(super) fn addresses(item: &Item) -> Vec<String> {
    let marks = Reader(item).text("addresses").unwrap_or_default();
    marks.split(',').filter(|mark| !mark.is_empty()).map(str::to_owned).collect()
}

/// Unreadable data counts as absent: callers use the data as a fallback and can do without.
pub(crate) fn data(item: &Item) -> Option<String> {
    Reader(item).text("data").ok()
}

/// `None` for an item that cannot be read: its page is fetched whole.
pub(crate) fn kept_page(item: &Item) -> Option<KeptPage> {
    let reader = Reader(item);
    let basis = reader.text("basis").ok().filter(|basis| !basis.is_empty());
    Some(KeptPage {
        page: reader.text("page").ok()?,
        basis,
        asked_at: reader.time("asked_at").ok(),
    })
}

/// `None` for an item that cannot be read: its car counts as one without a link.
pub(crate) fn kept_link(item: &Item) -> Option<KeptLink> {
    KeptLink::of(|name| match item.get(name)? {
        AttributeValue::S(text) => Some(Value::Text(text.clone())),
        AttributeValue::N(number) => number.parse().ok().map(Value::Number),
        _ => None,
    })
}

pub(super) fn keyed(key: [(&'static str, String); 2]) -> Item {
    owned(key.map(|(name, text)| (name, s(text))).into())
}

/// The key of a car's item with this prefix.
pub(super) fn key((dealer, vin): &(String, String), prefix: &str) -> [String; 2] {
    [dealer.clone(), format!("{prefix}{vin}")]
}

pub(crate) fn key_of(item: &Item) -> Option<[String; 2]> {
    Some([Reader(item).text("dealer").ok()?, Reader(item).text("vin").ok()?])
}

pub(super) fn vin_of_link(item: &Item) -> Option<String> {
    Some(Reader(item).text("vin").ok()?.strip_prefix(link::PREFIX)?.to_owned())
}

pub(super) fn value(value: Value) -> AttributeValue {
    match value {
        Value::Text(text) => s(text),
        Value::Number(number) => n(number),
    }
}
