//! Lists jobs from the index `due`: many partitions, read side by side and merged in the order of their times. No
//! table is counted or scanned.

use evenkeel::{
    base::time::Time,
    record::due::{Parked, due_partitions},
};
use futures_util::{StreamExt, stream};

use crate::{
    args::ListedState,
    cursor,
    deployment::JobType,
    exit::Failure,
    ports::{DueItem, Ports},
};

/// Partitions that are read at the same time. A type has 80 partitions, most of them empty.
const AT_ONCE: usize = 32;

/// Entries of one query, at most DynamoDB's megabyte.
const MOST_A_QUERY: usize = 1_000;

/// Queries of one partition for one list. A filter that matches nothing must not read a table to its end.
const MOST_ROUNDS: usize = 5;

/// A time that is later than any that occurs.
pub(crate) const EVER: Time = Time::from_millis(u64::MAX >> 16);

/// A place in a list: the time and the key of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    due_at: u64,
    key: String,
}

impl Position {
    fn of(item: &DueItem) -> Self {
        Self { due_at: item.due_at.as_millis(), key: item.key.clone() }
    }

    /// The cursor that is printed.
    pub(crate) fn cursor(&self) -> String {
        cursor::of(&format!("{}#{}", self.due_at, self.key))
    }

    /// Reads a cursor. The error says what was expected.
    pub(crate) fn read(cursor: &str) -> Result<Self, Failure> {
        let place = cursor::place(cursor)?;
        let (due_at, key) = place.split_once('#').ok_or_else(cursor::unknown)?;
        let due_at = due_at.parse().map_err(|_| cursor::unknown())?;
        Ok(Self { due_at, key: key.to_owned() })
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Exactly these partitions, shards included.
    pub(crate) partitions: Vec<String>,
    /// Only entries from this time on.
    pub(crate) from: Time,
    /// Only entries up to this time.
    pub(crate) until: Time,
    /// Only entries behind this place.
    pub(crate) behind: Option<Position>,
    /// Most entries of the list.
    pub(crate) most: usize,
    /// Only these states, if there are some.
    pub(crate) states: Vec<&'static str>,
    pub(crate) kind: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) group: Option<String>,
}

impl Wanted {
    fn keeps(&self, item: &DueItem) -> bool {
        let same = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
        };
        (self.states.is_empty() || self.states.contains(&item.state.as_str()))
            && same(&self.kind, Some(&item.kind))
            && same(&self.class, item.class.as_ref())
            && same(&self.fingerprint, item.fingerprint.as_ref())
            && same(&self.group, item.group.as_ref())
            && self.behind.as_ref().is_none_or(|place| Position::of(item) > *place)
    }
}

/// Entries in the order of their times and keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    pub(crate) items: Vec<DueItem>,
    /// Where to go on, if there is more.
    pub(crate) next: Option<Position>,
    pub(crate) units: f64,
}

/// The entries of one partition that may belong to the list.
#[derive(Default)]
struct Part {
    items: Vec<DueItem>,
    /// Whether the partition has more entries, from `read_until` on.
    more: bool,
    read_until: Time,
    units: f64,
}

/// Reads a partition until it has as many entries as the list may need.
///
/// Entries of the same millisecond come in no order, so all of the last one's time are read: otherwise the next page,
/// which begins behind a key, would leave some out.
async fn part<P: Ports>(
    ports: &P,
    table: &str,
    partition: &str,
    wanted: &Wanted,
) -> Result<Part, Failure> {
    let from = wanted
        .behind
        .as_ref()
        .map_or(wanted.from, |place| wanted.from.max(Time::from_millis(place.due_at)));
    let mut part = Part::default();
    let mut after: Option<DueItem> = None;
    // Most lists end with their first queries. What follows is long, so it is read in large pages.
    let mut most = (wanted.most + 1).min(MOST_A_QUERY);
    for _ in 0..MOST_ROUNDS {
        let span = [from, wanted.until];
        let read = ports.due(table, partition, span, after.as_ref(), most).await?;
        most = MOST_A_QUERY;
        part.units += read.units;
        after = read.value.items.last().cloned();
        part.items.extend(read.value.items.into_iter().filter(|item| wanted.keeps(item)));
        part.more = read.value.more;
        let Some(last) = after.as_ref().filter(|_| part.more) else { return Ok(part) };
        let enough = part.items.get(wanted.most.saturating_sub(1));
        if enough.is_some_and(|enough| enough.due_at < last.due_at) {
            break;
        }
    }
    part.read_until = after.map_or(from, |last| last.due_at);
    Ok(part)
}

/// Reads the entries of these partitions.
pub(crate) async fn list<P: Ports>(
    ports: &P,
    table: &str,
    wanted: &Wanted,
) -> Result<Listed, Failure> {
    let reads = wanted.partitions.iter().map(|name| part(ports, table, name, wanted));
    let read: Vec<Result<Part, Failure>> =
        stream::iter(reads).buffer_unordered(AT_ONCE).collect().await;
    let read = read.into_iter().collect::<Result<Vec<Part>, Failure>>()?;
    // What is before this time has been read of every partition.
    let bound = read.iter().filter(|part| part.more).map(|part| part.read_until).min();
    let mut listed =
        Listed { units: read.iter().map(|part| part.units).sum(), ..Listed::default() };
    listed.items = read.into_iter().flat_map(|part| part.items).collect();
    listed.items.retain(|item| bound.is_none_or(|bound| item.due_at < bound));
    listed.items.sort_by_key(Position::of);
    let is_full = listed.items.len() > wanted.most;
    listed.items.truncate(wanted.most);
    listed.next = if is_full {
        listed.items.last().map(Position::of)
    } else {
        bound.map(|bound| Position { due_at: bound.as_millis(), key: String::new() })
    };
    Ok(listed)
}

/// The partitions that hold the jobs of these types and states. `dependencies` are those whose parked jobs are wanted.
pub(crate) fn partitions(
    types: &[&JobType],
    states: &[ListedState],
    dependencies: &[String],
) -> Vec<String> {
    let mut partitions = Vec::new();
    let has = |state| states.contains(&state);
    for job in types {
        for queue in [&job.normal, &job.high] {
            for state in [ListedState::Queued, ListedState::Waiting, ListedState::Running] {
                if has(state) {
                    partitions.extend(due_partitions(format!("{}#{queue}", state.name())));
                }
            }
        }
        if has(ListedState::Dead) || has(ListedState::Quarantined) {
            partitions.extend(due_partitions(format!("dead#{}", job.kind)));
        }
    }
    if has(ListedState::Parked) {
        for dependency in dependencies {
            let Parked { dated, plain } = Parked::of(dependency);
            partitions.extend(dated.into_iter().chain(plain).flatten());
        }
    }
    partitions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPorts;

    fn item(due_at: u64, key: &str, state: &str) -> DueItem {
        let partition = format!("dead#a#{}", key.len() % 2);
        let (key, state) = (key.to_owned(), state.to_owned());
        let due_at = Time::from_millis(due_at);
        DueItem { key, partition, due_at, state, kind: "a".into(), ..DueItem::default() }
    }

    fn wanted(most: usize) -> Wanted {
        let partitions = vec!["dead#a#0".to_owned(), "dead#a#1".to_owned()];
        Wanted { partitions, until: EVER, most, ..Wanted::default() }
    }

    /// The keys of all pages, one text a page.
    async fn pages(ports: &MemoryPorts, mut wanted: Wanted) -> Vec<String> {
        let mut pages = Vec::new();
        loop {
            let listed = list(ports, "jobs", &wanted).await.unwrap();
            assert!(listed.items.len() <= wanted.most);
            let keys: Vec<&str> = listed.items.iter().map(|item| item.key.as_str()).collect();
            pages.push(keys.join(" "));
            let Some(next) = listed.next else { return pages };
            wanted.behind = Some(Position::read(&next.cursor()).unwrap());
            assert!(pages.len() < 20, "it ends: {pages:?}");
        }
    }

    #[tokio::test]
    async fn pages_follow_each_other_without_a_gap_also_within_a_millisecond() {
        let items = [
            item(5, "c", "dead"),
            item(5, "a", "dead"),
            item(5, "bb", "dead"),
            item(5, "d", "dead"),
            item(5, "e", "dead"),
            item(7, "f", "dead"),
            item(3, "gg", "dead"),
        ];
        let ports = MemoryPorts::default().with_due(items);
        assert_eq!(pages(&ports, wanted(2)).await, ["gg a", "bb c", "d e", "f"]);
        assert_eq!(pages(&ports, wanted(7)).await, ["gg a bb c d e f"]);
        assert_eq!(pages(&ports, wanted(100)).await, ["gg a bb c d e f"]);
    }

    #[tokio::test]
    async fn a_filter_that_matches_late_leaves_nothing_out() {
        let many = (0..40).map(|n| item(n, &format!("{n:04}"), "dead"));
        let few = [item(41, "x", "quarantined"), item(2, "y", "quarantined")];
        let ports = MemoryPorts::default().with_due(many.chain(few));
        let wanted = Wanted { states: vec!["quarantined"], ..wanted(3) };
        assert_eq!(
            pages(&ports, wanted).await.join(" ").split_whitespace().collect::<Vec<_>>(),
            ["y", "x"]
        );
    }

    #[test]
    fn a_cursor_round_trips_and_nonsense_is_refused() {
        let place = Position { due_at: 7, key: "a#g:x#y 車".into() };
        assert_eq!(Position::read(&place.cursor()), Ok(place));
        for bad in ["", "zz", "00", "abc"] {
            assert_eq!(Position::read(bad).unwrap_err().code, "usage", "{bad}");
        }
    }
}
