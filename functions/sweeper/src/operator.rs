//! The operators' function: what people change goes through here. It needs no lead and no schedule, so it answers when
//! the sweeper cannot.
//!
//! ```json
//! { "act": { "do": "retry", "on": { "jobs": ["webhook#g:7"] } }, "by": "arn:…", "reason": "the key was renewed" }
//! { "act": { "do": "cancel", "on": { "filter": { "type": "webhook" } } }, "dry_run": true }
//! { "stop": "998199999999999-1f3a" }
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
//! [`ANSWER_WITHIN`] stays open, and the sweeper's ticks carry it on. A request without an act answers with the latest
//! entries.

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
    request::{Call, Request},
};
use crate::ports::{Ports, Sweep};

/// How long a call works on an act before it answers. With start-up and the way to the caller it is below 5 s.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(3_500);

/// Entries that a request without an act shows.
const LATEST: usize = 20;

/// Answers a call. The error is a sentence: the request is wrong, or a table could not be used.
pub async fn answer<P: Ports>(
    sweep: &Sweep<P>,
    call: &Value,
    deadline: Time,
) -> Result<Value, String> {
    let now = sweep.clock.now();
    let end = deadline.min(now + ANSWER_WITHIN);
    let answer = match Call::read(call, &sweep.config, now)? {
        Call::Latest => log::latest(&sweep.store, LATEST).await.map(|ops| json!({ "ops": ops })),
        Call::Stop(id) => stop(sweep, &id).await?.map(|entry| json!(entry)),
        Call::Do(request) if request.dry_run => preview::preview(sweep, &request, end).await,
        Call::Do(request) => perform(sweep, *request, end).await.map(|entry| json!(entry)),
    };
    answer.map_err(|error| error.to_string())
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
    let mut logged = Logged::begin(&sweep.store, entry, now).await?;
    let limit = end.since(now);
    // On the heap: it holds every act.
    let work = Box::pin(work::carry_on(sweep, &mut logged, end));
    // If it fails or takes too long, the next tick tries again: the intent is in the log.
    if let Ok(Err(error)) = tokio::time::timeout(limit, work).await {
        telemetry::port_failed("operator", &error);
    }
    Ok(logged.entry)
}

/// Stops an act that is not done: what it has done stays done. The inner error is a sentence for the caller.
async fn stop<P: Ports>(sweep: &Sweep<P>, id: &str) -> Result<Result<Entry, PortError>, String> {
    let unknown = || format!("stop: {id:?}, expected the id of an entry of the operations log");
    for _ in 0..log::MOST_RACES {
        let now = sweep.clock.now();
        let mut logged = match Logged::read(&sweep.store, id).await {
            Ok(logged) => logged.ok_or_else(unknown)?,
            Err(error) => return Ok(Err(error)),
        };
        if logged.entry.act.is_pause() {
            return Err(format!("stop: {id} pauses queues; `queues resume` ends that"));
        }
        if logged.entry.is_over() {
            return Ok(Ok(logged.entry));
        }
        logged.entry.end(State::Stopped, now);
        match logged.save(&sweep.store, now).await {
            Ok(true) => {
                let closed = log::close(&sweep.store, id).await;
                return Ok(closed.map(|()| logged.entry));
            }
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(PortError::Unavailable(format!("{id} is being changed; try again"))))
}
