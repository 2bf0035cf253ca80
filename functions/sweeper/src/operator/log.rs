//! The operations log: notes of the control table. A second kind of note lists what is open, so that a tick need not
//! read the whole log.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    ports::{
        PortError, Swapped,
        maintenance::TableMaintenance,
        notes::{NoteKey, OPEN_OPS, OPS},
    },
    telemetry,
};
use serde_json::json;

use super::entry::{Entry, LONGEST_OPEN, LONGEST_SETTING};

/// Names of open entries that one query reads, the most that a port returns.
const PAGE: usize = 1_000;

/// Queries for the names of all open entries.
const MOST_PAGES: usize = 10;

/// Open acts of which not all may have been read.
pub const MOST_OPEN: usize = PAGE * MOST_PAGES;

/// How long an entry is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(90 * 24);

// An open act is over before its name in the list expires. Otherwise nobody would carry it on.
const _: () = assert!(LONGEST_SETTING.as_secs() + LONGEST_OPEN.as_secs() < KEPT_FOR.as_secs());

/// How often a change that another process has come before is tried again.
pub const MOST_RACES: usize = 5;

/// An entry as it was read or written last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// What the table holds, with this call's changes.
    pub entry: Entry,
    revision: u64,
}

fn text_of(entry: &Entry) -> Result<String, PortError> {
    serde_json::to_string(entry).map_err(|error| PortError::Broken(error.to_string()))
}

impl Logged {
    /// Logs the intent. First its name goes to the list of what is open: if this process dies in between, a tick
    /// finds a name without an entry, and nothing was done.
    pub async fn begin<S: TableMaintenance>(
        store: &S,
        entry: Entry,
        now: Time,
    ) -> Result<Self, PortError> {
        let place = NoteKey::new(OPEN_OPS, entry.id.as_str());
        let text = json!({ "at": entry.at }).to_string();
        store.put_note(&place, &text, now + KEPT_FOR).await?;
        let mut logged = Self { entry, revision: 0 };
        if logged.save(store, now).await? {
            return Ok(logged);
        }
        Err(PortError::Unavailable("another act has the same id; try again".to_owned()))
    }

    /// Reads the entry with this id; `None` if there is none.
    pub async fn read<S: TableMaintenance>(store: &S, id: &str) -> Result<Option<Self>, PortError> {
        let seen = store.note(&NoteKey::new(OPS, id)).await?;
        let Some(text) = seen.value else { return Ok(None) };
        let entry = serde_json::from_str(&text)
            .map_err(|error| PortError::Unreadable(format!("operation {id}: {error}")))?;
        Ok(Some(Self { entry, revision: seen.revision }))
    }

    /// Writes the entry; whether nobody else has written it since it was read. If the answer is lost, it asks once
    /// more.
    pub async fn save<S: TableMaintenance>(
        &mut self,
        store: &S,
        now: Time,
    ) -> Result<bool, PortError> {
        let (place, text) = (NoteKey::new(OPS, self.entry.id.as_str()), text_of(&self.entry)?);
        let write = || store.swap_note(&place, &text, self.revision, now + KEPT_FOR);
        let swapped = match write().await {
            Err(PortError::Unavailable(_)) => write().await?,
            answer => answer?,
        };
        match swapped {
            Swapped::Yes => self.revision += 1,
            Swapped::No(current) if current.value.as_deref() == Some(&text) => {
                self.revision = current.revision;
            }
            Swapped::No(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Leaves the entry to whoever has changed it meanwhile, and adds only what was counted. Best effort: what was done
    /// is in the records in any case.
    pub async fn yield_to<S: TableMaintenance>(&mut self, store: &S, now: Time) {
        let Ok(Some(mut current)) = Self::read(store, &self.entry.id).await else { return };
        current.entry.counts.clone_from(&self.entry.counts);
        if let Err(error) = current.save(store, now).await {
            telemetry::port_failed("swap_note", &error);
        }
        *self = current;
    }
}

/// Takes an entry off the list of what is open. Idempotent.
pub async fn close<S: TableMaintenance>(store: &S, id: &str) -> Result<(), PortError> {
    let place = NoteKey::new(OPEN_OPS, id);
    let Some(text) = store.note(&place).await?.value else { return Ok(()) };
    store.remove_note(&place, &text).await
}

/// The names of all open entries with the texts of their notes, the latest first; of more than ten thousand the
/// latest ones.
pub async fn open<S: TableMaintenance>(store: &S) -> Result<Vec<(String, String)>, PortError> {
    let mut open: Vec<(String, String)> = Vec::new();
    for _ in 0..MOST_PAGES {
        // The smallest name that sorts after the last one.
        let from = open.last().map_or_else(String::new, |(name, _)| format!("{name}\0"));
        let page = store.notes(OPEN_OPS, &from, PAGE).await?;
        let is_last = page.len() < PAGE;
        open.extend(page);
        if is_last {
            break;
        }
    }
    Ok(open)
}

/// The latest entries. One that cannot be read is left out with a log line.
pub async fn latest<S: TableMaintenance>(store: &S, most: usize) -> Result<Vec<Entry>, PortError> {
    let notes = store.notes(OPS, "", most).await?;
    let read = |(id, text): (String, String)| match serde_json::from_str(&text) {
        Ok(entry) => Some(entry),
        Err(error) => {
            let problem = PortError::Unreadable(format!("operation {id}: {error}"));
            telemetry::port_failed("notes", &problem);
            None
        }
    };
    Ok(notes.into_iter().filter_map(read).collect())
}
