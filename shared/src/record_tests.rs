use super::*;
use crate::{
    failure::{Class, Failure, QUOTA_SPENT},
    policy::{CRASH_PAUSE, HISTORY},
    record::{
        claim_decision::{ClaimDecision, Claimant, claim},
        decision::{Cause, Decision},
    },
    testing,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(600);

fn work() -> Work {
    Work { created_at: NOW, ..testing::work() }
}

fn ids(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

fn claimant<'a>(owner: &'a str, message_ids: &'a [String], now: Time) -> Claimant<'a> {
    Claimant {
        owner,
        message_ids,
        sent_at: NOW,
        may_kill: false,
        excuses_crashes: false,
        wakes: None,
        stray: false,
        redriven: false,
        dedup_window: WINDOW,
        fallback: None,
        stands_in: false,
        give_up_after: Duration::ZERO,
        now,
        lease_until: now + SECOND * 20,
    }
}

fn try_claim(record: Option<&Record>, by: &Claimant<'_>) -> ClaimDecision {
    claim(record, "t#d:1", &work(), by)
}

fn taken(decision: ClaimDecision) -> Record {
    match decision {
        ClaimDecision::Take { record, .. } => record,
        other => panic!("not taken: {other:?}"),
    }
}

/// A job that message "m" started and that "a" has been running since NOW.
fn running() -> Record {
    taken(try_claim(None, &claimant("a", &ids("m"), NOW)))
}

fn failure() -> Failure {
    Failure::new(Class::Transient, "http_500", "oops")
}

fn waiting() -> Record {
    let decision = Decision::Retry { after: SECOND * 30, spends: Spends::Attempt };
    running().settled(decision, Some(&failure()), String::new(), NOW)
}

#[test]
fn a_new_job_is_claimed() {
    let record = running();
    assert_eq!(record.fence, 1);
    assert_eq!(record.counters, Counters { receives: 1, claims: 1, ..Counters::default() });
    assert_eq!(
        record.phase,
        Phase::Running { lease_until: NOW + SECOND * 20, lease_expiry_indexed: false }
    );
    assert_eq!((record.due_entry(), record.expires_at()), (None, None));
}

#[test]
fn a_message_that_may_have_killed_its_process_before_the_claim_runs_isolated() {
    let ids = ids("m");
    for may_kill in [false, true] {
        let by = Claimant { may_kill, ..claimant("a", &ids, NOW) };
        let decision = try_claim(None, &by);
        assert!(
            matches!(decision, ClaimDecision::Take { isolated, .. } if isolated == may_kill),
            "{decision:?}"
        );
    }
}

/// Two versions of a job type run side by side during an update: the newer one has a field more in the normal
/// form, or writes the fields in another order.
#[test]
fn a_payload_that_another_version_wrote_is_the_same_payload() {
    let record = Record { phase: Phase::Queued { due_at: NOW }, ..running() };
    let with = |payload: &str, message: &str| {
        let record = Record {
            work: Work { payload: r#"{"a":1,"b":"x"}"#.into(), ..record.work.clone() },
            ..record.clone()
        };
        let work = Work { payload: payload.into(), ..work() };
        claim(Some(&record), "t#d:1", &work, &claimant("b", &ids(message), NOW))
    };
    let is_taken = |decision: &ClaimDecision| matches!(decision, ClaimDecision::Take { .. });
    let own = with(r#"{"a":1,"b":"x","c":null}"#, "m");
    assert!(is_taken(&own), "its own message: {own:?}");
    let ordered = with(r#"{ "b": "x", "a": 1 }"#, "n");
    assert!(is_taken(&ordered), "equal as JSON: {ordered:?}");
    for other in [r#"{"a":1,"b":"x","c":null}"#, r#"{"a":2,"b":"x"}"#, "no JSON"] {
        assert_eq!(with(other, "n"), ClaimDecision::OtherPayload, "{other}");
    }
}

#[test]
fn a_history_that_a_newer_version_wrote_longer_is_trimmed() {
    let failed = Failure::new(Class::Transient, "code", "message");
    let mut record = running();
    for _ in 0..HISTORY {
        let decision = Decision::Retry { after: SECOND, spends: Spends::Attempt };
        record = record.settled(decision, Some(&failed), String::new(), NOW);
    }
    let first = record.history[0].clone();
    record.history.extend(vec![first; 5]);
    let decision = Decision::Retry { after: SECOND, spends: Spends::Attempt };
    let record = record.settled(decision, Some(&failed), String::new(), NOW);
    assert_eq!(record.history.len(), HISTORY);
}

#[test]
fn a_claim_whose_response_was_lost_is_recognized() {
    let record = running();
    let decision = try_claim(Some(&record), &claimant("a", &ids("m"), NOW));
    assert_eq!(decision, ClaimDecision::AlreadyClaimed(record));
}

#[test]
fn a_duplicate_indexes_the_lease_expiry_of_a_live_run() {
    let mut record = running();
    let newcomer = ids("n");
    let by = claimant("b", &newcomer, NOW + SECOND);
    assert_eq!(try_claim(Some(&record), &by), ClaimDecision::IndexLeaseExpiry(NOW + SECOND * 20));
    record.phase = Phase::Running { lease_until: NOW + SECOND * 20, lease_expiry_indexed: true };
    assert_eq!(try_claim(Some(&record), &by), ClaimDecision::AlreadyDue);
}

#[test]
fn the_message_that_a_live_run_holds_is_never_deleted() {
    let record = running();
    let folded = vec!["n".to_owned(), "m".to_owned()];
    for ids in [ids("m"), folded] {
        let by = claimant("b", &ids, NOW + SECOND);
        assert_eq!(try_claim(Some(&record), &by), ClaimDecision::ComeBack(NOW + SECOND * 20));
    }
}

#[test]
fn an_expired_lease_counts_as_a_crash() {
    let mut record = running();
    let later = NOW + SECOND * 20;
    let decision = try_claim(Some(&record), &claimant("b", &ids("m"), later));
    let ClaimDecision::Take { record: second, isolated: true } = decision else {
        panic!("{decision:?}")
    };
    assert_eq!((second.counters.crashes, second.counters.attempts, second.fence), (1, 0, 2));
    assert_eq!(second.history[0].code, "lease_over");

    record = second;
    let later = later + SECOND * 20;
    let decision = try_claim(Some(&record), &claimant("c", &ids("n"), later));
    let ClaimDecision::Write(second, Some(at)) = decision else { panic!("{decision:?}") };
    assert_eq!(
        (second.phase.name(), second.counters.crashes, at),
        ("waiting", 2, later + CRASH_PAUSE)
    );
    assert_eq!(second.message_id, "n", "the job now waits for that message");

    assert_eq!(second.owner, "c", "the finder writes the record, not the run that is gone");
    let third = taken(try_claim(Some(&second), &claimant("d", &ids("n"), at)));
    let decision = try_claim(Some(&third), &claimant("e", &ids("n"), at + SECOND * 20));
    let ClaimDecision::Write(last, None) = decision else { panic!("{decision:?}") };
    assert_eq!((last.phase.name(), last.counters.crashes), ("quarantined", 3));
}

#[test]
fn a_waiting_job_keeps_only_its_own_message() {
    let record = waiting();
    assert_eq!(record.due_entry().unwrap().due_at, NOW + SECOND * 30);
    let early = NOW + SECOND * 29;
    let own = try_claim(Some(&record), &claimant("b", &ids("m"), early));
    assert_eq!(own, ClaimDecision::ComeBack(NOW + SECOND * 30));
    assert_eq!(
        try_claim(Some(&record), &claimant("b", &ids("n"), early)),
        ClaimDecision::AlreadyDue
    );
    let due = taken(try_claim(Some(&record), &claimant("b", &ids("n"), NOW + SECOND * 30)));
    assert_eq!((due.fence, due.counters.attempts, due.counters.claims), (2, 1, 2));
}

#[test]
fn only_a_message_sent_after_the_end_reopens_a_job() {
    let run = running();
    let ended = |decision| run.settled(decision, None, "{}".into(), NOW);
    let done = ended(Decision::Succeed);
    let dead = ended(Decision::Bury(Cause::Permanent));
    let held = ended(Decision::Quarantine);
    let ids = ids("n");
    let sent = |sent_at| Claimant { sent_at, ..claimant("b", &ids, sent_at + SECOND) };
    let after = NOW + Duration::from_millis(1);
    assert_eq!(try_claim(Some(&done), &sent(after)), ClaimDecision::Ended);
    assert_eq!(try_claim(Some(&done), &sent(NOW + WINDOW)), ClaimDecision::Ended);
    assert_eq!(try_claim(Some(&dead), &sent(NOW)), ClaimDecision::Ended);
    assert_eq!(try_claim(Some(&held), &sent(NOW + WINDOW * 2)), ClaimDecision::Ended);
    for reopened in [
        taken(try_claim(Some(&done), &sent(NOW + WINDOW + SECOND))),
        taken(try_claim(Some(&dead), &sent(after))),
    ] {
        assert_eq!(reopened.counters, Counters { receives: 2, claims: 2, ..Counters::default() });
        assert_eq!((reopened.fence, reopened.expires_at()), (2, None));
        assert!(reopened.history.is_empty());
    }
}

#[test]
fn an_expired_record_is_absent_but_its_fence_continues() {
    let done = running().settled(Decision::Succeed, None, "{}".into(), NOW);
    let at = done.expires_at().unwrap();
    assert_eq!(at, NOW + done.work.retention);
    let record = taken(try_claim(Some(&done), &claimant("b", &ids("n"), at)));
    assert_eq!((record.fence, record.counters.claims), (2, 1));
}

#[test]
fn a_known_id_with_another_payload_is_no_duplicate() {
    let other = Work { payload: "[]".into(), ..work() };
    let ids = ids("n");
    let by = claimant("b", &ids, NOW);
    for record in [running(), waiting()] {
        assert_eq!(claim(Some(&record), "t#d:1", &other, &by), ClaimDecision::OtherPayload);
    }
}

#[test]
fn a_wake_up_message_renews_the_payload_and_a_stray_one_starts_no_job() {
    let (ids, waiting) = (ids("n"), waiting());
    let today = Work { payload: r#"{"new":0}"#.into(), ..work() };
    let by = Claimant { wakes: Some(waiting.fence), ..claimant("b", &ids, NOW) };
    let record = taken(claim(Some(&waiting), "t#d:1", &today, &by));
    assert_eq!(record.work, today, "its next message has the same payload, so it is the same work");
    let late = Claimant { wakes: Some(waiting.fence - 1), ..by };
    assert_eq!(claim(Some(&waiting), "t#d:1", &today, &late), ClaimDecision::OtherPayload);
    let stray = Claimant { stray: true, ..by };
    assert_eq!(claim(None, "t#d:1", &today, &stray), ClaimDecision::Ended, "its record is gone");
    taken(claim(None, "t#d:1", &today, &by));
}

#[test]
fn a_due_entry_is_never_later_than_the_deadline() {
    let mut record = waiting();
    record.work.deadline = Some(NOW + SECOND * 90);
    let due = |record: &Record| {
        record.awaiting_wake_up("s", NOW, NOW + SECOND * 3600).due_entry().unwrap().due_at
    };
    assert_eq!(due(&record), NOW + SECOND * 90);
    record.provisional = Some("{}".into());
    assert_eq!(due(&record), NOW + SECOND * 3600, "it has a provisional result already");
}

#[test]
fn no_job_starts_after_its_deadline() {
    let late = Work { deadline: Some(NOW), ..work() };
    let decision = claim(None, "t#d:1", &late, &claimant("a", &ids("m"), NOW));
    let ClaimDecision::Write(record, None) = decision else { panic!("{decision:?}") };
    assert_eq!(record.phase, Phase::Dead { at: NOW, why: "deadline over".into() });
}

#[test]
fn each_end_of_a_run_raises_the_right_counter() {
    let run = running();
    let retry = |spends| Decision::Retry { after: SECOND, spends };
    let count = |decision| {
        let class = if decision == retry(Spends::Crash) { Class::Crash } else { Class::Transient };
        let failure = Failure::new(class, "code", "as asked");
        let counters = run.settled(decision, Some(&failure), String::new(), NOW).counters;
        (counters.attempts, counters.defers, counters.crashes)
    };
    assert_eq!(count(Decision::Succeed), (1, 0, 0));
    assert_eq!(count(retry(Spends::Attempt)), (1, 0, 0));
    assert_eq!(count(retry(Spends::Deferral)), (0, 1, 0));
    assert_eq!(count(retry(Spends::Crash)), (0, 0, 1));
    let park = |spends| Decision::Park { after: SECOND, spends };
    assert_eq!(count(park(Spends::Deferral)), (0, 1, 0));
    assert_eq!(count(park(Spends::Attempt)), (1, 0, 0));
    assert_eq!(count(Decision::Bury(Cause::AttemptsSpent)), (1, 0, 0));
    assert_eq!(count(Decision::Bury(Cause::DeadlinePassed)), (1, 0, 0));
    let throttled = Failure::new(Class::Throttled, "http_429", "later");
    let end = Decision::Bury(Cause::DeadlinePassed);
    let counters = run.settled(end, Some(&throttled), String::new(), NOW).counters;
    assert_eq!((counters.attempts, counters.defers), (0, 1));
    assert_eq!(count(Decision::Quarantine), (0, 0, 1));
}

#[test]
fn the_history_is_bounded_and_keeps_the_latest() {
    let mut record = running();
    for n in 0..HISTORY + 5 {
        let failure = Failure::new(Class::Transient, format!("code_{n}"), "oops");
        let decision = Decision::Retry { after: SECOND, spends: Spends::Attempt };
        record = record.settled(decision, Some(&failure), String::new(), NOW);
    }
    assert_eq!(record.history.len(), HISTORY);
    assert_eq!(record.history[HISTORY - 1].code, format!("code_{}", HISTORY + 4));
}

/// While a job waits for a quota, its time to give up stands still, and it is found under a name of its own.
#[test]
fn the_time_of_a_job_that_waits_for_a_quota_stands_still() {
    let day = Duration::from_hours(24);
    let spent = Failure::new(Class::Deferred, QUOTA_SPENT, "used up");
    let spent = spent.parked_under("elsewhere/creations".into());
    let decision = Decision::Park { after: day, spends: Spends::Deferral };
    let mut record = running();
    for round in 1..=30 {
        let parked_at = record.work.created_at + day * (round - 1);
        let mut parked = record.settled(decision, Some(&spent), String::new(), parked_at);
        parked.end_at(NOW);
        assert_eq!(
            (parked.parked_until(), parked.work.dependency.as_str()),
            (None, "elsewhere/creations")
        );
        assert_eq!(parked.due_entry().unwrap().partition, "parked#elsewhere/creations#0");
        let woken = parked.awaiting_wake_up("s", parked_at + day, parked_at + day);
        record = taken(try_claim(Some(&woken), &claimant("b", &ids("n"), parked_at + day)));
        assert_eq!((record.is_paused(), record.work.dependency.as_str()), (false, "elsewhere"));
        assert_eq!(record.gives_up_at(day * 7), NOW + day * (7 + round));
    }
    let failed = record.settled(decision, Some(&failure()), String::new(), NOW + day * 31);
    assert_eq!(failed.gives_up_at(day * 7), NOW + day * 37, "a wait for something else counts");
    assert!(!failed.is_paused());
    assert_eq!(record.reopened(&work()).gives_up_at(day * 7), NOW + day * 7);
}

#[path = "record_tests/invariants.rs"]
mod invariants;
#[path = "record_tests/lives.rs"]
mod lives;
#[path = "record_tests/storms.rs"]
mod storms;
