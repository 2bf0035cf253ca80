//! Parses one field in any of the formats that sites use.

use std::str::FromStr;

use inventory::address::without_final_dot;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::payload::Condition;

/// Longest text that is kept, in bytes. Longer ones are descriptions, not values.
const MAX_TEXT_BYTES: usize = 500;

/// How much of a text is read, in bytes, so that a huge one is not copied.
const MAX_RAW_BYTES: usize = 4 * MAX_TEXT_BYTES;

/// Most parts that are read of a text in the form of a list.
const MAX_PARTS: usize = 20;

/// Most digits of a whole number. Prices, odometer readings and counts have fewer.
const MAX_DIGITS: usize = 9;

/// Longest address that is kept, in bytes: Rebrandly's limit for a destination.
const MAX_ADDRESS_BYTES: usize = 2048;

/// The accepted model years. The upper bound only excludes nonsense.
const FIRST_YEAR: u16 = 1900;
const LAST_YEAR: u16 = 2100;

/// The result of parsing a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading<T> {
    /// A value of the expected kind.
    Found(T),
    /// A text that means "no value", such as "N/A".
    Placeholder,
    /// A value that gives no price.
    Unreadable,
}

impl<T> From<Option<T>> for Reading<T> {
    fn from(found: Option<T>) -> Self {
        found.map_or(Self::Unreadable, Self::Found)
    }
}

/// A value as one line of text. The parts of a list are joined by spaces. `None` for an object and
/// for null.
pub(crate) fn text(value: &Value) -> Option<String> {
    let Value::Array(parts) = value else { return scalar(value) };
    let parts = parts.iter().take(MAX_PARTS).filter_map(scalar);
    let told: Vec<String> = parts.filter(|part| !is_placeholder(part)).collect();
    Some(cut(told.join(" ")))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(tidy(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text on one line: runs of white space and control characters become single spaces.
fn tidy(raw: &str) -> String {
    let raw = &raw[..raw.floor_char_boundary(MAX_RAW_BYTES)];
    let words = raw.split(|c: char| c.is_whitespace() || c.is_control());
    cut(words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text.truncate(text.trim_end().len());
    text
}

/// Whether a text means "no value".
pub(crate) fn is_placeholder(text: &str) -> bool {
    const PLACEHOLDERS: [&str; 16] = [
        "",
        "-",
        "--",
        "–",
        "—",
        "?",
        "null",
        "none",
        "nil",
        "n/a",
        "na",
        "n.a.",
        "undefined",
        "unknown",
        "not available",
        "not specified",
    ];
    let text = text.trim();
    PLACEHOLDERS.iter().any(|placeholder| text.eq_ignore_ascii_case(placeholder))
}

/// Any text but a placeholder.
pub(crate) fn words(text: &str) -> Reading<String> {
    if is_placeholder(text) { Reading::Placeholder } else { Reading::Found(text.to_owned()) }
}

/// A model year. Zero is a placeholder.
pub(crate) fn year(text: &str) -> Reading<u16> {
    match number(text) {
        Some(0) => Reading::Placeholder,
        _ if is_placeholder(text) => Reading::Placeholder,
        year => {
            let year = year.and_then(|year| u16::try_from(year).ok());
            year.filter(|year| (FIRST_YEAR..=LAST_YEAR).contains(year)).into()
        }
    }
}

/// A unit of distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    Miles,
    Kilometres,
}

const UNITS: [(&str, Unit); 10] = [
    ("miles", Unit::Miles),
    ("mile", Unit::Miles),
    ("mi.", Unit::Miles),
    ("mi", Unit::Miles),
    ("kilometers", Unit::Kilometres),
    ("kilometres", Unit::Kilometres),
    ("kilometer", Unit::Kilometres),
    ("kilometre", Unit::Kilometres),
    ("kms", Unit::Kilometres),
    ("km", Unit::Kilometres),
];

/// An odometer reading, and its unit if the text has one.
pub(crate) fn odometer(text: &str) -> Reading<(u32, Option<Unit>)> {
    if is_placeholder(text) {
        return Reading::Placeholder;
    }
    let lower = text.to_ascii_lowercase();
    let stated = UNITS.iter().find_map(|(name, unit)| Some((lower.strip_suffix(name)?, *unit)));
    let (bare, unit) = stated.map_or((lower.as_str(), None), |(bare, unit)| (bare, Some(unit)));
    number(bare.trim()).map(|value| (value, unit)).into()
}

/// A unit of distance alone.
pub(crate) fn unit(text: &str) -> Reading<Unit> {
    let lower = text.trim().to_ascii_lowercase();
    let found = UNITS.iter().find(|(name, _)| *name == lower).map(|(_, unit)| *unit);
    if is_placeholder(text) { Reading::Placeholder } else { found.into() }
}

/// A whole number. Digits after a decimal point are dropped.
pub(crate) fn number(text: &str) -> Option<u32> {
    let (number, rest) = whole(text)?;
    let fraction = rest.strip_prefix('.').unwrap_or(rest);
    fraction.bytes().all(|byte| byte.is_ascii_digit()).then_some(number)
}

/// The whole number at the beginning of a text, with or without separators of thousands, and the
/// rest of the text.
pub(crate) fn whole(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !is_separator(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let groups: Vec<&str> = number.trim_end_matches(is_separator).split(is_separator).collect();
    let (first, others) = groups.split_first()?;
    let apart = others.is_empty() || (1..=3).contains(&first.len());
    if !apart || others.iter().any(|group| group.len() != 3) {
        return None;
    }
    Some((digits(&groups.concat(), MAX_DIGITS)?, rest))
}

/// A separator of thousands: a comma, a space, or a no-break space.
fn is_separator(c: char) -> bool {
    matches!(c, ',' | ' ' | '\u{a0}' | '\u{202f}')
}

/// Parses a text that consists of 1 to `most` digits.
fn digits<T: FromStr>(text: &str, most: usize) -> Option<T> {
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits && (1..=most).contains(&text.len()) { text.parse().ok() } else { None }
}

/// A boolean, such as "true", "yes" or "1".
pub(crate) fn flag(text: &str) -> Reading<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Reading::Found(true),
        "false" | "no" | "n" | "0" => Reading::Found(false),
        other if is_placeholder(other) => Reading::Placeholder,
        _ => Reading::Unreadable,
    }
}

/// The condition that a text names. "Certified" and "CPO" take precedence.
pub(crate) fn condition(text: &str) -> Reading<Condition> {
    if is_placeholder(text) {
        return Reading::Placeholder;
    }
    let lower = text.to_ascii_lowercase();
    let says = |word: &str| lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == word);
    if says("certified") || says("cpo") {
        Reading::Found(Condition::Certified)
    } else if says("new") {
        Reading::Found(Condition::New)
    } else if says("used") || says("owned") || says("preowned") {
        Reading::Found(Condition::Used)
    } else {
        Reading::Unreadable
    }
}

/// A date as `YYYY-MM-DD`, from `MM/DD/YYYY` or `YYYY-MM-DD`. A time of day is dropped.
pub(crate) fn date(text: &str) -> Reading<String> {
    if is_placeholder(text) { Reading::Placeholder } else { calendar(text).into() }
}

fn calendar(text: &str) -> Option<String> {
    let date = text.split(['T', ' ']).next()?;
    let american: Vec<&str> = date.splitn(4, '/').collect();
    let iso: Vec<&str> = date.splitn(4, '-').collect();
    let (year, month, day) = match (american.as_slice(), iso.as_slice()) {
        ([month, day, year], _) | (_, [year, month, day]) => (*year, *month, *day),
        _ => return None,
    };
    let year: u16 = digits(year, 4)?;
    let month: u16 = digits(month, 2)?;
    let day: u16 = digits(day, 2)?;
    let real = (FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=days(year, month)).contains(&day);
    real.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// The number of days of a month in the Gregorian calendar; 0 if there is no such month.
fn days(year: u16, month: u16) -> u16 {
    let leaps = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leaps => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

/// Resolves an address against `site` and removes tracking parameters. `None` unless it is http or
/// https without credentials and at most 2,048 bytes long.
pub(crate) fn address(text: &str, site: &Url) -> Option<Url> {
    let text = text.trim();
    if text.len() > MAX_ADDRESS_BYTES {
        return None;
    }
    let url = without_final_dot(without_tracking(site.join(text).ok()?))?;
    let plain = url.username().is_empty() && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (web && plain && url.as_str().len() <= MAX_ADDRESS_BYTES).then_some(url)
}

/// The address without tracking parameters in its query. They differ at every read although the car
/// does not.
fn without_tracking(mut url: Url) -> Url {
    let Some(query) = url.query() else { return url };
    let kept = query.split('&').filter(|pair| !is_tracking(pair)).collect::<Vec<_>>().join("&");
    let kept = if kept.is_empty() { None } else { Some(kept.as_str()) };
    url.set_query(kept);
    url
}

fn is_tracking(pair: &str) -> bool {
    const TRACKERS: [&str; 6] =
        ["fbclid", "gclid", "msclkid", "searchdepth", "srprequestid", "srpsessionid"];
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.is_empty() || name.starts_with("utm_") || TRACKERS.contains(&name.as_str())
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
