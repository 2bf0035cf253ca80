//! The conformance suite of [`Store`]. Each case needs a store that has none of the case's keys.
//!
//! One case writes rejected messages, which no port reads back: the caller checks for [`REJECTED`].

mod items;
mod refused;
mod together;

use std::time::Duration;

use crate::{
    base::time::Time,
    failure::{Class, Failure, QUOTA_SPENT},
    message::{Flaw, RejectedMessage, Rejection},
    ports::{Store, Written},
    record::{
        Counters, Phase, Record, Work,
        claim_decision::{ClaimDecision, Claimant, claim},
        decision::{Decision, Spends},
        lease::Lease,
        trace::Trace,
    },
    testing,
};

const NOW: Time = Time::from_millis(1_800_000_000_000);
const LEASE_UNTIL: Time = Time::from_millis(1_800_000_020_000);

/// Keys of the rejected messages that the suite writes, each with the message id that must be kept:
/// the first of two within a day, the second of two further apart.
pub const REJECTED: [(&str, &str); 2] = [("q#0123", "message-1"), ("q#4567", "message-3")];

/// The table of the job types whose items the suite writes, with the partition key `dealer` and the sort key `vin`.
pub const AUXILIARY: &str = "vehicles";

/// Runs every case.
///
/// # Panics
/// If the store does not conform.
pub async fn store<S: Store>(store: &S) {
    each_insert_succeeds_or_fails_on_its_own(store).await;
    each_enqueued_record_is_inserted_or_refused_on_its_own(store).await;
    reads_are_strongly_consistent(store).await;
    a_replace_needs_an_unchanged_state_and_fence(store).await;
    a_settle_needs_a_running_record_with_the_same_fence(store).await;
    a_settle_keeps_what_the_run_did_not_change(store).await;
    a_settle_can_reset_the_count_of_crashes(store).await;
    a_settle_can_park_a_job_under_another_name(store).await;
    indexing_the_lease_expiry_needs_a_live_run(store).await;
    a_settle_removes_the_due_entry(store).await;
    a_repeated_rejection_replaces_the_first_only_after_a_day(store).await;
    leases_are_written_and_removed(store).await;
    a_settle_can_remove_the_lease(store).await;
    items::store(store).await;
    refused::a_record_that_is_too_long_is_refused_as_invalid(store).await;
    together::store(store).await;
}

fn work() -> Work {
    Work {
        payload: r#"{"a":1}"#.into(),
        retention: Duration::from_secs(1_296_000),
        created_at: NOW,
        trace: trace(),
        ..testing::work()
    }
}

fn trace() -> Option<Trace> {
    Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
}

/// A running record as a first claim makes it.
fn running(key: &str, owner: &str) -> Record {
    let ids = ["message-1".to_owned()];
    let claimant = Claimant {
        owner,
        message_ids: &ids,
        sent_at: NOW,
        may_kill: false,
        excuses_crashes: false,
        wakes: None,
        stray: false,
        redriven: false,
        dedup_window: Duration::from_secs(60),
        fallback: None,
        stands_in: false,
        give_up_after: Duration::ZERO,
        now: NOW,
        lease_until: LEASE_UNTIL,
    };
    match claim(None, key, &work(), &claimant) {
        ClaimDecision::Take { record, .. } => record,
        other => panic!("a new job is claimed, not {other:?}"),
    }
}

fn succeeded(record: &Record) -> Record {
    record.settled(Decision::Succeed, None, r#"{"b":2}"#.into(), NOW)
}

fn lease(owner: &str, jobs: &[&str]) -> Lease {
    let jobs = jobs.iter().map(|&job| job.to_owned()).collect();
    Lease { owner: owner.into(), until: LEASE_UNTIL, jobs }
}

async fn insert<S: Store>(store: &S, record: &Record) {
    let written = store.insert(std::slice::from_ref(record), &lease(&record.key, &[])).await;
    assert_eq!(written, Ok(vec![Written::Yes, Written::Yes]));
}

async fn each_insert_succeeds_or_fails_on_its_own<S: Store>(store: &S) {
    let first = running("case#d:alone-1", "a");
    insert(store, &first).await;
    let second = running("case#d:alone-2", "b");
    let again = running("case#d:alone-1", "b");
    let batch = [again, second.clone()];
    let written = store.insert(&batch, &lease("b", &["case#d:alone-1"])).await.unwrap_or_default();
    assert!(matches!(written[..], [Written::No(_), Written::Yes, Written::Yes]), "{written:?}");
    assert_eq!(store.read(&first.key).await, Ok(Some(first)), "the first stays");
    assert_eq!(store.read(&second.key).await, Ok(Some(second)));
}

async fn each_enqueued_record_is_inserted_or_refused_on_its_own<S: Store>(store: &S) {
    let queued = |n: usize| {
        let phase = Phase::Queued { due_at: NOW };
        Record {
            fence: 0,
            owner: String::new(),
            phase,
            ..running(&format!("case#g:queued-{n}"), "")
        }
    };
    let records: Vec<Record> = (0..25).map(queued).collect();
    assert_eq!(store.enqueue(&records[3..4]).await, Ok(vec![Written::Yes]));
    let written = store.enqueue(&records).await.unwrap_or_default();
    let refused: Vec<usize> =
        (0..25).filter(|n| matches!(written.get(*n), Some(Written::No(_)))).collect();
    assert_eq!((refused, written.len()), (vec![3], 25), "as many as one call takes");
    for record in &records {
        assert_eq!(store.read(&record.key).await, Ok(Some(record.clone())));
        assert!(record.due_entry().is_some(), "it is on the due index until it is claimed");
    }
}

async fn reads_are_strongly_consistent<S: Store>(store: &S) {
    assert_eq!(store.read("case#d:unknown").await, Ok(None));
    let mut record = running("case#d:reads", "a");
    insert(store, &record).await;
    for fence in 2..12 {
        let guard = record.guard();
        record.fence = fence;
        assert_eq!(store.replace(&record, Some(&guard)).await, Ok(Written::Yes));
        assert_eq!(store.read(&record.key).await, Ok(Some(record.clone())));
    }
}

async fn a_replace_needs_an_unchanged_state_and_fence<S: Store>(store: &S) {
    let record = running("case#d:replace", "a");
    assert_eq!(store.replace(&record, None).await, Ok(Written::Yes));
    let current = || Ok(Written::No(Some(Box::new(record.clone()))));
    let other = running("case#d:replace", "b");
    assert_eq!(store.replace(&other, None).await, current(), "the record exists by now");
    let mut guard = record.guard();
    guard.fence += 1;
    assert_eq!(store.replace(&other, Some(&guard)).await, current(), "another fence");
    let mut guard = record.guard();
    guard.state = "waiting";
    assert_eq!(store.replace(&other, Some(&guard)).await, current(), "another state");
    assert_eq!(store.replace(&other, Some(&record.guard())).await, Ok(Written::Yes));
    let absent = running("case#d:replace-absent", "a");
    let guard = absent.guard();
    assert_eq!(store.replace(&absent, Some(&guard)).await, Ok(Written::No(None)));
}

async fn a_settle_needs_a_running_record_with_the_same_fence<S: Store>(store: &S) {
    let (ours, theirs) = (running("case#d:settle-1", "a"), running("case#d:settle-2", "a"));
    insert(store, &ours).await;
    insert(store, &theirs).await;
    let mut taken_over = theirs.clone();
    taken_over.fence += 1;
    "z".clone_into(&mut taken_over.owner);
    assert_eq!(store.replace(&taken_over, Some(&theirs.guard())).await, Ok(Written::Yes));
    let missing = running("case#d:settle-3", "a");
    let ends = [succeeded(&ours), succeeded(&theirs), succeeded(&missing)];
    let refused = Written::No(Some(Box::new(taken_over.clone())));
    let expected = vec![Written::Yes, refused, Written::No(None)];
    assert_eq!(store.settle(&ends, &[], None, None).await, Ok(expected));
    assert_eq!(store.read(&ours.key).await, Ok(Some(ends[0].clone())));
    assert_eq!(store.read(&theirs.key).await, Ok(Some(taken_over)), "the zombie changed nothing");
    let again = store.settle(&ends[..1], &[], None, None).await;
    assert_eq!(again, Ok(vec![Written::No(Some(Box::new(ends[0].clone())))]));
}

async fn a_settle_keeps_what_the_run_did_not_change<S: Store>(store: &S) {
    let mut record = running("case#d:keeps", "a");
    record.counters =
        Counters { receives: 3, claims: 2, attempts: 1, defers: 4, crashes: 1, paused_ms: 7 };
    record.work.deadline = Some(LEASE_UNTIL);
    insert(store, &record).await;
    let why = "later".to_owned();
    let (run_after, due_at) = (LEASE_UNTIL, LEASE_UNTIL);
    let provisional = Some("{}".to_owned());
    let phase = Phase::Waiting { run_after, due_at, why };
    let waiting = Record { phase, provisional, ..record };
    assert_eq!(
        store.settle(std::slice::from_ref(&waiting), &[], None, None).await,
        Ok(vec![Written::Yes])
    );
    assert_eq!(store.read(&waiting.key).await, Ok(Some(waiting)));
}

async fn a_settle_can_reset_the_count_of_crashes<S: Store>(store: &S) {
    let mut record = running("case#d:crashes", "a");
    record.counters.crashes = 2;
    insert(store, &record).await;
    let more = record.settled(Decision::Continue, None, "1".into(), NOW);
    assert_eq!(more.counters.crashes, 0);
    let written = store.settle(std::slice::from_ref(&more), &[], None, None).await;
    assert_eq!(written, Ok(vec![Written::Yes]));
    assert_eq!(store.read(&record.key).await, Ok(Some(more)));
}

/// A job that waits for a quota is parked under a name of its own, until it is claimed again.
async fn a_settle_can_park_a_job_under_another_name<S: Store>(store: &S) {
    let record = running("case#d:paused", "a");
    insert(store, &record).await;
    let spent = Failure::new(Class::Deferred, QUOTA_SPENT, "used up");
    let spent = spent.parked_under("elsewhere/creations".into());
    let decision = Decision::Park { after: Duration::from_mins(1), spends: Spends::Deferral };
    let parked = record.settled(decision, Some(&spent), String::new(), NOW);
    assert_eq!(parked.work.dependency, "elsewhere/creations");
    let written = store.settle(std::slice::from_ref(&parked), &[], None, None).await;
    assert_eq!(written, Ok(vec![Written::Yes]));
    assert_eq!(store.read(&record.key).await, Ok(Some(parked.clone())));
    let mut again = parked.clone().resumed(LEASE_UNTIL);
    again.work.dependency.clone_from(&record.work.dependency);
    again.phase = record.phase.clone();
    assert_eq!(store.replace(&again, Some(&parked.guard())).await, Ok(Written::Yes));
    assert_eq!(store.read(&record.key).await, Ok(Some(again.clone())));
    assert_eq!((again.is_paused(), again.counters.paused_ms), (false, 20_000));
}

async fn indexing_the_lease_expiry_needs_a_live_run<S: Store>(store: &S) {
    let record = running("case#d:arm", "a");
    insert(store, &record).await;
    assert_eq!(store.index_lease_expiry(&record).await, Ok(Written::Yes));
    let mut other = record.clone();
    other.fence += 1;
    let current = Written::No(Some(Box::new(record.with_lease_expiry_indexed())));
    assert_eq!(store.index_lease_expiry(&other).await, Ok(current), "another run");
    let indexed = record.with_lease_expiry_indexed();
    assert_eq!(store.read(&record.key).await, Ok(Some(indexed.clone())));
    let ended = succeeded(&indexed);
    assert_eq!(
        store.settle(std::slice::from_ref(&ended), &[], None, None).await,
        Ok(vec![Written::Yes])
    );
    let refused = Ok(Written::No(Some(Box::new(ended))));
    assert_eq!(store.index_lease_expiry(&record).await, refused, "the run is over");
}

async fn a_settle_removes_the_due_entry<S: Store>(store: &S) {
    let record = running("case#d:due", "a");
    insert(store, &record).await;
    assert_eq!(store.index_lease_expiry(&record).await, Ok(Written::Yes));
    // The run does not know that its lease expiry was indexed.
    let ended = succeeded(&record);
    assert_eq!(
        store.settle(std::slice::from_ref(&ended), &[], None, None).await,
        Ok(vec![Written::Yes])
    );
    assert_eq!(ended.due_entry(), None);
    assert_eq!(store.read(&record.key).await, Ok(Some(ended)));
}

async fn a_repeated_rejection_replaces_the_first_only_after_a_day<S: Store>(store: &S) {
    let body = RejectedMessage {
        key: "q#0123".into(),
        kind: "case".into(),
        queue: work().queue,
        message_id: "message-1".into(),
        head: "not json".into(),
        length: 8,
        rejection: Rejection::new(Flaw::Malformed, "body: expected a value"),
        group: Some("acme".into()),
        trace: trace(),
        at: NOW,
        expires_at: LEASE_UNTIL,
    };
    assert_eq!(store.reject(&body).await, Ok(()));
    let again = RejectedMessage { message_id: "message-2".into(), ..body.clone() };
    assert_eq!(store.reject(&again).await, Ok(()), "idempotent");
    let later = NOW + Duration::from_hours(25);
    let (other, key) = ("message-3".to_owned(), "q#4567".to_owned());
    let old = RejectedMessage { key, ..body };
    assert_eq!(store.reject(&old).await, Ok(()));
    let renewed = RejectedMessage { message_id: other, at: later, ..old };
    assert_eq!(store.reject(&renewed).await, Ok(()));
}

async fn leases_are_written_and_removed<S: Store>(store: &S) {
    let lease = lease("leaseholder", &["case#d:1", "case#d:2"]);
    assert_eq!(store.lease(&lease).await, Ok(()));
    assert_eq!(store.lease(&lease).await, Ok(()), "idempotent");
    let refused = store.insert(&[], &lease).await;
    assert_eq!(refused, Ok(vec![Written::No(None)]), "an insert refuses a lease that exists");
    assert_eq!(store.release(&lease).await, Ok(()));
    assert_eq!(store.release(&lease).await, Ok(()), "idempotent");
    let free = store.insert(&[], &lease).await;
    assert_eq!(free, Ok(vec![Written::Yes]), "it was removed");
}

async fn a_settle_can_remove_the_lease<S: Store>(store: &S) {
    let (record, lease) = (running("case#d:closing", "a"), lease("closing", &["case#d:closing"]));
    let written = store.insert(std::slice::from_ref(&record), &lease).await;
    assert_eq!(written, Ok(vec![Written::Yes, Written::Yes]));
    let ended = [succeeded(&record)];
    assert_eq!(store.settle(&ended, &[], Some(&lease), None).await, Ok(vec![Written::Yes]));
    let free = store.insert(&[], &lease).await;
    assert_eq!(free, Ok(vec![Written::Yes]), "the lease was removed");
    // Removing a lease that is already gone succeeds, and does not hide a refused record.
    assert_eq!(store.release(&lease).await, Ok(()));
    let refused = vec![Written::No(Some(Box::new(ended[0].clone())))];
    assert_eq!(store.settle(&ended, &[], Some(&lease), None).await, Ok(refused));
}
