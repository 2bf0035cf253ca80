//! Whether a read can be true: a dealer does not sell everything in an hour.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{paging::Cursor, payload::Condition};

/// A fall by this much, in percent, is no sale.
const COLLAPSE_PERCENT: u32 = 70;

const _: () = assert!(COLLAPSE_PERCENT > 0 && COLLAPSE_PERCENT < 100, "a part of the whole");

/// Cars that one list must have had to be judged on its own. Shorter ones come and go: two
/// certified cars are sold in a day. All lists together are judged however short they are.
const LONG_LIST: u32 = 20;

/// How many cars each list has; of the last good read it is kept with its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts(BTreeMap<Condition, u32>);

impl Counts {
    /// The counts of what was read.
    #[must_use]
    pub fn of(reads: &[Cursor]) -> Self {
        Self(reads.iter().map(|read| (read.condition(), read.vins().count())).collect())
    }
}

impl Counts {
    /// These, and of lists that were not read those of `before`.
    #[must_use]
    pub fn or(mut self, before: Self) -> Self {
        for (condition, cars) in before.0 {
            self.0.entry(condition).or_insert(cars);
        }
        self
    }
}

impl FromIterator<(Condition, u32)> for Counts {
    fn from_iter<I: IntoIterator<Item = (Condition, u32)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

/// A fall that cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collapse {
    /// Of this list; `None` if of all of them together.
    pub condition: Option<Condition>,
    /// The cars of the last good read.
    pub before: u32,
    /// The cars of this one.
    pub after: u32,
}

impl fmt::Display for Collapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.condition.map_or("all", Condition::name);
        write!(f, "{list}: {} cars, {} in the last good read", self.after, self.before)
    }
}

/// Whether the counts of a read are an anomaly against those of the last good one: none after some,
/// or 70 % down. Only lists that both have read are compared.
#[must_use]
pub fn judge(last_good: &Counts, read: &Counts) -> Option<Collapse> {
    let both = last_good.0.iter().filter_map(|(condition, before)| {
        let after = *read.0.get(condition)?;
        Some(Collapse { condition: Some(*condition), before: *before, after })
    });
    let both: Vec<Collapse> = both.collect();
    let sum = |cars: fn(&Collapse) -> u32| both.iter().map(cars).fold(0, u32::saturating_add);
    let all = Collapse {
        condition: None,
        before: sum(|list| list.before),
        after: sum(|list| list.after),
    };
    // One short list that is read alone is no more than a short list.
    let is_all = both.len() == last_good.0.len();
    let all = Some(all).filter(|all| is_all || all.before >= LONG_LIST);
    let long = both.iter().copied().filter(|list| list.before >= LONG_LIST);
    all.into_iter().chain(long).find(|list| has_collapsed(list.before, list.after))
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
    fn what_is_a_collapse() {
        let cases = [
            // All together.
            ((100, 80, 20), (100, 80, 20), None),
            ((100, 80, 20), (40, 30, 10), None),
            ((100, 80, 20), (0, 0, 0), Some("all: 0 cars, 200 in the last good read")),
            ((100, 80, 20), (30, 24, 6), Some("all: 60 cars, 200 in the last good read")),
            ((100, 80, 20), (31, 25, 7), None),
            ((1, 0, 0), (0, 0, 0), Some("all: 0 cars, 1 in the last good read")),
            ((4, 0, 0), (1, 0, 0), Some("all: 1 cars, 4 in the last good read")),
            ((3, 0, 0), (1, 0, 0), None),
            // From nothing, and up.
            ((0, 0, 0), (0, 0, 0), None),
            ((0, 0, 0), (100, 80, 20), None),
            ((1, 1, 1), (100, 80, 20), None),
            // One list of several.
            ((100, 80, 20), (0, 80, 20), Some("new: 0 cars, 100 in the last good read")),
            ((100, 80, 20), (100, 24, 20), Some("used: 24 cars, 80 in the last good read")),
            ((100, 80, 20), (100, 25, 20), None),
            ((100, 80, 19), (100, 80, 0), None),
            ((100, 80, 20), (100, 80, 0), Some("certified: 0 cars, 20 in the last good read")),
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
    fn only_lists_that_both_have_read_are_compared() {
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
    fn counts_survive_being_stored() {
        let text = serde_json::to_string(&counts(3, 2, 1)).unwrap();
        assert_eq!(text, r#"{"new":3,"used":2,"certified":1}"#);
        assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), counts(3, 2, 1));
    }
}
