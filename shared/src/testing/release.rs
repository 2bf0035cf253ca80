//! Releases parked jobs when they are due, for tests of the engine without a sweeper.

use std::time::Duration;

use super::{MemoryQueue, MemoryStore};
use crate::{
    base::time::{Clock, Time},
    message::wake,
    record::{Phase, Record},
};

/// How long after its release a job is due again, in case its message is lost.
const DUE_AFTER_RELEASE: Duration = Duration::from_mins(5);

/// A store whose contents a test can access.
pub trait InMemory {
    /// The store in memory.
    fn memory(&self) -> &MemoryStore;
}

impl InMemory for MemoryStore {
    fn memory(&self) -> &MemoryStore {
        self
    }
}

/// When a parked job, which has no message, is due.
fn due_at(record: &Record) -> Option<Time> {
    match record.phase {
        Phase::Parked { run_after, .. } => Some(run_after),
        _ => None,
    }
}

/// Releases every parked job that is due: writes the record first, then sends the message. Returns
/// how many were released.
pub fn release_parked<C: Clock>(store: &MemoryStore, queue: &MemoryQueue<C>, now: Time) -> usize {
    let due =
        store.records().into_iter().filter(|record| due_at(record).is_some_and(|at| at <= now));
    let mut woken = 0;
    for record in due {
        let record = record.awaiting_wake_up("", now, now + DUE_AFTER_RELEASE);
        store.put(&record);
        if let Some(body) = wake::body(&record) {
            queue.wake(&body, &record);
            woken += 1;
        }
    }
    woken
}

/// How long until a message is visible or a parked job is due; `None` if nothing is left to do.
#[must_use]
pub fn next_event_in<C: Clock>(
    store: &MemoryStore,
    queue: &MemoryQueue<C>,
    now: Time,
) -> Option<Duration> {
    let parked = store.records().iter().filter_map(due_at).map(|at| at.since(now)).min();
    queue.next_in().into_iter().chain(parked).min()
}
