//! Rejected messages as DynamoDB items, and back.

use super::item::{Attribute, Item, Reader, decode_trace, encode_trace, ms, n, s};
use crate::{
    base::time::Time,
    failure::Class,
    message::{Flaw, RejectedMessage, Rejection},
    record::due::{due_partition, priority},
};

/// Encodes a rejected message as an item of the job table. The item has no fence, so no claim can
/// match it.
pub(crate) fn encode_rejected(body: &RejectedMessage) -> Vec<Attribute> {
    let mut attributes = vec![
        ("pk", s(&body.key)),
        ("state", s("rejected")),
        ("type", s(&body.kind)),
        ("queue", s(&body.queue)),
        ("message_id", s(&body.message_id)),
        ("body", s(&body.head)),
        ("body_bytes", n(body.length as u64)),
        ("flaw", s(body.rejection.flaw.name())),
        ("why", s(&body.rejection.reason)),
        ("ended_at", ms(body.at)),
        ("priority", s(priority(&body.queue))),
        ("class", s(Class::Permanent.name())),
        ("due", s(due_partition(&format!("dead#{}", body.kind), &body.key))),
        ("due_at", ms(body.at)),
        ("expires_at", n(body.expires_at.as_secs_ceil())),
    ];
    attributes.extend(body.group.as_ref().map(|group| ("group", s(group))));
    attributes.extend(encode_trace(body.trace.as_ref()));
    attributes
}

/// Decodes a rejected message; the error names the attribute that is missing or wrong.
pub fn decode_rejected(item: &Item) -> Result<RejectedMessage, String> {
    let reader = Reader(item);
    let flaw = reader.text("flaw")?;
    let flaw = Flaw::of(&flaw).ok_or_else(|| format!("flaw: {flaw:?} is none"))?;
    let length = reader.number("body_bytes")?;
    Ok(RejectedMessage {
        key: reader.text("pk")?,
        kind: reader.text("type")?,
        queue: reader.text("queue")?,
        message_id: reader.text("message_id")?,
        head: reader.text("body")?,
        length: usize::try_from(length).map_err(|_| "body_bytes: too large".to_owned())?,
        rejection: Rejection { flaw, reason: reader.text("why")? },
        group: reader.has("group").then(|| reader.text("group")).transpose()?,
        trace: decode_trace(&reader),
        at: reader.time("ended_at")?,
        expires_at: Time::from_millis(reader.number("expires_at")?.saturating_mul(1_000)),
    })
}
