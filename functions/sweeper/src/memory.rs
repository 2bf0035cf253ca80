//! The state that one tick leaves for the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    dependency::stats::Day,
    ports::{PortError, Swapped, maintenance::TableMaintenance, notes::NoteKey},
};
use serde::{Deserialize, Serialize};

use crate::{config::Config, plan::balance::Wish};

/// Longest list of dependencies in the note, as JSON in bytes, so that it stays small.
const LONGEST_LIST: usize = 8 * 1024;

/// How long the note is kept after the last tick.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// The key of the memory's note.
#[must_use]
pub fn note_key() -> NoteKey {
    NoteKey::new("sweeper", "memory")
}

/// The state that one tick leaves for the next.
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
    /// The names at which reading the notes of dependencies continues, of each of their kinds; empty where a tick has
    /// read all.
    pub watched_begin: Vec<String>,
    /// The ramps in progress, by dependency.
    pub draining: BTreeMap<String, Drain>,
    /// Where the walk through each table continues: jobs, control, auxiliary.
    pub cursors: [Option<Vec<String>>; 3],
    /// The step that `balance` wanted in the last tick.
    pub wish: Option<Wish>,
    /// The last minute whose counts were told, in milliseconds since the epoch, by type.
    pub told: BTreeMap<String, u64>,
    /// The last minute whose counts are kept for reports, in milliseconds since the epoch, by type; only where later
    /// ones were told, because the table has refused them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, u64>,
    /// The labels of successes that are told, by job type: the first ones that were seen.
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// The last minute whose calls to dependencies were told, in milliseconds since the epoch; 0 if none was.
    pub calls_told: u64,
    /// When a dead letter was sent back although its type did no other work, in milliseconds since the epoch, by
    /// type.
    pub redriven_at: BTreeMap<String, u64>,
    /// The open act of an operator that had its turn last. The next tick begins after it, by name.
    pub operated_last: String,
    /// The round in progress that counts parked jobs of dependencies.
    pub census: Census,
    /// The last complete round.
    pub counted: Census,
    /// Records by state that the walk in progress has counted.
    pub walked: BTreeMap<String, u64>,
    /// Records by state that the last complete walk counted.
    pub states: BTreeMap<String, u64>,
    /// When that walk ended, in milliseconds since the epoch.
    pub walked_at: u64,
    /// Jobs that were quarantined during the last complete walk, and since then: it may have missed them.
    pub quarantined: [u64; 2],
    /// When the last observation was made, in milliseconds since the epoch.
    pub observed_at: u64,
    /// Since when balance has been off, in milliseconds since the epoch; 0 while it is on.
    pub balance_off_since: u64,
    /// The beginning of the first hour that is not rolled up yet, in milliseconds since the epoch, by subject.
    pub rolled: BTreeMap<String, u64>,
    /// How often breakers have opened yesterday and today, by `DATE#DEPENDENCY`.
    pub opened: BTreeMap<String, Day>,
    /// Calls to hosts in trouble, by host, on the day `hosts_on`.
    pub hosts: BTreeMap<String, Day>,
    /// The day of `hosts`, such as `2026-11-29`.
    pub hosts_on: String,
    /// The hosts of a day that is over, until they are written.
    pub hosts_before: BTreeMap<String, Day>,
    /// The day of `hosts_before`.
    pub hosts_before_on: String,
    /// New error patterns of a job type, on the day `patterns_on`.
    pub patterns: BTreeMap<String, usize>,
    /// The day of `patterns`.
    pub patterns_on: String,
}

/// The ramp of a dependency: the rate of released jobs grows from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// The breaker's generation when the ramp began. Another generation begins another ramp.
    pub generation: u64,
    /// When the first job was released, in milliseconds since the epoch.
    pub since: u64,
}

/// A round that counts the parked jobs of the dependencies that are not observed one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Census {
    /// The dependency that was counted last; the next tick goes on after it, by name.
    pub after: String,
    /// Parked jobs, up to a cap for each dependency.
    pub parked: u64,
    /// Since when the longest of them has been parked, in milliseconds since the epoch; 0 if there is none.
    pub longest_since: u64,
    /// When the round ended, in milliseconds since the epoch; 0 if it has not.
    pub ended_at: u64,
}

impl Memory {
    /// The first time from which the counts of job types are to be read: what was not told or not kept yet. `None` if
    /// nothing is known of these types.
    #[must_use]
    pub fn counts_from(&self, config: &Config) -> Option<Time> {
        let minutes = self.told.iter().chain(&self.kept);
        let known = minutes.filter(|(kind, _)| config.job_type(kind).is_some());
        known.map(|(_, minute)| *minute).min().map(Time::from_millis)
    }

    /// Leaves minutes before this one out.
    pub fn skip_counts_before(&mut self, oldest: Time) {
        let oldest = oldest.as_millis();
        self.told.values_mut().chain(self.kept.values_mut()).for_each(|minute| {
            *minute = (*minute).max(oldest);
        });
    }

    /// Removes what no longer matters, and what is too much: of the dependencies beyond the limit, those whose turn
    /// was longest ago. Their ramps begin again.
    pub fn forget(&mut self, now: Time) {
        let day_ago = now.before(Duration::from_hours(24)).as_millis();
        self.draining.retain(|_, drain| drain.since > day_ago);
        self.released_until.retain(|_, until| *until > now.as_millis());
        cut(&mut self.draining, |drain| drain.since);
        cut(&mut self.released_until, |until| *until);
    }
}

/// Removes the entries with the lowest `order` until the list is no longer than [`LONGEST_LIST`].
fn cut<T: Serialize>(list: &mut BTreeMap<String, T>, order: impl Fn(&T) -> u64) {
    let length = |name: &String, value: &T| {
        name.len() + serde_json::to_string(value).map_or(0, |text| text.len())
    };
    let mut total: usize = list.iter().map(|(name, value)| length(name, value)).sum();
    while total > LONGEST_LIST
        && let Some((name, value)) = list.iter().min_by_key(|(_, value)| order(value))
    {
        total -= length(name, value);
        let name = name.clone();
        list.remove(&name);
    }
}

/// The note in the table.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    /// Owner token of the call that wrote it last.
    owner: String,
    #[serde(flatten)]
    memory: Memory,
}

impl Note {
    fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// The memory's note, as this call knows it.
#[derive(Debug)]
pub struct Saved {
    owner: String,
    revision: u64,
}

impl Saved {
    /// Reads the memory of the previous tick, for the call with this owner token. A note that cannot be parsed counts
    /// as absent, since nothing in it is needed for correctness.
    pub async fn read<S: TableMaintenance>(
        store: &S,
        owner: &str,
    ) -> Result<(Self, Memory), PortError> {
        let seen = store.note(&note_key()).await?;
        let Note { memory, .. } = Note::read(seen.value.as_deref());
        Ok((Self { owner: owner.to_owned(), revision: seen.revision }, memory))
    }

    /// Writes the memory; whether no other call has written it since.
    pub async fn write<S: TableMaintenance>(
        &mut self,
        store: &S,
        memory: &Memory,
        now: Time,
    ) -> Result<bool, PortError> {
        let mut memory = memory.clone();
        memory.forget(now);
        let note = Note { owner: self.owner.clone(), memory };
        let text =
            serde_json::to_string(&note).map_err(|error| PortError::Broken(error.to_string()))?;
        let mut has_failed = false;
        loop {
            let swap = store.swap_note(&note_key(), &text, self.revision, now + KEPT_FOR).await;
            let swap = match swap {
                // Perhaps only its answer was lost.
                Err(PortError::Unavailable(_)) if !has_failed => {
                    has_failed = true;
                    continue;
                }
                swap => swap?,
            };
            match swap {
                Swapped::Yes => {
                    self.revision += 1;
                    return Ok(true);
                }
                // An earlier write of this call, whose answer was lost.
                Swapped::No(current)
                    if Note::read(current.value.as_deref()).owner == self.owner =>
                {
                    self.revision = current.revision;
                }
                Swapped::No(_) => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_a_thousand_dependencies_are_cut_to_those_with_the_latest_turns() {
        let now = Time::from_millis(1_800_000_000_000);
        let name = |n: u64| format!("page/www.dealer-{n:04}.example");
        let at = |n: u64| now.as_millis() + n;
        let mut memory = Memory {
            released_until: (0..1_000).map(|n| (name(n), at(n + 1))).collect(),
            draining: (0..1_000)
                .map(|n| (name(n), Drain { generation: 1, since: at(n) }))
                .collect(),
            ..Memory::default()
        };
        memory.forget(now);
        let length = |text: Result<String, _>| text.map_or(0, |text: String| text.len());
        let lists = [
            (length(serde_json::to_string(&memory.released_until)), memory.released_until.len()),
            (length(serde_json::to_string(&memory.draining)), memory.draining.len()),
        ];
        for (bytes, count) in lists {
            // Quotes, colons and commas come on top.
            assert!(bytes <= LONGEST_LIST + 4 * count + 2, "{bytes} bytes of {count}");
            assert!((80..1_000).contains(&count), "{count}");
        }
        assert!(
            memory.draining.contains_key(&name(999)) && !memory.draining.contains_key(&name(0))
        );
        let released = memory.released_until;
        assert!(released.contains_key(&name(999)) && !released.contains_key(&name(0)));
    }
}
