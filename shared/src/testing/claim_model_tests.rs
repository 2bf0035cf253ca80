//! That the model finds what it must, in a small scope. With the shipped sweeper and in its own scopes, it is searched by
//! `tests/claim_model.rs`.

use super::*;
use crate::record::Phase;

const MINUTE: Duration = Duration::from_secs(60);

/// A sweeper that keeps the rules.
const SWEEPING: Sweeping = Sweeping { stuck, lost, parked };

fn stuck(record: &Record, now: Time) -> Option<Change> {
    if !record.is_overdue(now) {
        return None;
    }
    let crashed = record.crashed("sweeper", None, false, now);
    let Phase::Waiting { run_after, .. } = crashed.phase else {
        return Some(Change { record: crashed, wakes_at: None });
    };
    let record = crashed.awaiting_wake_up("sweeper", run_after, run_after + MINUTE);
    Some(Change { record, wakes_at: Some(run_after) })
}

fn lost(record: &Record, depth: Depth, now: Time) -> Option<Change> {
    match record.phase {
        Phase::Waiting { due_at, .. } if depth == Depth::default() && due_at + MINUTE <= now => {
            let record = record.awaiting_wake_up("sweeper", now, now + MINUTE);
            Some(Change { record, wakes_at: Some(now) })
        }
        _ => None,
    }
}

fn parked(record: &Record, now: Time) -> Option<Change> {
    match record.phase {
        Phase::Parked { run_after, .. } if run_after <= now => {
            let record = record.awaiting_wake_up("sweeper", now, now + MINUTE);
            Some(Change { record, wakes_at: Some(now) })
        }
        _ => None,
    }
}

/// One copy, which is received three times at most, one process that dies, and no lost answer.
fn small(ends: Vec<Option<Class>>) -> Scope {
    let (ahead, receives, most) = (RIGHT, Some(3), 200_000);
    Scope { copies: 1, crashes: 1, lost_answers: 0, sweeps: 1, ahead, ends, receives, most }
}

#[test]
fn a_search_that_ends_early_is_not_whole() {
    let scope = Scope { receives: Some(2), ..small(vec![None]) };
    let whole = explore(&scope, &SWEEPING).unwrap();
    assert!(whole.is_whole && whole.worlds > 1_000, "{} worlds", whole.worlds);
    let cut = explore(&Scope { most: whole.worlds - 1, ..scope }, &SWEEPING).unwrap();
    assert!(!cut.is_whole && cut.worlds < whole.worlds, "{} worlds", cut.worlds);
}

/// A container that was frozen until its lease is over, and was removed, claims nothing: nothing would lead to the job.
#[test]
fn a_claim_after_the_end_of_its_lease_loses_no_job() {
    let ends = vec![Some(Class::Systemic)];
    let scope = Scope { crashes: 0, sweeps: 0, receives: Some(2), ..small(ends) };
    let Reached { is_whole, moves, .. } = explore(&scope, &SWEEPING).unwrap();
    assert!(is_whole);
    assert!(moves.contains(&Move { from: "running", by: "run", to: "parked" }), "{moves:?}");
}

/// Containers with the same clock may change places, so one of the two orders is visited.
#[test]
fn containers_with_the_same_clock_are_alike() {
    let scope = Scope { receives: Some(2), ..small(vec![None]) };
    let ahead = [Duration::ZERO, Duration::from_millis(1), Duration::ZERO];
    let [same, other] =
        [scope.clone(), Scope { ahead, ..scope }].map(|scope| explore(&scope, &SWEEPING).unwrap());
    assert!(same.worlds < other.worlds, "{} and {} worlds", same.worlds, other.worlds);
    assert_eq!(same.moves, other.moves);
}

#[test]
fn a_sweeper_that_keeps_the_rules_breaks_none() {
    let Reached { worlds, moves, .. } = explore(&small(vec![None]), &SWEEPING).unwrap();
    assert!(worlds > 100, "the search visited only {worlds} worlds");
    let happens = |from, by, to| moves.contains(&Move { from, by, to });
    assert!(happens("none", "claim", "running"), "{moves:?}");
    assert!(happens("running", "run", "succeeded"), "{moves:?}");
    assert!(happens("running", "claim", "running"), "a crash is found: {moves:?}");
    assert!(happens("running", "sweeper", "waiting"), "by either: {moves:?}");
}

#[test]
fn a_job_that_is_taken_before_its_lease_is_over_is_found() {
    let early = |record: &Record, now: Time| stuck(record, now + MINUTE);
    let found = explore(&small(vec![None]), &Sweeping { stuck: early, ..SWEEPING });
    let why = found.unwrap_err();
    assert!(why.contains("before its lease is over"), "{why}");
}

#[test]
fn a_job_that_begins_anew_unasked_is_found() {
    let again = |record: &Record, now: Time| {
        record.phase.ended_at()?;
        Some(Change { record: record.awaiting_wake_up("sweeper", now, now), wakes_at: Some(now) })
    };
    let found = explore(&small(vec![None]), &Sweeping { parked: again, ..SWEEPING });
    let why = found.unwrap_err();
    assert!(why.contains("begins anew"), "{why}");
}

#[test]
fn a_fence_that_leaps_is_found() {
    let leaps = |record: &Record, now: Time| {
        let change = stuck(record, now)?;
        Some(Change { record: Record { fence: record.fence + 2, ..change.record }, ..change })
    };
    let found = explore(&small(vec![None]), &Sweeping { stuck: leaps, ..SWEEPING });
    let why = found.unwrap_err();
    assert!(why.contains("fence falls or leaps"), "{why}");
}
