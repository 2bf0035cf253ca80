//! Rust source as text: which of it is a comment, a literal or a test. What a rule leaves out is
//! replaced by spaces, so that every line keeps its number.

use std::ops::Range;

/// The attributes of tests, without white space.
pub(super) const TEST: [&str; 1] = ["#[cfg(test)]"];

/// The attributes of tests, and of what other crates' tests use.
pub(super) const TESTING: [&str; 3] =
    ["#[cfg(test)]", "#[cfg(feature=\"testing\")]", "#[cfg(any(test,feature=\"testing\"))]"];

/// Without comments and literals.
pub(super) fn code(text: &str) -> String {
    let Parts { comments, literals } = parts(text);
    blank(text, comments.into_iter().chain(literals))
}

/// Without comments, but with literals.
pub(super) fn without_comments(text: &str) -> String {
    blank(text, parts(text).comments)
}

/// Without the items that have one of these attributes.
pub(super) fn without_items(text: &str, attributes: &[&str]) -> String {
    let code = code(text);
    let mut left_out = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..].find("#[cfg(") {
        let start = at + found;
        at = start + 1 + group(&code[start + 1..]);
        let attribute: String = text[start..at].split_whitespace().collect();
        if attributes.contains(&attribute.as_str()) {
            at += item(&code[at..]);
            left_out.push(start..at);
        }
    }
    blank(text, left_out)
}

/// The letters, digits and underscores that `text` begins with.
pub(super) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

fn blank(text: &str, ranges: impl IntoIterator<Item = Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        for byte in &mut bytes[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Default)]
struct Parts {
    comments: Vec<Range<usize>>,
    literals: Vec<Range<usize>>,
}

fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let start = at;
        if let Some(length) = comment(rest) {
            at += length;
            parts.comments.push(start..at);
        } else if let Some(length) = literal(rest) {
            at += length;
            parts.literals.push(start..at);
        } else {
            // A whole word, because the `r` in `bar` begins no raw string.
            at += word(rest).len().max(first.len_utf8());
        }
    }
    parts
}

/// The length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let block = text.strip_prefix("/*")?;
    Some(block.find("*/").map_or(text.len(), |end| end + 4))
}

/// The length of the string or character that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        Some(string(text))
    } else if text.starts_with('\'') {
        character(text)
    } else {
        raw_string(text)
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The length of the character that `text` begins with, none if it begins with a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut inside = text.char_indices().skip(1);
    let (_, first) = inside.next()?;
    if first == '\\' {
        return text.get(3..)?.find('\'').map(|end| end + 4);
    }
    let (end, second) = inside.next()?;
    (second == '\'').then_some(end + 1)
}

/// The length of the raw string that `text` begins with, none if it begins with another word.
fn raw_string(text: &str) -> Option<usize> {
    let rest = ["r", "br", "cr"].iter().find_map(|prefix| {
        text.strip_prefix(*prefix).filter(|rest| rest.starts_with(['"', '#']))
    })?;
    let quoted = rest.trim_start_matches('#');
    let inside = quoted.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(rest.len() - quoted.len()));
    let end = inside.find(&close).map_or(inside.len(), |end| end + close.len());
    Some(text.len() - inside.len() + end)
}

/// The length of the group in brackets that `code` begins with.
fn group(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The length of the item that `code` begins with, from its next attribute to its last bracket or
/// semicolon.
fn item(code: &str) -> usize {
    let mut at = 0;
    while at < code.len() {
        match code.as_bytes()[at] {
            b';' => return at + 1,
            b'(' | b'[' => at += group(&code[at..]),
            b'{' => {
                at += group(&code[at..]);
                // The braces of `use a::{b, c};` do not end it.
                if !code[at..].trim_start().starts_with(';') {
                    return at;
                }
            }
            b')' | b']' | b'}' => return at,
            _ => at += 1,
        }
    }
    at
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text =
        "a(\"// no\\\" comment\"); // \"comment\"\nb('\"', '\\'', r#\"\"//\"#); /* c */ d::<'e>()";
    let code = code(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.split_whitespace().collect::<String>(), "a();b(,,);d::<'e>()");
    assert_eq!(code.lines().count(), 2);
    let commented = without_comments(text);
    assert!(commented.contains("// no") && commented.contains("r#\"\"//\"#"));
    assert!(!commented.contains("\"comment\"") && !commented.contains("/* c */"));
}

#[test]
fn an_item_ends_with_its_last_bracket_or_semicolon() {
    let text = "a;\n#[cfg(test)]\nuse b::{c, d};\ne;\n#[cfg(test)]\n#[path = \"f.rs\"]\nmod f;\n\
                g;\n#[cfg( test )]\nfn h(i: [u8; 3]) -> J {\n    \"}\";\n}\n#[cfg(unix)]\nfn k() {}";
    let left: String = without_items(text, &TEST).split_whitespace().collect();
    assert_eq!(left, "a;e;g;#[cfg(unix)]fnk(){}");
    let either = "#[cfg(any(test, feature = \"testing\"))]\npub mod a;\nb;";
    assert_eq!(without_items(either, &TEST), either);
    assert_eq!(without_items(either, &TESTING).trim(), "b;");
}
