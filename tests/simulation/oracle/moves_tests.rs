//! What the oracle lets pass, and what it does not.

use std::time::Duration;

use evenkeel::{
    policy::LONGEST_WAIT,
    record::{Counters, LastFailure, Work},
    testing::{self, BEGINNING},
};

use super::*;

const LEASE: Duration = Duration::from_secs(20);

fn record(fence: u64, owner: &str, phase: Phase, counts: [u32; 5]) -> Record {
    let [receives, claims, attempts, defers, crashes] = counts;
    Record {
        fence,
        owner: owner.into(),
        message_id: "message-1".into(),
        counters: Counters { receives, claims, attempts, defers, crashes, paused_ms: 0 },
        work: Work { retention: LONGEST_WAIT, ..testing::work() },
        ..testing::record("errand#g:a", phase)
    }
}

fn running() -> Phase {
    Phase::Running { lease_until: BEGINNING + LEASE, lease_expiry_indexed: false }
}

fn waiting(why: &str) -> Phase {
    Phase::Waiting { run_after: BEGINNING, due_at: BEGINNING, why: why.into() }
}

fn succeeded() -> Phase {
    Phase::Succeeded { at: BEGINNING + LEASE, result: "\"done\"".into() }
}

fn failed(class: Class, record: Record) -> Record {
    let class = class.name().to_owned();
    let last = LastFailure { class, fingerprint: String::new(), at: BEGINNING };
    Record { last_failure: Some(last), ..record }
}

/// The rule that a write breaks, `after` the beginning; an empty text if none.
fn broken(before: Option<&Record>, after: &Record, at_s: u64, known: Known) -> &'static str {
    let at = BEGINNING + Duration::from_secs(at_s);
    let write = AppliedWrite { call: "replace", at, before, after };
    check(&write, &known).map_or_else(|(rule, _)| rule, |()| "")
}

fn passes(before: Option<&Record>, after: &Record, at_s: u64) -> bool {
    broken(before, after, at_s, Known::default()).is_empty()
}

#[test]
fn the_life_of_a_job_passes() {
    let claimed = record(1, "a", running(), [1, 1, 0, 0, 0]);
    assert!(passes(None, &claimed, 0));
    assert!(passes(Some(&claimed), &claimed.with_lease_expiry_indexed(), 1));
    let failure = record(1, "a", waiting("http_503"), [1, 1, 1, 0, 0]);
    assert!(passes(Some(&claimed), &failed(Class::Transient, failure.clone()), 1));
    let again = record(2, "b", running(), [2, 2, 1, 0, 0]);
    assert!(passes(Some(&failure), &again, 5));
    assert!(passes(Some(&again), &record(2, "b", succeeded(), [2, 2, 2, 0, 0]), 6));
}

#[test]
fn a_crash_passes_once_the_lease_is_over_and_not_before() {
    let claimed = record(1, "a", running(), [1, 1, 0, 0, 0]);
    let woken = record(2, "sweeper", waiting("the run never came back"), [1, 1, 0, 0, 1]);
    let woken = failed(Class::Crash, woken);
    assert!(passes(Some(&claimed), &woken, 20));
    assert_eq!(broken(Some(&claimed), &woken, 10, Known::default()), "leases do not overlap");
    let taken = record(2, "b", running(), [2, 2, 0, 0, 1]);
    assert!(passes(Some(&claimed), &taken, 19), "clocks may differ a little");
    assert_eq!(broken(Some(&claimed), &taken, 17, Known::default()), "leases do not overlap");
}

#[test]
fn an_end_by_another_than_the_holder_and_a_fence_that_falls_are_found() {
    let again = record(3, "b", running(), [2, 2, 0, 0, 1]);
    let late = record(1, "a", succeeded(), [1, 1, 1, 0, 0]);
    assert_eq!(broken(Some(&again), &late, 30, Known::default()), "the fence never falls");
    let stolen = record(3, "a", succeeded(), [2, 2, 1, 0, 1]);
    assert_eq!(broken(Some(&again), &stolen, 30, Known::default()), "only its holder ends a run");
}

#[test]
fn a_journal_that_grows_beyond_its_bounds_is_found() {
    let claimed = record(1, "a", running(), [1, 1, 0, 0, 0]);
    let with = |entries: usize, bytes: usize| {
        let entry = JournalEntry { what: "x".repeat(bytes), ..JournalEntry::default() };
        let journal = vec![entry; entries];
        Record { journal, ..record(1, "a", succeeded(), [1, 1, 1, 0, 0]) }
    };
    assert!(passes(Some(&claimed), &with(12, 120), 1));
    for (entries, bytes) in [(13, 1), (1, 121)] {
        let rule = broken(Some(&claimed), &with(entries, bytes), 1, Known::default());
        assert_eq!(rule, "a journal is bounded", "{entries} entries of {bytes} bytes");
    }
}

#[test]
fn what_is_miscounted_is_found() {
    let claimed = record(1, "a", running(), [1, 1, 0, 0, 0]);
    let rule = "counters count what happened (receives, claims, attempts, defers, crashes)";
    for counts in [[1, 1, 0, 0, 0], [1, 1, 2, 0, 0], [1, 2, 1, 0, 0], [1, 1, 1, 1, 0]] {
        let ended = record(1, "a", succeeded(), counts);
        assert_eq!(broken(Some(&claimed), &ended, 1, Known::default()), rule, "{counts:?}");
    }
    let deferred = failed(Class::Deferred, record(1, "a", waiting("open"), [1, 1, 1, 0, 0]));
    let rule = "no deferral spends an attempt";
    assert_eq!(broken(Some(&claimed), &deferred, 1, Known::default()), rule);
}

#[test]
fn an_ended_job_reopens_only_for_a_sender_after_its_end_or_for_an_operator() {
    let stays = "a job that has ended stays so unless it may reopen";
    let dead = Phase::Dead { at: BEGINNING + LEASE, why: "failed for good".into() };
    let dead = record(1, "a", dead, [1, 1, 1, 0, 0]);
    let again = record(2, "b", running(), [2, 2, 0, 0, 0]);
    let asked = |after_s| Known {
        asked_at: Some(BEGINNING + Duration::from_secs(after_s)),
        ..Known::default()
    };
    assert_eq!(broken(Some(&dead), &again, 40, asked(20)), stays);
    assert_eq!(broken(Some(&dead), &again, 40, asked(21)), "");
    let dedup_ms = 10_000;
    let done = record(1, "a", succeeded(), [1, 1, 1, 0, 0]);
    assert_eq!(broken(Some(&done), &again, 40, Known { dedup_ms, ..asked(30) }), stays);
    assert_eq!(broken(Some(&done), &again, 40, Known { dedup_ms, ..asked(31) }), "");
    let anew = record(2, "sweeper", waiting("again"), [1, 1, 0, 0, 0]);
    let retried = Known { retried: true, ..Known::default() };
    assert_eq!(broken(Some(&dead), &anew, 40, Known::default()), stays);
    assert_eq!(broken(Some(&dead), &anew, 40, retried), "");
    let quarantined = Phase::Quarantined { at: BEGINNING, why: "crashed 3 times".into() };
    let quarantined = record(1, "a", quarantined, [1, 1, 0, 0, 3]);
    let declared = "every change of state is declared";
    assert_eq!(broken(Some(&quarantined), &again, 40, asked(39)), declared);
    assert_eq!(broken(Some(&quarantined), &anew, 40, retried), stays);
}
