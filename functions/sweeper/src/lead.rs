//! Leader election: a lease in the control table, as an item of its own.
//!
//! The lease saves the work of a second sweeper. Correctness does not depend on it: the fencing
//! tokens of the records keep two sweepers from doing anything twice.
//!
//! A leader may stay awake until the schedule calls the next one. That one finds the lease, asks for it in
//! the item, and gets it when the leader looks there next.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    ports::{PortError, Swapped, maintenance::TableMaintenance, notes::NoteKey},
};
use serde::{Deserialize, Serialize};

/// How long the note is kept after the last tick.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// How long the lease lasts from its last renewal: after this time, the next call replaces a leader that died.
pub const LEASE: Duration = Duration::from_secs(15);

/// Time between two renewals.
pub const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// How long a call waits for the lease. It is longer than [`LEASE`], so that a leader that died is replaced.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Time between two looks of a call that waits.
const WAIT: Duration = Duration::from_secs(1);

/// The note in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Owner token of the leading call.
    owner: String,
    /// End of its lease, in milliseconds since the epoch.
    until: u64,
    /// Owner token of the call that asks for the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted_by: Option<String>,
    /// Until when that call waits, in milliseconds since the epoch.
    #[serde(default)]
    wanted_until: u64,
}

/// The key of the leader's note.
#[must_use]
pub fn note_key() -> NoteKey {
    NoteKey::new("sweeper", "leader")
}

/// The lease that this call holds.
#[derive(Debug)]
pub struct Leader {
    owner: String,
    /// The note as this call knows it. It names another owner once the lease is lost.
    lead: Lead,
    revision: u64,
}

impl Leader {
    /// Takes the lease as soon as it is free; `None` if it is not within [`LONGEST_WAIT`], or if another call
    /// waits for it already.
    ///
    /// A note that cannot be parsed counts as absent, since nothing in it is needed for
    /// correctness.
    pub async fn take<S: TableMaintenance>(
        store: &S,
        owner: &str,
        clock: &impl Clock,
    ) -> Result<Option<Self>, PortError> {
        let give_up_at = clock.now() + LONGEST_WAIT;
        loop {
            let now = clock.now();
            let seen = store.note(&note_key()).await?;
            let text = seen.value.unwrap_or_default();
            let lead: Lead = serde_json::from_str(&text).unwrap_or_default();
            let mut leader = Self { owner: owner.to_owned(), lead, revision: seen.revision };
            if leader.lead.owner == owner || leader.lead.until <= now.as_millis() {
                leader.lead = Lead {
                    owner: owner.to_owned(),
                    until: (now + LEASE).as_millis(),
                    ..Lead::default()
                };
                if leader.write(store, now).await? {
                    return Ok(Some(leader));
                }
                continue;
            }
            let waits = leader.lead.wanted_until > now.as_millis();
            match leader.lead.wanted_by.as_deref() {
                Some(by) if by == owner => {}
                Some(_) if waits => return Ok(None),
                _ => {
                    leader.lead.wanted_by = Some(owner.to_owned());
                    leader.lead.wanted_until = give_up_at.as_millis();
                    leader.write(store, now).await?;
                }
            }
            if now >= give_up_at {
                return Ok(None);
            }
            tokio::time::sleep(WAIT).await;
        }
    }

    /// Renews the lease; whether this call still leads.
    pub async fn renew<S: TableMaintenance>(
        &mut self,
        store: &S,
        now: Time,
    ) -> Result<bool, PortError> {
        self.keep(store, now + LEASE, now).await
    }

    /// Renews the lease every [`RENEWED_EVERY`]. Returns when the lease is lost.
    pub async fn stay<S: TableMaintenance>(&mut self, store: &S, clock: &impl Clock) {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            // An error passes, or the lease expires: then the memory's note cannot be written either.
            if matches!(self.renew(store, clock.now()).await, Ok(false)) {
                return;
            }
        }
    }

    /// Whether another call waits for the lease, as far as the last renewal has seen.
    #[must_use]
    pub fn is_wanted(&self, now: Time) -> bool {
        self.lead.wanted_by.is_some() && self.lead.wanted_until > now.as_millis()
    }

    /// Whether this call still leads, as far as the last renewal has seen.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.lead.owner == self.owner
    }

    /// Ends the lease, or passes it on to the call that waits for it. A lease that was lost is another's.
    pub async fn leave<S: TableMaintenance>(
        mut self,
        store: &S,
        now: Time,
    ) -> Result<(), PortError> {
        self.keep(store, now, now).await.map(drop)
    }

    /// Writes the lease with this end, together with what another call has asked for meanwhile; whether
    /// this call still leads.
    async fn keep<S: TableMaintenance>(
        &mut self,
        store: &S,
        until: Time,
        now: Time,
    ) -> Result<bool, PortError> {
        while self.leads() {
            self.lead.until = until.as_millis();
            if self.write(store, now).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes the note; whether it was as this call knows it. If not, reads it from the answer.
    async fn write<S: TableMaintenance>(
        &mut self,
        store: &S,
        now: Time,
    ) -> Result<bool, PortError> {
        let text = serde_json::to_string(&self.lead)
            .map_err(|error| PortError::Broken(error.to_string()))?;
        let swap = store.swap_note(&note_key(), &text, self.revision, now + KEPT_FOR).await?;
        match swap {
            Swapped::Yes => {
                self.revision += 1;
                Ok(true)
            }
            // This call wrote the note, but the response was lost.
            Swapped::No(current) if current.value.as_deref() == Some(&text) => {
                self.revision = current.revision;
                Ok(true)
            }
            Swapped::No(current) => {
                self.revision = current.revision;
                let text = current.value.unwrap_or_default();
                self.lead = serde_json::from_str(&text).unwrap_or_default();
                Ok(false)
            }
        }
    }
}
