//! Whether the size of a read is plausible: a dealer does not sell its whole inventory in an hour.

use std::{collections::BTreeMap, fmt, time::Duration};

use evenkeel::base::time::Time;
use serde::{Deserialize, Serialize};

use crate::{paging::Cursor, payload::Condition};

/// A loss of this share of the cars, in percent, is implausible.
const COLLAPSE_PERCENT: u32 = 70;

const _: () =
    assert!(COLLAPSE_PERCENT > 0 && COLLAPSE_PERCENT < 100, "a percentage between 0 and 100");

/// How many cars a single list must have had for its loss to count. Shorter lists may empty for
/// real: two certified cars can be sold in a day. All lists together are judged at any length.
const LONG_LIST: u32 = 20;

/// How many cars each list has. The counts of the last good read are stored in its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts(BTreeMap<Condition, u32>);

impl Counts {
    /// The counts of these reads.
    #[must_use]
    pub fn of(reads: &[Cursor]) -> Self {
        Self(reads.iter().map(|read| (read.condition(), read.vins().count())).collect())
    }

    /// These counts, completed by those of `before` for lists that were not read.
    #[must_use]
    pub fn or(mut self, before: Self) -> Self {
        for (condition, cars) in before.0 {
            self.0.entry(condition).or_insert(cars);
        }
        self
    }

    /// These counts without those of some lists.
    #[must_use]
    pub fn without(mut self, lists: &BTreeMap<Condition, u64>) -> Self {
        self.0.retain(|condition, _| !lists.contains_key(condition));
        self
    }
}

impl FromIterator<(Condition, u32)> for Counts {
    fn from_iter<I: IntoIterator<Item = (Condition, u32)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

/// An implausible loss of cars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collapse {
    /// The list that collapsed; `None` means all compared lists together.
    pub condition: Option<Condition>,
    /// Number of cars in the last good read.
    pub before: u32,
    /// Number of cars in this read.
    pub after: u32,
}

impl fmt::Display for Collapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.condition.map_or("all", Condition::name);
        write!(f, "{list}: {} cars, {} in the last good read", self.after, self.before)
    }
}

/// Compares the counts of a read with those of the last good one. A collapse is a read without cars
/// after one with cars, or a loss of 70 %. Only lists that occur in both are compared. The only one of
/// them that has lost all its cars is [`doubted`] instead, if others have some.
#[must_use]
pub fn judge(last_good: &Counts, read: &Counts) -> Option<Collapse> {
    let both = last_good.0.iter().filter_map(|(condition, before)| {
        let after = *read.0.get(condition)?;
        Some(Collapse { condition: Some(*condition), before: *before, after })
    });
    let mut both: Vec<Collapse> = both.collect();
    let has_emptied = |list: &Collapse| list.before > 0 && list.after == 0;
    let emptied = both.iter().filter(|list| has_emptied(list)).count();
    if emptied == 1 && both.iter().any(|list| list.after > 0) {
        both.retain(|list| !has_emptied(list));
    }
    let sum = |cars: fn(&Collapse) -> u32| both.iter().map(cars).fold(0, u32::saturating_add);
    let all = Collapse {
        condition: None,
        before: sum(|list| list.before),
        after: sum(|list| list.after),
    };
    // The sum over only some of the lists is judged like a single list: only if it was long.
    let is_all = both.len() == last_good.0.len();
    let all = Some(all).filter(|all| is_all || all.before >= LONG_LIST);
    let long = both.iter().copied().filter(|list| list.before >= LONG_LIST);
    all.into_iter().chain(long).find(|list| has_collapsed(list.before, list.after))
}

/// How far apart a list must have been seen empty twice.
const DOUBTED_FOR: Duration = Duration::from_hours(1);

/// The lists that have fallen from some cars to none, and are not believed yet, each with the time when it was first
/// seen empty, in milliseconds since the epoch. It must be seen empty twice in a row, an hour apart. `emptied` is the
/// result of the last read.
#[must_use]
pub fn doubted(
    last_good: &Counts,
    read: &Counts,
    emptied: &BTreeMap<Condition, u64>,
    now: Time,
) -> BTreeMap<Condition, u64> {
    let lost = last_good
        .0
        .iter()
        .filter(|(condition, before)| **before > 0 && read.0.get(condition) == Some(&0));
    let first = lost.map(|(condition, _)| {
        (*condition, emptied.get(condition).copied().unwrap_or(now.as_millis()))
    });
    first.filter(|(_, first)| now.since(Time::from_millis(*first)) < DOUBTED_FOR).collect()
}

fn has_collapsed(before: u32, after: u32) -> bool {
    let left = u64::from(before) * u64::from(100 - COLLAPSE_PERCENT);
    before > 0 && u64::from(after) * 100 <= left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(new: u32, used: u32, certified: u32) -> Counts {
        let counts =
            [(Condition::New, new), (Condition::Used, used), (Condition::Certified, certified)];
        counts.into_iter().collect()
    }

    #[test]
    fn a_loss_of_70_percent_is_a_collapse() {
        let cases = [
            // All lists together.
            ((100, 80, 20), (100, 80, 20), None),
            ((100, 80, 20), (40, 30, 10), None),
            ((100, 80, 20), (0, 0, 0), Some("all: 0 cars, 200 in the last good read")),
            ((100, 80, 20), (30, 24, 6), Some("all: 60 cars, 200 in the last good read")),
            ((100, 80, 20), (31, 25, 7), None),
            ((1, 0, 0), (0, 0, 0), Some("all: 0 cars, 1 in the last good read")),
            ((4, 0, 0), (1, 0, 0), Some("all: 1 cars, 4 in the last good read")),
            ((3, 0, 0), (1, 0, 0), None),
            // From nothing, and growth.
            ((0, 0, 0), (0, 0, 0), None),
            ((0, 0, 0), (100, 80, 20), None),
            ((1, 1, 1), (100, 80, 20), None),
            // One list of several.
            ((100, 80, 20), (20, 80, 20), Some("new: 20 cars, 100 in the last good read")),
            ((100, 80, 20), (100, 24, 20), Some("used: 24 cars, 80 in the last good read")),
            ((100, 80, 20), (100, 25, 20), None),
            ((100, 80, 19), (100, 80, 0), None),
            ((100, 80, 20), (100, 80, 1), Some("certified: 1 cars, 20 in the last good read")),
            // One list that empties beside others is doubted, however long it was.
            ((100, 80, 20), (0, 80, 20), None),
            ((100, 80, 20), (100, 80, 0), None),
            ((200, 2, 0), (0, 2, 0), None),
            ((100, 80, 20), (0, 24, 20), Some("used: 24 cars, 80 in the last good read")),
            ((100, 80, 20), (0, 80, 0), Some("new: 0 cars, 100 in the last good read")),
            ((100, 80, 20), (0, 0, 20), Some("all: 20 cars, 200 in the last good read")),
            // No overflow.
            ((u32::MAX, u32::MAX, 0), (u32::MAX, u32::MAX, 0), None),
        ];
        for (before, after, expected) in cases {
            let judged =
                judge(&counts(before.0, before.1, before.2), &counts(after.0, after.1, after.2));
            let said = judged.map(|collapse| collapse.to_string());
            assert_eq!(said.as_deref(), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_list_that_empties_is_believed_the_second_time() {
        let (before, after) = (counts(100, 80, 3), counts(100, 80, 0));
        let at = |minutes: u64| Time::from_millis(minutes * 60_000);
        let first = doubted(&before, &after, &BTreeMap::new(), at(5));
        assert_eq!(first, BTreeMap::from([(Condition::Certified, 300_000)]));
        assert_eq!(doubted(&before, &after, &first, at(64)), first);
        assert_eq!(doubted(&before, &after, &first, at(65)), BTreeMap::new());
        // It was full again in between.
        assert_eq!(doubted(&before, &before, &first, at(64)), BTreeMap::new());
        assert_eq!(doubted(&after, &after, &BTreeMap::new(), at(5)), BTreeMap::new());
    }

    #[test]
    fn only_lists_in_both_reads_are_compared() {
        let only_new: Counts = [(Condition::New, 90)].into_iter().collect();
        assert_eq!(judge(&counts(100, 500, 50), &only_new), None);
        assert_eq!(judge(&only_new, &counts(0, 500, 50)).unwrap().after, 0);
        assert_eq!(judge(&Counts::default(), &counts(0, 0, 0)), None);
        let only_certified = |cars| [(Condition::Certified, cars)].into_iter().collect::<Counts>();
        assert_eq!(judge(&counts(100, 80, 2), &only_certified(0)), None);
        assert_eq!(judge(&counts(100, 80, 20), &only_certified(0)).unwrap().before, 20);
        assert_eq!(judge(&only_certified(2), &only_certified(0)).unwrap().before, 2);
        assert_eq!(judge(&counts(100, 80, 20), &Counts::default()), None);
    }

    #[test]
    fn counts_round_trip_through_json() {
        let text = serde_json::to_string(&counts(3, 2, 1)).unwrap();
        assert_eq!(text, r#"{"new":3,"used":2,"certified":1}"#);
        assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), counts(3, 2, 1));
    }
}
