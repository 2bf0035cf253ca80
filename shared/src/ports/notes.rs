//! Notes in the control table: findings of the audit, and the dependencies that the sweeper
//! watches.

mod limits;

use std::time::Duration;

pub use limits::{Limits, ReleaseRate};
use serde::{Deserialize, Serialize};

use crate::base::{hash::shard, time::Time};

/// The key of a note in the control table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoteKey {
    /// The kind of note. Notes of one kind share a partition, sorted by name.
    pub kind: &'static str,
    /// The note's name, unique within its kind.
    pub name: String,
}

impl NoteKey {
    /// The key of the note with this kind and name.
    #[must_use]
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// The key of the note about a dependency to watch.
    #[must_use]
    pub fn watched(dependency: &str) -> Self {
        let place = usize::try_from(shard(dependency, WATCHED_SHARDS)).unwrap_or_default();
        Self::new(WATCHED.get(place).copied().unwrap_or(WATCHED[0]), dependency)
    }
}

/// The kind of notes that hold findings of the audit. The name of such a note is the key of the
/// record.
pub const FINDING: &str = "finding";

/// How long a finding is kept.
pub const FINDING_RETENTION: Duration = Duration::from_hours(30 * 24);

/// A finding of the audit, stored as JSON in a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A short, stable code, such as `no_due_entry`.
    pub what: String,
    /// A description for operators.
    pub detail: String,
    /// When it was found, in milliseconds since the epoch.
    pub at: u64,
    /// Whether the record was repaired.
    pub repaired: bool,
}

impl Finding {
    /// The key of the note for a finding about the record with this key.
    #[must_use]
    pub fn note_key(key: &str) -> NoteKey {
        NoteKey::new(FINDING, key)
    }
}

/// The kind of notes that say what became of dead letters, by [`DeadLetter::note_key`].
pub const DEAD_LETTER: &str = "dead_letter";

/// The kind of notes that number the entries about dead letters. The name is the job type.
pub const DEAD_LETTER_NUMBER: &str = "dead_letter_number";

/// Entries about dead letters that are kept of a job type: the latest ones.
pub const DEAD_LETTERS_KEPT: u64 = 1_000;

/// How long an entry about a dead letter is kept.
pub const DEAD_LETTER_RETENTION: Duration = Duration::from_hours(30 * 24);

/// What became of a message from a dead-letter queue, stored as JSON in a note: at most some 1.5 KB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When the sweeper received it, in milliseconds since the epoch.
    pub at: u64,
    /// The job type of the queue.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id that SQS gave it.
    pub message_id: String,
    /// The key of its job; `None` if the body could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// ARN of the queue that it came from.
    pub queue: String,
    /// When it was sent, in milliseconds since the epoch.
    pub sent_at: u64,
    /// How often it was received, as SQS counts.
    pub receives: u32,
    /// What became of it: a count of the sweeper's pass `redrive`, such as `sent_back` or `held`.
    pub outcome: String,
    /// Why, as a sentence.
    pub reason: String,
    /// The key under which it is kept, if it is `held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

impl DeadLetter {
    /// The key of the entry with this number, counted from 0. It replaces the entry that is [`DEAD_LETTERS_KEPT`]
    /// numbers older, so that a flood of dead letters costs one write each and removes nothing else.
    #[must_use]
    pub fn note_key(kind: &str, number: u64) -> NoteKey {
        NoteKey::new(DEAD_LETTER, format!("{kind}#{:03}", number % DEAD_LETTERS_KEPT))
    }
}

/// The kind of notes that say that most runs of a job type crash. The name is the type.
pub const CRASH_STORM: &str = "crash_storm";

/// How long crashes are not counted, at most: then the jobs themselves are the likelier reason.
pub const LONGEST_CRASH_STORM: Duration = Duration::from_hours(1);

/// Most runs of a job type crash: the reason is likelier outside the jobs, such as a table that takes no writes,
/// than in each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashStorm {
    /// When it began, in milliseconds since the epoch.
    pub since: u64,
    /// When it is over unless the sweeper finds that it goes on, in milliseconds since the epoch.
    pub until: u64,
}

impl CrashStorm {
    /// Whether a crash now is not counted against its job.
    #[must_use]
    pub fn excuses(&self, now: Time) -> bool {
        let began = Time::from_millis(self.since);
        Time::from_millis(self.until) > now && began + LONGEST_CRASH_STORM > now
    }
}

const WATCHED_SHARDS: u32 = 16;

/// The kinds of notes that name the dependencies to watch, a partition each: in an outage, each container of a fleet
/// notes each of thousands of hosts. [`NoteKey::watched`] chooses one.
pub const WATCHED: [&str; WATCHED_SHARDS as usize] = [
    "watched#0",
    "watched#1",
    "watched#2",
    "watched#3",
    "watched#4",
    "watched#5",
    "watched#6",
    "watched#7",
    "watched#8",
    "watched#9",
    "watched#10",
    "watched#11",
    "watched#12",
    "watched#13",
    "watched#14",
    "watched#15",
];

/// How often a container renews the note while it parks jobs or its calls fail.
pub const NOTED_FOR: Duration = Duration::from_mins(10);

/// How long a note about a dependency is kept. A job is parked for at most a day before the sweeper
/// handles it, and the sweeper renews the note while the dependency has parked jobs.
pub const WATCHED_RETENTION: Duration = Duration::from_hours(7 * 24);

/// The kind of notes that are entries of the operations log. The name is the id.
pub const OPS: &str = "ops";

/// The kind of notes that name the entries whose acts are open.
pub const OPEN_OPS: &str = "ops_open";

/// The kinds of notes that say which breakers have opened lately, by [`Opened::note_key`]. There are several: when a
/// network fails, the breakers of thousands of hosts open within seconds, and one partition takes 1,000 writes a second.
pub const OPENED: [&str; 4] = ["opened#0", "opened#1", "opened#2", "opened#3"];

/// How long such a note is kept: until then the sweeper has reported the breaker many times.
pub const OPENED_RETENTION: Duration = Duration::from_hours(1);

/// Times are subtracted from this, so that the latest note has the first name: 15 digits of milliseconds.
const END_OF_TIME_MS: u64 = 999_999_999_999_999;

/// A breaker has opened, stored as JSON in a note: who watches breakers by the second reads the first few of these
/// notes instead of all breakers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The dependency that it guards.
    pub dependency: String,
    /// When it has opened, in milliseconds since the epoch.
    pub at: u64,
}

impl Opened {
    /// The key of the note. Notes of a kind are sorted by name, so the latest comes first.
    #[must_use]
    pub fn note_key(&self) -> NoteKey {
        let before_end = END_OF_TIME_MS.saturating_sub(self.at);
        let shards = u32::try_from(OPENED.len()).unwrap_or(1);
        let place = usize::try_from(shard(&self.dependency, shards)).unwrap_or_default();
        let kind = OPENED.get(place).copied().unwrap_or(OPENED[0]);
        NoteKey::new(kind, format!("{before_end:015}#{}", self.dependency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions and sweepers of two versions must find each other's notes.
    #[test]
    fn the_kind_of_a_dependencys_note_stays() {
        let kind = |name: &str| NoteKey::watched(name).kind;
        let kinds = ["rebrandly", "page/www.example.com", "feed/mesa-motors"].map(kind);
        assert_eq!(kinds, ["watched#8", "watched#12", "watched#7"]);
        // Sweeper and command may be of different versions.
        assert_eq!(
            [OPS, OPEN_OPS, OPENED[0], OPENED[3]],
            ["ops", "ops_open", "opened#0", "opened#3"]
        );
    }

    #[test]
    fn the_breaker_that_opened_last_is_noted_first() {
        let name =
            |dependency: &str, at| Opened { dependency: dependency.to_owned(), at }.note_key().name;
        assert!(name("page/z.example", 1_800_000_000_000) < name("page/a.example", 999_999_999));
        assert_ne!(name("page/a.example", 5), name("page/b.example", 5));
    }

    #[test]
    fn a_storm_excuses_crashes_while_it_is_told_and_for_an_hour_at_most() {
        let began = Time::from_millis(1_800_000_000_000);
        let after = |minutes| began + Duration::from_mins(minutes);
        // The sweeper finds each minute that it goes on.
        let storm = |until| CrashStorm { since: began.as_millis(), until };
        let excuses = |now| storm(after(now + 6).as_millis()).excuses(after(now));
        assert_eq!([0, 59, 60, 61].map(excuses), [true, true, false, false]);
        let passing = storm(after(6).as_millis());
        assert_eq!([5, 6, 7].map(|now| passing.excuses(after(now))), [true, false, false]);
    }

    #[test]
    fn a_thousand_dead_letters_of_a_type_are_kept() {
        let name = |number| DeadLetter::note_key("errand", number).name;
        assert_eq!([name(0), name(999)], ["errand#000", "errand#999"]);
        assert_eq!(name(1_007), name(7), "it replaces the oldest");
    }
}
