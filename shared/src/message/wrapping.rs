//! Recognises bodies in which something else has wrapped the message, or that are encoded, so that the reason of the
//! rejection names the remedy.

use serde_json::{Map, Value};

/// What has wrapped a body that is no message, and what to do about it; `None` if nothing known has.
pub(super) fn named(body: &str) -> Option<String> {
    let found = encoded(body).or_else(|| match serde_json::from_str(body).ok()? {
        Value::Object(fields) => of_object(&fields),
        Value::Array(values) => of_list(&values),
        Value::String(text) if text.trim_start().starts_with('{') => {
            Some("JSON within a text, expected the object itself; encode it once")
        }
        _ => None,
    })?;
    Some(format!("body: {found}"))
}

/// What the first characters of an encoded body tell.
fn encoded(body: &str) -> Option<&'static str> {
    let text = body.trim();
    let is_base64 = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte));
    if text.starts_with("\u{1f}\u{fffd}") || text.starts_with("\u{1f}\u{8b}") {
        return Some("gzip, expected plain JSON; send it uncompressed");
    }
    match text.get(..4)? {
        "H4sI" if is_base64 => Some("gzip in base64, expected plain JSON; send it uncompressed"),
        // `{"` and `{ `, and `{` before a line break.
        head if is_base64
            && ["eyJ", "eyA", "ewo", "ew0"].iter().any(|start| head.starts_with(start)) =>
        {
            Some("base64, expected plain JSON; send it unencoded")
        }
        _ => None,
    }
}

fn of_object(fields: &Map<String, Value>) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
    if has(&["Message", "TopicArn"]) || has(&["Message", "Type", "MessageId"]) {
        return Some(
            "an SNS notification, expected the message itself; turn on raw message delivery for the subscription",
        );
    }
    if has(&["detail-type", "detail"]) {
        return Some(
            "an EventBridge event, expected the message itself; pass on its detail with InputPath or InputTransformer",
        );
    }
    if has(&["s3BucketName", "s3Key"]) {
        return Some(POINTER);
    }
    let first = fields.get("Records").and_then(Value::as_array).and_then(|records| records.first());
    let source = |name| first.and_then(|record| record.get(name)).and_then(Value::as_str);
    let source = source("eventSource").or_else(|| source("EventSource"));
    match source.or_else(|| fields.get("Service").and_then(Value::as_str)) {
        Some("aws:s3" | "Amazon S3") => {
            Some("an S3 event, expected a message; let a function make messages of such events")
        }
        Some("aws:sns") => Some("an SNS event, expected the message itself; send it to the queue"),
        Some("aws:sqs") => {
            Some("an SQS event, expected the message itself; send one record's body")
        }
        _ => None,
    }
}

/// The two elements of an extended client's pointer: its class, and where the message is.
fn of_list(values: &[Value]) -> Option<&'static str> {
    let class = values.first().and_then(Value::as_str)?;
    let is_pointer = class.ends_with("PayloadS3Pointer") || class.ends_with("MessageS3Pointer");
    is_pointer.then_some(POINTER)
}

const POINTER: &str = "an extended client's pointer to S3, expected the message itself; a message of at most 64 KiB \
    needs no extended client";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappings_and_encodings_are_named_with_the_remedy() {
        let cases = [
            (
                r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#,
                "extended client",
            ),
            (r#"["com.amazon.sqs.javamessaging.MessageS3Pointer",{}]"#, "extended client"),
            (r#"{"s3BucketName":"b","s3Key":"k"}"#, "extended client"),
            (
                r#"{"Type":"Notification","MessageId":"1","TopicArn":"arn","Message":"{}"}"#,
                "raw message delivery",
            ),
            (r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#, "S3 event"),
            (r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#, "S3 event"),
            (r#"{"Records":[{"EventSource":"aws:sns"}]}"#, "SNS event"),
            (r#"{"version":"0","detail-type":"x","detail":{}}"#, "EventBridge"),
            ("eyJ2ZXJzaW9uIjogMX0=", "base64"),
            ("H4sIAAAAAAAA/6tWKkstKs7Mz1OyMqwFAI6p0GQNAAAA", "gzip in base64"),
            (r#""{\"version\": 1}""#, "encode it once"),
        ];
        for (body, part) in cases {
            let found = named(body).unwrap_or_default();
            assert!(found.starts_with("body: ") && found.contains(part), "{body}: {found}");
        }
        for body in ["", "[1, 2]", "{}", "eyJ no", "7", r#"{"version":1,"type":"x","payload":{}}"#]
        {
            assert_eq!(named(body), None, "{body}");
        }
    }
}
