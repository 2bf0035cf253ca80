//! Runs one claimed job through the gates, and decides what follows from its outcome.

use super::claim;
use std::time::Duration;

use crate::{
    base::{random::Random, time::Clock},
    failure::{Class, Failure},
    gates::{Refused, RunEnd, RunKind},
    job::Job,
    policy::{ANSWER_RESERVE, PARK_FROM_RECEIVE},
    ports::{PortError, Ports},
    record::{
        Counters, Record,
        decision::Decision,
        retry::{self, Situation},
    },
    telemetry,
    worker::{
        Worker,
        batch::Batch,
        disposition::pause,
        execute::{self, Outcome},
    },
};

/// Maximum time that the end of a run waits for its report to the gates.
const LEAVE_TIME: Duration = Duration::from_secs(2);

/// Part of the batch's time that the report to the gates must not use.
const LEAVE_RESERVE: Duration = Duration::from_secs(1);

/// A job whose run has ended and is not settled yet.
pub(super) struct Ended {
    pub(super) ticket: usize,
    pub(super) record: Record,
    pub(super) decision: Decision,
    pub(super) failure: Option<Failure>,
    /// Why the whole event must fail, although this end is written.
    pub(super) broken: Option<String>,
}

/// Runs a job, if there is time, and decides what follows.
pub(super) async fn run_one<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: usize,
    mut record: Record,
) -> Ended {
    let RunResult { outcome, broken } = run_through_gates(worker, batch, ticket, &record).await;
    let now = worker.clock.now();
    match outcome {
        Outcome::Succeeded(result) => {
            let decision = Decision::Succeed;
            let record = record.settled(decision, None, result, now);
            Ended { ticket, record, decision, failure: None, broken }
        }
        Outcome::Continues(cursor) => {
            let decision = Decision::Continue;
            let mut record = record.settled(decision, None, cursor, now);
            if batch.tickets[ticket].receives >= PARK_FROM_RECEIVE {
                record.park();
            }
            Ended { ticket, record, decision, failure: None, broken }
        }
        Outcome::Failed(failure) => {
            record.fall_back(batch.tickets[ticket].fallback.as_deref(), now);
            let situation = Situation {
                policy: &J::POLICY,
                counters: record.counters,
                deadline: record.ends_at(J::POLICY.give_up_after),
                provisional: record.provisional.is_some(),
                budget_spent: worker.gates.is_budget_spent(&record.work.dependency),
                now,
                chance: worker.random.unit(),
            };
            let decision = match retry::decide(&failure, &situation) {
                // The message has few receives left, so the job is parked instead of retried from
                // the queue.
                Decision::Retry { after, spends }
                    if batch.tickets[ticket].receives >= PARK_FROM_RECEIVE =>
                {
                    Decision::Park { after, spends }
                }
                decision => decision,
            };
            let record = record.settled(decision, Some(&failure), String::new(), now);
            Ended { ticket, record, decision, failure: Some(failure), broken }
        }
    }
}

/// The outcome of one run.
struct RunResult {
    outcome: Outcome,
    /// Why the whole event must fail, if an operator must fix the gates.
    broken: Option<String>,
}

impl RunResult {
    fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), broken: None }
    }
}

/// Runs a job once, if the gates admit it, and reports to the gates.
async fn run_through_gates<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: usize,
    record: &Record,
) -> RunResult {
    if !claim::fits(worker, batch) {
        return RunResult::failed(execute::unstarted());
    }
    let kind = match record.counters {
        Counters { attempts: 1.., .. } => RunKind::Retry,
        Counters { claims: ..=1, .. } => RunKind::First,
        _ => RunKind::Again,
    };
    let receives = batch.tickets[ticket].receives;
    let mut permit = match worker.gates.enter(&record.work.dependency, kind).await {
        Ok(permit) => permit,
        Err(Refused::Deferred(failure)) => {
            let failure = match failure.class() {
                Class::Unstarted => failure.with_retry_after(Some(pause(receives))),
                _ => failure,
            };
            return RunResult::failed(failure);
        }
        Err(Refused::Broken(why)) => {
            let wait = Some(pause(receives));
            let failure = Failure::new(Class::Unstarted, "gates_broken", why.clone());
            return RunResult {
                broken: Some(why),
                ..RunResult::failed(failure.with_retry_after(wait))
            };
        }
    };
    // The slot may have come too late for the run.
    let outcome = if claim::fits(worker, batch) {
        let payload = &batch.tickets[ticket].message.payload;
        let latest_end = batch.deadline.before(J::POLICY.reserve);
        permit.until((worker.clock.now() + J::POLICY.job_timeout).min(latest_end), latest_end);
        execute::execute(&worker.job, payload, record, &permit, &worker.clock, latest_end).await
    } else {
        Outcome::Failed(execute::unstarted())
    };
    let end = match &outcome {
        Outcome::Failed(failure) if failure.code() == execute::JOB_TIMEOUT => RunEnd::TimedOut,
        _ => RunEnd::Ended,
    };
    // The report to the gates may be cut short, but the end of the run must be written.
    let left = batch.deadline.before(ANSWER_RESERVE + LEAVE_RESERVE).since(worker.clock.now());
    if tokio::time::timeout(left.min(LEAVE_TIME), worker.gates.leave(permit, end)).await.is_err() {
        telemetry::port_failed("leave", &PortError::Unavailable("out of time".into()));
    }
    RunResult { outcome, broken: None }
}
