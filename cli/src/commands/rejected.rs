//! `evenkeel rejected list` and `show`.

use evenkeel::message::RejectedMessage;
use serde_json::Value;

use super::{
    find::{absent, find, unreadable},
    shown::{indented, listing},
};
use crate::{
    args::{ListRejected, ListedState, OneJob, OneRejected},
    deployment::Deployment,
    due::{self, EVER, Listed, Position, Wanted, partitions},
    exit::Failure,
    moment::Moment,
    output::Answer,
    ports::{Kept, Ports},
    schema,
    shapes::RejectedShown,
    table::Fields,
    text::{json_with, redact},
};

/// Lists rejected messages, which the index keeps beside the dead jobs of their type.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListRejected,
    moment: Moment,
) -> Result<Answer, Failure> {
    listing(&read_list(ports, stack, wanted).await?, 0, moment)
}

/// Reads the rejected messages of a list.
pub(crate) async fn read_list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListRejected,
) -> Result<Listed, Failure> {
    let types = stack.chosen(wanted.kind.as_deref())?;
    let query = Wanted {
        partitions: partitions(&types, &[ListedState::Dead], &[]),
        until: EVER,
        behind: wanted.page.cursor.as_deref().map(Position::read).transpose()?,
        most: usize::from(wanted.page.limit),
        states: vec!["rejected"],
        ..Wanted::default()
    };
    due::list(ports, &stack.jobs, &query).await
}

/// Fails if a text is no key of a rejected message.
pub(super) fn check(key: &str) -> Result<(), Failure> {
    let is_hash =
        |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if key.strip_prefix("q#").is_some_and(is_hash) {
        return Ok(());
    }
    Err(Failure::usage(format!("key: {key:?}, expected q# and 64 hexadecimal digits")))
}

/// Shows a rejected message.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneRejected,
    moment: Moment,
) -> Result<Answer, Failure> {
    check(&wanted.key)?;
    let job = OneJob { id: wanted.key.clone(), kind: None };
    let found = find(ports, stack, &job).await?;
    match found.item {
        Some(Kept::Rejected(message)) => shown(&message, found.units, moment),
        Some(Kept::Unreadable(why)) => Err(unreadable(&found.key, &why)),
        Some(Kept::Job(_)) | None => Err(absent(&job)),
    }
}

/// What is shown of a rejected message, without secrets.
pub(crate) fn shape(message: &RejectedMessage, units: f64) -> RejectedShown {
    RejectedShown {
        key: message.key.clone(),
        kind: message.kind.clone(),
        flaw: message.rejection.flaw.name().to_owned(),
        why: redact(&message.rejection.reason),
        queue: message.queue.clone(),
        message_id: message.message_id.clone(),
        group: message.group.clone(),
        trace: message.trace.as_ref().map(|trace| trace.id().to_owned()),
        rejected_at: message.at.as_millis(),
        expires_at: message.expires_at.as_millis(),
        body: json_with(&message.head, &schema::sensitive_of_any()),
        body_bytes: message.length,
        read_units: units,
    }
}

/// The answer about a rejected message.
pub(super) fn shown(
    message: &RejectedMessage,
    units: f64,
    moment: Moment,
) -> Result<Answer, Failure> {
    let shape = shape(message, units);
    let mut fields = Fields::default();
    fields.add("key", &shape.key);
    fields.add("type", &shape.kind);
    fields.add("flaw", &shape.flaw);
    fields.add("why", &shape.why);
    fields.add("queue", &shape.queue);
    fields.add_some("group", shape.group.as_ref());
    fields.add_some("trace", shape.trace.as_ref());
    fields.add("rejected", moment.show(message.at));
    fields.add("expires", moment.show(message.expires_at));
    fields.add("bytes", shape.body_bytes.to_string());
    let body = match &shape.body {
        Value::String(text) => crate::text::clean_lines(text),
        value => indented(value),
    };
    fields.block("body", &body);
    Answer::one(&shape, fields.text())
}
