//! One job through its run: time limit, panic guard, outcome.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::{
    error::{Class, Failure},
    job::{Gate, Job, Progress, Run},
    outcome::Outcome,
    record::Record,
    time::{Clock, Time},
};

/// Runs `job` once for a claimed `record`, for at most its policy's time-out and not past
/// `latest_end`.
///
/// A panic is caught and is an outcome like any other: the neighbours in the process live on.
pub async fn execute<J: Job>(
    job: &J,
    payload: &J::Payload,
    record: &Record,
    gate: &impl Gate,
    clock: &impl Clock,
    latest_end: Time,
) -> Outcome {
    let now = clock.now();
    let limit = J::POLICY.job_timeout.min(latest_end.since(now));
    if limit.is_zero() {
        return Outcome::Failed(unstarted());
    }
    let run = Run {
        key: record.key.clone(),
        ledger: record.ledger,
        history: record.history.clone(),
        cursor: record.cursor.clone(),
        ends_at: now + limit,
        gate,
    };
    let work = AssertUnwindSafe(job.run(payload, &run)).catch_unwind();
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(Ok(Progress::More(cursor)))) => Outcome::Continues(cursor),
        Ok(Ok(Ok(Progress::Done(output)))) => match serde_json::to_string(&output) {
            Ok(result) => Outcome::Succeeded(result),
            Err(error) => Outcome::Failed(Failure::new(
                Class::Permanent,
                "result_not_json",
                format!("the job's result is no JSON: {error}"),
            )),
        },
        Ok(Ok(Err(failure))) => Outcome::Failed(failure),
        Ok(Err(panic)) => Outcome::Failed(panicked(panic.as_ref())),
        Err(_) => Outcome::Failed(timed_out(limit)),
    }
}

/// The failure of a job that there was no time to start.
#[must_use]
pub fn unstarted() -> Failure {
    Failure::new(Class::Unstarted, "unstarted", "too little time left to start")
}

fn timed_out(limit: Duration) -> Failure {
    let message = format!("no result after {} ms", limit.as_millis());
    Failure::new(Class::Transient, "job_timeout", message)
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    Failure::new(Class::Crash, "panic", message)
}
