//! Items from plain JSON, and every decoder of the engine's tables at once: what fuzz targets feed and call.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};

use super::{
    control_item::{decode_bucket, decode_key, note, seen},
    decode_breaker, decode_limiter,
    item::{Item, decode, encode, owned},
    maintenance::{decode_due, decode_lease},
    quota_item::decode_quota,
    rejected_item::decode_rejected,
};

/// An object as an item: texts, numbers, truth values, lists and objects become attributes of their types. An object
/// with the one field `SS` is a set of texts.
#[must_use]
pub fn of_json(fields: &Map<String, Value>) -> Item {
    fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(fields) => match fields.get("SS").and_then(Value::as_array) {
            Some(texts) if fields.len() == 1 => {
                let texts = texts.iter().filter_map(Value::as_str);
                AttributeValue::Ss(texts.map(str::to_owned).collect())
            }
            _ => AttributeValue::M(of_json(fields)),
        },
    }
}

/// Lets every decoder of the table `Jobs` read an item; returns how many could. A record that could be read is
/// encoded and read again.
///
/// # Panics
/// If what was encoded cannot be read.
#[must_use]
pub fn decode_jobs(item: &Item) -> usize {
    let record = decode(item);
    if let Ok(record) = &record {
        let again = decode(&owned(encode(record)));
        assert!(again.is_ok(), "it was encoded and cannot be read: {again:?}");
    }
    let rejected = decode_rejected(item).is_ok();
    usize::from(record.is_ok()) + usize::from(rejected) + usize::from(decode_due(item).is_some())
}

/// Lets every decoder of the table `Control` read an item; returns how many could.
#[must_use]
pub fn decode_control(item: &Item) -> usize {
    let bucket = decode_bucket(item);
    let could = [
        seen(Some(item), decode_breaker).is_ok(),
        seen(Some(item), decode_limiter).is_ok(),
        seen(Some(item), decode_quota).is_ok(),
        note(Some(item)).value.is_some(),
        decode_lease(item).is_some(),
        decode_key("subject", 0, item).is_some() && !bucket.counts.is_empty(),
    ];
    could.into_iter().filter(|could| *could).count()
}
