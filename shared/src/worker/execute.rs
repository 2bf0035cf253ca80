//! Executes one run of a job, with a time limit and a panic guard.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::{
    base::time::{Clock, Time},
    failure::{Class, Failure},
    job::{Gate, Job, Progress, Run},
    record::Record,
};

/// How one run of a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done; holds the result as JSON.
    Succeeded(String),
    /// A part of the work is done; another run continues from this cursor.
    Continues(String),
    /// The run failed.
    Failed(Failure),
}

/// Failure code of a run that exceeded its time limit.
pub const JOB_TIMEOUT: &str = "job_timeout";

/// Runs `job` once for a claimed `record`: for at most its policy's `job_timeout`, not counting
/// waits for slots, and not past `latest_end`.
///
/// A panic is caught and becomes a failure of class [`Class::Crash`], so the other jobs of the
/// process continue.
pub async fn execute<J: Job>(
    job: &J,
    payload: &J::Payload,
    record: &Record,
    gate: &impl Gate,
    clock: &impl Clock,
    latest_end: Time,
) -> Outcome {
    let now = clock.now();
    let hard_limit = latest_end.since(now);
    let limit = J::POLICY.job_timeout.min(hard_limit);
    if limit.is_zero() {
        return Outcome::Failed(unstarted());
    }
    let run = Run {
        key: record.key.clone(),
        counters: record.counters,
        history: record.history.clone(),
        cursor: record.cursor.clone(),
        ends_at: now + limit,
        gate,
    };
    let work = AssertUnwindSafe(job.run(payload, &run)).catch_unwind();
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        () = time_is_up(gate, limit, hard_limit) => {
            let waiting = gate.is_waiting();
            return Outcome::Failed(if waiting { slot_too_late() } else { timed_out(limit) });
        }
    };
    match ended {
        Ok(Ok(Progress::More(cursor))) => Outcome::Continues(cursor),
        Ok(Ok(Progress::Done(output))) => match serde_json::to_string(&output) {
            Ok(result) => Outcome::Succeeded(result),
            Err(error) => Outcome::Failed(Failure::new(
                Class::Permanent,
                "result_not_json",
                format!("the job's result is no JSON: {error}"),
            )),
        },
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(panic) => Outcome::Failed(panicked(panic.as_ref())),
    }
}

/// Returns when the run has used `limit`, not counting waits for slots, or `hard_limit` including
/// them.
async fn time_is_up(gate: &impl Gate, limit: Duration, hard_limit: Duration) {
    let began = Instant::now();
    loop {
        let end = began + (limit + gate.waited()).min(hard_limit);
        if Instant::now() >= end {
            return;
        }
        tokio::time::sleep_until(end).await;
    }
}

fn slot_too_late() -> Failure {
    Failure::new(Class::Deferred, "rate_limit", "no slot within the run's time")
}

/// The failure of a job that cannot be started in the time left.
#[must_use]
pub fn unstarted() -> Failure {
    Failure::new(Class::Unstarted, "unstarted", "too little time left to start")
}

fn timed_out(limit: Duration) -> Failure {
    let message = format!("no result after {} ms", limit.as_millis());
    Failure::new(Class::Transient, JOB_TIMEOUT, message)
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    Failure::new(Class::Crash, "panic", message)
}
