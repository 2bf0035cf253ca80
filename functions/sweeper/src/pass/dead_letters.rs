//! The log of dead letters: one entry for each message that redrive takes out of a dead-letter queue, in a ring of
//! numbered notes for each job type.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    ports::{
        PortError, Seen, Swapped,
        maintenance::TableMaintenance,
        notes::{DEAD_LETTER_NUMBER, DEAD_LETTER_RETENTION, DeadLetter, NoteKey},
    },
    telemetry,
};
use serde::{Deserialize, Serialize};

use crate::records::together;

/// Longest time in which the entries of one receive are written. The log must not keep the queue from being emptied.
const LONGEST: Duration = Duration::from_secs(1);

/// How often numbers are asked for that another process has taken.
const MOST_RACES: usize = 3;

/// The note that numbers the entries of a type.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Numbered {
    /// The number of the next entry.
    next: u64,
}

/// The log of one job type, in one tick.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The number of the next entry, as it was read or written last.
    numbered: Option<Seen<Numbered>>,
    /// Whether a write has failed. Then the log is left alone for the rest of the tick.
    has_failed: bool,
}

impl Log {
    /// Writes entries of a type, and returns how many of them may be missing. A failure is logged and is no reason to
    /// leave the messages in their queue.
    pub(super) async fn write<S: TableMaintenance>(
        &mut self,
        store: &S,
        kind: &str,
        entries: &[DeadLetter],
        now: Time,
    ) -> usize {
        if self.has_failed || entries.is_empty() {
            return entries.len();
        }
        let written = tokio::time::timeout(LONGEST, self.put(store, kind, entries, now)).await;
        let late = || Err(PortError::Unavailable("the log of dead letters takes too long".into()));
        match written.unwrap_or_else(|_| late()) {
            Ok(()) => 0,
            Err(error) => {
                telemetry::port_failed("dead_letters", &error);
                self.has_failed = true;
                entries.len()
            }
        }
    }

    async fn put<S: TableMaintenance>(
        &mut self,
        store: &S,
        kind: &str,
        entries: &[DeadLetter],
        now: Time,
    ) -> Result<(), PortError> {
        let first = self.reserve(store, kind, entries.len() as u64, now).await?;
        let until = now + DEAD_LETTER_RETENTION;
        let writes = (first..).zip(entries);
        let writes = writes.map(|(number, entry)| put_one(store, kind, number, entry, until));
        for (_, written) in together(writes.collect()).await {
            written?;
        }
        Ok(())
    }

    /// Takes this many numbers, and returns the first. They are taken before the entries are written, so that a sweeper
    /// that dies in between does not lead the next one to overwrite what it has written.
    async fn reserve<S: TableMaintenance>(
        &mut self,
        store: &S,
        kind: &str,
        many: u64,
        now: Time,
    ) -> Result<u64, PortError> {
        let key = NoteKey::new(DEAD_LETTER_NUMBER, kind);
        for _ in 0..MOST_RACES {
            let seen = match self.numbered.take() {
                Some(seen) => seen,
                None => read(store.note(&key).await?),
            };
            let next = Numbered { next: seen.value.next + many };
            let text = text_of(&next)?;
            let until = now + DEAD_LETTER_RETENTION;
            match store.swap_note(&key, &text, seen.revision, until).await? {
                Swapped::Yes => {
                    self.numbered = Some(Seen { value: next, revision: seen.revision + 1 });
                    return Ok(seen.value.next);
                }
                Swapped::No(current) => self.numbered = Some(read(current)),
            }
        }
        Err(PortError::Unavailable("another process writes the log of dead letters".into()))
    }
}

async fn put_one<S: TableMaintenance>(
    store: &S,
    kind: &str,
    number: u64,
    entry: &DeadLetter,
    until: Time,
) -> Result<(), PortError> {
    store.put_note(&DeadLetter::note_key(kind, number), &text_of(entry)?, until).await
}

/// The number in a note. One that cannot be read counts as none: the entries begin anew.
fn read(seen: Seen<Option<String>>) -> Seen<Numbered> {
    let value = seen.value.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Seen { value, revision: seen.revision }
}

fn text_of<T: Serialize>(value: &T) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|error| PortError::Broken(error.to_string()))
}
