//! What one tick leaves for the next.

use std::collections::BTreeMap;

use evenkeel::time::Time;
use serde::{Deserialize, Serialize};

use crate::plan::balance::Wish;

/// What one tick leaves for the next, beside the lease in the leader's note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Ticks in a row in which too many running jobs looked stuck.
    pub stuck_ticks: u32,
    /// Until when parked jobs have been let go, in milliseconds, by dependency: the next ones come
    /// after these.
    pub released_until: BTreeMap<String, u64>,
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

impl Memory {
    /// Forgets what is over.
    pub fn forget(&mut self, now: Time) {
        self.released_until.retain(|_, until| *until > now.as_millis());
    }
}
