//! Tolerant parsing of values: sites write numbers, booleans and missing values in many ways.
//!
//! Every value is converted to plain text first, so each parser handles a single form.

use std::{borrow::Cow, ops::RangeInclusive, slice};

use inventory::vin::Vin;
use serde_json::{Map, Value};
use url::Url;

use super::{
    markup::{decode, decode_text},
    vocabulary::Condition,
};

/// Longest text kept of a value, in characters. Longer titles and descriptions are cut.
const MAX_TEXT_CHARS: usize = 300;

/// Most bytes of a raw text that are decoded to get [`MAX_TEXT_CHARS`]. A character reference takes
/// up to ten bytes.
const MAX_RAW_BYTES: usize = 4 * 1024;

/// Most elements read of one array.
const MAX_ELEMENTS: usize = 200;

/// Most option codes kept of one car, and the longest code in bytes. Anything beyond is prose, not
/// a code.
const MAX_CODES: usize = 60;
const MAX_CODE_BYTES: usize = 40;

/// Most pictures kept of one car, and the longest address of a picture in bytes. They are stored in
/// the job's record, which is billed by size.
pub(crate) const MAX_IMAGES: usize = 24;
const MAX_ADDRESS_BYTES: usize = 1_024;

/// Longest number, in characters. A longer one is an id.
const MAX_NUMBER_CHARS: usize = 12;

/// The accepted model years.
const YEARS: RangeInclusive<u16> = 1900..=2100;

/// The label that may precede a VIN within the same text. No VIN contains an I, so no VIN begins
/// with it.
const VIN_LABEL: &str = "VIN";

/// The texts that sites write in place of a missing value.
const PLACEHOLDERS: [&str; 17] = [
    "-",
    "--",
    "---",
    ".",
    "?",
    "n/a",
    "n.a.",
    "na",
    "nan",
    "none",
    "not available",
    "not specified",
    "null",
    "tbd",
    "undefined",
    "unknown",
    "unspecified",
];

/// The text of a value in one line, or `None` if it has no text.
///
/// The text of an array is that of its first element with a text. The text of an object is its name
/// or its value.
pub(crate) fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => spelt(number),
        Value::String(text) => clean(text),
        // The recursion is bounded, because serde_json rejects nesting deeper than 128. It must not
        // visit anything twice: the time would double with each level.
        Value::Array(values) => return values.iter().take(MAX_ELEMENTS).find_map(plain),
        Value::Object(object) => {
            let mut inner = ["name", "value", "@value"].iter().filter_map(|key| object.get(*key));
            return inner.find_map(plain);
        }
    };
    (!text.is_empty()).then_some(text)
}

/// The value of the first of these keys whose value has a text.
pub(crate) fn first<'v>(object: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().filter_map(|key| object.get(*key)).find(|value| plain(value).is_some())
}

/// The first [`MAX_ELEMENTS`] elements of an array, or the value itself if it is no array.
pub(crate) fn elements(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(values)) => &values[..values.len().min(MAX_ELEMENTS)],
        Some(value) => slice::from_ref(value),
    }
}

/// A number without an exponent and, if it is an integer, without a decimal point.
fn spelt(number: &serde_json::Number) -> String {
    match (number.as_u64(), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) => clean(&float.to_string()),
        (None, None) => clean(&number.to_string()),
    }
}

/// The text in one line, with character references decoded, invisible characters removed, and cut
/// to [`MAX_TEXT_CHARS`].
pub(crate) fn clean(text: &str) -> String {
    cleaned(text, decode)
}

/// The same for the text of an element.
pub(crate) fn clean_text(text: &str) -> String {
    cleaned(text, decode_text)
}

fn cleaned(text: &str, first: fn(&str) -> String) -> String {
    let mut decoded: Cow<'_, str> = text[..text.floor_char_boundary(MAX_RAW_BYTES)].into();
    // Some sites encode a text that is encoded already.
    for decode in [first, decode] {
        if decoded.contains('&') {
            decoded = decode(&decoded).into();
        }
    }
    let mut line = String::new();
    let (mut chars, mut is_gap) = (0, false);
    for c in decoded.chars().filter(|c| !is_invisible(*c)) {
        if c.is_whitespace() || c.is_control() {
            is_gap = !line.is_empty();
            continue;
        }
        if is_gap {
            line.push(' ');
            chars += 1;
        }
        is_gap = false;
        if chars >= MAX_TEXT_CHARS {
            break;
        }
        line.push(c);
        chars += 1;
    }
    line.truncate(line.trim_end().len());
    line
}

/// Whether a character has no width or changes the direction of writing. Such characters make
/// different texts look the same.
fn is_invisible(c: char) -> bool {
    let spaces_and_marks = ('\u{200b}'..='\u{200f}').contains(&c);
    let embeddings = ('\u{202a}'..='\u{202e}').contains(&c);
    spaces_and_marks || embeddings || ('\u{2060}'..='\u{206f}').contains(&c) || c == '\u{feff}'
}

/// Whether a text stands for a missing value.
pub(crate) fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text))
}

/// The VIN that a value consists of, alone or behind a label, in upper case. `None` for anything
/// else, such as a stock number.
pub(crate) fn vin(value: &Value) -> Option<String> {
    let text = plain(value)?;
    let unlabelled = match text.split_at_checked(VIN_LABEL.len()) {
        Some((label, rest)) if label.eq_ignore_ascii_case(VIN_LABEL) => rest,
        _ => text.as_str(),
    };
    let vin = Vin::parse(unlabelled.trim_start_matches([':', ' '])).ok()?;
    Some(vin.as_str().to_owned())
}

/// The only VIN in an address, in upper case. Its check digit must hold: addresses have other numbers of that length.
pub(crate) fn vin_in_address(address: &str) -> Option<String> {
    let head = &address[..address.floor_char_boundary(MAX_ADDRESS_BYTES)];
    let words = head.split(|c: char| !c.is_ascii_alphanumeric());
    let vins = words.filter_map(|word| Vin::parse(word).ok()).filter(Vin::check_digit_holds);
    let mut vins: Vec<String> = vins.map(|vin| vin.as_str().to_owned()).collect();
    vins.dedup();
    if vins.len() == 1 { vins.pop() } else { None }
}

/// A number within a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// The integer part.
    pub(crate) whole: u64,
    /// The fraction in hundredths, rounded down.
    pub(crate) hundredths: u64,
    /// The text before and after the number.
    pub(crate) around: String,
}

/// The only number in a text. `None` if there is no number or several, or if the number is
/// negative, abbreviated (`25k`) or ambiguous (`25.995`).
pub(crate) fn number(text: &str) -> Option<Number> {
    let (before, rest) = text.split_at(text.find(|c: char| c.is_ascii_digit())?);
    let ends = rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.');
    let (digits, after) = rest.split_at(ends.unwrap_or(rest.len()));
    let unit = after.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let is_short = unit.eq_ignore_ascii_case("k") || unit.eq_ignore_ascii_case("m");
    if is_short || is_negative(before) || after.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_end_matches([',', '.']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let could_be_thousands = fraction.len() == 3 && whole.len() <= 3;
    if could_be_thousands || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hundredths = format!("{fraction:0<2}").get(..2)?.parse().ok()?;
    Some(Number { whole: ungrouped(whole)?, hundredths, around: format!("{before} {after}") })
}

/// Whether the text before a number makes it negative. After words, a dash that does not touch the
/// number is only a separator.
fn is_negative(before: &str) -> bool {
    let signed = before.trim_end_matches('$').ends_with(['-', '\u{2212}']);
    let wordless = !before.contains(char::is_alphabetic);
    signed || (wordless && before.contains(['-', '\u{2212}', '(']))
}

/// Parses digits that are either all in one group or in groups of three between commas.
fn ungrouped(digits: &str) -> Option<u64> {
    let mut groups = digits.split(',');
    let head = groups.next()?.len();
    let is_grouped = head < digits.len();
    if digits.len() > MAX_NUMBER_CHARS
        || (is_grouped && head > 3)
        || groups.any(|group| group.len() != 3)
    {
        return None;
    }
    digits.replace(',', "").parse().ok()
}

/// Parses a model year, which may be the start of a date.
pub(crate) fn year(text: &str) -> Option<u16> {
    let (digits, rest) = text.split_at_checked(4)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let year = digits.parse::<u16>().ok().filter(|year| YEARS.contains(year))?;
    (is_number && !rest.starts_with(|c: char| c.is_ascii_digit())).then_some(year)
}

/// Parses a boolean, also written as `yes` or `no`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Some(true),
        "false" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// Parses a condition, written as a word or as a schema.org address.
pub(crate) fn condition(text: &str) -> Option<Condition> {
    let word = text.rsplit(['/', '#', ':']).next().unwrap_or(text).trim().to_ascii_lowercase();
    match word.as_str() {
        "n" | "new" | "newcondition" => Some(Condition::New),
        "u"
        | "used"
        | "usedcondition"
        | "pre-owned"
        | "preowned"
        | "certified"
        | "cpo"
        | "certified pre-owned"
        | "certified used"
        | "refurbishedcondition"
        | "damagedcondition" => Some(Condition::Used),
        _ => None,
    }
}

/// Parses a currency code (ISO 4217) and converts it to upper case.
pub(crate) fn currency(text: &str) -> Option<String> {
    let is_code = text.len() == 3 && text.chars().all(|c| c.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase())
}

/// Signs without which a number in a text is no amount.
pub(crate) const CURRENCIES: [char; 3] = ['$', '€', '£'];

/// The signs beside amounts that stand for one currency. A dollar sign alone stands for several.
const SIGNS: [(&str, &str); 17] = [
    ("€", "EUR"),
    ("EUR", "EUR"),
    ("£", "GBP"),
    ("GBP", "GBP"),
    ("CA$", "CAD"),
    ("C$", "CAD"),
    ("CAD", "CAD"),
    ("CDN", "CAD"),
    ("AU$", "AUD"),
    ("A$", "AUD"),
    ("AUD", "AUD"),
    ("MX$", "MXN"),
    ("MXN", "MXN"),
    ("CHF", "CHF"),
    ("NZD", "NZD"),
    ("US$", "USD"),
    ("USD", "USD"),
];

/// The currency that the text around an amount names by a sign or a code, which is no part of a longer word.
pub(crate) fn currency_beside(amount: &str) -> Option<&'static str> {
    let head = &amount[..amount.floor_char_boundary(MAX_TEXT_CHARS)];
    let is_whole = |at: usize, sign: &str| {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        let is_code = sign.ends_with(char::is_alphabetic);
        let begins = !is_letter(head[..at].chars().next_back());
        begins && !(is_code && is_letter(head[at + sign.len()..].chars().next()))
    };
    let is_named = |sign: &str| head.match_indices(sign).any(|(at, sign)| is_whole(at, sign));
    SIGNS.iter().find(|(sign, _)| is_named(sign)).map(|(_, code)| *code)
}

/// The codes in an array, or in a text that separates them by commas or bars. `None` if there are
/// none.
pub(crate) fn codes(value: &Value) -> Option<Vec<String>> {
    let texts: Vec<String> = match value {
        Value::String(text) => {
            let head = &text[..text.floor_char_boundary(MAX_RAW_BYTES)];
            head.split([',', '|']).map(clean).collect()
        }
        other => elements(Some(other)).iter().filter_map(plain).collect(),
    };
    let is_code =
        |text: &String| !text.is_empty() && text.len() <= MAX_CODE_BYTES && !is_placeholder(text);
    let codes: Vec<String> = texts.into_iter().filter(is_code).take(MAX_CODES).collect();
    (!codes.is_empty()).then_some(codes)
}

/// The addresses of pictures, made absolute and without duplicates. The value is a text, an object
/// with a `url`, or an array of these.
pub(crate) fn images(value: &Value, base: &Url) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for element in elements(Some(value)) {
        let address = match element {
            Value::Object(image) => first(image, &["url", "contentUrl"]),
            other => Some(other),
        };
        let address = address.and_then(Value::as_str).and_then(|text| absolute(text, base));
        if let Some(address) = address
            && found.len() < MAX_IMAGES
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

fn absolute(text: &str, base: &Url) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_ADDRESS_BYTES || is_placeholder(text) {
        return None;
    }
    let address = base.join(&decode(text)).ok()?;
    let is_web = matches!(address.scheme(), "http" | "https");
    (is_web && address.as_str().len() <= MAX_ADDRESS_BYTES).then(|| address.to_string())
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
