//! Items as the commands read them. The engine decodes records and rejected messages.

use aws_sdk_dynamodb::types::AttributeValue;
use evenkeel::aws::{
    item::{Item, Reader, decode},
    rejected_item::decode_rejected,
};
use serde_json::{Map, Number, Value};

use crate::ports::{Attributes, DueItem, Kept};

/// An item of the table `Jobs`.
pub(super) fn kept(item: &Item) -> Kept {
    let read = if item.contains_key("flaw") {
        decode_rejected(item).map(|message| Kept::Rejected(Box::new(message)))
    } else {
        decode(item).map(|record| Kept::Job(Box::new(record)))
    };
    read.unwrap_or_else(Kept::Unreadable)
}

/// An entry of the index; `None` if it lacks a key, which DynamoDB does not allow.
pub(super) fn due_item(item: &Item) -> Option<DueItem> {
    let reader = Reader(item);
    let text = |name| reader.text(name).ok();
    Some(DueItem {
        key: text("pk")?,
        partition: text("due")?,
        due_at: reader.time("due_at").ok()?,
        state: text("state").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        class: text("class"),
        fingerprint: text("fingerprint"),
        group: text("group"),
        priority: text("priority"),
        created_at: reader.time("created_at").ok(),
    })
}

/// An attribute as plain JSON. Binary ones, which nothing writes, are left out.
fn plain(value: &AttributeValue) -> Option<Value> {
    // A number that does not fit JSON's is shown as a text.
    let number = |text: &String| {
        serde_json::from_str::<Number>(text)
            .map_or_else(|_| Value::from(text.clone()), Value::Number)
    };
    Some(match value {
        AttributeValue::S(text) => Value::from(text.clone()),
        AttributeValue::N(text) => number(text),
        AttributeValue::Bool(truth) => Value::from(*truth),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::L(values) => values.iter().filter_map(plain).collect(),
        AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::from).collect(),
        AttributeValue::Ns(numbers) => numbers.iter().map(number).collect(),
        AttributeValue::M(fields) => {
            let plain =
                |(name, value): (&String, &AttributeValue)| Some((name.clone(), plain(value)?));
            Value::Object(fields.iter().filter_map(plain).collect::<Map<String, Value>>())
        }
        _ => return None,
    })
}

/// An item as plain JSON.
pub(super) fn attributes(item: &Item) -> Attributes {
    item.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use evenkeel::aws::item::{n, owned, s};

    use super::*;

    #[test]
    fn an_attribute_becomes_plain_json() {
        let fields = [("a".to_owned(), n(7_u32)), ("b".to_owned(), AttributeValue::Bool(true))];
        let value = AttributeValue::L(vec![s("x"), AttributeValue::M(fields.into())]);
        assert_eq!(plain(&value), Some(serde_json::json!(["x", { "a": 7, "b": true }])));
        let odd = AttributeValue::N("not a number".to_owned());
        assert_eq!(plain(&odd), Some(Value::from("not a number")));
    }

    #[test]
    fn an_item_is_a_job_a_rejected_message_or_unreadable() {
        let rejected = [("pk", s("q#1")), ("flaw", s("invalid"))];
        let Kept::Unreadable(why) = kept(&owned(rejected.into())) else {
            panic!("it lacks attributes")
        };
        assert!(why.starts_with("body_bytes") || why.contains("expected"), "{why}");
        let newer = [("pk", s("a#g:1")), ("format", n(2_u32))];
        let Kept::Unreadable(why) = kept(&owned(newer.into())) else { panic!("a newer format") };
        assert_eq!(why, "format: 2, expected at most 1");
    }
}
