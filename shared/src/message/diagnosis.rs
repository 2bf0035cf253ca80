//! What is wrong with a body or a payload that does not parse, in words that name the field and what was
//! expected.

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::payload::Payload;

/// Parses JSON. The error reads `path: what was expected`, with the path `body` for the whole.
pub(super) fn deserialize<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // At the end of the text serde_path_to_error has no name for what it expected next.
        let path = if matches!(path.as_str(), "." | "?") { "body".into() } else { path };
        format!("{path}: {}", without_place(&error.into_inner()))
    })?;
    reader.end().map_err(|error| format!("body: {error}"))?;
    Ok(value)
}

/// What serde says, with line and column only where the text itself is no JSON: the path tells the
/// rest, and a payload's columns are not those of the body.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_syntax() || error.is_eof() {
        return text;
    }
    let text = text.split(" at line ").next().unwrap_or_default();
    let Some((said, expected)) = text.rsplit_once("expected ") else { return text.to_owned() };
    // serde names Rust's types.
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{said}expected {expected}")
}

pub(super) fn is_list(json: &str) -> bool {
    json.trim_start().starts_with('[')
}

/// The paths of a payload's texts that have a control character in its normal form, which is canonical JSON.
pub(super) fn fields_with_control_characters(canonical: &str) -> Vec<String> {
    // Those of ASCII are escaped, but for DEL. The others, U+0080 to U+009F, begin with this byte.
    if !canonical.bytes().any(|byte| matches!(byte, b'\\' | 0x7f | 0xc2)) {
        return Vec::new();
    }
    let payload: Value = serde_json::from_str(canonical).unwrap_or_default();
    let mut found = Vec::new();
    let mut open = vec![(String::new(), &payload)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::String(text) if text.chars().any(char::is_control) => found.push(path),
            Value::Array(values) => open.extend(
                values.iter().enumerate().rev().map(|(at, value)| (format!("{path}[{at}]"), value)),
            ),
            Value::Object(fields) => open.extend(fields.iter().rev().map(|(name, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                (format!("{path}{dot}{name}"), value)
            })),
            _ => {}
        }
        if found.len() == MOST_PROBLEMS {
            break;
        }
    }
    found
}

/// Fields that every message must have.
const REQUIRED: [&str; 3] = ["version", "type", "payload"];

/// What is wrong with the shape of a body that is JSON: another kind of value than an object, or fields
/// that are missing, all of them.
pub(super) fn problem_of_envelope(body: &str) -> Option<String> {
    let fields = match serde_json::from_str(body).ok()? {
        Value::Object(fields) => fields,
        other => return Some(format!("body: {}, expected an object", kind_of(&other))),
    };
    let missing: Vec<String> = REQUIRED
        .into_iter()
        .filter(|field| !fields.contains_key(*field))
        .map(|field| format!("{field}: missing"))
        .collect();
    (!missing.is_empty()).then(|| missing.join("; "))
}

/// What JSON calls the kind of a value.
const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Most problems of one payload that are named.
const MOST_PROBLEMS: usize = 10;

/// Every unknown and missing field of a payload, and the first field of a wrong kind. serde stops at
/// the first problem, so unknown fields are taken out and missing ones put in until another problem,
/// or none, remains. `None` if the payload is no object.
pub(super) fn problems_of_payload<P: Payload>(raw: &RawValue) -> Option<Vec<String>> {
    let mut fields = match serde_json::from_str(raw.get()).ok()? {
        Value::Object(fields) => fields,
        other => return Some(vec![format!("body: {}, expected an object", kind_of(&other))]),
    };
    let mut found = Vec::new();
    while found.len() < MOST_PROBLEMS {
        let Err(problem) = try_fields::<P>(&fields) else { break };
        let named = |words: &str| {
            let (_, rest) = problem.split_once(words)?;
            rest.split_once('`').map(|(name, _)| name.to_owned())
        };
        if let Some(name) = named("unknown field `").filter(|name| fields.remove(name).is_some()) {
            let (_, expected) = problem.split_once("expected ").unwrap_or(("", "no such field"));
            found.push(format!("{name}: unknown field, expected {expected}"));
        } else if let Some(name) =
            named("missing field `").filter(|name| !fields.contains_key(name))
        {
            found.push(format!("{name}: missing"));
            let stand_in = stand_in::<P>(&fields, &name);
            fields.insert(name, stand_in);
        } else {
            found.push(problem);
            break;
        }
    }
    Some(found)
}

fn try_fields<P: Payload>(fields: &Map<String, Value>) -> Result<(), String> {
    deserialize::<P>(&Value::Object(fields.clone()).to_string()).map(drop)
}

/// A value for a missing field that its type takes, so that the next problem shows.
fn stand_in<P: Payload>(fields: &Map<String, Value>, name: &str) -> Value {
    let candidates = [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})];
    let takes = |candidate: &&Value| {
        let mut fields = fields.clone();
        fields.insert(name.to_owned(), (*candidate).clone());
        let problem = try_fields::<P>(&fields).err().unwrap_or_default();
        !problem.starts_with(name)
    };
    candidates.iter().find(takes).cloned().unwrap_or_default()
}
