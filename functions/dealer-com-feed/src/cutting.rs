//! Cuts a text that is almost JSON apart by its brackets, so that one bad token costs the part that has it.

/// Most parts of one object or list.
const MAX_PARTS: usize = 20_000;

/// Longest text before the object that a response wraps, such as `window.inventory =`.
const MAX_WRAPPING: usize = 200;

/// In which quotation marks texts stand, within which brackets and commas do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Only in double ones.
    Json,
    /// In any of the three.
    JavaScript,
}

impl Notation {
    const fn quotes(self, byte: u8) -> bool {
        match byte {
            b'"' => true,
            b'\'' | b'`' => matches!(self, Self::JavaScript),
            _ => false,
        }
    }
}

/// The object that a response wraps in a call, as in `callback({…});`, in an assignment, as in `var x = {…};`, or in
/// what keeps other sites from running it, as in `)]}',{…}`. Any other text is returned as it is.
pub(crate) fn unwrapped(text: &str) -> &str {
    wrapped(text).unwrap_or(text)
}

fn wrapped(text: &str) -> Option<&str> {
    let rest = skip_blank(text);
    let begin = rest.find('{').filter(|begin| *begin <= MAX_WRAPPING)?;
    let before = rest[..begin].trim_end();
    let is_wrapping = before.is_empty() || before.ends_with(['(', '=', ';', ',', '\'']);
    let object = rest[begin..].trim_end_matches(|c: char| c.is_whitespace() || ");".contains(c));
    (is_wrapping && object.ends_with('}')).then_some(object)
}

/// The text after white space and comments.
fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(length) = comment(rest) {
        rest = rest[length..].trim_start();
    }
    rest
}

/// The length of the comment that the text begins with, in bytes.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        Some(text.find('\n').unwrap_or(text.len()))
    } else if text.starts_with("/*") {
        Some(text.find("*/").map_or(text.len(), |end| end + "*/".len()))
    } else {
        None
    }
}

/// The text without its comments. What stands in quotation marks is no comment.
pub(crate) fn without_comments(text: &str) -> String {
    let (mut plain, mut begin, mut at) = (String::with_capacity(text.len()), 0, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        if Notation::JavaScript.quotes(byte) {
            at = text_end(text, at).unwrap_or(text.len());
        } else if let Some(length) = (byte == b'/').then(|| comment(&text[at..])).flatten() {
            plain.push_str(&text[begin..at]);
            at += length;
            begin = at;
        } else {
            at += 1;
        }
    }
    plain.push_str(&text[begin..]);
    plain
}

/// The members of the object that the text is: names without their quotation marks, and values. `None` if the text is
/// no whole object.
pub(crate) fn members(text: &str, notation: Notation) -> Option<Vec<(&str, &str)>> {
    // A part that is no member belongs to nothing that is read.
    Some(parts(text, '{', '}', notation)?.into_iter().filter_map(member).collect())
}

fn member(part: &str) -> Option<(&str, &str)> {
    let quote = part.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (name, value) = match quote {
        Some(quote) => part[1..].split_once(quote)?,
        None => part.split_at(part.find(|c: char| !c.is_alphanumeric() && !"_$".contains(c))?),
    };
    Some((name, value.trim_start().strip_prefix(':')?.trim()))
}

/// The items of the list that the text is. `None` if the text is no whole list.
pub(crate) fn items(text: &str, notation: Notation) -> Option<Vec<&str>> {
    parts(text, '[', ']', notation)
}

/// The object that the text begins with, by its brackets, and what follows it. `None` if it does not end.
pub(crate) fn object(text: &str) -> Option<(&str, &str)> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = text.as_bytes().get(at) {
        if byte == b'"' {
            at = text_end(text, at)?;
            continue;
        }
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text.starts_with('{').then(|| text.split_at(at));
        }
    }
    None
}

/// The parts between the commas of the outermost brackets. Brackets and commas within texts do not count.
fn parts(text: &str, open: char, close: char, notation: Notation) -> Option<Vec<&str>> {
    let inner = text.trim().strip_prefix(open)?.strip_suffix(close)?;
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = inner.as_bytes().get(at) {
        if notation.quotes(byte) {
            at = text_end(inner, at)?;
            continue;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                parts.push(inner[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
        if parts.len() > MAX_PARTS {
            return None;
        }
        at += 1;
    }
    parts.push(inner[begin..].trim());
    parts.retain(|part| !part.is_empty());
    (depth == 0).then_some(parts)
}

/// The end of the text in quotation marks that begins at this place. `None` if it does not end.
fn text_end(text: &str, begin: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes.get(begin)?;
    let mut at = begin + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_cut_at_the_outermost_commas() {
        let text = r#" {"a": NaN, "b" : [1, {"x": "],\\\""}], "c": {"d": 2}} "#;
        let expected = vec![("a", "NaN"), ("b", r#"[1, {"x": "],\\\""}]"#), ("c", r#"{"d": 2}"#)];
        assert_eq!(members(text, Notation::Json), Some(expected));
        let cut = items("[{\"a\": NaN}, {} , ]", Notation::Json);
        assert_eq!(cut, Some(vec!["{\"a\": NaN}", "{}"]));
        assert_eq!(items("[]", Notation::Json), Some(vec![]));
    }

    #[test]
    fn brackets_in_any_quotation_marks_of_javascript_do_not_count() {
        let text = "{'a': ['}', `]`], b: 'it\\'s, {'}";
        let expected = vec![("a", "['}', `]`]"), ("b", "'it\\'s, {'")];
        assert_eq!(members(text, Notation::JavaScript), Some(expected));
        assert_eq!(members(text, Notation::Json), None);
        let apostrophe = r#"{"a": it's, "b": 1}"#;
        assert_eq!(members(apostrophe, Notation::Json).unwrap().len(), 2);
    }

    #[test]
    fn a_text_that_is_not_whole_is_refused() {
        for text in ["", "[", "[1", "[1]]", "[[1]", "[\"1]", "[\"1\\\"]", "{}", "[1] x"] {
            assert_eq!(items(text, Notation::Json), None, "{text}");
            assert_eq!(items(text, Notation::JavaScript), None, "{text}");
        }
    }

    #[test]
    fn an_object_is_found_with_what_follows_it() {
        assert_eq!(object(r#"{"a": "}", "b": [{}]} ]"#), Some((r#"{"a": "}", "b": [{}]}"#, " ]")));
        for text in ["", "1", "[1]", "{", "{]}", r#"{"a": "}"#] {
            let found = object(text);
            assert!(found.is_none() || text == "{]}", "{text}: {found:?}");
        }
    }

    #[test]
    fn what_a_response_wraps_is_unwrapped() {
        let object = r#"{"a": "({;"}"#;
        for (before, after) in [
            ("", ""),
            ("callback(", ");"),
            ("/**/ typeof f === 'function' && f(", ")\n;\n"),
            ("var x = ", ";"),
            ("window.inventory=", ""),
            (")]}',\n", ""),
            ("while(1);", ""),
            ("// \"made\" for {you}\n", "\n"),
        ] {
            assert_eq!(unwrapped(&format!("{before}{object}{after}")), object, "{before}");
        }
        for text in ["", "[{}]", "Service {unavailable}", "null", "{", "f({", "x = {} + 1"] {
            assert_eq!(unwrapped(text), text);
        }
    }

    #[test]
    fn comments_are_left_out() {
        let text = "{// the \"first\n'a': '//', /* it's */ b: \"/*\" /* open";
        assert_eq!(without_comments(text), "{\n'a': '//',  b: \"/*\" ");
        assert_eq!(without_comments("a / b"), "a / b");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_or_refused(text in "[\\[\\]{},:\"'/*a\\\\ ]{0,60}") {
            for notation in [Notation::Json, Notation::JavaScript] {
                for part in items(&text, notation).unwrap_or_default() {
                    prop_assert!(text.contains(part));
                }
                let _ = members(&text, notation);
            }
            if let Some((object, rest)) = object(&text) {
                prop_assert_eq!(format!("{object}{rest}"), text.clone());
            }
            prop_assert!(without_comments(&text).len() <= text.len());
            prop_assert!(text.contains(unwrapped(&text)));
        }
    }
}
