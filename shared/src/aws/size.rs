//! The sizes of items in bytes, as DynamoDB counts them ("Item sizes and formats" in the developer
//! guide), for tests that count capacity units.

use aws_sdk_dynamodb::types::AttributeValue;

pub(crate) use super::item::lease_shard;
use super::{
    control_item::{bucket_key, encode_breaker, encode_limiter, encode_note},
    item::{Attribute, DUE_PROJECTION, encode, encode_lease, n},
    quota_item::encode_quota,
    rejected_item::encode_rejected,
};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
        quota::Usage,
        stats::{Bucket, BucketKey},
    },
    message::RejectedMessage,
    ports::notes::NoteKey,
    record::{Record, lease::Lease},
};

/// The keys of the index `due` and of its table.
const DUE_KEYS: [&str; 3] = ["pk", "due", "due_at"];

/// An attribute: its name and its value. A number takes a byte for two digits and one more.
fn attribute(name: &str, value: &AttributeValue) -> usize {
    let digits = |digits: &str| digits.len().div_ceil(2) + 1;
    name.len()
        + match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => digits(number),
            AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
            AttributeValue::L(values) => {
                3 + values.iter().map(|value| 1 + attribute("", value)).sum::<usize>()
            }
            AttributeValue::M(values) => {
                3 + values.iter().map(|(name, value)| 1 + attribute(name, value)).sum::<usize>()
            }
            _ => 1,
        }
}

fn item(attributes: &[Attribute]) -> usize {
    attributes.iter().map(|(name, value)| attribute(name, value)).sum()
}

/// An item of the control table: where it is, until when, and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlItem {
    /// Its partition key and its sort key.
    pub(crate) key: [String; 2],
    /// When its TTL says that it may be removed.
    pub(crate) expires_at: Time,
    /// Its size in bytes.
    pub(crate) bytes: usize,
}

/// The item with these attributes, of which the first two are its key.
fn control_item(attributes: &[Attribute]) -> ControlItem {
    let text = |place: usize| {
        let value = attributes.get(place).and_then(|(_, value)| value.as_s().ok());
        value.cloned().unwrap_or_default()
    };
    let end = attributes.iter().find(|(name, _)| *name == "expires_at");
    let end = end.and_then(|(_, value)| value.as_n().ok()?.parse::<u64>().ok());
    ControlItem {
        key: [text(0), text(1)],
        expires_at: Time::from_millis(end.unwrap_or_default() * 1_000),
        bytes: item(attributes),
    }
}

pub(crate) fn record(record: &Record) -> usize {
    item(&encode(record))
}

/// What the index `due` holds of a record: the keys and the projected attributes.
pub(crate) fn due_projection(record: &Record) -> Vec<Attribute> {
    let mut attributes = encode(record);
    attributes.retain(|(name, _)| DUE_KEYS.contains(name) || DUE_PROJECTION.contains(name));
    attributes
}

pub(crate) fn due_entry(record: &Record) -> usize {
    item(&due_projection(record))
}

pub(crate) fn rejected(message: &RejectedMessage) -> usize {
    item(&encode_rejected(message))
}

pub(crate) fn lease(lease: &Lease) -> ControlItem {
    control_item(&encode_lease(lease))
}

pub(crate) fn breaker(dependency: &str, breaker: &Breaker) -> ControlItem {
    control_item(&encode_breaker(dependency, breaker).item())
}

pub(crate) fn limiter(dependency: &str, limiter: &Limiter) -> ControlItem {
    control_item(&encode_limiter(dependency, limiter).item())
}

pub(crate) fn quota(limiter: &str, what: &str, usage: &Usage) -> ControlItem {
    control_item(&encode_quota(limiter, what, usage).item())
}

pub(crate) fn note(place: &NoteKey, text: &str, expires_at: Time) -> ControlItem {
    control_item(&encode_note(place, text, expires_at).item())
}

pub(crate) fn bucket(key: &BucketKey, bucket: &Bucket, expires_at: Time) -> ControlItem {
    let mut attributes = bucket_key(key);
    attributes.push(("expires_at", n(expires_at.as_secs_ceil())));
    let counts = bucket.counts.iter().map(|(name, count)| attribute(name, &n(*count)));
    let oldest: usize = bucket.oldest.iter().map(|text| text.to_string().len()).sum();
    let samples = bucket.samples.iter();
    let samples = samples.map(|(name, text)| "sample_".len() + name.len() + text.len());
    let mut found = control_item(&attributes);
    let latest = bucket.latest.bytes();
    found.bytes += counts.sum::<usize>() + oldest + samples.sum::<usize>() + latest;
    found
}
