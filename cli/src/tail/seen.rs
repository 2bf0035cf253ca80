//! What is known of the jobs that are followed, and what has changed since the last look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel::{
    base::time::Time,
    record::{Phase, Record},
};

use crate::{
    ports::{DueItem, Kept},
    shapes::JobChange,
    text::redact,
};

/// Jobs that have left the index and are followed by their records. Of more, the oldest are forgotten.
const MOST_MISSING: usize = 500;

/// What one look has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) reads: usize,
    pub(super) units: f64,
    /// Partitions that have more entries than were read.
    pub(super) full: usize,
}

impl Look {
    pub(super) fn add(&mut self, units: f64) {
        self.reads += 1;
        self.units += units;
    }
}

/// How a job was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    state: String,
    due_at: Time,
    kind: String,
}

impl Known {
    fn of(item: &DueItem) -> Self {
        Self { state: item.state.clone(), due_at: item.due_at, kind: item.kind.clone() }
    }

    /// Whether nothing worth a line has happened between the two. A job that waits for another time was tried again;
    /// of a running one, only its lease was renewed.
    fn is_as(&self, later: &Self) -> bool {
        let waits = matches!(later.state.as_str(), "waiting" | "parked");
        self.state == later.state && (!waits || self.due_at == later.due_at)
    }
}

/// The jobs that are followed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    has_looked: bool,
    known: BTreeMap<String, Known>,
    /// Those that have left the index, in the order in which their records are read.
    missing: VecDeque<String>,
}

impl Seen {
    /// Compares the entries of the index with those before. The first look changes nothing.
    pub(super) fn look(&mut self, items: Vec<DueItem>, now: Time) -> Vec<JobChange> {
        let mut here: BTreeMap<String, DueItem> = BTreeMap::new();
        for item in items {
            // A job that moves between two queries is found twice. The entry that was known before is the old one.
            let is_old = self.known.get(&item.key).is_some_and(|known| *known == Known::of(&item));
            if !is_old || !here.contains_key(&item.key) {
                here.insert(item.key.clone(), item);
            }
        }
        self.miss(&here);
        let mut changes = Vec::new();
        for (key, item) in here {
            let known = Known::of(&item);
            let before = self.known.insert(key, known.clone());
            if before.as_ref().is_none_or(|before| !before.is_as(&known)) && self.has_looked {
                changes.push(of_item(&item, before.map(|before| before.state), now));
            }
        }
        self.has_looked = true;
        changes
    }

    /// Notes which jobs have left the index, and forgets some if they are too many.
    fn miss(&mut self, here: &BTreeMap<String, DueItem>) {
        self.missing.retain(|key| !here.contains_key(key));
        let noted: BTreeSet<&String> = self.missing.iter().collect();
        let left = self.known.keys().filter(|key| !here.contains_key(*key) && !noted.contains(key));
        let left: Vec<String> = left.cloned().collect();
        self.missing.extend(left);
        while self.missing.len() > MOST_MISSING {
            if let Some(key) = self.missing.pop_front() {
                self.known.remove(&key);
            }
        }
    }

    /// The next keys of jobs that have left the index, at most so many. Their records say what has become of them.
    pub(super) fn take_missing(&mut self, most: usize) -> Vec<String> {
        let count = self.missing.len().min(most);
        self.missing.drain(..count).collect()
    }

    /// What the record of such a job says. One that has not ended is read again later.
    pub(super) fn read(&mut self, key: &str, item: Option<&Kept>, now: Time) -> Option<JobChange> {
        let before = self.known.remove(key)?;
        let Some(Kept::Job(record)) = item else {
            // Removed, or a rejected message that is no longer among the latest.
            let is_gone = item.is_none() && before.state != "rejected";
            return is_gone.then(|| JobChange {
                at: now.as_millis(),
                key: redact(key),
                kind: before.kind,
                was: Some(before.state),
                state: "gone".to_owned(),
                ..JobChange::default()
            });
        };
        let state = record.phase.name().to_owned();
        let has_changed = state != before.state;
        let change = has_changed.then(|| of_record(record, Some(before.state.clone()), now));
        if record.phase.ended_at().is_none() {
            self.known.insert(key.to_owned(), Known { state, ..before });
            self.missing.push_back(key.to_owned());
        }
        change
    }
}

fn of_item(item: &DueItem, was: Option<String>, now: Time) -> JobChange {
    JobChange {
        at: now.as_millis(),
        key: redact(&item.key),
        kind: item.kind.clone(),
        was,
        state: item.state.clone(),
        due_at: Some(item.due_at.as_millis()),
        class: item.class.clone(),
        fingerprint: item.fingerprint.clone(),
        group: item.group.clone(),
        why: None,
    }
}

fn of_record(record: &Record, was: Option<String>, now: Time) -> JobChange {
    let why = match &record.phase {
        Phase::Dead { why, .. } | Phase::Cancelled { why, .. } | Phase::Quarantined { why, .. } => {
            Some(redact(why))
        }
        _ => None,
    };
    let has_failed = why.is_some();
    let failure = record.last_failure.as_ref().filter(|_| has_failed);
    JobChange {
        at: now.as_millis(),
        key: redact(&record.key),
        kind: record.kind().to_owned(),
        was,
        state: record.phase.name().to_owned(),
        due_at: None,
        class: failure.map(|failure| failure.class.clone()),
        fingerprint: failure.map(|failure| failure.fingerprint.clone()),
        group: record.work.group.clone(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, state: &str, due_at: u64) -> DueItem {
        let (key, state) = (key.to_owned(), state.to_owned());
        let due_at = Time::from_millis(due_at);
        DueItem { key, state, due_at, kind: "a".into(), ..DueItem::default() }
    }

    /// The changes of a look, each as `key: was > state`.
    fn look(seen: &mut Seen, items: &[DueItem]) -> Vec<String> {
        let changes = seen.look(items.to_vec(), Time::from_millis(9));
        let told = |change: JobChange| {
            let was = change.was.unwrap_or_default();
            format!("{}: {was} > {}", change.key, change.state)
        };
        changes.into_iter().map(told).collect()
    }

    #[test]
    fn only_what_differs_from_the_look_before_is_a_change() {
        let mut seen = Seen::default();
        let first = [item("1", "waiting", 5), item("2", "running", 5)];
        assert_eq!(look(&mut seen, &first), [""; 0], "the first look is what was before");
        assert_eq!(look(&mut seen, &first), [""; 0]);
        let second = [item("1", "waiting", 8), item("2", "running", 8), item("3", "parked", 1)];
        assert_eq!(look(&mut seen, &second), ["1: waiting > waiting", "3:  > parked"]);
        let third = [item("1", "dead", 9), item("2", "running", 8), item("3", "parked", 1)];
        assert_eq!(look(&mut seen, &third), ["1: waiting > dead"]);
    }

    #[test]
    fn a_job_that_is_found_twice_counts_as_what_it_has_become() {
        for order in [[0, 1], [1, 0]] {
            let mut seen = Seen::default();
            let both = [item("1", "waiting", 5), item("1", "parked", 7)];
            look(&mut seen, &both[..1]);
            let twice = order.map(|place| both[place].clone());
            assert_eq!(look(&mut seen, &twice), ["1: waiting > parked"]);
            assert_eq!(look(&mut seen, &both[1..]), [""; 0]);
        }
    }

    #[test]
    fn a_job_that_has_left_the_index_is_read_once_and_forgotten_when_it_is_gone() {
        let mut seen = Seen::default();
        look(&mut seen, &[item("1", "waiting", 5), item("2", "rejected", 5)]);
        assert_eq!(look(&mut seen, &[]), [""; 0], "the record says what has happened");
        assert_eq!(seen.take_missing(1), ["1"]);
        let change = seen.read("1", None, Time::from_millis(9)).unwrap();
        assert_eq!((change.was.as_deref(), change.state.as_str()), (Some("waiting"), "gone"));
        assert_eq!(seen.take_missing(9), ["2"]);
        assert_eq!(seen.read("2", None, Time::from_millis(9)), None);
        assert!(seen.known.is_empty() && seen.missing.is_empty());
    }

    #[test]
    fn what_is_followed_is_bounded() {
        let mut seen = Seen::default();
        let many: Vec<DueItem> = (0..700).map(|n| item(&format!("{n:03}"), "waiting", 1)).collect();
        look(&mut seen, &many);
        look(&mut seen, &[]);
        assert_eq!((seen.known.len(), seen.missing.len()), (MOST_MISSING, MOST_MISSING));
    }
}
