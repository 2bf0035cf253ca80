//! One change: a conditional write of a record, and then the message that wakes its job.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::{Time, millis},
    message::{
        Woken,
        wake::{self, OutgoingMessage},
    },
    ports::{
        PortError, Written,
        maintenance::{QueueMaintenance, TableMaintenance},
    },
    record::{Guard, Record},
    telemetry,
};

use crate::records::together;

/// Messages of one send request (the limit of SQS).
const MESSAGES_A_CALL: usize = 10;

/// Records that are written before their messages are sent.
const TOGETHER: usize = 50;

/// Longest delay of a message (the limit of SQS).
pub const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The condition of the write: the state and the fence that were read.
    pub guard: Guard,
    /// The record to write.
    pub record: Record,
    /// The message to send after the write, if any.
    pub call: Option<Call>,
}

/// Where and when a message that wakes a job is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// ARN of the queue.
    pub queue: String,
    /// When the message becomes visible. The delay is capped at [`LONGEST_DELAY`].
    pub at: Time,
}

/// The outcome of a list of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Indices of the steps whose records are written.
    pub written: Vec<usize>,
    /// Writes that were refused, because another process had changed the record.
    pub refused: usize,
    /// Writes without a known outcome, plus messages that were not sent. The due entries of these
    /// records bring them back in a later tick.
    pub failed: usize,
}

/// Takes these steps, of which no two may concern the same record. They are taken in groups, so
/// that a sweeper that is cut off leaves few records whose messages are not sent.
pub async fn take<S: TableMaintenance, Q: QueueMaintenance>(
    store: &S,
    queue: &Q,
    steps: &[Step],
    now: Time,
) -> Taken {
    let mut taken = Taken::default();
    for (first, some) in steps.chunks(TOGETHER).enumerate() {
        let written = together(some.iter().map(|step| write(store, step)).collect()).await;
        let mut calls: BTreeMap<&str, Vec<OutgoingMessage>> = BTreeMap::new();
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

/// The message of a step; `None` if the record's payload is not JSON, which the engine never
/// writes.
fn message(step: &Step, call: &Call, now: Time) -> Option<OutgoingMessage> {
    let Record { key, fence, work, .. } = &step.record;
    let woken = Woken { key: key.clone(), fence: *fence };
    let delay = millis(call.at.since(now).min(LONGEST_DELAY));
    let delay = Duration::from_secs(delay.div_ceil(1_000));
    Some(OutgoingMessage {
        delay,
        trace: work.trace.clone(),
        ..OutgoingMessage::new(wake::body(&step.record)?, Some(woken), work.group.clone())
    })
}

/// Sends messages to a queue, and returns how many of them were not accepted.
pub async fn send<Q: QueueMaintenance>(
    queue: &Q,
    name: &str,
    messages: &[OutgoingMessage],
) -> usize {
    let sends = messages.chunks(MESSAGES_A_CALL).map(|chunk| queue.send(name, chunk));
    let mut failed = 0;
    for (place, sent) in together(sends.collect()).await {
        match sent {
            Ok(sent) => failed += sent.iter().filter(|sent| !**sent).count(),
            // Each record has a due entry, by which a later tick sends its message again.
            Err(error) => {
                telemetry::port_failed("send", &error);
                failed +=
                    messages.chunks(MESSAGES_A_CALL).nth(place).map_or(0, <[OutgoingMessage]>::len);
            }
        }
    }
    failed
}

/// Writes a step's record; whether it is written. If the outcome is unknown, one retry resolves it:
/// the record in the table is then recognised as this step's own write.
async fn write<S: TableMaintenance>(store: &S, step: &Step) -> Result<bool, PortError> {
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
