//! Runs one claimed job through the gates, and decides what follows from its outcome.

use super::claim;
use std::time::Duration;

use crate::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    failure::{BREAKER_OPEN, Class, DEPENDENCY_DOWN, Failure, JOB_TIMEOUT},
    gates::{Closed, Permit, Refused, RunEnd, RunKind},
    job::Job,
    policy::{ANSWER_RESERVE, PARK_FROM_RECEIVE},
    ports::{PortError, Ports},
    record::{
        Counters, Record,
        decision::Decision,
        item::TableItem,
        outcomes::{End, Trouble},
        retry::{self, Situation},
    },
    telemetry,
    worker::{
        Worker,
        batch::Batch,
        disposition::pause,
        execute::{self, Outcome, Success},
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
    /// Its end, as it is counted.
    pub(super) counted: End,
    /// How long the run has waited for slots.
    pub(super) waited: Duration,
    /// Why the whole event must fail, although this end is written.
    pub(super) broken: Option<String>,
    /// The item of the job type to write with it.
    pub(super) item: Option<Box<TableItem>>,
}

/// What is known of a run before it is decided what follows.
struct Past {
    ticket: usize,
    began: Time,
    ended: Time,
    waited: Duration,
    broken: Option<String>,
}

impl Past {
    /// The job whose run has ended with this decision.
    fn end(self, record: Record, decision: Decision, failure: Option<Failure>) -> Ended {
        let Self { ticket, began, ended, waited, broken } = self;
        let trouble = failure.as_ref().map(|failed| Trouble::of(failed, &record.work.dependency));
        // A run that the gates refuse takes no time.
        let is_refused = matches!(trouble, Some(Trouble::Deferred(_)));
        let took = (!is_refused).then(|| ended.since(began).saturating_sub(waited));
        let end = End::of(decision, record.work.created_at, ended);
        let counted = End { took, attempts: record.counters.attempts, trouble, ..end };
        Ended { ticket, record, decision, failure, counted, waited, broken, item: None }
    }

    /// The job that has succeeded.
    fn success(self, record: &Record, done: Success) -> Ended {
        let Success { result, item, label } = done;
        let record = record.settled(Decision::Succeed, None, result, self.ended);
        let ended = self.end(record, Decision::Succeed, None);
        let key = Some(ended.record.key.clone());
        Ended { counted: End { label, key, ..ended.counted }, item, ..ended }
    }
}

/// Runs a job, if there is time, and decides what follows.
pub(super) async fn run_one<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: usize,
    mut record: Record,
) -> Ended {
    let began = worker.clock.now();
    let result = run_through_gates(worker, batch, ticket, &record).await;
    let RunResult { outcome, broken, others_worked, waited } = result;
    let now = worker.clock.now();
    let past = Past { ticket, began, ended: now, waited, broken };
    let fallback = batch.tickets[ticket].fallback.as_deref();
    match in_time::<J>(outcome, &record, fallback, now) {
        Outcome::Succeeded(done) => past.success(&record, done),
        Outcome::Continues(cursor) => {
            let mut record = record.settled(Decision::Continue, None, cursor, now);
            if batch.tickets[ticket].receives >= PARK_FROM_RECEIVE {
                record.park(now);
            }
            past.end(record, Decision::Continue, None)
        }
        Outcome::Failed(failure) => {
            let breaker_open = worker.gates.is_open(&record.work.dependency);
            let outage = outage(worker, &record);
            let failure = charged(failure, &record, others_worked).with_breaker(breaker_open);
            record.fall_back(fallback, now);
            let situation = Situation {
                policy: &J::POLICY,
                counters: record.counters,
                deadline: record.ends_at(J::POLICY.give_up_after),
                provisional: record.provisional.is_some(),
                stands_in: J::STANDS_IN,
                first_failed_at: record.history.first().map(|first| Time::from_millis(first.at)),
                gives_up_at: record.gives_up_at(J::POLICY.give_up_after),
                breaker_open,
                ends_if_gone: outage == Outage::MayEnd,
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
            let dependency = record.work.dependency.as_str();
            // Behind a wall or a dead host, waiting helps nobody: thousands of jobs would come back one by one.
            let is_gone = match failure.code() {
                BREAKER_OPEN => outage == Outage::Gone || worker.gates.is_walled(dependency),
                DEPENDENCY_DOWN => outage == Outage::Gone,
                _ => false,
            };
            if (matches!(decision, Decision::Bury(_)) || is_gone)
                && let Some(done) = stand_in(worker, batch, ticket, &record, &failure).await
            {
                return past.success(&record, done);
            }
            let end = situation.deadline.unwrap_or(situation.gives_up_at);
            let mut record = record.settled(decision, Some(&failure), String::new(), now);
            record.end_at(end);
            past.end(record, decision, Some(failure))
        }
    }
}

/// The outcome of a run. One that has more to do is the job's last one if the job's end has come meanwhile.
fn in_time<J: Job>(
    outcome: Outcome,
    record: &Record,
    fallback: Option<&str>,
    now: Time,
) -> Outcome {
    let Outcome::Continues(cursor) = outcome else { return outcome };
    let mut later = record.clone();
    later.fall_back(fallback, now);
    if later.is_over(J::POLICY.give_up_after, now) {
        let why = "there is more to do, and its time is over";
        return Outcome::Failed(Failure::new(Class::Deferred, "deadline", why));
    }
    Outcome::Continues(cursor)
}

/// What an outage of its dependency means for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// There is none, or the job waits for its end.
    WaitedOut,
    /// The job ends without a call if it lasts.
    MayEnd,
    /// The dependency counts as gone, so the job ends now.
    Gone,
}

fn outage<J: Job, P: Ports>(worker: &Worker<J, P>, record: &Record) -> Outage {
    let gone_after = J::POLICY.gone_after.filter(|_| J::STANDS_IN);
    let down = worker.gates.down_for(&record.work.dependency);
    match gone_after.zip(down) {
        None => Outage::WaitedOut,
        // A probe may find that it is back.
        Some((gone_after, (down, is_probed))) if is_probed || down < gone_after => Outage::MayEnd,
        Some(_) => Outage::Gone,
    }
}

/// The outcome of one run.
struct RunResult {
    outcome: Outcome,
    /// Why the whole event must fail, if an operator must fix the gates.
    broken: Option<String>,
    /// Whether a call of another job has worked lately, since this job failed before, or all calls of this run have.
    others_worked: bool,
    /// How long the run has waited for slots.
    waited: Duration,
}

impl RunResult {
    fn failed(failure: Failure) -> Self {
        let (outcome, waited) = (Outcome::Failed(failure), Duration::ZERO);
        Self { outcome, broken: None, others_worked: true, waited }
    }
}

/// The failure of a run as it counts against the job. While the dependency answers nobody, a failure is an outage
/// and no attempt. A job's first failure is always an attempt: there is nothing yet to compare with.
fn charged(failure: Failure, record: &Record, others_worked: bool) -> Failure {
    if failure.class() != Class::Transient || others_worked || record.history.is_empty() {
        return failure;
    }
    let asked = failure.retry_after();
    Failure::new(Class::Transient, DEPENDENCY_DOWN, failure.to_string()).with_retry_after(asked)
}

/// Whether a job has met a systemic failure for the second time although calls of other jobs have worked since it
/// was parked for the first one. Then the failure is the job's own: it spends an attempt, and the breaker does not
/// open for it. So are all of the same code that follow.
fn is_repeated<P: Ports>(failure: &Failure, record: &Record, permit: &Permit<'_, P>) -> bool {
    let systemic = Class::Systemic.name();
    let same = record.history.last().filter(|last| last.code == failure.code());
    let before =
        record.last_failure.as_ref().is_some_and(|last| last.class == systemic) || same.is_some();
    let failed = record.last_failure.as_ref().map(|last| last.at);
    let since = record.parking.map(|parking| parking.since).max(failed);
    // `judge` has recorded it as transient.
    let was_own = same.is_some_and(|last| last.class == Class::Transient.name());
    failure.class() == Class::Systemic
        && (was_own || before && since.is_some_and(|since| permit.others_worked(since)))
}

/// How the run of a claimed job counts for the retry budget.
const fn kind(record: &Record) -> RunKind {
    match record.counters {
        // It comes back because it may run again, and not because it has failed.
        _ if record.parking.is_some() => RunKind::Again,
        Counters { attempts: 1.., .. } => RunKind::Retry,
        Counters { claims: ..=1, .. } => RunKind::First,
        _ => RunKind::Again,
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
    let end = record.ends_at(J::POLICY.give_up_after);
    if end.is_some_and(|end| end <= worker.clock.now()) {
        let why = "its deadline is over";
        return RunResult::failed(Failure::new(Class::Deferred, "deadline", why));
    }
    if batch.must_park(ticket) {
        return RunResult::failed(worker.gates.no_slot(&record.work.dependency));
    }
    let kind = kind(record);
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
        let (job, clock) = (&worker.job, &worker.clock);
        execute::execute(job, payload, record, &permit, clock, latest_end, false).await
    } else {
        Outcome::Failed(execute::unstarted())
    };
    let end = match &outcome {
        Outcome::Failed(failure) if failure.code() == JOB_TIMEOUT => RunEnd::TimedOut,
        _ => RunEnd::Ended,
    };
    let (outcome, others_worked) = judge(worker, record, &permit, outcome).await;
    let waited = permit.waited_in_all();
    // The report to the gates may be cut short, but the end of the run must be written.
    let left = batch.deadline.before(ANSWER_RESERVE + LEAVE_RESERVE).since(worker.clock.now());
    if tokio::time::timeout(left.min(LEAVE_TIME), worker.gates.leave(permit, end)).await.is_err() {
        telemetry::port_failed("leave", &PortError::Unavailable("out of time".into()));
    }
    RunResult { outcome, broken: None, others_worked, waited }
}

/// What the outcome of a run says of the job, by what others have met: whether they, or all calls of this run, have
/// worked since it failed before, and whether a systemic failure is its own trouble.
async fn judge<P: Ports, J: Job>(
    worker: &Worker<J, P>,
    record: &Record,
    permit: &Permit<'_, P>,
    outcome: Outcome,
) -> (Outcome, bool) {
    let Outcome::Failed(failure) = outcome else { return (outcome, true) };
    if [Class::Transient, Class::Systemic].contains(&failure.class()) {
        worker.gates.know_fleet(&record.work.dependency).await;
    }
    let failed_before = record.last_failure.as_ref().map(|last| last.at).unwrap_or_default();
    let others_worked = permit.all_worked() || permit.others_worked(failed_before);
    if !is_repeated(&failure, record, permit) {
        return (Outcome::Failed(failure), others_worked);
    }
    permit.is_own_trouble();
    let why = format!("again, while it works for other jobs: {}", failure.message());
    let own = Failure::new(Class::Transient, failure.code().to_owned(), why);
    (Outcome::Failed(own), others_worked)
}

/// What stands in for the result of a job that has failed for the last time or that nobody can help: it runs once more
/// without any call, if its type may have a result then.
async fn stand_in<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: usize,
    record: &Record,
    failure: &Failure,
) -> Option<Success> {
    if !J::STANDS_IN {
        return None;
    }
    let payload = &batch.tickets[ticket].message.payload;
    let latest_end = batch.deadline.before(J::POLICY.reserve);
    let (job, gate, clock) = (&worker.job, Closed::new(failure), &worker.clock);
    match execute::execute(job, payload, record, &gate, clock, latest_end, true).await {
        Outcome::Succeeded(done) => Some(done),
        Outcome::Continues(_) | Outcome::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Parking, Phase},
        testing,
    };

    #[test]
    fn only_a_run_after_a_failure_counts_as_a_retry() {
        let record = |claims, attempts, parked: bool| Record {
            counters: Counters { claims, attempts, ..Counters::default() },
            parking: parked.then_some(Parking {
                since: Time::default(),
                gated: true,
                ends_at: None,
                paused_since: None,
            }),
            ..testing::record("errand#g:1", Phase::Queued { due_at: Time::default() })
        };
        assert_eq!(kind(&record(1, 0, false)), RunKind::First);
        assert_eq!(kind(&record(2, 1, false)), RunKind::Retry);
        assert_eq!(kind(&record(2, 0, false)), RunKind::Again, "it continues");
        assert_eq!(kind(&record(3, 1, true)), RunKind::Again, "a breaker has parked it since");
    }
}
