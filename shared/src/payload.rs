//! The part of a message that a job type defines, and the problems found in it.

use std::{cmp::Reverse, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The part of a message that a job type defines.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Names of fields, at any depth of the payload, whose values only the job itself may see, such as `card_number`.
    ///
    /// Failures and rejections leave these values out of what they say, and the operators' command hides fields of
    /// these names, also in results: the published schema of the messages names them. The record keeps the values,
    /// because the job needs them. What the job itself logs, also by a panic, is its own affair.
    const SENSITIVE: &'static [&'static str] = &[];

    /// Brings the payload into its normal form and adds every problem to `problems`.
    ///
    /// Payloads that describe the same work must have the same normal form: without an ID from the
    /// sender, the job's key is a hash of it.
    fn check(&mut self, problems: &mut Problems);
}

/// The problems of a message, each shown as `path: problem`.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem of the payload's `field`. The phrase `problem` says what was expected.
    pub fn add(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("payload.{field}: {problem}"));
    }

    /// Adds a problem of an envelope field.
    pub(crate) fn add_outer(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("{field}: {problem}"));
    }

    /// Leaves sensitive values out of what is said.
    pub(crate) fn hide(&mut self, values: &SensitiveValues) {
        for problem in &mut self.0 {
            *problem = values.hide(problem);
        }
    }

    /// Whether there are no problems.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a problem unless `text` has `least` to `most` characters.
    pub fn check_length(&mut self, field: &str, text: &str, least: usize, most: usize) {
        let length = text.chars().count();
        if length < least || length > most {
            self.add(field, format!("{length} characters, expected {least} to {most}"));
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// What stands for a value that is left out.
const HIDDEN: &str = "***";

/// Characters of the shortest value that is left out: a shorter one is part of half of all sentences.
const SHORTEST: usize = 3;

/// The values of a payload's sensitive fields, which no sentence about its job repeats.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SensitiveValues(Vec<String>);

impl SensitiveValues {
    /// Those in a JSON text: a payload of type `P`, or a body that has one. None if it is no JSON.
    pub(crate) fn in_json<P: Payload>(text: &str) -> Self {
        let mut found = Vec::new();
        if !P::SENSITIVE.is_empty() {
            // A body may begin with a byte-order mark.
            let text = text.trim_start_matches('\u{feff}');
            let value = serde_json::from_str(text).unwrap_or_default();
            collect(&value, P::SENSITIVE, false, &mut found);
        }
        found.retain(|value| value.chars().count() >= SHORTEST);
        // One that is part of another would leave the rest of that.
        found.sort_by_key(|value| Reverse(value.len()));
        Self(found)
    }

    /// The text without the values, also without the beginning of one at its end, where a text may have been cut off.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.0 {
            text = text.replace(value.as_str(), HIDDEN);
            let mut beginnings = value.char_indices().rev().map(|(end, _)| &value[..end]);
            let cut = beginnings.find(|part| part.len() > SHORTEST && text.ends_with(part));
            if let Some(part) = cut {
                text.truncate(text.len() - part.len());
                text.push_str(HIDDEN);
            }
        }
        text
    }
}

/// Adds every text and number below a field with one of these names.
fn collect(value: &Value, names: &[&str], is_sensitive: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(value, names, is_sensitive || names.contains(&name.as_str()), found);
            }
        }
        Value::Array(values) => {
            for value in values {
                collect(value, names, is_sensitive, found);
            }
        }
        Value::String(text) if is_sensitive => {
            let text = text.trim();
            // serde quotes a text with escape sequences.
            let quoted = format!("{text:?}");
            found.push(text.to_owned());
            found.push(quoted[1..quoted.len() - 1].to_owned());
        }
        Value::Number(number) if is_sensitive => found.push(number.to_string()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    struct Payment {}

    impl Payload for Payment {
        const SENSITIVE: &'static [&'static str] = &["card", "holder"];

        fn check(&mut self, _: &mut Problems) {}
    }

    #[derive(Clone, Serialize, Deserialize)]
    struct Parcel {}

    impl Payload for Parcel {
        fn check(&mut self, _: &mut Problems) {}
    }

    #[test]
    fn values_of_sensitive_fields_are_left_out_at_any_depth() {
        let payload = r#"{"card": " 4711-0815 ", "to": {"holder": {"names": ["Ada \"L\"", 42, 123456]}},
            "shop": "books"}"#;
        let values = SensitiveValues::in_json::<Payment>(payload);
        let marked = SensitiveValues::in_json::<Payment>(&format!("\u{feff}{payload}"));
        assert_eq!(values, marked);
        for (said, shown) in [
            ("books refuse 4711-0815", "books refuse ***"),
            (r#"unknown: Ada "L""#, "unknown: ***"),
            (
                r#"invalid type: string "Ada \"L\"", expected"#,
                r#"invalid type: string "***", expected"#,
            ),
            ("number 123456, after 42 s", "number ***, after 42 s"),
            ("cut off: 4711-0", "cut off: ***"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(values.hide(said), shown);
        }
    }

    #[test]
    fn a_payload_without_sensitive_fields_hides_nothing() {
        let values = SensitiveValues::in_json::<Parcel>(r#"{"card": "4711-0815"}"#);
        assert_eq!(values, SensitiveValues::default());
        assert_eq!(values.hide("4711-0815"), "4711-0815");
        assert_eq!(SensitiveValues::in_json::<Payment>("no json"), SensitiveValues::default());
    }
}
