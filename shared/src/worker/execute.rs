//! Executes one run of a job, with a time limit and a panic guard.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::{
    base::time::{Clock, Time},
    failure::{Class, Failure, JOB_TIMEOUT, RATE_LIMIT},
    job::{Gate, Job, Progress, Run},
    payload::{Payload, SensitiveValues},
    policy::{MAX_CURSOR_BYTES, MAX_RESULT_BYTES},
    record::{
        Record,
        item::{MAX_ITEM_BYTES, TableItem},
    },
};

/// How one run of a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Succeeded(Success),
    /// A part of the work is done; another run continues from this cursor.
    Continues(String),
    /// The run failed.
    Failed(Failure),
}

/// What a run that succeeded has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// The result as JSON.
    pub result: String,
    /// The item to write with it.
    pub item: Option<Box<TableItem>>,
    /// What the job type says of it.
    pub label: Option<&'static str>,
}

/// Runs `job` once for a claimed `record`: for at most its policy's `job_timeout`, not counting
/// waits for slots, and not past `latest_end`. See [`Run::is_last`].
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
    is_last: bool,
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
        sent_at: record.work.asked_at(),
        trace: record.work.trace.clone(),
        ends_at: now + limit,
        is_last,
        gate,
    };
    let work = guarded(async {
        job.run(payload, &run).await.map(|progress| match progress {
            Progress::More(cursor) => Ok(Outcome::Continues(cursor)),
            Progress::Done(output) => succeeded::<J>(&output, None),
            Progress::DoneWith(output, item) => succeeded::<J>(&output, Some(item)),
        })
    });
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        () = time_is_up(gate, limit, hard_limit) => {
            let waiting = gate.is_waiting();
            return Outcome::Failed(if waiting { slot_too_late() } else { timed_out(limit) });
        }
    };
    let outcome = match ended {
        Ok(Ok(Ok(outcome))) => bounded(outcome),
        Ok(Ok(Err(error))) => Outcome::Failed(Failure::new(
            Class::Permanent,
            "result_not_json",
            format!("the job's result is no JSON: {error}"),
        )),
        Ok(Err(failure)) | Err(failure) => Outcome::Failed(failure),
    };
    discreet::<J::Payload>(outcome, record)
}

/// The outcome without sensitive values of the payload: the message of a failure is kept, logged and shown.
fn discreet<P: Payload>(outcome: Outcome, record: &Record) -> Outcome {
    match outcome {
        Outcome::Failed(failure) if !P::SENSITIVE.is_empty() => {
            let values = SensitiveValues::in_json::<P>(&record.work.payload);
            Outcome::Failed(failure.told(|message| values.hide(message)))
        }
        outcome => outcome,
    }
}

fn succeeded<J: Job>(
    output: &J::Output,
    item: Option<Box<TableItem>>,
) -> Result<Outcome, serde_json::Error> {
    let (result, label) = (serde_json::to_string(output)?, J::label(output));
    Ok(Outcome::Succeeded(Success { result, item, label }))
}

/// Runs code of a job type. A panic becomes a failure of class [`Class::Crash`], so the other jobs of the
/// process continue.
pub(super) async fn guarded<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.map_err(|panic| panicked(panic.as_ref()))
}

/// The same for code that is not asynchronous.
pub(super) fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panicked(panic.as_ref()))
}

/// An outcome that fits into a record: a longer one could not be written, and the job would run again for
/// ever.
fn bounded(outcome: Outcome) -> Outcome {
    let (name, length, most) = match &outcome {
        Outcome::Succeeded(Success { item: Some(item), .. }) if item.bytes() > MAX_ITEM_BYTES => {
            ("item", item.bytes(), MAX_ITEM_BYTES)
        }
        Outcome::Succeeded(done) => ("result", done.result.len(), MAX_RESULT_BYTES),
        Outcome::Continues(cursor) => ("cursor", cursor.len(), MAX_CURSOR_BYTES),
        Outcome::Failed(_) => return outcome,
    };
    if length <= most {
        return outcome;
    }
    let message = format!("the job's {name} has {length} bytes, expected at most {most}");
    let code = if name == "item" { "item_too_long" } else { "result_too_long" };
    Outcome::Failed(Failure::new(Class::Permanent, code, message))
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
    Failure::new(Class::Deferred, RATE_LIMIT, "no slot within the run's time")
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

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{
        gates::Closed,
        payload::Problems,
        policy::Policy,
        record::{Phase, Work},
        testing::{self, POLICY, TestClock},
    };

    #[derive(Clone, Serialize, Deserialize)]
    struct Payment {
        card: String,
    }

    impl Payload for Payment {
        const SENSITIVE: &'static [&'static str] = &["card"];

        fn check(&mut self, _: &mut Problems) {}
    }

    struct Charge;

    impl Job for Charge {
        const TYPE: &'static str = "charge";
        const POLICY: Policy = POLICY;
        type Payload = Payment;
        type Output = ();

        async fn run<G: Gate>(
            &self,
            payment: &Payment,
            _: &Run<'_, G>,
        ) -> Result<Progress<()>, Failure> {
            let message = format!("the shop refuses {}", payment.card);
            Err(Failure::new(Class::Permanent, "refused", message))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_does_not_repeat_a_sensitive_value() {
        let payment = Payment { card: "4711-0815".into() };
        let payload = serde_json::to_string(&payment).unwrap();
        let queued = Phase::Queued { due_at: Time::default() };
        let record = testing::record("charge#g:1", queued);
        let record = Record { work: Work { payload, ..testing::work() }, ..record };
        let gate = Closed::new(&unstarted());
        let clock = TestClock::default();
        let end = clock.now() + Duration::from_secs(9);
        let outcome = execute(&Charge, &payment, &record, &gate, &clock, end, false).await;
        let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!((failure.code(), failure.message()), ("refused", "the shop refuses ***"));
    }

    #[test]
    fn a_cursor_or_a_result_that_no_record_can_hold_is_a_permanent_failure() {
        let done = |length| {
            let result = "x".repeat(length);
            Outcome::Succeeded(Success { result, item: None, label: None })
        };
        let more = |length| Outcome::Continues("x".repeat(length));
        for fits in [more(MAX_CURSOR_BYTES), done(MAX_RESULT_BYTES)] {
            assert_eq!(bounded(fits.clone()), fits);
        }
        for (name, most, outcome) in [
            ("cursor", MAX_CURSOR_BYTES, more(MAX_CURSOR_BYTES + 1)),
            ("result", MAX_RESULT_BYTES, done(MAX_RESULT_BYTES + 1)),
        ] {
            let why = format!("the job's {name} has {} bytes, expected at most {most}", most + 1);
            let failure = Failure::new(Class::Permanent, "result_too_long", why);
            assert_eq!(bounded(outcome), Outcome::Failed(failure));
        }
    }
}
