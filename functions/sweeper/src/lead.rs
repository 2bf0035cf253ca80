//! Leader election: a lease in the control table, in the same note as the [`Memory`] of the ticks.
//!
//! The lease saves the work of a second sweeper. Correctness does not depend on it: the fencing
//! tokens of the records keep two sweepers from doing anything twice.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    ports::{PortError, Swapped, maintenance::TableMaintenance, notes::NoteKey},
};
use serde::{Deserialize, Serialize};

use crate::memory::Memory;

/// How long the note is kept after the last tick.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// The note in the table.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lead {
    /// Owner token of the leading tick.
    owner: String,
    /// End of its lease, in milliseconds since the epoch.
    until: u64,
    #[serde(default)]
    memory: Memory,
}

/// The key of the leader's note.
#[must_use]
pub fn note_key() -> NoteKey {
    NoteKey::new("sweeper", "leader")
}

/// The lease that this tick holds.
#[derive(Debug)]
pub struct Leader {
    owner: String,
    until: Time,
    revision: u64,
}

impl Leader {
    /// Takes the lease until `until`, and reads the memory of the previous tick; `None` if another
    /// sweeper leads.
    ///
    /// A note that cannot be parsed counts as absent, since nothing in it is needed for
    /// correctness.
    pub async fn take<S: TableMaintenance>(
        store: &S,
        owner: &str,
        until: Time,
        now: Time,
    ) -> Result<Option<(Self, Memory)>, PortError> {
        let seen = store.note(&note_key()).await?;
        let text = seen.value.unwrap_or_default();
        let lead: Lead = serde_json::from_str(&text).unwrap_or_default();
        if lead.until > now.as_millis() && lead.owner != owner {
            return Ok(None);
        }
        let mut leader = Self { owner: owner.to_owned(), until, revision: seen.revision };
        let ours = leader.keep(store, &lead.memory, now).await?;
        Ok(ours.then_some((leader, lead.memory)))
    }

    /// Writes the memory; whether this tick still leads.
    pub async fn keep<S: TableMaintenance>(
        &mut self,
        store: &S,
        memory: &Memory,
        now: Time,
    ) -> Result<bool, PortError> {
        let lead = Lead {
            owner: self.owner.clone(),
            until: self.until.as_millis(),
            memory: memory.clone(),
        };
        let text =
            serde_json::to_string(&lead).map_err(|error| PortError::Broken(error.to_string()))?;
        let swap = store.swap_note(&note_key(), &text, self.revision, now + KEPT_FOR).await?;
        match swap {
            Swapped::Yes => {
                self.revision += 1;
                Ok(true)
            }
            // This tick wrote the note, but the response was lost.
            Swapped::No(current) if current.value.as_deref() == Some(&text) => {
                self.revision = current.revision;
                Ok(true)
            }
            Swapped::No(_) => Ok(false),
        }
    }

    /// Ends the lease and writes the memory; whether this tick still led.
    pub async fn leave<S: TableMaintenance>(
        mut self,
        store: &S,
        memory: &Memory,
        now: Time,
    ) -> Result<bool, PortError> {
        self.until = now;
        self.keep(store, memory, now).await
    }
}
