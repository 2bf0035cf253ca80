//! What simulations have covered: changes of state, ends of runs, and port calls that failed in each way. Counts of
//! many seeds are added up, also over several runs of the command.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use evenkeel::{
    record::{Phase, Record},
    testing::{Fault, Move},
};
use serde::{Deserialize, Serialize};

/// Port calls that nearly every seed makes often. Each must have failed in each way.
const FREQUENT: [&str; 5] = ["insert", "read", "replace", "settle", "extend_visibility"];

/// Every way in which single port calls fail, but those that only some calls can meet.
const WAYS: [&str; 8] =
    ["late", "answer lost", "cut off", "hangs", "throttled", "dies before", "dies after", "frozen"];

/// The ways of writes that are on their way longer than their process waits, and the writes that must have met each.
const LATE: [&str; 3] = ["delayed", "outlives", "twice"];
const LATE_CALLS: [&str; 3] = ["insert", "replace", "settle"];

/// Counts of what has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// Changes of state, as [`Move`] displays them.
    pub(crate) moves: BTreeMap<String, u64>,
    /// Ends of runs: the class of the failure and the state after.
    pub(crate) ends: BTreeMap<String, u64>,
    /// Port calls that failed: the call and the way.
    pub(crate) faults: BTreeMap<String, u64>,
    /// Messages that were kept as rejected, by their flaw.
    pub(crate) flaws: BTreeMap<String, u64>,
}

fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    *counts.entry(name).or_default() += 1;
}

/// The name of a fault in the matrix.
const fn way(fault: Fault) -> &'static str {
    match fault {
        Fault::Before => "cut off",
        Fault::AnswerLost => "answer lost",
        Fault::DieBefore => "dies before",
        Fault::DieAfter => "dies after",
        Fault::Throttled => "throttled",
        Fault::Hang => "hangs",
        Fault::Broken => "broken",
        Fault::Unreadable => "unreadable",
        Fault::Late(_) => "late",
        Fault::Freeze(_) => "frozen",
        Fault::Delayed(_) => "delayed",
        Fault::Outlives(_) => "outlives",
        Fault::Twice(_) => "twice",
    }
}

fn cell(call: &str, way: &str) -> String {
    format!("{call}: {way}")
}

impl Coverage {
    /// Counts a write of a record.
    pub(crate) fn wrote(&mut self, before: Option<&Record>, after: &Record) {
        let change = Move::of(before, after);
        if change.by == "run" {
            let class = match (&after.phase, &after.last_failure) {
                (Phase::Succeeded { .. }, _) => "none",
                (Phase::Waiting { why, .. } | Phase::Parked { why, .. }, _)
                    if why == "there is more to do" =>
                {
                    "none"
                }
                (_, Some(last)) => last.class.as_str(),
                (_, None) => "unknown",
            };
            count(&mut self.ends, format!("{class} → {}", change.to));
        }
        count(&mut self.moves, change.to_string());
    }

    /// Counts a port call that fails.
    pub(crate) fn struck(&mut self, call: &str, fault: Fault) {
        count(&mut self.faults, cell(call, way(fault)));
    }

    /// Counts a message that was kept as rejected.
    pub(crate) fn rejected(&mut self, flaw: &str) {
        count(&mut self.flaws, flaw.to_owned());
    }

    /// Adds the counts of another simulation.
    pub(crate) fn add(&mut self, other: &Self) {
        let mine = [&mut self.moves, &mut self.ends, &mut self.faults, &mut self.flaws];
        let others = [&other.moves, &other.ends, &other.faults, &other.flaws];
        for (mine, other) in mine.into_iter().zip(others) {
            for (name, more) in other {
                *mine.entry(name.clone()).or_default() += more;
            }
        }
    }

    /// The counts, in lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let parts = [
            ("changes of state", &self.moves),
            ("ends of runs, by the class of their failures", &self.ends),
            ("messages kept as rejected, by flaw", &self.flaws),
        ];
        for (title, counts) in parts {
            let _ = write!(text, "\n{title}:");
            for (name, count) in counts {
                let _ = write!(text, "\n  {count:9} {name}");
            }
        }
        text.push_str(&self.matrix());
        text
    }

    /// Port calls and the ways in which they failed, as a table.
    fn matrix(&self) -> String {
        let mut text = String::from("\nport calls that failed:\n                    ");
        let ways = || WAYS.into_iter().chain(LATE);
        for way in ways() {
            let _ = write!(text, " {way:>11}");
        }
        let mut calls: Vec<&str> =
            self.faults.keys().filter_map(|cell| Some(cell.split_once(": ")?.0)).collect();
        calls.dedup();
        for call in calls {
            let _ = write!(text, "\n{call:20}");
            for way in ways() {
                let count = self.faults.get(&cell(call, way)).copied().unwrap_or_default();
                let _ = write!(text, " {count:11}");
            }
        }
        text
    }

    /// What can happen and never has: changes of state that the model of the claim reaches, and ways in which frequent
    /// calls fail.
    pub(crate) fn missing(&self, reachable: &BTreeSet<Move>) -> Vec<String> {
        let moves = reachable.iter().map(ToString::to_string);
        let moves = moves.filter(|name| !self.moves.contains_key(name));
        let cells = FREQUENT.iter().flat_map(|call| WAYS.map(|way| cell(call, way)));
        let late = LATE_CALLS.iter().flat_map(|call| LATE.map(|way| cell(call, way)));
        let cells = cells.chain(late).chain([cell("read", "unreadable")]);
        let cells = cells.filter(|cell| !self.faults.contains_key(cell));
        moves.chain(cells).map(|name| format!("{name} never happens")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_are_added_and_what_is_missing_is_named() {
        let mut coverage = Coverage::default();
        coverage.struck("settle", Fault::Late(Duration::ZERO));
        let twice = coverage.clone();
        coverage.add(&twice);
        assert_eq!(coverage.faults, BTreeMap::from([("settle: late".to_owned(), 2)]));
        assert!(coverage.text().contains("settle"), "{}", coverage.text());
        let reachable = BTreeSet::from([Move { from: "none", by: "claim", to: "running" }]);
        let missing = coverage.missing(&reachable);
        assert_eq!(missing[0], "none → running by claim never happens");
        // One cell is not empty; but no record was unreadable.
        assert_eq!(missing.len() - 1, FREQUENT.len() * WAYS.len() + LATE_CALLS.len() * LATE.len());
    }
}
