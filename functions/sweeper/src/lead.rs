//! One leader: a lease in the control table, in the same note as what ticks remember.
//!
//! The lease keeps two sweepers from doing the same work; that nothing is done twice does not rest on
//! it, but on the records' fences.

use std::time::Duration;

use evenkeel::{
    oversight::Oversight,
    ports::{Place, PortError, Swapped},
    time::Time,
};
use serde::{Deserialize, Serialize};

use crate::memory::Memory;

/// How long the note is kept when nobody sweeps any more.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// The note as it stands in the table.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lead {
    owner: String,
    until: u64,
    #[serde(default)]
    memory: Memory,
}

/// Where the leader's note stands.
#[must_use]
pub fn place() -> Place {
    Place::new("sweeper", "leader")
}

/// The lease of this tick.
#[derive(Debug)]
pub struct Leader {
    owner: String,
    until: Time,
    revision: u64,
}

impl Leader {
    /// Takes the lead until then, with what the last tick remembered; `None` if another sweeper has it.
    ///
    /// A note that cannot be read is as good as none: it is only memory.
    pub async fn take<S: Oversight>(
        store: &S,
        owner: &str,
        until: Time,
        now: Time,
    ) -> Result<Option<(Self, Memory)>, PortError> {
        let seen = store.note(&place()).await?;
        let text = seen.value.unwrap_or_default();
        let lead: Lead = serde_json::from_str(&text).unwrap_or_default();
        if lead.until > now.as_millis() && lead.owner != owner {
            return Ok(None);
        }
        let mut leader = Self { owner: owner.to_owned(), until, revision: seen.revision };
        let ours = leader.keep(store, &lead.memory, now).await?;
        Ok(ours.then_some((leader, lead.memory)))
    }

    /// Writes down what is to be remembered; whether we still lead.
    pub async fn keep<S: Oversight>(
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
        let swap = store.swap_note(&place(), &text, self.revision, now + KEPT_FOR).await?;
        match swap {
            Swapped::Yes => {
                self.revision += 1;
                Ok(true)
            }
            // Our own write, whose answer was lost.
            Swapped::No(current) if current.value.as_deref() == Some(&text) => {
                self.revision = current.revision;
                Ok(true)
            }
            Swapped::No(_) => Ok(false),
        }
    }

    /// Gives the lead back with what is to be remembered.
    pub async fn leave<S: Oversight>(
        mut self,
        store: &S,
        memory: &Memory,
        now: Time,
    ) -> Result<bool, PortError> {
        self.until = now;
        self.keep(store, memory, now).await
    }
}
