//! The sizes of items in bytes, as DynamoDB counts them ("Item sizes and formats" in the developer
//! guide), for tests that count capacity units.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    control::{bucket_key, encode_breaker, encode_limiter, encode_note},
    item::{Attribute, DUE_PROJECTION, encode, encode_lease, encode_rejected, n},
};
use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::Limiter,
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

pub(crate) fn record(record: &Record) -> usize {
    item(&encode(record))
}

/// A record's entry on the index `due`: its keys and the projected attributes.
pub(crate) fn due_entry(record: &Record) -> usize {
    let mut attributes = encode(record);
    attributes.retain(|(name, _)| DUE_KEYS.contains(name) || DUE_PROJECTION.contains(name));
    item(&attributes)
}

pub(crate) fn rejected(message: &RejectedMessage) -> usize {
    item(&encode_rejected(message))
}

pub(crate) fn lease(lease: &Lease) -> usize {
    item(&encode_lease(lease))
}

pub(crate) fn breaker(dependency: &str, breaker: &Breaker) -> usize {
    item(&encode_breaker(dependency, breaker))
}

pub(crate) fn limiter(dependency: &str, limiter: &Limiter) -> usize {
    item(&encode_limiter(dependency, limiter))
}

pub(crate) fn note(place: &NoteKey, text: &str) -> usize {
    item(&encode_note(place, text, Time::default()))
}

pub(crate) fn bucket(key: &BucketKey, bucket: &Bucket) -> usize {
    let counts = bucket.counts.iter().map(|(name, count)| attribute(name, &n(*count)));
    let oldest: usize = bucket.oldest.iter().map(|text| text.to_string().len()).sum();
    item(&bucket_key(key)) + "expires_at".len() + 6 + counts.sum::<usize>() + oldest
}
