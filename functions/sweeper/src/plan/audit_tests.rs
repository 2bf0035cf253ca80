use evenkeel::record::due::DueEntry;

use super::*;
use crate::{
    config::{JobType, Source},
    plan::test_records::{NOW, QUEUE, parked, record, running, seconds, succeeded, waiting},
};

fn config() -> Config {
    let source = |name: &str| Source {
        queue: format!("arn:aws:sqs:eu-west-1:1:{name}"),
        mapping: String::new(),
        concurrency: 2,
    };
    let job = JobType {
        kind: "errand".into(),
        dependency: None,
        per_second: None,
        weight: 1,
        normal: source("errand"),
        high: source("errand-high"),
        dead: String::new(),
    };
    Config { types: vec![job], balance: false, namespace: String::new() }
}

/// The item that the engine writes for a record.
fn item(record: &Record) -> ScannedItem {
    ScannedItem {
        key: vec![record.key.clone()],
        expires_at: record.expires_at(),
        due_entry: record.due_entry(),
        record: Some(Ok(record.clone())),
    }
}

fn repair(found: &ScannedItem) -> Option<(&'static str, Repair)> {
    let parked = BTreeSet::from(["elsewhere".to_owned()]);
    examine(found, &config(), Some(&parked), NOW).map(|oddity| (oddity.what, oddity.repair))
}

#[test]
fn records_as_the_engine_writes_them_are_consistent() {
    let phases = [
        Phase::Queued { due_at: NOW },
        running(NOW),
        Phase::Running { lease_until: NOW, lease_expiry_indexed: true },
        waiting(NOW),
        parked(NOW),
        succeeded(NOW),
        Phase::Dead { at: NOW, why: "no".into() },
        Phase::Quarantined { at: NOW, why: "no".into() },
    ];
    for phase in phases {
        let record = record("errand#g:1", phase);
        assert_eq!(repair(&item(&record)), None, "{record:?}");
    }
    let body =
        ScannedItem { key: vec!["q#1".into()], expires_at: None, due_entry: None, record: None };
    assert_eq!(repair(&body), None);
}

#[test]
fn a_missing_or_wrong_due_entry_is_repaired() {
    for phase in [Phase::Queued { due_at: NOW }, waiting(NOW), parked(NOW)] {
        let found = ScannedItem { due_entry: None, ..item(&record("errand#g:1", phase)) };
        assert_eq!(repair(&found), Some(("no_due_entry", Repair::Rewrite)));
    }
    let late = NOW.before(GRACE);
    for phase in [Phase::Queued { due_at: late }, waiting(late)] {
        let found = ScannedItem { due_entry: None, ..item(&record("errand#g:1", phase)) };
        assert_eq!(
            repair(&found),
            Some(("no_due_entry", Repair::SendAgain)),
            "an overdue job may have no message"
        );
    }
    let elsewhere = Some(DueEntry { partition: "waiting#other#0".into(), due_at: NOW });
    let found =
        ScannedItem { due_entry: elsewhere.clone(), ..item(&record("errand#g:1", waiting(NOW))) };
    assert_eq!(repair(&found), Some(("wrong_due_entry", Repair::Rewrite)));
    let found = ScannedItem { due_entry: elsewhere, ..item(&record("errand#g:1", succeeded(NOW))) };
    assert_eq!(repair(&found), Some(("stale_due_entry", Repair::Rewrite)));
}

#[test]
fn an_expiry_that_does_not_fit_the_state_is_repaired() {
    let found = ScannedItem { expires_at: Some(NOW), ..item(&record("errand#g:1", waiting(NOW))) };
    assert_eq!(repair(&found), Some(("would_expire", Repair::Rewrite)));
    let found = ScannedItem { expires_at: None, ..item(&record("errand#g:1", succeeded(NOW))) };
    assert_eq!(repair(&found), Some(("never_expires", Repair::Rewrite)));
}

#[test]
fn a_run_whose_lease_item_was_lost_is_put_on_the_due_index() {
    let lost = record("errand#g:1", running(NOW.before(ABANDONED_AFTER)));
    assert_eq!(repair(&item(&lost)), Some(("abandoned", Repair::IndexLeaseExpiry)));
    let fresh = record("errand#g:1", running(NOW.before(ABANDONED_AFTER) + seconds(1)));
    assert_eq!(repair(&item(&fresh)), None, "its lease item may still exist");
}

#[test]
fn a_success_without_a_result_is_checked() {
    for result in ["", "null", "{}", "\"\"", "not json"] {
        let phase = Phase::Succeeded { at: NOW, result: result.into() };
        let found = item(&record("errand#g:1", phase));
        assert_eq!(repair(&found), Some(("no_result", Repair::Check)), "{result}");
    }
}

#[test]
fn unknown_queues_impossible_counts_and_unreadable_records_are_reported() {
    let mut record = record("errand#g:1", waiting(NOW));
    record.work.queue = "arn:aws:sqs:eu-west-1:1:gone".into();
    assert_eq!(repair(&item(&record)), Some(("unknown_queue", Repair::None)));
    record.work.queue = QUEUE.into();
    record.counters.attempts = 9;
    assert_eq!(repair(&item(&record)), Some(("impossible_counts", Repair::None)));
    let unreadable = ScannedItem { record: Some(Err("fence: gone".into())), ..item(&record) };
    assert_eq!(repair(&unreadable), Some(("unreadable", Repair::None)));
}

#[test]
fn a_job_whose_messages_are_sent_in_vain_for_hours_is_reported() {
    let phase = |minutes: u64| Phase::Waiting {
        run_after: NOW,
        due_at: NOW + seconds(minutes * 60),
        why: "http_503".into(),
    };
    let in_vain = item(&record("errand#g:1", phase(60)));
    assert_eq!(repair(&in_vain), Some(("keeps_waiting", Repair::None)));
    assert_eq!(repair(&item(&record("errand#g:1", phase(32)))), None);
}

#[test]
fn the_dependency_of_a_parked_job_is_registered_if_it_was_not() {
    let mut record = record("errand#g:1", parked(NOW));
    record.work.dependency = "nowhere".into();
    assert_eq!(repair(&item(&record)), Some(("parked_unregistered", Repair::RegisterDependency)));
    let blind = examine(&item(&record), &config(), None, NOW);
    assert_eq!(blind, None, "the registered dependencies could not be read");
}
