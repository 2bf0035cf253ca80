//! `evenkeel cars list` and `show`: the auxiliary table, as docs/records.md describes its items.

use std::collections::BTreeMap;

use evenkeel::base::hash::sha256_hex;
use serde_json::Value;

use super::shown::indented;
use crate::{
    args::{ListCars, OneCar},
    cursor,
    deployment::Deployment,
    exit::{Exit, Failure},
    moment::Moment,
    output::Answer,
    ports::{Attributes, Ports},
    shapes::{CarList, CarShown, CarSummary},
    table::{Fields, table},
    text::{json, redact_value},
};

/// The beginnings of the sort keys of a car's items.
pub(super) const CAR: &str = "car#";
pub(super) const LINK: &str = "link#";
pub(super) const PAGE: &str = "page#";

/// Attributes whose texts are JSON.
const JSON: [&str; 2] = ["data", "page"];

/// Digits of a hash in the id of a job that a feed has created.
const ID_DIGITS: usize = 16;

/// The table of cars. Fails if the stack has none.
pub(super) fn table_of_cars(stack: &Deployment) -> Result<(&str, &[String; 2]), Failure> {
    stack.auxiliary.as_ref().map(|(table, keys)| (table.as_str(), keys)).ok_or_else(|| {
        let message = "the sweeper's configuration names no AUXILIARY_TABLE";
        Failure::new(Exit::Unreachable, "no_cars", message).hint("this stack keeps no cars")
    })
}

/// The text in an attribute.
pub(super) fn text(item: &Attributes, name: &str) -> Option<String> {
    item.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn summary(item: &Attributes, sort_key: &str) -> Option<CarSummary> {
    let number = |name: &str| item.get(name).and_then(Value::as_u64);
    Some(CarSummary {
        vin: text(item, sort_key)?.strip_prefix(CAR)?.to_owned(),
        list: text(item, "list"),
        listed: item.contains_key("hash"),
        pending: item.contains_key("pending"),
        seen_at: number("seen_at"),
        unlisted_at: number("unlisted_at"),
    })
}

/// Lists a dealer's cars by VIN.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListCars,
    moment: Moment,
) -> Result<Answer, Failure> {
    let list = read_list(ports, stack, wanted).await?;
    let CarList { cars, cursor, .. } = &list;
    let row = |car: &CarSummary| {
        let state = if car.listed { "listed" } else { "gone" };
        let pending = if car.pending { "pending" } else { "" };
        vec![
            car.vin.clone(),
            car.list.clone().unwrap_or_default(),
            state.to_owned(),
            moment.show_ms(car.seen_at),
            pending.to_owned(),
        ]
    };
    let text = table(&["VIN", "LIST", "STATE", "SEEN", "JOBS"], cars.iter().map(row).collect());
    let remark = match cursor {
        Some(cursor) => format!("{} shown, and there are more: --after {cursor}", cars.len()),
        None if cars.is_empty() => format!("no cars of {:?}", wanted.dealer),
        None => format!("{} in all", cars.len()),
    };
    Ok(Answer::list(&list, "cars", text)?.remark(remark))
}

/// The sort key of the car with which a list ended.
pub(super) fn place(cursor: &str) -> Result<String, Failure> {
    let place = cursor::place(cursor)?;
    if place.starts_with(CAR) { Ok(place) } else { Err(cursor::unknown()) }
}

/// Reads a dealer's cars by VIN.
pub(crate) async fn read_list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListCars,
) -> Result<CarList, Failure> {
    let (name, keys) = table_of_cars(stack)?;
    let after = wanted.page.cursor.as_deref().map(place).transpose()?;
    let most = usize::from(wanted.page.limit);
    let read = ports.items(name, keys, &wanted.dealer, CAR, after.as_deref(), most).await?;
    let cars: Vec<CarSummary> =
        read.value.items.iter().filter_map(|item| summary(item, &keys[1])).collect();
    let more = read.value.more;
    let last = cars.last().filter(|_| more);
    let cursor = last.map(|car| cursor::of(&format!("{CAR}{}", car.vin)));
    Ok(CarList { cars, more, cursor, read_units: read.units })
}

/// An item without its keys and without secrets, with JSON in place of texts that hold it.
fn part(item: Attributes, keys: &[String; 2]) -> BTreeMap<String, Value> {
    let shown = |(name, value): (String, Value)| {
        let value = match value {
            Value::String(text) if JSON.contains(&name.as_str()) => json(&text),
            other => redact_value(other),
        };
        (name, value)
    };
    item.into_iter().filter(|(name, _)| !keys.contains(name)).map(shown).collect()
}

/// Shows all that is stored of a car.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneCar,
    moment: Moment,
) -> Result<Answer, Failure> {
    let shape = read(ports, stack, wanted).await?;
    let mut fields = Fields::default();
    fields.add("dealer", &shape.dealer);
    fields.add("vin", &shape.vin);
    for id in &shape.jobs {
        fields.add("job", id);
    }
    let items = [("car", &shape.car), ("link", &shape.link), ("page", &shape.page)];
    for (name, attributes) in
        items.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)))
    {
        let seen = attributes.get("seen_at").or_else(|| attributes.get("asked_at"));
        let seen =
            seen.and_then(Value::as_u64).map(|at| format!(" ({})", moment.show_ms(Some(at))));
        let shown: Value = attributes.clone().into_iter().collect::<serde_json::Map<_, _>>().into();
        fields.block(&format!("{name}{}", seen.unwrap_or_default()), &indented(&shown));
    }
    Answer::one(&shape, fields.text())
}

/// The ids of the jobs that the feed has created last for a car: first that of its page, then that of its link. No
/// index leads from a car to its jobs, but the ids are made of what its items keep (docs/records.md).
fn jobs(
    dealer: &str,
    vin: &str,
    car: Option<&Attributes>,
    link: Option<&Attributes>,
) -> Vec<String> {
    let id = |hash: &str| Some(format!("{dealer}:{vin}:{}", hash.get(..ID_DIGITS)?));
    let mark = car.and_then(|car| text(car, "hash"));
    let scraping = mark.and_then(|mark| {
        // Without a list of the jobs that were created, all were.
        let (hash, created) = mark.split_once('+').unwrap_or((mark.as_str(), "scrape"));
        id(hash).filter(|_| created.contains("scrape"))
    });
    // A link that no feed has asked for has a job of some sender's, whose id only that sender knows.
    let is_asked = car.is_some_and(|car| car.contains_key("asked"));
    let shortening = link.filter(|_| is_asked).and_then(|link| {
        let wanted = text(link, "wanted")?;
        let as_of = link.get("as_of").and_then(Value::as_u64)?;
        Some(format!("{}:{as_of}", id(&sha256_hex(&[wanted.as_str()]))?))
    });
    scraping.into_iter().chain(shortening).collect()
}

/// Reads all that is stored of a car. Fails if that is nothing.
pub(crate) async fn read<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneCar,
) -> Result<CarShown, Failure> {
    let (name, keys) = table_of_cars(stack)?;
    let vin = wanted.vin.trim().to_ascii_uppercase();
    let sorts = [CAR, LINK, PAGE].map(|prefix| format!("{prefix}{vin}"));
    let [car, link, page] = &sorts;
    let (car, link, page) = tokio::join!(
        ports.items(name, keys, &wanted.dealer, car, None, 1),
        ports.items(name, keys, &wanted.dealer, link, None, 1),
        ports.items(name, keys, &wanted.dealer, page, None, 1),
    );
    let [car, link, page] = [car?, link?, page?];
    let read_units = car.units + link.units + page.units;
    let [car, link, page] = [car, link, page].map(|read| read.value.items.into_iter().next());
    let jobs = jobs(&wanted.dealer, &vin, car.as_ref(), link.as_ref());
    let [car, link, page] = [car, link, page].map(|item| item.map(|item| part(item, keys)));
    if car.is_none() && link.is_none() && page.is_none() {
        let message = format!("no car {vin} of {:?}", wanted.dealer);
        let hint = format!("`evenkeel cars list {}` lists what there is", wanted.dealer);
        return Err(Failure::new(Exit::Failed, "not_found", message).hint(hint));
    }
    Ok(CarShown { dealer: wanted.dealer.clone(), vin, jobs, car, link, page, read_units })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn item(attributes: &[(&str, Value)]) -> Attributes {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_car_tells_the_jobs_that_were_created_for_it() {
        let link = item(&[("wanted", json!("https://shop.example/1")), ("as_of", json!(7))]);
        let address = sha256_hex(&["https://shop.example/1"]);
        let of_page = "acme:1FT:0123456789abcdef".to_owned();
        let of_link = format!("acme:1FT:{}:7", &address[..ID_DIGITS]);
        for (mark, expected) in [
            (HASH.to_owned(), vec![of_page.clone(), of_link.clone()]),
            (format!("{HASH}+scrape"), vec![of_page, of_link.clone()]),
            (format!("{HASH}+shorten"), vec![of_link.clone()]),
            (format!("{HASH}+"), vec![of_link.clone()]),
            ("h".to_owned(), vec![of_link]),
        ] {
            let car = item(&[("hash", json!(mark)), ("asked", json!("7:f00d"))]);
            assert_eq!(jobs("acme", "1FT", Some(&car), Some(&link)), expected, "{mark}");
        }
        let unasked = item(&[("list", json!("used"))]);
        for car in [None, Some(&unasked)] {
            assert_eq!(jobs("acme", "1FT", car, Some(&link)), Vec::<String>::new());
        }
    }
}
