//! A change of one record, with the message that follows it: the record first, then the message.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    oversight::{Mailboxes, Oversight},
    ports::{PortError, Wake, Written},
    record::{Guard, Record},
    telemetry,
    time::{Time, millis},
    wake,
};
use futures_util::{StreamExt, stream};

/// Messages of one send (SQS's limit).
const MESSAGES_A_CALL: usize = 10;

/// Records written at the same time.
const AT_ONCE: usize = 16;

/// Longest delay of a message (SQS's limit).
pub const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// What to do about a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What must still be there.
    pub guard: Guard,
    /// What to write.
    pub record: Record,
    /// The message that follows, if one does.
    pub call: Option<Call>,
}

/// A message that wakes a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// ARN of the queue.
    pub queue: String,
    /// When it should be visible.
    pub at: Time,
}

/// What became of some steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Records that are written.
    pub written: usize,
    /// Records that somebody else had changed: theirs now.
    pub refused: usize,
    /// Records of which it is not known, and messages that were not taken. Somebody looks again.
    pub failed: usize,
}

/// Takes these steps, no record twice. Answers also with the keys of what is written.
pub async fn take<S: Oversight, Q: Mailboxes>(
    store: &S,
    queue: &Q,
    steps: Vec<Step>,
    now: Time,
) -> (Taken, BTreeSet<String>) {
    let (mut taken, mut done) = (Taken::default(), BTreeSet::new());
    let mut calls: BTreeMap<String, Vec<Wake>> = BTreeMap::new();
    let mut writing = stream::iter(steps)
        .map(async |step| (write(store, &step).await, step))
        .buffer_unordered(AT_ONCE);
    while let Some((written, step)) = writing.next().await {
        match written {
            Ok(true) => taken.written += 1,
            Ok(false) => {
                taken.refused += 1;
                continue;
            }
            Err(error) => {
                telemetry::port_failed("replace", &error);
                taken.failed += 1;
                continue;
            }
        }
        done.insert(step.record.key.clone());
        if let Some(call) = &step.call
            && let Some(body) = wake::body(&step.record)
        {
            let (fence, group) = (Some(step.record.fence), step.record.work.group.clone());
            let delay = call.at.since(now).min(LONGEST_DELAY);
            let delay = Duration::from_secs(millis(delay).div_ceil(1_000));
            let message = Wake { delay, ..Wake::new(body, fence, group) };
            calls.entry(call.queue.clone()).or_default().push(message);
        }
    }
    for (name, messages) in calls {
        taken.failed += send(queue, &name, &messages).await;
    }
    (taken, done)
}

/// Sends messages to a queue; answers with how many were not taken.
pub async fn send<Q: Mailboxes>(queue: &Q, name: &str, messages: &[Wake]) -> usize {
    let mut failed = 0;
    for chunk in messages.chunks(MESSAGES_A_CALL) {
        match queue.send(name, chunk).await {
            Ok(sent) => failed += sent.iter().filter(|sent| !**sent).count(),
            // Each record has a look: it is sent again if it was not sent.
            Err(error) => {
                telemetry::port_failed("send", &error);
                failed += chunk.len();
            }
        }
    }
    failed
}

/// Whether the record is written; an answer that was lost is recognised.
async fn write<S: Oversight>(store: &S, step: &Step) -> Result<bool, PortError> {
    let written = match store.replace(&step.record, Some(&step.guard)).await {
        Err(PortError::Unavailable(_)) | Ok(Written::Unknown(_)) => {
            store.replace(&step.record, Some(&step.guard)).await?
        }
        answer => answer?,
    };
    match written {
        Written::Yes => Ok(true),
        Written::No(Some(current)) => Ok(current.is_write_of(&step.record)),
        Written::No(None) => Ok(false),
        Written::Unknown(why) => Err(PortError::Unavailable(why)),
    }
}
