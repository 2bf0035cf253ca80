//! Creates jobs from within the system: the record is written first, then the message is sent.
//!
//! ```text
//!  insert `queued` ─┬─ new key ─────────────────────────► send
//!                   └─ exists: queued, never claimed ───► send again: it may never have been sent
//!                              ended, may be reopened ──► reopen ─► send
//!                              anything else ───────────► duplicate: nothing to do
//! ```
//!
//! A duplicate is thus found before a job is created. A crash between any two steps is repaired
//! when the same jobs are enqueued again: the message is sent once more. If they are not enqueued
//! again, the sweeper sends the message, because the record is on the index `due`.

use std::time::Duration;

use crate::{
    base::time::{Clock, Time},
    message::{
        Woken, key,
        wake::{self, OutgoingMessage},
    },
    policy::Policy,
    ports::{PortError, Queue, Store, Written},
    record::{Phase, Record, Work, journal::WakeUp, trace::Trace},
};

/// Maximum records per insert (DynamoDB's limit for a batch of statements).
const RECORDS_A_CALL: usize = 25;

/// Maximum messages per send (SQS's limit for a batch).
const MESSAGES_A_CALL: usize = 10;

/// How long after the insert the sweeper checks whether the job's message was lost.
const DUE_AFTER: Duration = Duration::from_mins(5);

/// Maximum length of a message group id, in characters (SQS's limit).
const GROUP_LENGTH: usize = 128;

/// A job to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    key: String,
    payload: String,
    queue: String,
    dependency: String,
    group: String,
    retention: Duration,
    dedup_window: Duration,
    worth: Option<Duration>,
    trace: Option<Trace>,
}

impl NewJob {
    /// A job of type `kind` with this id, for the queue with this ARN.
    ///
    /// `payload` is canonical JSON, as the job type's payload type encodes it. `group` becomes the
    /// message group, by which SQS fair queues share capacity among tenants.
    #[must_use]
    pub fn new(
        kind: &str,
        id: &str,
        payload: String,
        policy: &Policy,
        dependency: String,
        queue: &str,
        group: &str,
    ) -> Self {
        Self {
            key: key(kind, Some(id), &payload),
            payload,
            queue: queue.to_owned(),
            dependency,
            group: message_group(group),
            retention: policy.retention(),
            dedup_window: policy.dedup_window,
            worth: None,
            trace: None,
        }
    }

    /// The same job with a deadline: it is worth doing for this long.
    #[must_use]
    pub fn worth(mut self, span: Duration) -> Self {
        self.worth = Some(span);
        self
    }

    /// The same job, which runs again if it has succeeded, however lately: what creates it knows that there is new work.
    #[must_use]
    pub const fn anew(mut self) -> Self {
        self.dedup_window = Duration::ZERO;
        self
    }

    /// The same job as a part of this trace: that of the run which creates it
    /// ([`Run::trace`](crate::job::Run::trace)).
    #[must_use]
    pub fn traced(mut self, trace: Option<&Trace>) -> Self {
        self.trace = trace.cloned();
        self
    }

    /// The key of the job's record.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    fn record(&self, now: Time) -> Record {
        let work = Work {
            payload: self.payload.clone(),
            queue: self.queue.clone(),
            dependency: self.dependency.clone(),
            retention: self.retention,
            created_at: now,
            first_created_at: None,
            deadline: self.worth.map(|span| now + span),
            group: Some(self.group.clone()),
            trace: self.trace.clone(),
        };
        Record::queued(self.key.clone(), work, now + DUE_AFTER)
    }
}

/// Turns a name into a message group id that SQS accepts: any character that is not an ASCII
/// letter, digit or punctuation becomes `-`, and the length is cut to [`GROUP_LENGTH`].
fn message_group(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    name.chars().map(plain).take(GROUP_LENGTH).collect()
}

/// How many jobs were created, and how many existed already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Jobs that were created or reopened.
    pub made: usize,
    /// Jobs that were created before and are not claimed yet; their messages are sent again.
    pub sent_again: usize,
    /// Jobs that existed already and needed nothing.
    pub duplicates: usize,
}

/// Creates these jobs, which must have distinct keys, and sends their messages.
///
/// Fails if a port call fails. It is then safe to repeat the whole call.
pub async fn enqueue<S: Store, Q: Queue>(
    store: &S,
    queue: &Q,
    clock: &impl Clock,
    jobs: &[NewJob],
) -> Result<Enqueued, PortError> {
    let mut enqueued = Enqueued::default();
    let mut to_send: Vec<(&NewJob, u64)> = Vec::with_capacity(jobs.len());
    for chunk in jobs.chunks(RECORDS_A_CALL) {
        let now = clock.now();
        let records: Vec<Record> = chunk.iter().map(|job| job.record(now)).collect();
        let written = store.enqueue(&records).await?;
        for ((job, record), written) in chunk.iter().zip(&records).zip(written) {
            let state = match written {
                Written::Yes => Enqueueing::Created(record.fence),
                Written::No(_) => handle_existing(store, job, now).await?,
                Written::Unknown(why) => return Err(PortError::Unavailable(why)),
            };
            let (count, fence) = match state {
                Enqueueing::Created(fence) => (&mut enqueued.made, Some(fence)),
                Enqueueing::Unclaimed(fence) => (&mut enqueued.sent_again, Some(fence)),
                Enqueueing::Duplicate => (&mut enqueued.duplicates, None),
            };
            *count += 1;
            to_send.extend(fence.map(|fence| (job, fence)));
        }
    }
    send(queue, &to_send).await?;
    Ok(enqueued)
}

/// The state of a job once its record exists, with the fence for its wake-up message.
enum Enqueueing {
    /// The job is new or reopened.
    Created(u64),
    /// The job was created before, and its message may never have been sent.
    Unclaimed(u64),
    /// A duplicate: there is nothing to do.
    Duplicate,
}

/// Handles a job whose record existed already: reopens it if that is allowed.
async fn handle_existing<S: Store>(
    store: &S,
    job: &NewJob,
    now: Time,
) -> Result<Enqueueing, PortError> {
    let Some(record) = store.read(&job.key).await? else {
        return Err(PortError::Unavailable(format!("{} came and went", job.key)));
    };
    let fresh = job.record(now);
    let may_begin_anew = match &record.phase {
        Phase::Queued { .. } => return Ok(Enqueueing::Unclaimed(record.fence)),
        Phase::Succeeded { at, .. } => *at + job.dedup_window < now,
        Phase::Dead { .. } | Phase::Cancelled { .. } => true,
        _ => false,
    };
    let expired = record.expires_at().is_some_and(|at| at <= now);
    if !(may_begin_anew || expired) {
        return Ok(Enqueueing::Duplicate);
    }
    let mut reopened = record.clone().reopened(&fresh.work);
    if matches!(record.phase, Phase::Dead { .. } | Phase::Cancelled { .. }) {
        reopened = reopened.woken_by(WakeUp::Anew, now);
    }
    reopened.phase = fresh.phase;
    reopened.fence += 1;
    match store.replace(&reopened, Some(&record.guard())).await? {
        Written::Yes => Ok(Enqueueing::Created(reopened.fence)),
        // Another process wrote first: the job runs, or that process enqueues it.
        Written::No(_) => Ok(Enqueueing::Duplicate),
        Written::Unknown(why) => Err(PortError::Unavailable(why)),
    }
}

async fn send<Q: Queue>(queue: &Q, jobs: &[(&NewJob, u64)]) -> Result<(), PortError> {
    let mut by_queue: std::collections::BTreeMap<&str, Vec<OutgoingMessage>> =
        std::collections::BTreeMap::new();
    for (job, fence) in jobs {
        let body = wake::body_of(&job.key, &job.payload);
        let body = body.ok_or_else(|| PortError::Broken(format!("{}: no JSON", job.key)))?;
        let woken = Woken { key: job.key.clone(), fence: *fence };
        let wake = OutgoingMessage {
            trace: job.trace.clone(),
            ..OutgoingMessage::new(body, Some(woken), Some(job.group.clone()))
        };
        by_queue.entry(&job.queue).or_default().push(wake);
    }
    for (name, messages) in by_queue {
        for chunk in messages.chunks(MESSAGES_A_CALL) {
            let sent = queue.send(name, chunk).await?;
            if sent.contains(&false) {
                let refused = sent.iter().filter(|sent| !**sent).count();
                let why = format!("{refused} of {} messages were not taken", chunk.len());
                return Err(PortError::Unavailable(why));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "enqueue_tests.rs"]
mod tests;
