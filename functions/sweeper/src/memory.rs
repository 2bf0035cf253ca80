//! What one tick leaves for the next.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::time::Time;
use serde::{Deserialize, Serialize};

use crate::plan::balance::Wish;

/// Dependencies whose ramps are remembered: the leader's note is an item of 400 KB at most.
const MOST_DRAINS: usize = 2_000;

/// What one tick leaves for the next, beside the lease in the leader's note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Ticks in a row in which too many running jobs looked stuck.
    pub stuck_ticks: u32,
    /// Until when parked jobs have been let go, in milliseconds, by dependency: the next ones come
    /// after these.
    pub released_until: BTreeMap<String, u64>,
    /// The dependency that had its turn last.
    pub released_last: String,
    /// Where the notes of dependencies are read from, if there are too many for a tick.
    pub watched_from: String,
    /// Since when the jobs of a dependency are let go under its breaker's present generation.
    pub draining: BTreeMap<String, Drain>,
    /// Where the walk through each table goes on: jobs, control, vehicles.
    pub cursors: [Option<Vec<String>>; 3],
    /// What the balance wished at the last tick.
    pub wish: Option<Wish>,
    /// Records by state, as far as the present walk has come.
    pub walked: BTreeMap<String, u64>,
    /// Records by state at the end of the last whole walk, and when that was, in milliseconds.
    pub states: BTreeMap<String, u64>,
    /// When the last whole walk ended, in milliseconds.
    pub walked_at: u64,
}

/// Jobs that are let go because a breaker has closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The breaker's generation.
    pub generation: u64,
    /// When the first of them went, in milliseconds.
    pub since: u64,
}

impl Memory {
    /// Forgets what is over.
    pub fn forget(&mut self, now: Time) {
        let day_ago = now.before(Duration::from_hours(24)).as_millis();
        self.draining.retain(|_, drain| drain.since > day_ago);
        // The note has a place for so many; of the others the ramp begins anew.
        while self.draining.len() > MOST_DRAINS {
            self.draining.pop_first();
        }
        self.released_until.retain(|_, until| *until > now.as_millis());
    }
}
