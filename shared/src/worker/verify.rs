//! Checks, when the sweeper's audit asks, whether the results of succeeded jobs still exist. The
//! job type does the check, and its calls pass the gates like all others.

use super::check_history::CheckHistory;
use super::claim;
use std::{sync::PoisonError, time::Duration};

use futures_util::future::join_all;

use crate::{
    base::time::{Clock, Time},
    failure::{Class, Failure},
    gates::{Refused, RunEnd, RunKind},
    job::{Job, Run, Soundness},
    message::Message,
    ports::{
        Control, Ports, Store, Written,
        notes::{FINDING_RETENTION, Finding},
    },
    record::{Phase, Record, Work},
    telemetry,
    worker::{
        Worker,
        batch::{Batch, limit},
        execute::guarded,
    },
};

/// A younger result that is not found is not restored: the read may lag behind the write.
const MIN_AGE_TO_RESTORE: Duration = Duration::from_hours(1);

/// Checks the results that the batch asks about. A failed check is not retried: the audit asks
/// again later.
pub(super) async fn verify_results<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) {
    let checks = batch.checks.iter().map(|message| check(worker, batch, message));
    let checked: Vec<(Record, Soundness)> = join_all(checks).await.into_iter().flatten().collect();
    let now = worker.clock.now();
    let history = {
        // A panic while the lock was held leaves consistent counters.
        let mut checks = worker.checks.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, soundness) in &checked {
            checks.note(soundness, now);
        }
        *checks
    };
    let owner = &batch.lease.owner;
    let told = checked
        .iter()
        .map(|(record, soundness)| report(worker, record, soundness, history, owner, now));
    join_all(told).await;
}

/// Logs and stores a finding, and reopens the job if that is certainly right.
async fn report<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    record: &Record,
    soundness: &Soundness,
    history: CheckHistory,
    owner: &str,
    now: Time,
) {
    let (what, detail, again) = match soundness {
        Soundness::Sound => return,
        Soundness::Missing(detail) => ("result_missing", detail, history.missing_is_credible()),
        Soundness::Lost(detail) => {
            let settled = record.phase.ended_at().is_some_and(|at| at + MIN_AGE_TO_RESTORE <= now);
            ("result_lost", detail, history.lost_is_credible() && settled)
        }
        Soundness::Changed(detail) => ("result_changed", detail, false),
    };
    let repaired = again && {
        let anew = reopened_for_lost_result(record, owner, detail, now);
        worker.store.replace(&anew, Some(&record.guard())).await == Ok(Written::Yes)
    };
    let finding =
        Finding { what: what.to_owned(), detail: detail.clone(), at: now.as_millis(), repaired };
    telemetry::finding(&record.key, record.work.trace.as_ref(), &finding);
    let text = serde_json::to_string(&finding).unwrap_or_default();
    let noted = worker
        .store
        .put_note(&Finding::note_key(&record.key), &text, now + FINDING_RETENTION)
        .await;
    if let Err(error) = noted {
        telemetry::port_failed("put_note", &error);
    }
}

/// Checks the result that a message asks about, and returns it with the record. `None` if there is
/// nothing to check, or the check failed.
async fn check<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    message: &Message<J::Payload>,
) -> Option<(Record, Soundness)> {
    let record = match worker.store.read(&message.key).await {
        Ok(record) => record?,
        Err(error) => {
            telemetry::port_failed("check", &error);
            return None;
        }
    };
    let Phase::Succeeded { result, .. } = &record.phase else { return None };
    if !claim::fits(worker, batch) {
        return None;
    }
    match verify(worker, &record, message, result, batch).await {
        Ok(soundness) => Some((record, soundness)),
        Err(failure) => {
            telemetry::check_failed(&record, &failure);
            None
        }
    }
}

async fn verify<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    record: &Record,
    message: &Message<J::Payload>,
    result: &str,
    batch: &Batch<J::Payload>,
) -> Result<Soundness, Failure> {
    worker.gates.know_limit(&record.work.dependency, limit(&worker.job, &message.payload));
    let permit = worker.gates.enter(&record.work.dependency, RunKind::Again).await;
    let mut permit = permit.map_err(Refused::into_failure)?;
    let latest_end = batch.deadline.before(J::POLICY.reserve);
    let ends_at = (worker.clock.now() + J::POLICY.job_timeout).min(latest_end);
    permit.until(ends_at, latest_end);
    let run = Run {
        key: record.key.clone(),
        counters: record.counters,
        history: Vec::new(),
        cursor: None,
        sent_at: record.work.asked_at(),
        trace: record.work.trace.clone(),
        ends_at,
        is_last: false,
        gate: &permit,
    };
    let limit = ends_at.since(worker.clock.now());
    let check = guarded(worker.job.verify(&message.payload, result, &run));
    let (checked, end) = match tokio::time::timeout(limit, check).await {
        Ok(checked) => (checked.and_then(|checked| checked), RunEnd::Ended),
        Err(_) => (
            Err(Failure::new(Class::Transient, "check_timeout", "the check took too long")),
            RunEnd::TimedOut,
        ),
    };
    worker.gates.leave(permit, end).await;
    checked
}

/// The reopened record of a job whose result is gone; the sweeper sends its message.
fn reopened_for_lost_result(record: &Record, owner: &str, detail: &str, now: Time) -> Record {
    // The deadline has been met: restoring the result has none, and time of its own.
    let work = Work { deadline: None, ..record.work.begun_anew(now) };
    let mut again = record.clone().reopened(&work);
    owner.clone_into(&mut again.owner);
    again.fence += 1;
    again.note(&format!("begun anew: {detail}"), now);
    let why = format!("done again: {detail}");
    again.phase = Phase::Waiting { run_after: now, due_at: now, why };
    again
}
