//! The fields of a call of the sweeper or the operator.

use serde_json::{Map, Value};

/// The fields of a call. The error says what it is instead of an object.
pub(crate) fn object(call: &Value) -> Result<&Map<String, Value>, String> {
    let found = match call {
        Value::Object(fields) => return Ok(fields),
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
    };
    Err(format!("call: expected an object such as {{}}, got {found}"))
}

/// Refuses a call that is no object, or that has fields but none of `expected`; the error names its first field.
pub(crate) fn expect_one(call: &Value, expected: &[&str]) -> Result<(), String> {
    let fields = object(call)?;
    let first =
        fields.keys().next().filter(|_| !expected.iter().any(|name| fields.contains_key(*name)));
    first.map_or(Ok(()), |first| {
        let expected: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        Err(format!("{first}: unknown field, expected {}", expected.join(" or ")))
    })
}
