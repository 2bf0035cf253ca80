//! What is known of the jobs that are followed, and what has changed since the last look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evenkeel::{
    base::time::Time,
    record::{Phase, Record},
};

use crate::{
    exit::Failure,
    ports::{DueItem, DuePage, Kept},
    shapes::JobChange,
    text::redact,
};

/// Jobs that have left the index and are followed by their records. Of more, the oldest are forgotten.
const MOST_MISSING: usize = 500;

/// What one look has read.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) reads: usize,
    pub(super) units: f64,
    /// Partitions that have more entries than were read.
    pub(super) full: usize,
    /// Why not all of it was read.
    pub(super) failed: Option<Failure>,
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
    /// When the first look was; `None` before it.
    began: Option<Time>,
    /// Of each partition that had more entries than the look before has read: the due time of the last one it read.
    ends: BTreeMap<String, Time>,
    known: BTreeMap<String, Known>,
    /// Those that have left the index, in the order in which their records are read.
    missing: VecDeque<String>,
}

impl Seen {
    /// Compares the entries of the index, a page of each partition, with those before. The first look changes nothing.
    pub(super) fn look(&mut self, pages: Vec<DuePage>, now: Time) -> Vec<JobChange> {
        let ends = pages.iter().filter(|page| page.more).filter_map(|page| page.items.last());
        let ends = ends.map(|last| (last.partition.clone(), last.due_at)).collect();
        let mut here: BTreeMap<String, DueItem> = BTreeMap::new();
        for item in pages.into_iter().flat_map(|page| page.items) {
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
            let has_changed = match &before {
                Some(before) => !before.is_as(&known),
                None => self.is_news(&item),
            };
            if has_changed {
                changes.push(of_item(&item, before.map(|before| before.state), now));
            }
        }
        self.began.get_or_insert(now);
        self.ends = ends;
        changes
    }

    /// Whether an entry that was unknown has come since the look before. Behind the last entry that was read of a full
    /// partition it may have stood all along, and appears only because others have left: then it is news only if it is
    /// younger than the first look.
    fn is_news(&self, item: &DueItem) -> bool {
        let Some(began) = self.began else { return false };
        let may_be_old = self.ends.get(&item.partition).is_some_and(|end| item.due_at >= *end);
        // The entry of an ended job is due at its end.
        let is_ended = item.partition.starts_with("dead#");
        let since = if is_ended { Some(item.due_at) } else { item.created_at };
        !may_be_old || since.is_some_and(|since| since > began)
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
        look_at(seen, &[DuePage { items: items.to_vec(), more: false }])
    }

    /// The same of pages, of which some may be full.
    fn look_at(seen: &mut Seen, pages: &[DuePage]) -> Vec<String> {
        let changes = seen.look(pages.to_vec(), Time::from_millis(9));
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

    /// A page of a partition with more entries than it has.
    fn full(items: &[DueItem]) -> DuePage {
        DuePage { items: items.to_vec(), more: true }
    }

    /// The same entry in this partition.
    fn of(partition: &str, item: DueItem) -> DueItem {
        DueItem { partition: partition.to_owned(), ..item }
    }

    #[test]
    fn an_entry_that_appears_because_others_have_left_a_full_window_is_no_change() {
        let waiting = |key: &str, due_at| of("waiting#q#0", item(key, "waiting", due_at));
        let mut seen = Seen::default();
        look_at(&mut seen, &[full(&[waiting("1", 1), waiting("2", 2)])]);
        // "1" has left. "3" was behind the window, also with the time of its last entry; "0" is new in front of it.
        let moved = [waiting("0", 1), waiting("2", 2), waiting("3", 2)];
        assert_eq!(look_at(&mut seen, &[full(&moved)]), ["0:  > waiting"]);
        // The window now ends behind all, and what stood behind it appears at once.
        let rest = [waiting("2", 2), waiting("3", 2), waiting("4", 5), waiting("5", 7)];
        assert_eq!(look(&mut seen, &rest), [""; 0]);
        // That window was not full: what appears now has come.
        let come = [&rest[..], &[waiting("6", 9)]].concat();
        assert_eq!(look(&mut seen, &come), ["6:  > waiting"]);
    }

    #[test]
    fn a_window_hides_only_entries_of_its_own_partition_and_no_change_of_a_known_job() {
        let mut seen = Seen::default();
        let before = [
            full(&[of("waiting#q#0", item("1", "waiting", 1))]),
            full(&[of("running#q#0", item("2", "running", 1))]),
        ];
        look_at(&mut seen, &before);
        let after = [
            full(&[of("waiting#q#0", item("2", "waiting", 8))]),
            DuePage { items: vec![of("parked#d#0", item("3", "parked", 8))], more: false },
        ];
        assert_eq!(look_at(&mut seen, &after), ["2: running > waiting", "3:  > parked"]);
    }

    #[test]
    fn what_is_younger_than_the_first_look_is_a_change_whenever_it_comes_into_the_window() {
        let mut seen = Seen::default();
        let dead = |key: &str, due_at| of("dead#a#0", item(key, "dead", due_at));
        let queued = |key: &str, created_at| {
            let created_at = Some(Time::from_millis(created_at));
            of("queued#q#0", DueItem { created_at, ..item(key, "queued", 50) })
        };
        // The first look is at 9.
        look_at(&mut seen, &[full(&[dead("1", 3)]), full(&[queued("2", 1)])]);
        let after =
            [full(&[dead("3", 8), dead("4", 10)]), full(&[queued("5", 8), queued("6", 10)])];
        assert_eq!(look_at(&mut seen, &after), ["4:  > dead", "6:  > queued"]);
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
