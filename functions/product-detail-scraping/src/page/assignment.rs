//! What scripts assign to which path: the places of values, without running anything.

use memchr::{memchr, memchr3};
use url::form_urlencoded;

/// Longest path that a value is assigned to, in bytes, and the longest condition before a value.
const MAX_PATH_BYTES: usize = 200;
const MAX_CONDITION_BYTES: usize = 400;

/// Calls around a text that is percent-encoded.
const DECODERS: [&str; 3] =
    ["JSON.parse(decodeURIComponent(", "JSON.parse(unescape(", "JSON.parse(decodeURI("];

/// A value in a script.
pub(super) struct Assigned<'s> {
    /// The path that it is assigned to.
    pub(super) path: &'s str,
    /// Where the value begins.
    pub(super) start: usize,
}

/// The next value after `from` that is assigned to a path, or that is an argument of a call, such as `push`.
pub(super) fn next(script: &str, mut from: usize) -> Option<Assigned<'_>> {
    let bytes = script.as_bytes();
    let is_operator = |at: usize| bytes.get(at).is_some_and(|byte| b"=!<>".contains(byte));
    loop {
        let at = from + memchr3(b'=', b'(', b',', &bytes[from..])?;
        from = at + 1;
        let text = script[from..].trim_start();
        let is_value = if bytes[at] == b'=' {
            // Neither a comparison nor an arrow.
            !is_operator(at + 1) && !is_operator(at.wrapping_sub(1))
        } else {
            text.starts_with(['{', '['])
        };
        let before = &script[..at];
        // `x ||= …` and `x ??= …` assign, too.
        let logical = ["||", "??", "&&"].iter().find_map(|operator| before.strip_suffix(operator));
        let before = logical.filter(|_| bytes[at] == b'=').unwrap_or(before);
        let path = path_before(before);
        if is_value && !path.is_empty() {
            return Some(Assigned { path, start: script.len() - text.len() });
        }
    }
}

/// The path at the end of a text: names, dots, and names in brackets.
fn path_before(text: &str) -> &str {
    let text = text.trim_end();
    let tail = &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_PATH_BYTES))..];
    let is_part = |c: char| c.is_alphanumeric() || "_$.[]'\"-".contains(c);
    let start = tail.rfind(|c: char| !is_part(c));
    start.map_or(tail, |at| &tail[at + tail[at..].chars().next().map_or(1, char::len_utf8)..])
}

/// Whether a value is written as a literal, a text of JSON, or `path || literal`.
pub(super) fn is_literal(text: &str) -> bool {
    let is_plain = text.starts_with(['{', '[']) || text.starts_with("JSON.parse(");
    is_plain && percent_encoded(text).is_none() || is_default(text)
}

/// Whether the text is `path || literal`, the idiom for an object that may exist.
fn is_default(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(MAX_PATH_BYTES)];
    let path = head.split(['|', ';', '(', '{']).next().unwrap_or_default();
    path.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
        && head[path.len()..].starts_with("||")
}

/// How many bytes of a value stand before the literal that one of two alternatives is: `a ? a : [ … ]`. Zero if there is
/// none.
pub(super) fn alternative(text: &str) -> usize {
    let head = &text[..text.floor_char_boundary(MAX_CONDITION_BYTES)];
    let head = head.split([';', '\n']).next().unwrap_or_default();
    if !head.starts_with(|c: char| c.is_alphabetic() || "_$!(".contains(c)) {
        return 0;
    }
    let mut from = match memchr(b'?', head.as_bytes()) {
        Some(question) if !head[question + 1..].starts_with(['?', '.']) => question,
        _ => return 0,
    };
    // The first that is not empty counts.
    loop {
        let literal = head[from + 1..].trim_start();
        let is_empty = ["[]", "{}"].iter().any(|empty| literal.starts_with(empty));
        if literal.starts_with(['{', '[']) && !is_empty {
            return head.len() - literal.len();
        }
        let Some(colon) = memchr(b':', &head.as_bytes()[from + 1..]) else { return 0 };
        from += colon + 1;
    }
}

/// The percent-encoded text that a value decodes and parses.
pub(super) fn percent_encoded(text: &str) -> Option<&str> {
    let inner = DECODERS.iter().find_map(|decoder| text.strip_prefix(decoder))?.trim_start();
    let quote = inner.chars().next().filter(|c| ['"', '\''].contains(c))?;
    inner[1..].split(quote).next()
}

/// The text without its percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    // A form would have spaces for these.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(text.as_bytes()).next().map_or_else(String::new, |(text, _)| text.into())
}

/// The path of the car and the property, if the path leads to a property of a car: `x.vehicles[0].trim`,
/// `x['vehicles'][0]['trim']`.
pub(super) fn part_of_car(path: &str) -> Option<(String, String)> {
    let parts: Vec<&str> =
        path.split(['.', '[', ']', '\'', '"']).filter(|part| !part.is_empty()).collect();
    let (property, car) = parts.split_last()?;
    let names = |part: Option<&&str>, name: &str| {
        part.is_some_and(|part| part.to_ascii_lowercase().ends_with(name))
    };
    let is_index = |part: &&&str| part.len() <= 2 || part.bytes().all(|byte| byte.is_ascii_digit());
    let index = car.last().filter(is_index);
    let is_listed = index.is_some() && names(car.iter().rev().nth(1), "vehicles");
    let is_property = !property.starts_with(|c: char| c.is_ascii_digit());
    let is_car = is_listed || names(car.last(), "vehicle");
    (is_car && is_property).then(|| (car.join("."), (*property).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_car_is_told_from_its_property() {
        let cases = [
            ("d.vehicles[0].trim", Some(("d.vehicles.0", "trim"))),
            ("DDC.dataLayer['vehicles'][0]['vin']", Some(("DDC.dataLayer.vehicles.0", "vin"))),
            ("d[\"vehicles\"][i].vin", Some(("d.vehicles.i", "vin"))),
            ("vehicle.vin", Some(("vehicle", "vin"))),
            ("page['vehicle'].vin", Some(("page.vehicle", "vin"))),
            ("d.vehicles.length", None),
            ("d.vehicles[0]", None),
            ("d.dealers[0].name", None),
            ("vin", None),
            ("", None),
        ];
        for (path, expected) in cases {
            let expected = expected.map(|(car, property)| (car.to_owned(), property.to_owned()));
            assert_eq!(part_of_car(path), expected, "{path}");
        }
    }

    #[test]
    fn the_alternative_that_is_a_literal_is_found() {
        let literal = |text: &'static str| &text[alternative(text)..];
        for text in [
            "typeof d.v !== 'undefined' ? d.v : [1]",
            "typeof d.v === 'undefined' ? [1] : d.v",
            "d.v ? d.v : [1]",
            "!d.v ? [1] : []",
            "d.v ? [] : [1]",
        ] {
            assert!(literal(text).starts_with("[1]"), "{text}: {}", literal(text));
        }
        for text in ["[1]", "d.v ?? [1]", "d?.v || [1]", "f(); x ? 1 : [1]", "'a?b:[1]'"] {
            assert_eq!(alternative(text), 0, "{text}");
        }
    }

    #[test]
    fn an_encoded_text_is_decoded() {
        let text = "JSON.parse(decodeURIComponent(\"%7B%22a%22%3A%221+1%22%7D\"))";
        assert_eq!(percent_encoded(text).map(decoded).as_deref(), Some("{\"a\":\"1+1\"}"));
        assert_eq!(percent_encoded("JSON.parse('{}')"), None);
    }
}
