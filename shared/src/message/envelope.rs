//! Version 1 of the message format: decodes and validates what senders put on a queue.
//!
//! docs/message.md describes the format. The JSON Schemas beside it are generated from these types.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    diagnosis::{
        deserialize, fields_with_control_characters, is_list, problem_of_envelope,
        problems_of_payload,
    },
    objects, wrapping,
};
use crate::{
    base::{hash::sha256_hex, time::Time},
    message::{Flaw, Rejection},
    payload::{Payload, Problems, SensitiveValues},
};

/// The message version that this code reads.
pub const VERSION: u64 = 1;

/// Longest body, in bytes. SQS allows more, but a job needs only a few fields.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Longest idempotency key, in characters.
pub const MAX_ID_LENGTH: usize = 200;

/// Longest idempotency key, in bytes: an entry of the index `due` holds it and must stay below 1 KB, one
/// write unit.
pub const MAX_ID_BYTES: usize = 450;

/// The fields around the payload, the same for every job type. Senders may add fields of their own
/// here, such as trace IDs; in the payload, an unknown field is an error.
#[derive(Deserialize)]
struct Envelope<'a> {
    version: u64,
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    #[expect(dead_code, reason = "checked, but the queue decides")]
    priority: Option<Priority>,
    created_at: Option<String>,
    deadline: Option<String>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// What the sender wished; the queue that a message came on decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Priority {
    /// In its turn.
    Normal,
    /// Before the others.
    High,
}

/// The two fields that every version has in common.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The envelope as the JSON Schema describes it.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Message1<P> {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    version: u64,
    /// The job type; it must be that of the queue.
    #[schemars(rename = "type")]
    kind: String,
    /// An idempotency key: the same id is the same job. Left out, the same payload is.
    #[schemars(length(min = 1, max = 200))]
    id: Option<String>,
    /// A wish only; the queue decides.
    priority: Option<Priority>,
    /// When the sender made it (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    created_at: Option<String>,
    /// When it is no longer worth doing (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    deadline: Option<String>,
    /// What the job type needs.
    payload: P,
}

/// A valid message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<P> {
    /// `TYPE#g:ID` for an ID given by the sender, or `TYPE#d:HASH` for one derived from the
    /// payload.
    pub key: String,
    /// The payload in its normal form.
    pub payload: P,
    /// The payload as canonical JSON, which the record keeps and compares.
    pub canonical: String,
    /// When the sender created it, if the sender says so.
    pub created_at: Option<Time>,
    /// The sender's deadline, after which the job is not worth doing.
    pub deadline: Option<Time>,
}

/// Decodes and validates a body for the queue of job type `kind`.
///
/// Fails with the flaw and a sentence that names every invalid field.
pub fn decode<P: Payload>(kind: &str, body: &str) -> Result<Message<P>, Rejection> {
    let (envelope, mut problems) = open(kind, body)?;
    let created_at = check_time("created_at", envelope.created_at.as_deref(), &mut problems);
    let deadline = check_time("deadline", envelope.deadline.as_deref(), &mut problems);
    let refused = |mut problems: Problems| {
        problems.hide(&SensitiveValues::in_json::<P>(envelope.payload.get()));
        Rejection::new(Flaw::Invalid, problems.to_string())
    };
    let Some(payload) = read_payload::<P>(envelope.payload, &mut problems) else {
        return Err(refused(problems));
    };
    let canonical = serde_json::to_string(&payload)
        .map_err(|error| Rejection::new(Flaw::Invalid, format!("payload: {error}")))?;
    for field in fields_with_control_characters(&canonical) {
        problems.add(&field, "a control character, expected printable text");
    }
    if !problems.is_empty() {
        return Err(refused(problems));
    }
    let key = key(kind, envelope.id.as_deref(), &canonical);
    Ok(Message { key, payload, canonical, created_at, deadline })
}

/// The key of the job and the payload as the sender wrote it, from a body for the queue of job type
/// `kind`. Validates the envelope but not the payload.
///
/// For a body without an ID, the key is that of the job only if the payload is in its normal form,
/// as in every message that the engine sends. Fails with the reason why the body is no valid
/// message.
pub fn key_of(kind: &str, body: &str) -> Result<(String, String), Rejection> {
    let (envelope, problems) = open(kind, body)?;
    if !problems.is_empty() {
        return Err(Rejection::new(Flaw::Invalid, problems.to_string()));
    }
    let payload = envelope.payload.get();
    Ok((key(kind, envelope.id.as_deref(), payload), payload.to_owned()))
}

/// The envelope of a body, and what is wrong with its ID.
fn open<'a>(kind: &str, body: &'a str) -> Result<(Envelope<'a>, Problems), Rejection> {
    check_size(body)?;
    let envelope = read_envelope(kind, without_mark(body))?;
    let mut problems = Problems::default();
    if let Some(id) = &envelope.id {
        check_id(id, &mut problems);
    }
    Ok((envelope, problems))
}

fn check_size(body: &str) -> Result<(), Rejection> {
    if body.len() <= MAX_BODY_BYTES {
        return Ok(());
    }
    let reason = format!("body: {} bytes, expected at most {MAX_BODY_BYTES}", body.len());
    Err(Rejection::new(Flaw::TooLong, reason))
}

/// The body without the byte-order mark that some editors write (RFC 8259, section 8.1, lets readers ignore it).
fn without_mark(body: &str) -> &str {
    body.trim_start_matches('\u{feff}')
}

fn read_envelope<'a>(kind: &str, body: &'a str) -> Result<Envelope<'a>, Rejection> {
    // serde would also read a struct from a list of its fields' values.
    let strict = if is_list(body) {
        Err("body: a list, expected an object".to_owned())
    } else {
        deserialize::<Envelope<'a>>(body)
    };
    // Every version has these two fields. If the body has another version or type, they explain the
    // failure better than the first field that does not parse.
    let head = match &strict {
        Ok(envelope) => Head { version: Some(envelope.version), kind: Some(envelope.kind.clone()) },
        Err(_) => serde_json::from_str(body).unwrap_or(Head { version: None, kind: None }),
    };
    match head.version {
        Some(version) if version > VERSION => {
            let reason = format!("version: {version}, expected {VERSION}; held until an update");
            return Err(Rejection::new(Flaw::Newer, reason));
        }
        Some(0) => {
            return Err(Rejection::new(Flaw::Invalid, format!("version: 0, expected {VERSION}")));
        }
        _ => {}
    }
    match head.kind {
        Some(found) if found != kind => {
            Err(Rejection::new(Flaw::Alien, format!("type: {found:?}, expected {kind:?}")))
        }
        _ => strict.map_err(|problem| {
            let named = wrapping::named(body).or_else(|| problem_of_envelope(body));
            Rejection::new(Flaw::Malformed, named.unwrap_or(problem))
        }),
    }
}

fn read_payload<P: Payload>(raw: &RawValue, problems: &mut Problems) -> Option<P> {
    let read = if is_list(raw.get()) {
        Err("body: a list, expected an object".to_owned())
    } else {
        deserialize::<P>(raw.get())
    };
    match read {
        Ok(mut payload) => {
            if let Some((path, problem)) = objects::list_for_object::<P>(raw) {
                problems.add(&path, problem);
            }
            payload.check(problems);
            Some(payload)
        }
        Err(problem) => {
            let all = problems_of_payload::<P>(raw).unwrap_or_else(|| vec![problem]);
            for problem in &all {
                let (path, problem) = problem.split_once(": ").unwrap_or(("", problem));
                match path {
                    "" | "body" => problems.add_outer("payload", problem),
                    path => problems.add(path, problem),
                }
            }
            None
        }
    }
}

fn check_id(id: &str, problems: &mut Problems) {
    let length = id.chars().count();
    if length > 0 && id.trim().is_empty() {
        problems.add_outer("id", "only white space, expected printable text");
    } else if !(1..=MAX_ID_LENGTH).contains(&length) {
        let problem = format!("{length} characters, expected 1 to {MAX_ID_LENGTH}");
        problems.add_outer("id", problem);
    } else if id.len() > MAX_ID_BYTES {
        let problem = format!("{} bytes, expected at most {MAX_ID_BYTES}", id.len());
        problems.add_outer("id", problem);
    } else if id.chars().any(char::is_control) {
        problems.add_outer("id", "a control character, expected printable text");
    }
}

fn check_time(field: &str, text: Option<&str>, problems: &mut Problems) -> Option<Time> {
    match text.map(Time::parse_rfc3339) {
        Some(Ok(time)) => Some(time),
        Some(Err(problem)) => {
            problems.add_outer(field, problem);
            None
        }
        None => None,
    }
}

/// `TYPE#g:ID` for a given ID, `TYPE#d:HASH` for an ID derived from the payload. The prefixes keep
/// a given ID from colliding with a derived one.
pub(crate) fn key(kind: &str, id: Option<&str>, canonical: &str) -> String {
    match id {
        Some(id) => format!("{kind}#g:{id}"),
        None => format!("{kind}#d:{}", sha256_hex(&[kind, "\n", canonical])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parcel {
        name: String,
        weight: Option<u32>,
    }

    impl Payload for Parcel {
        fn check(&mut self, problems: &mut Problems) {
            self.name = self.name.trim().to_owned();
            problems.check_length("name", &self.name, 1, 10);
        }
    }

    fn read(body: &Value) -> Result<Message<Parcel>, Rejection> {
        decode("parcel", &body.to_string())
    }

    fn body(extra: &Value) -> Value {
        let mut body = json!({"version": 1, "type": "parcel", "payload": {"name": "book"}});
        for (key, value) in extra.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    }

    #[test]
    fn equivalent_bodies_have_the_same_key() {
        let plain = read(&body(&json!({}))).unwrap();
        let spaced = r#" {"payload" : {"weight": null, "name": " book "}, "type": "parcel",
            "version": 1, "trace": "t-1", "priority": "high", "created_at": "2026-11-23T18:00:00Z"} "#;
        let spaced: Message<Parcel> = decode("parcel", spaced).unwrap();
        assert_eq!(plain.key, spaced.key);
        assert_eq!(plain.canonical, r#"{"name":"book","weight":null}"#);
        assert!(plain.key.starts_with("parcel#d:") && plain.key.len() == 9 + 64);
        let other = read(&body(&json!({"payload": {"name": "book", "weight": 2}}))).unwrap();
        assert_ne!(plain.key, other.key);
    }

    #[test]
    fn a_rejection_does_not_repeat_a_sensitive_value() {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Payment {
            card: u64,
            shop: String,
        }
        impl Payload for Payment {
            const SENSITIVE: &'static [&'static str] = &["card"];

            fn check(&mut self, problems: &mut Problems) {
                problems.add("card", format!("{} is none", self.card));
                problems.add("shop", format!("{} is none", self.shop));
            }
        }
        let reason = |card: &Value| {
            let payload = json!({ "card": card, "shop": "books" });
            let body = json!({ "version": 1, "type": "payment", "payload": payload });
            decode::<Payment>("payment", &body.to_string()).unwrap_err().reason
        };
        assert_eq!(
            reason(&json!(47_110_815)),
            "payload.card: *** is none; payload.shop: books is none"
        );
        assert_eq!(
            reason(&json!("4711-0815")),
            r#"payload.card: invalid type: string "***", expected a whole number"#
        );
    }

    #[test]
    fn a_given_id_never_collides_with_a_derived_one() {
        let given = read(&body(&json!({"id": "order-7"}))).unwrap();
        assert_eq!(given.key, "parcel#g:order-7");
        let derived = read(&body(&json!({}))).unwrap();
        let forged = derived.key.trim_start_matches("parcel#");
        assert_ne!(read(&body(&json!({"id": forged}))).unwrap().key, derived.key);
    }

    #[test]
    fn a_rejection_names_the_invalid_fields() {
        let cases = [
            (
                body(&json!({"payload": {"name": ""}})),
                Flaw::Invalid,
                "payload.name: 0 characters, expected 1 to 10",
            ),
            (
                body(&json!({"payload": {"nam": "x"}})),
                Flaw::Invalid,
                "payload.nam: unknown field, expected `name` or `weight`; payload.name: missing",
            ),
            (
                body(&json!({"payload": {"name": "x", "weight": "2"}})),
                Flaw::Invalid,
                "payload.weight: invalid type: string \"2\", expected a whole number",
            ),
            (body(&json!({"payload": {}})), Flaw::Invalid, "payload.name: missing"),
            (body(&json!({"payload": 3})), Flaw::Invalid, "payload: a number, expected an object"),
            (
                body(&json!({"deadline": "soon", "id": ""})),
                Flaw::Invalid,
                "id: 0 characters, expected 1 to 200; deadline: \"soon\" is not an RFC 3339 time",
            ),
            (
                body(&json!({"priority": "urgent"})),
                Flaw::Malformed,
                "priority: unknown variant `urgent`, expected `normal` or `high`",
            ),
            (
                body(&json!({"type": "letter"})),
                Flaw::Alien,
                "type: \"letter\", expected \"parcel\"",
            ),
            (
                body(&json!({"version": 2, "novelty": 1})),
                Flaw::Newer,
                "version: 2, expected 1; held until an update",
            ),
            (body(&json!({"version": 0})), Flaw::Invalid, "version: 0, expected 1"),
            (json!({"type": "parcel", "payload": {}}), Flaw::Malformed, "version: missing"),
            (json!({"type": "parcel"}), Flaw::Malformed, "version: missing; payload: missing"),
            (json!("hello"), Flaw::Malformed, "body: a text, expected an object"),
            (
                json!([1, "parcel", null, null, null, null, {"name": "x"}]),
                Flaw::Malformed,
                "body: a list, expected an object",
            ),
            (
                body(&json!({"id": "車".repeat(200)})),
                Flaw::Invalid,
                "id: 600 bytes, expected at most 450",
            ),
            (
                body(&json!({"id": "  "})),
                Flaw::Invalid,
                "id: only white space, expected printable text",
            ),
        ];
        for (body, flaw, reason) in cases {
            let rejection = read(&body).unwrap_err();
            assert_eq!(rejection.flaw, flaw, "{body}: {rejection}");
            assert!(rejection.reason.starts_with(reason), "{body}: {rejection}");
        }
        let cut = decode::<Parcel>("parcel", r#"{"version": 1"#).unwrap_err();
        assert!(cut.reason.starts_with("body: EOF while parsing an object"), "{cut}");
    }

    #[test]
    fn every_missing_field_of_a_payload_is_named() {
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Order {
            number: u64,
            lines: Vec<String>,
            paid: bool,
            note: Option<String>,
        }
        impl Payload for Order {
            fn check(&mut self, _: &mut Problems) {}
        }
        let problem = |payload: Value| {
            let body = json!({"version": 1, "type": "order", "payload": payload});
            decode::<Order>("order", &body.to_string()).err().unwrap().reason
        };
        assert_eq!(
            problem(json!({})),
            "payload.number: missing; payload.lines: missing; payload.paid: missing"
        );
        assert_eq!(
            problem(json!({"paid": 1, "lines": [], "odd": null})),
            "payload.odd: unknown field, expected one of `number`, `lines`, `paid`, `note`; \
             payload.paid: invalid type: integer `1`, expected true or false"
        );
        assert_eq!(problem(json!([1, [], true, null])), "payload: a list, expected an object");
        let several = problem(json!({"number": 1, "lines": [], "odd": null, "even": null}));
        let odd = "payload.odd: unknown field, expected one of `number`, `lines`, `paid`, `note`";
        assert!(several.contains(odd) && several.contains("payload.even: unknown field"));
        assert!(several.ends_with("payload.paid: missing"), "{several}");
    }

    #[test]
    fn a_control_character_of_the_normal_form_is_refused() {
        let name = |name: &str| read(&body(&json!({"payload": {"name": name}})));
        for odd in ["a\u{0}b", "a\nb", "a\u{7f}b", "a\u{85}b", "a\u{9f}b"] {
            let reason = name(odd).unwrap_err().reason;
            assert_eq!(reason, "payload.name: a control character, expected printable text");
            // JSON lets a sender write those beyond ASCII's as they are.
            if odd.chars().any(|c| c >= '\u{7f}') {
                let raw =
                    format!(r#"{{"version":1,"type":"parcel","payload":{{"name":"{odd}"}}}}"#);
                assert_eq!(decode::<Parcel>("parcel", &raw).unwrap_err().reason, reason);
            }
        }
        for even in ["a\\b", "a\"b", "aéb", "a\u{a0}b", "\nab\t"] {
            assert_eq!(name(even).unwrap().payload.name, even.trim(), "{even:?}");
        }
    }

    #[test]
    fn what_has_wrapped_a_body_is_named_in_the_reason() {
        let message = body(&json!({})).to_string();
        let sns = json!({"Type": "Notification", "MessageId": "1", "TopicArn": "arn", "Message": message});
        let s3 = json!({"Records": [{"eventSource": "aws:s3", "s3": {}}]});
        let pointer = json!(["software.amazon.payloadoffloading.PayloadS3Pointer",
            {"s3BucketName": "b", "s3Key": "k"}]);
        let bridge = json!({"version": "0", "detail-type": "x", "detail": {"version": 1}});
        let cases = [
            (sns.to_string(), "raw message delivery"),
            (s3.to_string(), "an S3 event"),
            (pointer.to_string(), "extended client"),
            (bridge.to_string(), "EventBridge"),
            (json!(message).to_string(), "encode it once"),
            ("eyJ2ZXJzaW9uIjoxLCJ0eXBlIjoicGFyY2VsIn0=".to_owned(), "base64"),
            ("H4sIAAAAAAAA/6tWKkstKs7Mz1OyMqwFAI6p0GQNAAAA".to_owned(), "gzip"),
        ];
        for (body, part) in cases {
            let rejection = decode::<Parcel>("parcel", &body).unwrap_err();
            assert_eq!(rejection.flaw, Flaw::Malformed, "{body}");
            assert!(rejection.reason.starts_with("body: "), "{body}: {rejection}");
            assert!(rejection.reason.contains(part), "{body}: {rejection}");
        }
    }

    #[test]
    fn malformed_and_oversized_bodies_are_rejected() {
        for body in ["", "{", "not json", "{\"version\":1}{}", "\u{0}"] {
            assert_eq!(decode::<Parcel>("parcel", body).unwrap_err().flaw, Flaw::Malformed);
        }
        let long = body(&json!({"payload": {"name": "x".repeat(MAX_BODY_BYTES)}}));
        assert_eq!(read(&long).unwrap_err().flaw, Flaw::TooLong);
    }

    proptest! {
        #[test]
        fn any_body_is_decoded_or_rejected(body in ".{0,200}") {
            let _ = decode::<Parcel>("parcel", &body);
        }

        #[test]
        fn a_canonical_payload_decodes_to_the_same_message(name in ".{0,14}") {
            if let Ok(message) = read(&body(&json!({"payload": {"name": name}}))) {
                let again: Value = serde_json::from_str(&message.canonical).unwrap();
                let again = read(&body(&json!({"payload": again}))).unwrap();
                prop_assert_eq!(again, message);
            }
        }
    }
}
