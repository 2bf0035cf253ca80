//! Parses JSON after repairing the syntax errors that occur on dealers' sites. A text with any
//! other error is refused.

use std::collections::BTreeSet;

use serde_json::Value;

use super::script::QuotationMark;

/// Most marks removed in front of a block. Sites nest them, such as CDATA within a comment.
const MAX_MARKS: usize = 8;

/// The marks in front of the JSON that hide a script from old browsers or from XML parsers.
const MARKS: [&str; 5] = ["<!--", "<![CDATA[", "//", "/*", "*/"];

/// A syntax error that was repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// Comment marks, CDATA marks or a byte-order mark around the block.
    Wrapping,
    /// A backslash that does not begin a JSON escape. It is kept as text.
    StrayBackslash,
    /// A comma before a closing bracket.
    TrailingComma,
    /// An unescaped newline or other control character within a string.
    RawControl,
    /// Quotation marks written as `&quot;`.
    EncodedQuotes,
    /// Comments, other quotation marks, or anything else that JavaScript has and JSON has not.
    JavaScript,
}

impl Repair {
    /// The name of the error in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrapping => "wrapping",
            Self::StrayBackslash => "stray_backslash",
            Self::TrailingComma => "trailing_comma",
            Self::RawControl => "raw_control",
            Self::EncodedQuotes => "encoded_quotes",
            Self::JavaScript => "javascript",
        }
    }
}

/// The block without the marks in front of its JSON. Marks after the JSON can stay: they contain no
/// opening bracket, so they are never read as a value.
#[must_use]
pub fn unwrapped(block: &str) -> &str {
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let mut inner = block.trim_start_matches(is_blank);
    for _ in 0..MAX_MARKS {
        let Some(rest) = MARKS.iter().find_map(|mark| inner.strip_prefix(mark)) else { break };
        inner = rest.trim_start_matches(is_blank);
    }
    inner
}

/// Parses a JSON value, after repairs if it is not valid JSON.
///
/// Fails with the parser's error if the text is still invalid after the repairs.
pub fn parse(text: &str) -> Result<(Value, BTreeSet<Repair>), serde_json::Error> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok((value, BTreeSet::new()));
    }
    let (mended, repairs) = mend(text);
    serde_json::from_str(&mended).map(|value| (value, repairs))
}

/// Repairs every known error in a text. The result is at most six times as long.
fn mend(text: &str) -> (String, BTreeSet<Repair>) {
    let mut mender = Mender {
        mended: String::with_capacity(text.len()),
        repairs: BTreeSet::new(),
        string: None,
    };
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match mender.string {
            Some(open) => mender.within(open, next, rest),
            None => mender.between(next, rest),
        };
        rest = &rest[length..];
    }
    (mender.mended, mender.repairs)
}

struct Mender {
    mended: String,
    repairs: BTreeSet<Repair>,
    /// The delimiter of the string at the current position; `None` outside strings.
    string: Option<QuotationMark>,
}

impl Mender {
    /// Copies the next token outside strings. Returns its length in `rest`, in bytes.
    fn between(&mut self, next: char, rest: &str) -> usize {
        if let Some((mark, length)) = QuotationMark::at(rest.as_bytes()) {
            self.string = Some(mark);
            self.mended.push('"');
            if mark == QuotationMark::Encoded {
                self.repairs.insert(Repair::EncodedQuotes);
            }
            return length;
        }
        if next == ',' && rest[1..].trim_start().starts_with([']', '}']) {
            self.repairs.insert(Repair::TrailingComma);
        } else {
            self.mended.push(next);
        }
        next.len_utf8()
    }

    /// Copies the next token of a string that began with `open`. Returns its length in `rest`, in
    /// bytes.
    fn within(&mut self, open: QuotationMark, next: char, rest: &str) -> usize {
        match QuotationMark::at(rest.as_bytes()) {
            Some((mark, length)) if mark == open => {
                self.string = None;
                self.mended.push('"');
                return length;
            }
            // A plain mark in a string between encoded marks is part of the text.
            Some((QuotationMark::Plain, length)) => {
                self.mended.push_str("\\\"");
                return length;
            }
            _ => {}
        }
        if next == '\\' {
            return self.escape(open, rest);
        }
        if next < ' ' {
            let escaped = format!("\\u{:04x}", u32::from(next));
            self.repairs.insert(Repair::RawControl);
            self.mended.push_str(&escaped);
        } else {
            self.mended.push(next);
        }
        next.len_utf8()
    }

    /// Copies or repairs the escape at the start of `rest`. Returns its length in `rest`, in bytes.
    fn escape(&mut self, open: QuotationMark, rest: &str) -> usize {
        if let Some(length) = escape_length(rest) {
            self.mended.push_str(&rest[..length]);
            return length;
        }
        let escaped = QuotationMark::at(&rest.as_bytes()[1..]);
        if let Some((QuotationMark::Encoded, length)) = escaped
            && open == QuotationMark::Encoded
        {
            self.mended.push_str("\\\"");
            return 1 + length;
        }
        self.repairs.insert(Repair::StrayBackslash);
        // Escapes of JavaScript, which JSON does not have.
        if let Some(character) = hexadecimal(rest) {
            let quoted = Value::from(character.to_string()).to_string();
            self.mended.push_str(&quoted[1..quoted.len() - 1]);
            return 4;
        }
        let mark = rest[1..].chars().next().filter(char::is_ascii_punctuation);
        if let Some(mark) = mark.filter(|mark| !"\"\\&".contains(*mark)) {
            self.mended.push(mark);
            return 2;
        }
        self.mended.push_str("\\\\");
        1
    }
}

/// The length in bytes of the JSON escape at the start of `text`, or `None` if there is none. Half
/// a surrogate pair, which remains if a text was cut within an emoji, is not a valid escape.
fn escape_length(text: &str) -> Option<usize> {
    match text.as_bytes().get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => match utf16_unit(text)? {
            0xD800..=0xDBFF => {
                let low = utf16_unit(text.get(6..)?)?;
                (0xDC00..=0xDFFF).contains(&low).then_some(12)
            }
            0xDC00..=0xDFFF => None,
            _ => Some(6),
        },
        _ => None,
    }
}

/// The character of the `\xHH` at the start of `text`.
fn hexadecimal(text: &str) -> Option<char> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| all_digits).map(char::from)
}

/// The number in the `\uXXXX` at the start of `text`.
fn utf16_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    // `from_str_radix` accepts a sign, too.
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if all_digits { u16::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Value, Vec<Repair>) {
        let (value, repairs) = parse(text).unwrap();
        (value, repairs.into_iter().collect())
    }

    #[test]
    fn each_known_error_is_repaired_and_reported() {
        use Repair::{EncodedQuotes, RawControl, StrayBackslash, TrailingComma};
        let cases: &[(&str, Value, &[Repair])] = &[
            (r#"{"a":"\"\\\/\b\f\n\r\tA"}"#, json!({"a": "\"\\/\u{8}\u{c}\n\r\tA"}), &[]),
            (r#"["5\' \x \d"]"#, json!(["5' \\x \\d"]), &[StrayBackslash]),
            (r#"["A\x20\-\x22\x5C"]"#, json!(["A -\"\\"]), &[StrayBackslash]),
            (r#"["\u00G1 \u12"]"#, json!(["\\u00G1 \\u12"]), &[StrayBackslash]),
            (r#"["\ud83d\ude97"]"#, json!(["\u{1f697}"]), &[]),
            (r#"["\ud83d...", "\ude97"]"#, json!(["\\ud83d...", "\\ude97"]), &[StrayBackslash]),
            ("[1, 2 ,\n]", json!([1, 2]), &[TrailingComma]),
            (r#"{"a":[",]"],}"#, json!({"a": [",]"]}), &[TrailingComma]),
            ("[\"a\nb\tc\u{1}\"]", json!(["a\nb\tc\u{1}"]), &[RawControl]),
            ("{&quot;a&quot;:&#34;b&#x22;}", json!({"a": "b"}), &[EncodedQuotes]),
            ("[&quot;5\" \\&quot;6\\&quot;&quot;]", json!(["5\" \"6\""]), &[EncodedQuotes]),
            (r#"["&quot;",]"#, json!(["&quot;"]), &[TrailingComma]),
            ("[\"a\nb\\c\",]", json!(["a\nb\\c"]), &[StrayBackslash, TrailingComma, RawControl]),
        ];
        for (text, value, repairs) in cases {
            assert_eq!(read(text), (value.clone(), repairs.to_vec()), "{text}");
        }
    }

    #[test]
    fn other_errors_are_not_repaired() {
        for text in ["", "{", "[1 2]", "{a:1}", "['a']", "[,]x", "{\"a\":undefined}", "[1,,2]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn excessive_nesting_is_refused() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn marks_in_front_of_a_block_are_removed() {
        let cases = [
            ("{}", "{}"),
            ("\u{feff} {}", "{}"),
            ("<!-- {} -->", "{} -->"),
            ("//<![CDATA[\n[1]\n//]]>", "[1]\n//]]>"),
            ("/* <![CDATA[ */ {} /* ]]> */", "{} /* ]]> */"),
            ("<!--\n//<![CDATA[\n\u{feff}{}", "{}"),
            ("", ""),
        ];
        for (block, inner) in cases {
            assert_eq!(unwrapped(block), inner, "{block}");
        }
    }

    proptest! {
        #[test]
        fn valid_json_is_parsed_without_repairs(texts in prop::collection::vec(".{0,20}", 0..5)) {
            let value = json!({ "texts": texts, "rest": [null, 1.5, { "a": [] }] });
            prop_assert_eq!(read(&value.to_string()), (value, Vec::new()));
        }

        #[test]
        fn repairs_do_not_change_valid_json(texts in prop::collection::vec(".{0,20}", 0..5)) {
            let value = json!(texts);
            let (mended, repairs) = mend(&value.to_string());
            prop_assert_eq!(serde_json::from_str::<Value>(&mended).unwrap(), value);
            prop_assert!(repairs.is_empty());
        }

        #[test]
        fn the_repaired_text_is_bounded(text in "[\\[\\]{}\",:\\\\u0-9a\n&quot;é]{0,60}|.{0,60}") {
            prop_assert!(mend(&text).0.len() <= text.len() * 6);
            let _ = parse(&text);
        }
    }
}
