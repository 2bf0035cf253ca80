//! Cuts a text that is almost JSON apart by its brackets, so that one bad token costs the part that has it.

/// Most parts of one object or list.
const MAX_PARTS: usize = 20_000;

/// The members of the object that the text is: names without their quotation marks, and values. `None` if the text is
/// no whole object.
pub(crate) fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    // A part that is no member belongs to nothing that is read.
    Some(parts(text, '{', '}')?.into_iter().filter_map(member).collect())
}

fn member(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.strip_prefix('"')?.split_once('"')?;
    Some((name, value.trim_start().strip_prefix(':')?.trim()))
}

/// The items of the list that the text is. `None` if the text is no whole list.
pub(crate) fn items(text: &str) -> Option<Vec<&str>> {
    parts(text, '[', ']')
}

/// The parts between the commas of the outermost brackets. Brackets and commas within texts do not count.
fn parts(text: &str, open: char, close: char) -> Option<Vec<&str>> {
    let inner = text.trim().strip_prefix(open)?.strip_suffix(close)?;
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
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
    }
    parts.push(inner[begin..].trim());
    parts.retain(|part| !part.is_empty());
    (depth == 0 && !is_text).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_cut_at_the_outermost_commas() {
        let text = r#" {"a": NaN, "b" : [1, {"x": "],\\\""}], "c": {"d": 2}} "#;
        let expected = vec![("a", "NaN"), ("b", r#"[1, {"x": "],\\\""}]"#), ("c", r#"{"d": 2}"#)];
        assert_eq!(members(text), Some(expected));
        assert_eq!(items("[{\"a\": NaN}, {} , ]"), Some(vec!["{\"a\": NaN}", "{}"]));
        assert_eq!(items("[]"), Some(vec![]));
    }

    #[test]
    fn a_text_that_is_not_whole_is_refused() {
        for text in ["", "[", "[1", "[1]]", "[[1]", "[\"1]", "{}", "[1] x"] {
            assert_eq!(items(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut_or_refused(text in "[\\[\\]{},:\"a\\\\ ]{0,60}") {
            for part in items(&text).unwrap_or_default() {
                prop_assert!(text.contains(part));
            }
            let _ = members(&text);
        }
    }
}
