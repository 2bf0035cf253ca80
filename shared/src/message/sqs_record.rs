//! Decodes the records of an SQS event, each alone: one that cannot be decoded costs no other.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    base::time::Time,
    message::{Purpose, ReceivedMessage, Woken},
    record::trace::Trace,
};

/// What is used of a record. The values of attributes stay text, so that one that is damaged is only absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord<'a> {
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    #[serde(rename = "eventSourceARN")]
    queue: Option<String>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    message_attributes: Option<&'a RawValue>,
}

/// The attributes that SQS sets.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes<'a> {
    #[serde(borrow)]
    approximate_receive_count: Option<&'a RawValue>,
    #[serde(borrow)]
    sent_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    approximate_first_receive_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    message_group_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "AWSTraceHeader")]
    trace_header: Option<&'a RawValue>,
}

/// The attributes that a sender sets: those of [`super::wake`], and the trace.
#[derive(Default, Deserialize)]
struct SenderAttributes<'a> {
    #[serde(borrow, rename = "evenkeel-fence")]
    fence: Option<&'a RawValue>,
    #[serde(borrow, rename = "evenkeel-job")]
    job: Option<&'a RawValue>,
    #[serde(borrow, rename = "evenkeel-purpose")]
    purpose: Option<&'a RawValue>,
    #[serde(borrow, rename = "evenkeel-sent-at")]
    sent_at: Option<&'a RawValue>,
    #[serde(borrow)]
    traceparent: Option<&'a RawValue>,
}

/// An attribute that a sender has set. The engine sets no binary ones.
#[derive(Deserialize)]
struct SenderAttribute {
    #[serde(rename = "stringValue")]
    text: Option<String>,
}

/// The field that names a record in the answer.
#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow, rename = "messageId")]
    message_id: Option<&'a RawValue>,
}

/// A record that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRecord {
    /// The SQS message ID, if it can be read; never empty.
    pub(crate) message_id: Option<String>,
    /// What is wrong with the record.
    pub(crate) problem: String,
}

/// Decodes one record of an event.
///
/// Unknown fields are ignored. An attribute that is missing or cannot be decoded gets the most cautious value.
pub(crate) fn decode(record: &RawValue) -> Result<ReceivedMessage, BadRecord> {
    match object::<SqsRecord<'_>>(record) {
        Ok(record) => Ok(received(record)),
        Err(problem) => {
            let id =
                object::<Identified<'_>>(record).ok().and_then(|record| text(record.message_id));
            Err(BadRecord { message_id: id.filter(|id| !id.is_empty()), problem })
        }
    }
}

fn received(record: SqsRecord<'_>) -> ReceivedMessage {
    let system: SystemAttributes<'_> = attributes(record.attributes);
    let sender: SenderAttributes<'_> = attributes(record.message_attributes);
    let job = string_value(sender.job);
    let fence = string_value(sender.fence).and_then(|fence| fence.parse().ok());
    let sent_first = string_value(sender.sent_at).and_then(|sent_at| sent_at.parse().ok());
    let sent_at = sent_first.or_else(|| number(system.sent_timestamp)).unwrap_or_default();
    let first_received_at = number(system.approximate_first_receive_timestamp).unwrap_or_default();
    let receives = number(system.approximate_receive_count);
    let traceparent = string_value(sender.traceparent);
    ReceivedMessage {
        message_id: record.message_id,
        receipt: record.receipt_handle,
        body: record.body,
        queue: record.queue.unwrap_or_default(),
        receives: receives.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        sent_at: Time::from_millis(sent_at),
        first_received_at: Time::from_millis(first_received_at),
        wakes: job.zip(fence).map(|(key, fence)| Woken { key, fence }),
        group: text(system.message_group_id),
        trace: Trace::of_message(traceparent.as_deref(), text(system.trace_header).as_deref()),
        purpose: Purpose::of(string_value(sender.purpose).as_deref()),
        source: None,
    }
}

/// Parses an object; the error says what is wrong. serde would also read a struct from a list of its fields' values.
fn object<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, String> {
    if !json.get().starts_with('{') {
        return Err("not an object, expected a record of SQS".to_owned());
    }
    serde_json::from_str(json.get()).map_err(|error| error.to_string())
}

/// The attributes of a record; none if they are damaged as a whole.
fn attributes<'a, T: Default + Deserialize<'a>>(json: Option<&'a RawValue>) -> T {
    json.and_then(|json| object(json).ok()).unwrap_or_default()
}

fn string_value(attribute: Option<&RawValue>) -> Option<String> {
    object::<SenderAttribute>(attribute?).ok()?.text
}

fn number(json: Option<&RawValue>) -> Option<u64> {
    text(json)?.parse().ok()
}

fn text(json: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(json?.get()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;
    use crate::{
        message::wake::{FENCE, JOB, PURPOSE, SENT_AT},
        record::trace::{AWS_TRACE_HEADER, TRACEPARENT},
    };

    fn read(record: &Value) -> Result<ReceivedMessage, BadRecord> {
        decode(&to_raw_value(record).unwrap())
    }

    #[test]
    fn every_field_and_attribute_is_read() {
        let own = |text: &str| json!({ "dataType": "String", "stringValue": text });
        let mut record = json!({ "messageId": "id-1", "receiptHandle": "r-1", "body": "{\"a\":1}",
            "eventSource": "aws:sqs", "eventSourceARN": "arn", "attributes": {
            "ApproximateReceiveCount": "3", "SentTimestamp": "1000", "MessageGroupId": "acme",
            "ApproximateFirstReceiveTimestamp": "2000" }, "messageAttributes": {} });
        let sent = |record: &Value| read(record).unwrap().sent_at;
        assert_eq!(sent(&record), Time::from_millis(1000));
        for (name, value) in [(FENCE, "7"), (JOB, "a#g:1"), (PURPOSE, "check"), (SENT_AT, "500")] {
            record["messageAttributes"][name] = own(value);
        }
        let expected = ReceivedMessage {
            message_id: Some("id-1".into()),
            receipt: Some("r-1".into()),
            body: Some("{\"a\":1}".into()),
            queue: "arn".into(),
            receives: 3,
            sent_at: Time::from_millis(500),
            first_received_at: Time::from_millis(2000),
            wakes: Some(Woken { key: "a#g:1".into(), fence: 7 }),
            group: Some("acme".into()),
            trace: None,
            purpose: Purpose::Check,
            source: None,
        };
        assert_eq!(read(&record).unwrap(), expected);
    }

    #[test]
    fn a_record_without_attributes_is_an_old_first_receive() {
        for record in [json!({}), json!({ "attributes": null, "messageAttributes": null })] {
            let message = read(&record).unwrap();
            assert_eq!((message.receives, message.sent_at), (1, Time::from_millis(0)));
            assert_eq!(message.message_id, None);
        }
    }

    #[test]
    fn an_attribute_that_cannot_be_decoded_is_absent() {
        let sound = json!({ "dataType": "String", "stringValue": "check" });
        let damaged = [
            json!(null),
            json!(5),
            json!([]),
            json!({ "stringValue": 5 }),
            json!({ "stringValue": null }),
            json!({ "dataType": "Binary", "binaryValue": "no base64!" }),
        ];
        for damaged in damaged {
            let record = json!({ "body": "{}", "attributes": {
                "ApproximateReceiveCount": damaged, "SentTimestamp": "1000" },
                "messageAttributes": { FENCE: damaged, "other": damaged, PURPOSE: sound } });
            let message = read(&record).unwrap();
            assert_eq!((message.receives, message.wakes), (1, None), "{damaged}");
            let neighbours = (message.sent_at, message.purpose);
            assert_eq!(neighbours, (Time::from_millis(1000), Purpose::Check), "{damaged}");
        }
        let record = json!({ "body": "{}", "attributes": 7, "messageAttributes": ["x"] });
        assert_eq!(read(&record).unwrap().body(), "{}");
    }

    #[test]
    fn a_record_that_is_no_message_keeps_its_id() {
        let cases = [
            (json!({ "messageId": "id-1", "body": 5 }), Some("id-1")),
            (json!({ "messageId": "id-1", "receiptHandle": {} }), Some("id-1")),
            (json!({ "messageId": "", "body": [] }), None),
            (json!({ "messageId": 5 }), None),
            (json!(["id-1", "r", "{}", "arn", null, null]), None),
            (json!(null), None),
        ];
        for (record, expected) in cases {
            let bad = read(&record).unwrap_err();
            assert_eq!(bad.message_id.as_deref(), expected, "{record}");
            assert!(bad.problem.contains("expected"), "{record}: {}", bad.problem);
        }
        let lone_surrogate = r#"{"body": "\ud800", "messageId": "id-1"}"#.to_owned();
        let bad = decode(&RawValue::from_string(lone_surrogate).unwrap()).unwrap_err();
        assert_eq!(bad.message_id.as_deref(), Some("id-1"));
    }

    #[test]
    fn a_trace_is_read_from_the_attribute_of_the_sender_or_of_sqs() {
        let read = |system: Value, own: Value| {
            let message = read(&json!({ "attributes": system, "messageAttributes": own }));
            message.unwrap().trace.map(|trace| trace.to_string())
        };
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let system = json!({ AWS_TRACE_HEADER: format!("{header};Lineage=1:a:5") });
        let text = "00-00000001000000000000000000000002-53995c3f42cd8ad8-00";
        let own = json!({ TRACEPARENT: { "dataType": "String", "stringValue": text } });
        let none = json!({});
        assert_eq!(read(system.clone(), none.clone()).as_deref(), Some(header));
        let converted =
            "Root=1-00000001-000000000000000000000002;Parent=53995c3f42cd8ad8;Sampled=0";
        assert_eq!(read(none.clone(), own.clone()).as_deref(), Some(converted));
        assert_eq!(read(system, own).as_deref(), Some(converted), "the sender has set it itself");
        let odd = json!({ AWS_TRACE_HEADER: "Root=1-0-0" });
        assert_eq!(read(odd, none), None, "it is no reason to reject a message");
    }
}
