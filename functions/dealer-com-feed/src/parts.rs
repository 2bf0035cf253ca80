//! The parts of a response that are read, unparsed: of JSON, and of what is almost JSON.

use serde_json::value::RawValue;

use crate::cutting::{self, Notation};

/// Most entries of one page. A site that ignores the page size may return its whole inventory,
/// which is smaller than this.
pub const MAX_ENTRIES: usize = 10_000;

/// Lists of cars and what else a response has, by name.
const MAIN_LIST: &str = "inventory";
const TRACKING: &str = "trackingData";
const INFO: &str = "pageInfo";
const VIN: &str = "vin";
const QUOTED_VIN: &str = "\"vin\"";

/// The parts of a response that are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) total: Option<&'a str>,
    pub(crate) page_size: Option<&'a str>,
    pub(crate) entries: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    /// Those of a response that is JSON.
    pub(crate) fn of(
        total: Option<&'a RawValue>,
        page_size: Option<&'a RawValue>,
        entries: Vec<&'a RawValue>,
    ) -> Self {
        Self {
            total: total.map(RawValue::get),
            page_size: page_size.map(RawValue::get),
            entries: entries.into_iter().map(RawValue::get).collect(),
        }
    }

    /// Those of a text that is no JSON, by its brackets. `None` if they do not match, as in a truncated text, or if no
    /// list has an entry.
    pub(crate) fn cut(text: &'a str, notation: Notation) -> Option<Self> {
        let members = cutting::members(text, notation)?;
        let of = |name: &str| members.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let info = of(INFO).and_then(|info| cutting::members(info, notation)).unwrap_or_default();
        let of_info =
            |name: &str| info.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let lists = [of(MAIN_LIST), of_info(TRACKING), of(TRACKING)].into_iter().flatten();
        let mut entries = lists.filter_map(|list| cutting::items(list, notation));
        Some(Self {
            total: of_info("totalCount"),
            page_size: of_info("pageSize"),
            entries: entries.find(|list| !list.is_empty() && list.len() <= MAX_ENTRIES)?,
        })
    }

    /// Those of a text whose brackets do not match: what looks like the beginning of an entry is one, whatever stands
    /// before it. `None` if the text may be truncated: the cars that it lacks would count as gone.
    pub(crate) fn between_beginnings(text: &'a str) -> Option<Self> {
        let (name, list) = [MAIN_LIST, TRACKING].into_iter().find_map(|name| {
            let list = member(text, name)?.strip_prefix('[')?;
            (!list.trim_start().starts_with(']')).then_some((name, list))
        })?;
        // The list ends before the next part of the response.
        let next = [MAIN_LIST, INFO, TRACKING].into_iter().filter_map(|name| position(list, name));
        let list = &list[..next.map(|(begin, _)| begin).min().unwrap_or(list.len())];
        let (entries, tail) = entries(list);
        let is_closed = tail.is_some_and(|tail| {
            name == MAIN_LIST && tail.trim_start().strip_prefix(']').is_some_and(ends)
        });
        if !text.ends_with('}') || !(is_closed || has_all_closed(text)) {
            return None;
        }
        let (total, page_size) = (member(text, "totalCount"), member(text, "pageSize"));
        (1..=MAX_ENTRIES).contains(&entries.len()).then(|| Self {
            total: total.map(scalar),
            page_size: page_size.map(scalar),
            entries,
        })
    }
}

/// What stands for the VIN in the text of an entry.
pub(crate) fn vin(entry: &str) -> Option<&str> {
    Some(scalar(member(entry, VIN)?).trim_matches('"'))
}

/// Whether this is all that follows a list: the end of the response.
fn ends(text: &str) -> bool {
    text.trim() == "}"
}

/// Whether a text closes as many brackets as it opens, those in quotation marks included: a truncated one does not.
fn has_all_closed(text: &str) -> bool {
    let count = |brackets: [u8; 2]| text.bytes().filter(|byte| brackets.contains(byte)).count();
    count(*b"{[") <= count(*b"}]")
}

/// Where the first member of this name begins, and where its value does.
fn position(text: &str, name: &str) -> Option<(usize, usize)> {
    let quoted = format!("\"{name}\"");
    text.match_indices(&quoted).find_map(|(begin, _)| {
        let rest = &text[begin + quoted.len()..];
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        Some((begin, text.len() - value.len()))
    })
}

/// The text from the value of the first member of this name on.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    position(text, name).map(|(_, value)| &text[value..])
}

/// The number or text that this begins with.
fn scalar(text: &str) -> &str {
    match text.strip_prefix('"').and_then(|inner| inner.find('"')) {
        Some(end) => &text[..end + 2],
        None => text[..text.find([',', '}', ']']).unwrap_or(text.len())].trim_end(),
    }
}

/// The entries of a list, and what follows the last one if that is whole.
fn entries(list: &str) -> (Vec<&str>, Option<&str>) {
    let (mut entries, mut tail) = (Vec::new(), None);
    let pieces = pieces(list);
    for (at, piece) in pieces.iter().enumerate() {
        let is_last = at + 1 == pieces.len();
        if let Some((object, rest)) = alone(piece, is_last) {
            entries.push(object);
            tail = is_last.then_some(rest);
            continue;
        }
        // Where the beginning of an entry is damaged, the next VIN tells that there is another car.
        let vins = piece
            .match_indices(QUOTED_VIN)
            .filter(|(begin, name)| piece[begin + name.len()..].trim_start().starts_with(':'));
        let vins = vins.map(|(begin, _)| begin).skip(1);
        let mut begin = 0;
        for end in vins.chain([piece.len()]) {
            let part = &piece[begin..end];
            entries.push(alone(part, false).map_or(part.trim(), |(object, _)| object));
            begin = end;
        }
    }
    (entries, tail)
}

/// The text of a list from each beginning of an entry to the next.
fn pieces(list: &str) -> Vec<&str> {
    let mut bounds = beginnings(list);
    let first = bounds.first().copied().unwrap_or(list.len());
    if !list[..first].trim().is_empty() {
        bounds.insert(0, 0);
    }
    bounds.push(list.len());
    let mut pieces: Vec<(usize, usize, bool)> = Vec::new();
    for pair in bounds.windows(2) {
        let [begin, end] = *pair else { continue };
        let piece = &list[begin..end];
        match pieces.last_mut() {
            // An object within an entry may begin like an entry, but has no VIN.
            Some((_, before, false)) if position(piece, VIN).is_none() => *before = end,
            _ => pieces.push((begin, end, alone(piece, false).is_some())),
        }
    }
    pieces.into_iter().map(|(begin, end, _)| &list[begin..end]).collect()
}

/// Where an object begins with the same name as the first entry does, as an item of the list.
fn beginnings(list: &str) -> Vec<usize> {
    let first = list.trim_start().strip_prefix('{').map_or("", str::trim_start);
    let length = first.strip_prefix('"').and_then(|inner| inner.find('"'));
    let name = length.map_or(QUOTED_VIN, |length| &first[..length + 2]);
    let found = list.match_indices(name).filter_map(|(at, _)| {
        let before = list[..at].trim_end().strip_suffix('{')?;
        let is_item = before.trim_end().ends_with([',', '}', ']']) || before.trim().is_empty();
        is_item.then_some(before.len())
    });
    found.collect()
}

/// The one object that a piece of a list has, and what follows it: nothing but commas and brackets, or after the last
/// entry the end of the list.
fn alone(piece: &str, is_last: bool) -> Option<(&str, &str)> {
    let (object, rest) = cutting::object(piece)?;
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    let is_alone = if is_last {
        rest.starts_with(']')
    } else {
        rest.chars().all(|c| c.is_whitespace() || ",]}".contains(c))
    };
    is_alone.then_some((object, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries_of(text: &str) -> Option<Vec<&str>> {
        Parts::between_beginnings(text).map(|parts| parts.entries)
    }

    #[test]
    fn entries_are_found_between_their_beginnings() {
        let (one, two, three) =
            (r#"{"vin": "1", "a": [{"b": 1}], "c": 2}"#, r#"{"vin": "2"}"#, r#"{"vin": "3"}"#);
        let quoted = r#"{"vin": "2", "a": "6'5" bed"}"#;
        let open = r#"{"vin": "2", "a": {"b": 1}"#;
        let headless = r#""vin": "2"}"#;
        let cases = [
            (format!("{one}, {two}, {three}"), vec![one, two, three]),
            (format!("{one}, {quoted}, {three}"), vec![one, quoted, three]),
            (format!("{quoted}, {one}, {three}"), vec![quoted, one, three]),
            (format!("{one}, {three}, {quoted}"), vec![one, three, quoted]),
            (format!("{one}, {open}, {three}"), vec![one, open, three]),
            (format!("{one}, {two}]], {three}"), vec![one, two, three]),
            (format!("{one} {two}, {three}"), vec![one, two, three]),
            (format!("{one}, {headless}, {three}"), vec![one, headless, three]),
            (format!("{headless}, {one}, {three}"), vec![headless, one, three]),
        ];
        for (list, expected) in cases {
            let text = format!(r#"{{"pageInfo": {{"totalCount": 3}}, "inventory": [{list}]}}"#);
            let parts = Parts::between_beginnings(&text).unwrap_or_default();
            let found: Vec<&str> =
                parts.entries.iter().map(|entry| entry.trim_end_matches([',', ' '])).collect();
            // What follows the last entry belongs to a damaged one.
            let found: Vec<&str> =
                found.into_iter().map(|entry| entry.strip_suffix("]}").unwrap_or(entry)).collect();
            assert_eq!((found, parts.total), (expected, Some("3")), "{list}");
        }
    }

    #[test]
    fn an_object_within_an_entry_is_none() {
        let one = r#"{"name": "a", "vin": "1", "x": [{"name": "b"}, {"name": "c"}]}"#;
        let two = r#"{"name": "d", "vin": "2", "y": "6'5" bed"}"#;
        let three = r#"{"name": "e", "vin": "3"}"#;
        let text = format!(
            r#"{{"inventory": [{one}, {two}, {three}], "pageInfo": {{"trackingData": [{{"vin": "1"}}]}}}}"#
        );
        let found = entries_of(&text).unwrap_or_default();
        assert_eq!(found, [one, &format!("{two},"), three]);
    }

    #[test]
    fn a_truncated_text_is_refused_wherever_it_is_cut() {
        let whole = r#"{"pageInfo": {"totalCount": "3", "trackingData": [{"vin": "1"}, {"vin": "2"}]},
            "inventory": [{"vin": "1", "a": {"b": [{"c": 1}]}}, {"vin": "2", "a": {"b": [{"vin": 1}]}}, {"vin": "3"}]}"#;
        for cut in 0..whole.len() {
            assert_eq!(entries_of(&whole[..cut]), None, "{}", &whole[..cut]);
        }
        assert_eq!(entries_of(whole).map(|found| found.len()), Some(3));
    }
}
