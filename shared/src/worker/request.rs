//! Answers a request that an operator sends to the function itself. It is no job: nothing of it is recorded or tried
//! again. Its calls pass the gates like those of jobs, so it keeps to the same rates.

use serde_json::{Value, json};

use crate::{
    base::time::{Clock, Time},
    dependency::limiter::Limit,
    failure::{Class, Failure, JOB_TIMEOUT},
    gates::{Refused, RunEnd, RunKind},
    job::{Job, Run},
    policy::ANSWER_RESERVE,
    ports::Ports,
    record::Counters,
    worker::{Worker, execute::guarded},
};

/// What stands in for a record's key in the run of a request.
const KEY: &str = "request";

/// Lets the job type answer `request`, before `deadline`, at which Lambda ends the invocation.
///
/// Returns `{"answer": …}`, or `{"failure": {"class": …, "code": …, "message": …}}`, with `retry_after_ms` in it if a
/// delay was asked for.
pub async fn answer_request<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    request: &Value,
    deadline: Time,
) -> Value {
    // On the heap: it holds all that the job type does for it.
    let answered = Box::pin(answered(worker, request, deadline)).await;
    // What its calls have counted is for the fleet, if there is time.
    let left = answer_by(deadline).since(worker.clock.now());
    let _ = tokio::time::timeout(left, worker.gates.report(true)).await;
    match answered {
        Ok(answer) => json!({ "answer": answer }),
        Err(failure) => {
            let mut told = json!({
                "class": failure.class().name(),
                "code": failure.code(),
                "message": failure.message(),
            });
            if let Some(wait) = failure.retry_after() {
                told["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
            }
            json!({ "failure": told })
        }
    }
}

/// When the answer has to be on its way, whatever is not done by then.
fn answer_by(deadline: Time) -> Time {
    deadline.before(ANSWER_RESERVE / 3)
}

fn too_long() -> Failure {
    Failure::new(Class::Transient, JOB_TIMEOUT, "it took too long")
}

async fn answered<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    request: &Value,
    deadline: Time,
) -> Result<Value, Failure> {
    let dependency = J::POLICY.dependency;
    if let Some(rates) = worker.job.request_rates() {
        let limit = Limit { name: dependency.to_owned(), rates };
        worker.gates.know_limit(dependency, Some(limit));
    }
    let latest_end = deadline.before(ANSWER_RESERVE);
    let entering = worker.gates.enter(dependency, RunKind::Again);
    let entered = tokio::time::timeout(latest_end.since(worker.clock.now()), entering).await;
    let mut permit = entered.map_err(|_| too_long())?.map_err(Refused::into_failure)?;
    let now = worker.clock.now();
    let ends_at = (now + J::POLICY.job_timeout).min(latest_end);
    permit.until(ends_at, latest_end);
    let run = Run {
        key: KEY.to_owned(),
        counters: Counters::default(),
        history: Vec::new(),
        cursor: None,
        sent_at: now,
        trace: None,
        ends_at,
        is_last: false,
        gate: &permit,
    };
    let work = guarded(worker.job.answer(request, &run));
    let (answered, end) =
        if let Ok(answered) = tokio::time::timeout(latest_end.since(now), work).await {
            (answered.and_then(|answered| answered), RunEnd::Ended)
        } else {
            (Err(too_long()), RunEnd::TimedOut)
        };
    // A probe that is not given back ends by itself.
    let left = answer_by(deadline).since(worker.clock.now());
    let _ = tokio::time::timeout(left, worker.gates.leave(permit, end)).await;
    answered
}
