//! The operators' function: what people change goes through here. It needs no lead and no schedule, so it answers when
//! the sweeper cannot.
//!
//! ```json
//! { "act": { "do": "retry", "on": { "jobs": ["webhook#g:7"] } }, "by": "arn:…", "reason": "the key was renewed" }
//! { "act": { "do": "cancel", "on": { "filter": { "type": "webhook" } } }, "dry_run": true }
//! { "stop": "998199999999999-1f3a" }
//! { "act": { "do": "note", "what": "submit", "about": "40 messages" }, "by": "arn:…" }
//! { "report": "998199999999999-1f3a", "state": "done", "counts": { "sent": 40 } }
//! {}
//! ```
//!
//! ```text
//!  request ─► log: the intent ─► work, until the time is up ─► log: the result ─► answer
//!                │                   ▲
//!                └── left open ──► the sweeper's next tick carries it on
//! ```
//!
//! Every act has an entry of the operations log: written before the act, and completed after it. What is not done within
//! [`ANSWER_WITHIN`] stays open, and the sweeper's ticks carry it on. What a caller does itself, such as to send messages,
//! it notes before and reports after. An empty request answers with the latest entries.

mod check;
pub mod entry;
mod gates;
mod jobs;
pub mod log;
pub mod preview;
mod queues;
mod rejected;
pub mod request;
pub mod work;

use std::time::Duration;

use evenkeel::{
    base::{
        random::Random as _,
        time::{Clock as _, Time},
    },
    ports::PortError,
    telemetry,
};
use serde_json::{Value, json};

use self::{
    entry::{Entry, State},
    log::Logged,
    request::{Call, Hold, Reported, Request},
};
use crate::ports::{Ports, Sweep};

/// When a call has answered, whatever the tables do. With start-up and the way to the caller it is below 5 s.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// How much of that is left when the work on an act ends: time to write the result down.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// Entries that a request without an act shows.
const LATEST: usize = 20;

/// Answers a call. The error is a sentence: the request is wrong, or a table could not be used. Every step shares one
/// end, so that calls to the tables which are all slow do not add up.
pub async fn answer<P: Ports>(
    sweep: &Sweep<P>,
    call: &Value,
    deadline: Time,
) -> Result<Value, String> {
    let now = sweep.clock.now();
    let end = deadline.min(now + ANSWER_WITHIN);
    let answer = match Call::read(call, &sweep.config, now)? {
        Call::Latest => {
            let latest = log::latest(&sweep.store, LATEST);
            in_time(sweep, end, latest, unread).await.map(|ops| json!({ "ops": ops }))
        }
        Call::Stop(id) => {
            let change = |entry: &mut Entry, now| entry.end(State::Stopped, now);
            end_open(sweep, "stop", &id, end, change).await?.map(|entry| json!(entry))
        }
        Call::Report(reported) => report(sweep, reported, end).await?.map(|entry| json!(entry)),
        Call::Do(request) if request.dry_run => {
            let previewing = Box::pin(preview::preview(sweep, &request, end.before(TO_ANSWER)));
            in_time(sweep, end, previewing, unread).await
        }
        Call::Do(request) => perform(sweep, *request, end).await.map(|entry| json!(entry)),
    };
    answer.map_err(|error| error.to_string())
}

/// Waits for a step of a call until `end`.
async fn in_time<P: Ports, T>(
    sweep: &Sweep<P>,
    end: Time,
    step: impl Future<Output = Result<T, PortError>>,
    late: impl FnOnce() -> PortError,
) -> Result<T, PortError> {
    let left = end.since(sweep.clock.now());
    tokio::time::timeout(left, step).await.unwrap_or_else(|_| Err(late()))
}

/// The error of a call that only reads.
fn unread() -> PortError {
    PortError::Unavailable("the tables did not answer in time; try again".to_owned())
}

/// The error of a call that has not heard in time whether the log took its entry: it may have.
fn unconfirmed(id: &str) -> PortError {
    PortError::Unavailable(format!(
        "operation {id} was not confirmed in time; `evenkeel ops show {id}` says what became of it"
    ))
}

/// Logs the intent, does as much as there is time for, and returns the entry. An act that is not done is the
/// sweeper's to carry on.
async fn perform<P: Ports>(
    sweep: &Sweep<P>,
    request: Request,
    end: Time,
) -> Result<Entry, PortError> {
    let now = sweep.clock.now();
    let entry = Entry::new(request, &sweep.random.token(), now);
    let id = entry.id.clone();
    let beginning = Logged::begin(&sweep.store, entry, now);
    let mut logged = in_time(sweep, end, beginning, || unconfirmed(&id)).await?;
    if logged.entry.act.is_note() {
        return Ok(logged.entry);
    }
    let left = end.since(sweep.clock.now());
    // On the heap: it holds every act.
    let work = Box::pin(work::carry_on(sweep, &mut logged, end.before(TO_ANSWER)));
    // If it fails or takes too long, the next tick tries again: the intent is in the log.
    if let Ok(Err(error)) = tokio::time::timeout(left, work).await {
        telemetry::port_failed("operator", &error);
    }
    Ok(logged.entry)
}

/// Writes down what became of an act that its caller has done.
async fn report<P: Ports>(
    sweep: &Sweep<P>,
    reported: Reported,
    end: Time,
) -> Result<Result<Entry, PortError>, String> {
    let Reported { id, state, why, counts } = reported;
    let change = |entry: &mut Entry, now| {
        entry.why.clone_from(&why);
        entry.counts.clone_from(&counts);
        entry.end(state.into(), now);
    };
    end_open(sweep, "report", &id, end, change).await
}

/// Why an open act may not be ended by a call with this field; `None` if it may.
fn refusal(field: &str, entry: &Entry) -> Option<String> {
    let id = &entry.id;
    match (field, entry.act.is_note()) {
        ("report", false) => {
            Some(format!("report: {id} is done by this function, not by a caller"))
        }
        ("stop", true) => Some(format!("stop: {id} is done by its caller; interrupt that command")),
        ("stop", false) if entry.act.hold() == Some(Hold::Pause) => {
            Some(format!("stop: {id} pauses queues; `queues resume` ends that"))
        }
        _ => None,
    }
}

/// Ends an act that is open: what it has done stays done. The call's `field` names it by its id. The outer error is a
/// sentence for the caller.
async fn end_open<P: Ports>(
    sweep: &Sweep<P>,
    field: &str,
    id: &str,
    end: Time,
    change: impl Fn(&mut Entry, Time),
) -> Result<Result<Entry, PortError>, String> {
    let left = || end.since(sweep.clock.now());
    let ending = write_end(sweep, field, id, change);
    let Ok(ended) = tokio::time::timeout(left(), ending).await else {
        return Ok(Err(unconfirmed(id)));
    };
    let ended = ended?;
    if matches!(ended, Ok((_, true))) {
        let closing = tokio::time::timeout(left(), log::close(&sweep.store, id));
        // If that fails or takes too long, the next tick takes it off the list: the end is in the log.
        if let Ok(Err(error)) = closing.await {
            telemetry::port_failed("operator", &error);
        }
    }
    Ok(ended.map(|(entry, _)| entry))
}

/// Writes the end of an act into the log. Returns the entry, and whether it was open before.
async fn write_end<P: Ports>(
    sweep: &Sweep<P>,
    field: &str,
    id: &str,
    change: impl Fn(&mut Entry, Time),
) -> Result<Result<(Entry, bool), PortError>, String> {
    let unknown = || format!("{field}: {id:?}, expected the id of an entry of the operations log");
    for _ in 0..log::MOST_RACES {
        let now = sweep.clock.now();
        let mut logged = match Logged::read(&sweep.store, id).await {
            Ok(logged) => logged.ok_or_else(unknown)?,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(why) = refusal(field, &logged.entry) {
            return Err(why);
        }
        if logged.entry.is_over() {
            return Ok(Ok((logged.entry, false)));
        }
        change(&mut logged.entry, now);
        match logged.save(&sweep.store, now).await {
            Ok(true) => return Ok(Ok((logged.entry, true))),
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(PortError::Unavailable(format!("{id} is being changed; try again"))))
}
