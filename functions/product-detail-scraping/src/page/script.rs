//! Finds the scripts of a page and isolates the JSON values in them.

use super::markup::{Markup, Tag, decode};
pub use inventory::literal::MAX_VALUE_BYTES;

/// Most scripts read of one page. Real pages have dozens.
const MAX_SCRIPTS: usize = 1_000;

/// The language of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Code that a browser would run.
    JavaScript,
    /// Linked data in JSON.
    JsonLd,
    /// Other data in JSON.
    Json,
    /// Anything else, such as templates and settings.
    Other,
}

/// A script of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Script<'a> {
    pub language: Language,
    pub body: &'a str,
}

/// The scripts of a page in document order, except those in comments.
pub fn scripts<'m>(markup: &'m Markup<'_>) -> impl Iterator<Item = Script<'m>> {
    let scripts = markup.tags().filter(|tag| tag.begins("script"));
    scripts.take(MAX_SCRIPTS).map(|tag| Script { language: language(&tag), body: tag.text })
}

fn language(tag: &Tag<'_>) -> Language {
    // Some content management systems encode the plus sign of `ld+json`.
    let declared = decode(tag.attribute("type").unwrap_or_default());
    let declared = declared.trim().to_ascii_lowercase();
    if declared.starts_with("application/ld+json") {
        Language::JsonLd
    } else if declared.starts_with("application/json") {
        Language::Json
    } else if declared.is_empty() || declared == "module" || declared.contains("javascript") {
        Language::JavaScript
    } else {
        Language::Other
    }
}

/// The JSON value at the start of `text`, which must begin with a bracket. The value ends at the
/// matching bracket, where brackets in strings do not count. `None` if that lies beyond
/// [`MAX_VALUE_BYTES`].
#[must_use]
pub fn isolate(text: &str) -> Option<&str> {
    isolated(text).ok()
}

/// The same; if there is no such value, the number of bytes that were looked at.
pub(crate) fn isolated(text: &str) -> Result<&str, usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut string = None;
    let mut at = 0;
    while at < bytes.len().min(MAX_VALUE_BYTES) {
        let rest = &bytes[at..];
        let mark = QuotationMark::at(rest);
        at += match (string, mark, rest[0]) {
            (Some(open), Some((close, length)), _) if open == close => {
                string = None;
                length
            }
            // An escaped quotation mark does not end the string.
            (Some(_), _, b'\\') => {
                1 + QuotationMark::at(&rest[1..]).map_or(1, |(_, length)| length)
            }
            (None, Some((open, length)), _) => {
                string = Some(open);
                length
            }
            (None, None, b'{' | b'[') => {
                depth += 1;
                1
            }
            (None, None, b'}' | b']') => {
                // A bracket is one byte, so the text may be cut behind it.
                match depth {
                    0 => return Err(at),
                    1 => return text.get(..=at).ok_or(at),
                    _ => depth -= 1,
                }
                1
            }
            _ => 1,
        };
    }
    Err(at)
}

/// The delimiter of a string. In a block that was encoded as HTML it is a character reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotationMark {
    /// `"`.
    Plain,
    /// `&quot;`.
    Encoded,
}

/// The character references for `"`.
const REFERENCES: [&[u8]; 4] = [b"&quot;", b"&#34;", b"&#034;", b"&#x22;"];

impl QuotationMark {
    /// The quotation mark at the start of `bytes`, if there is one, and its length in bytes.
    pub(crate) fn at(bytes: &[u8]) -> Option<(Self, usize)> {
        match bytes.first()? {
            b'"' => Some((Self::Plain, 1)),
            b'&' => {
                let reference = REFERENCES.iter().find(|reference| bytes.starts_with(reference))?;
                Some((Self::Encoded, reference.len()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scripts_are_found_with_their_language() {
        let html = r#"<script>a</script><script type="text/javascript">b</script>
            <script type=' application/LD+JSON; charset=utf-8'>c</script><!-- <script>d</script> -->
            <script type="application/ld&#43;json">e</script><script type="text/template">f
            </script><script src="g.js"></script><script type="module">h"#;
        let markup = Markup::of(html, &Budget::unlimited());
        let found: Vec<_> = scripts(&markup).map(|s| (s.language, s.body.trim())).collect();
        let expected = [
            (Language::JavaScript, "a"),
            (Language::JavaScript, "b"),
            (Language::JsonLd, "c"),
            (Language::JsonLd, "e"),
            (Language::Other, "f"),
            (Language::JavaScript, ""),
            (Language::JavaScript, "h"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_ends_at_the_matching_bracket() {
        let cases = [
            ("[]", Some("[]")),
            ("{\"a\":[1,{}]};more}", Some("{\"a\":[1,{}]}")),
            (r#"["]", "\"]", "}"] tail"#, Some(r#"["]", "\"]", "}"]"#)),
            (r#"["a\\"]]"#, Some(r#"["a\\"]"#)),
            ("[&quot;]&quot;, &#34;\\&quot;]&#34;]]", Some("[&quot;]&quot;, &#34;\\&quot;]&#34;]")),
            ("[\"&quot;]\"]", Some("[\"&quot;]\"]")),
            ("{\"é\\é\":\"\u{1f697}\"}x", Some("{\"é\\é\":\"\u{1f697}\"}")),
            ("[\"a]", None),
            ("[[]", None),
            ("[\"\\", None),
            ("]", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(isolate(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unclosed_or_oversized_value_is_refused() {
        let long = format!("[\"{}\"]", "a".repeat(MAX_VALUE_BYTES));
        assert_eq!(isolate(&long), None);
        assert_eq!(isolate(&long[..=4]), None);
        assert_eq!(isolate(&"[".repeat(MAX_VALUE_BYTES * 2)), None);
    }

    proptest! {
        #[test]
        fn a_string_of_any_text_is_isolated(text in ".{0,60}", tail in ".{0,20}") {
            let json = serde_json::to_string(&[&text]).unwrap();
            let followed = format!("{json}{tail}");
            prop_assert_eq!(isolate(&followed), Some(json.as_str()));
        }

        #[test]
        fn an_isolated_value_is_a_prefix(text in "[\\[\\]{}\"\\\\&quot;é]{0,80}|.{0,80}") {
            if let Some(value) = isolate(&text) {
                prop_assert!(text.starts_with(value));
                prop_assert!(value.ends_with([']', '}']), "it is closed");
            }
        }
    }
}
