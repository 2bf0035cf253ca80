//! A change of one record, with the message that follows it: the record first, then the message.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    oversight::{Mailboxes, Oversight},
    ports::{PortError, Wake, Woken, Written},
    record::{Guard, Record},
    telemetry,
    time::{Time, millis},
    wake,
};

use crate::records::together;

/// Messages of one send (SQS's limit).
const MESSAGES_A_CALL: usize = 10;

/// Records written before their messages are sent.
const TOGETHER: usize = 50;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Places of those whose records are written.
    pub written: Vec<usize>,
    /// Records that somebody else had changed: theirs now.
    pub refused: usize,
    /// Records of which it is not known, and messages that were not taken. Somebody looks again.
    pub failed: usize,
}

/// Takes these steps, no record twice: some at a time, so that whoever is cut off leaves few records
/// behind whose messages are not sent yet.
pub async fn take<S: Oversight, Q: Mailboxes>(
    store: &S,
    queue: &Q,
    steps: &[Step],
    now: Time,
) -> Taken {
    let mut taken = Taken::default();
    for (first, some) in steps.chunks(TOGETHER).enumerate() {
        let written = together(some.iter().map(|step| write(store, step)).collect()).await;
        let mut calls: BTreeMap<&str, Vec<Wake>> = BTreeMap::new();
        for (place, written) in written {
            let step = &some[place];
            match written {
                Ok(true) => {
                    taken.written.push(first * TOGETHER + place);
                    if let Some(call) = &step.call {
                        calls.entry(&call.queue).or_default().extend(message(step, call, now));
                    }
                }
                Ok(false) => taken.refused += 1,
                Err(error) => {
                    telemetry::port_failed("replace", &error);
                    taken.failed += 1;
                }
            }
        }
        for (name, messages) in calls {
            taken.failed += send(queue, name, &messages).await;
        }
    }
    taken
}

/// The message of a step; none if the record's payload is no JSON, which none that we wrote is.
fn message(step: &Step, call: &Call, now: Time) -> Option<Wake> {
    let Record { key, fence, work, .. } = &step.record;
    let woken = Woken { key: key.clone(), fence: *fence };
    let delay = millis(call.at.since(now).min(LONGEST_DELAY));
    let delay = Duration::from_secs(delay.div_ceil(1_000));
    Some(Wake { delay, ..Wake::new(wake::body(&step.record)?, Some(woken), work.group.clone()) })
}

/// Sends messages to a queue; answers with how many were not taken.
pub async fn send<Q: Mailboxes>(queue: &Q, name: &str, messages: &[Wake]) -> usize {
    let sends = messages.chunks(MESSAGES_A_CALL).map(|chunk| queue.send(name, chunk));
    let mut failed = 0;
    for (place, sent) in together(sends.collect()).await {
        match sent {
            Ok(sent) => failed += sent.iter().filter(|sent| !**sent).count(),
            // Each record has a look: it is sent again if it was not sent.
            Err(error) => {
                telemetry::port_failed("send", &error);
                failed += messages.chunks(MESSAGES_A_CALL).nth(place).map_or(0, <[Wake]>::len);
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
