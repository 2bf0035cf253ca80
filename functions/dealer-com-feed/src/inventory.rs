//! Parses a response of either endpoint, in any of its formats, into a page of vehicles.

use std::{fmt, iter};

use evenkeel::failure::{Class, Failure};
use inventory::{budget::Budget, literal};
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::{
    cutting::{self, Notation},
    field,
    parts::Parts,
    vehicle::{BadVehicle, Vehicle},
};

pub use crate::parts::MAX_ENTRIES;

/// Largest entry that is parsed, in bytes; those observed are smaller than 20,000. Hostile JSON
/// takes up to ninety times its length in memory.
const MAX_ENTRY_BYTES: usize = 128 * 1024;

/// Steps for each byte of a response: it is decoded, and its lists are found and cut apart.
const LIST_STEPS: usize = 3;

/// Steps for an entry, and for each of its bytes: it is parsed, and its fields are read.
const ENTRY_STEPS: usize = 200;
const ENTRY_BYTE_STEPS: usize = 3;

/// Longest JSON text of a count, in bytes.
const MAX_COUNT_BYTES: usize = 100;

/// A page of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Number of cars in the whole list, as the site reports it. It may be wrong.
    pub total: Option<u32>,
    /// Most cars per page, as the site reports it: the requested number, or the site's own limit.
    pub page_size: Option<u32>,
    /// The entries in the site's order. Each is parsed separately, so a bad one does not affect
    /// others.
    pub vehicles: Vec<Result<Vehicle, BadVehicle>>,
}

/// Why the body of a response with status 200 is not an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoInventory {
    /// A web page, such as a maintenance page, an error page or a bot wall.
    Html,
    /// Not JSON, or truncated JSON. Holds the parser's message.
    NotJson(String),
    /// JSON without a list of vehicles. Holds the reason.
    NoList(String),
    /// Reading it would take too much work.
    TooComplex,
}

impl fmt::Display for NoInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Html => f.write_str("a web page, expected an inventory"),
            Self::NotJson(problem) => write!(f, "no JSON: {problem}"),
            Self::NoList(problem) => write!(f, "no list of vehicles: {problem}"),
            Self::TooComplex => f.write_str("too much work to read, expected an inventory"),
        }
    }
}

impl std::error::Error for NoInventory {}

impl From<NoInventory> for Failure {
    fn from(error: NoInventory) -> Self {
        let code = match error {
            NoInventory::Html => "html",
            NoInventory::NotJson(_) => "not_json",
            NoInventory::NoList(_) => "no_inventory",
            NoInventory::TooComplex => "too_complex",
        };
        Self::new(Class::Anomaly, code, error.to_string())
    }
}

/// The parts of a response that are read. The entries of the main list are cut apart at once, because it is nearly all
/// of the response; the other lists stay unparsed text until they are needed.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    inventory: List<'a>,
    #[serde(borrow, rename = "pageInfo")]
    page_info: Option<&'a RawValue>,
    #[serde(borrow, rename = "trackingData")]
    tracking: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct PageInfo<'a> {
    #[serde(borrow, rename = "totalCount")]
    total: Option<&'a RawValue>,
    #[serde(borrow, rename = "pageSize")]
    page_size: Option<&'a RawValue>,
    #[serde(borrow, rename = "trackingData")]
    tracking: Option<&'a RawValue>,
}

/// Parses a response body. Relative addresses are resolved against `site`.
///
/// An empty list yields a page without vehicles; a body without a list is an error, and so is one whose reading exceeds
/// its budget: what a part of a list lacks would count as gone.
pub fn read(body: &[u8], site: &Url) -> Result<Page, NoInventory> {
    read_within(&Budget::of(body.len()), body, site)
}

/// The same with this budget.
fn read_within(budget: &Budget, body: &[u8], site: &Url) -> Result<Page, NoInventory> {
    // A byte in another encoding loses one character instead of the whole page.
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace()).trim_end();
    if text.starts_with('<') {
        return Err(NoInventory::Html);
    }
    let text = if text.starts_with('{') { text } else { cutting::unwrapped(text) };
    if !text.is_empty() && !text.starts_with('{') {
        return Err(NoInventory::NoList("no object".into()));
    }
    if !budget.step(text.len() * LIST_STEPS) {
        return Err(NoInventory::TooComplex);
    }
    let page = match serde_json::from_str::<Answer<'_>>(text) {
        Ok(answer) => Page::of(parts(answer)?, site, budget),
        Err(error) => match repaired(text, site, budget) {
            Some(page) => page,
            None if budget.is_exceeded() => return Err(NoInventory::TooComplex),
            None => return Err(NoInventory::NotJson(error.to_string())),
        },
    };
    if budget.is_exceeded() {
        return Err(NoInventory::TooComplex);
    }
    Ok(page)
}

fn parts(answer: Answer<'_>) -> Result<Parts<'_>, NoInventory> {
    let info = answer.page_info.map(|info| serde_json::from_str::<PageInfo<'_>>(info.get()));
    let info = info.and_then(Result::ok).unwrap_or_default();
    let entries = entries(answer.inventory, [info.tracking, answer.tracking])?;
    Ok(Parts::of(info.total, info.page_size, entries))
}

/// Reads a text that is almost JSON, so that one bad token costs the car that has it, and not all. The way that finds
/// the most cars counts. `None` if none finds an entry, as in a truncated text.
fn repaired(text: &str, site: &Url, budget: &Budget) -> Option<Page> {
    if !budget.step(3 * text.len() * LIST_STEPS) {
        return None;
    }
    let plain = cutting::without_comments(text);
    let ways = iter::once_with(|| Parts::cut(text, Notation::Json))
        .chain(iter::once_with(|| Parts::cut(cutting::unwrapped(&plain), Notation::JavaScript)))
        .chain(iter::once_with(|| Parts::between_beginnings(text)));
    let mut best: Option<Page> = None;
    for parts in ways.flatten() {
        let page = Page::of(parts, site, budget);
        let is_sound = page.vehicles.iter().all(Result::is_ok);
        if best.as_ref().is_none_or(|best| page.cars() > best.cars()) {
            best = Some(page);
        }
        if is_sound {
            break;
        }
    }
    best
}

impl Page {
    fn of(parts: Parts<'_>, site: &Url, budget: &Budget) -> Self {
        let vehicles = parts.entries.into_iter().enumerate();
        Self {
            total: count(parts.total, budget),
            page_size: count(parts.page_size, budget),
            vehicles: vehicles
                .map(|(position, raw)| vehicle(position, raw, site, budget))
                .collect(),
        }
    }

    /// Number of readable entries.
    fn cars(&self) -> usize {
        self.vehicles.iter().flatten().count()
    }
}

/// The entries of the first list that has any. The tracking data describes the same cars with fewer
/// fields; older sites return nothing else.
fn entries<'a>(
    main: List<'a>,
    others: [Option<&'a RawValue>; 2],
) -> Result<Vec<&'a RawValue>, NoInventory> {
    let mut problem = None;
    let mut empty = false;
    let others = others.into_iter().flatten().map(|list| {
        serde_json::from_str(list.get()).unwrap_or_else(|error| List::Wrong(error.to_string()))
    });
    for list in iter::once(main).chain(others) {
        match list {
            List::Absent => {}
            List::Entries(entries) if entries.is_empty() => empty = true,
            List::Entries(entries) => return Ok(entries),
            List::Wrong(reason) => problem = Some(reason),
        }
    }
    match problem {
        None if empty => Ok(Vec::new()),
        problem => Err(NoInventory::NoList(problem.unwrap_or_else(|| "there is none".into()))),
    }
}

fn vehicle(position: usize, raw: &str, site: &Url, budget: &Budget) -> Result<Vehicle, BadVehicle> {
    if !budget.step(ENTRY_STEPS + raw.len() * ENTRY_BYTE_STEPS) {
        return Err(BadVehicle::new(position, NoInventory::TooComplex.to_string(), ""));
    }
    if raw.len() > MAX_ENTRY_BYTES {
        let reason = format!("{} bytes, expected at most {MAX_ENTRY_BYTES}", raw.len());
        return Err(BadVehicle::new(position, reason, raw));
    }
    let vehicle = value(raw, budget).and_then(|value| Vehicle::read(&value, site));
    vehicle.map_err(|reason| BadVehicle::new(position, reason, raw))
}

/// Parses JSON, and what JavaScript accepts beside it: sites that write JSON by hand write that.
fn value(raw: &str, budget: &Budget) -> Result<Value, String> {
    serde_json::from_str(raw).or_else(|error| {
        let read = literal::parse(raw, budget).filter(|(_, length)| *length == raw.len());
        read.map(|(value, _)| value).ok_or_else(|| error.to_string())
    })
}

/// A count, as a number or as text.
fn count(raw: Option<&str>, budget: &Budget) -> Option<u32> {
    let raw = raw.filter(|raw| raw.len() <= MAX_COUNT_BYTES)?;
    field::number(&field::text(&value(raw, budget).ok()?)?)
}

/// A list of at most [`MAX_ENTRIES`] unparsed items. Anything else in its place is no error of the whole response.
#[derive(Default)]
enum List<'a> {
    #[default]
    Absent,
    Entries(Vec<&'a RawValue>),
    /// Something else, and what was expected.
    Wrong(String),
}

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

struct ListVisitor;

impl ListVisitor {
    fn wrong<'a, E: de::Error>(self, found: Unexpected<'_>) -> List<'a> {
        List::Wrong(<E as de::Error>::invalid_type(found, &self).to_string())
    }
}

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX_ENTRIES} vehicles")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while entries.len() < MAX_ENTRIES {
            let Some(entry) = seq.next_element()? else { return Ok(List::Entries(entries)) };
            entries.push(entry);
        }
        let mut more = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            more += 1;
        }
        if more == 0 {
            return Ok(List::Entries(entries));
        }
        Ok(List::Wrong(
            <A::Error as de::Error>::invalid_length(MAX_ENTRIES + more, &self).to_string(),
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.wrong::<A::Error>(Unexpected::Map))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(List::Absent)
    }

    fn visit_bool<E: de::Error>(self, found: bool) -> Result<Self::Value, E> {
        Ok(self.wrong::<E>(Unexpected::Bool(found)))
    }

    fn visit_i64<E: de::Error>(self, found: i64) -> Result<Self::Value, E> {
        Ok(self.wrong::<E>(Unexpected::Signed(found)))
    }

    fn visit_u64<E: de::Error>(self, found: u64) -> Result<Self::Value, E> {
        Ok(self.wrong::<E>(Unexpected::Unsigned(found)))
    }

    fn visit_f64<E: de::Error>(self, found: f64) -> Result<Self::Value, E> {
        Ok(self.wrong::<E>(Unexpected::Float(found)))
    }

    fn visit_str<E: de::Error>(self, found: &str) -> Result<Self::Value, E> {
        Ok(self.wrong::<E>(Unexpected::Str(found)))
    }
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
