//! The state that one tick leaves for the next.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::base::time::Time;
use serde::{Deserialize, Serialize};

use crate::plan::balance::Wish;

/// Dependencies whose ramps are remembered, so that the leader's note stays below the 400 KB of a
/// DynamoDB item.
const MOST_DRAINS: usize = 2_000;

/// The state that one tick leaves for the next. It is part of the leader's note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Consecutive ticks in which implausibly many running jobs looked stuck.
    pub stuck_ticks: u32,
    /// Until when slots of parked jobs are taken, in milliseconds since the epoch, by dependency.
    /// The next tick releases jobs after that.
    pub released_until: BTreeMap<String, u64>,
    /// The dependency that had its turn of `release` last. The next tick begins after it, by name.
    pub released_last: String,
    /// The name at which reading the notes of dependencies continues, if there are too many for a
    /// tick.
    pub watched_from: String,
    /// The ramps in progress, by dependency.
    pub draining: BTreeMap<String, Drain>,
    /// Where the walk through each table continues: jobs, control, auxiliary.
    pub cursors: [Option<Vec<String>>; 3],
    /// The step that `balance` wanted in the last tick.
    pub wish: Option<Wish>,
    /// Records by state that the walk in progress has counted.
    pub walked: BTreeMap<String, u64>,
    /// Records by state that the last complete walk counted.
    pub states: BTreeMap<String, u64>,
    /// When that walk ended, in milliseconds since the epoch.
    pub walked_at: u64,
}

/// The ramp of a dependency: the rate of released jobs grows from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The breaker's generation when the ramp began. Another generation begins another ramp.
    pub generation: u64,
    /// When the first job was released, in milliseconds since the epoch.
    pub since: u64,
}

impl Memory {
    /// Removes what no longer matters.
    pub fn forget(&mut self, now: Time) {
        let day_ago = now.before(Duration::from_hours(24)).as_millis();
        self.draining.retain(|_, drain| drain.since > day_ago);
        // The ramps beyond the limit of the note begin again.
        while self.draining.len() > MOST_DRAINS {
            self.draining.pop_first();
        }
        self.released_until.retain(|_, until| *until > now.as_millis());
    }
}
