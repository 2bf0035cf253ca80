//! One claimed job: through the gates, run, and what is decided about it.

use std::time::Duration;

use crate::{
    batch::{Batch, Worker},
    error::{Class, Failure},
    executor,
    fate::pause,
    gates::{RunEnd, Turn, Turned},
    job::Job,
    outcome::{Decision, Outcome},
    policy::{ANSWER_RESERVE, WORN_OUT},
    ports::{Control, PortError, Queue, Store},
    random::Random,
    record::{Ledger, Record},
    retry::{self, Situation},
    telemetry,
    time::Clock,
};

/// Longest time for which the end of a run waits until the gates know of it, and what of the batch's
/// time is not used for that.
const LEAVE_TIME: Duration = Duration::from_secs(2);
const LEAVE_RESERVE: Duration = Duration::from_secs(1);

/// A job whose run is over and whose end is not written yet.
pub(crate) struct Ended {
    pub(crate) ticket: usize,
    pub(crate) record: Record,
    pub(crate) decision: Decision,
    pub(crate) failure: Option<Failure>,
    /// Why the event must fail as a whole, though this end is written.
    pub(crate) broken: Option<String>,
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Whether a whole run, and settling it, fits into the time left.
    pub(crate) fn fits(&self, batch: &Batch<J::Payload>) -> bool {
        self.clock.now() <= Self::latest_start(batch)
    }

    /// Runs a job, if there is time, and says how it ended.
    pub(crate) async fn run_one(
        &self,
        batch: &Batch<J::Payload>,
        ticket: usize,
        mut record: Record,
    ) -> Ended {
        let (outcome, broken) = self.try_run(batch, ticket, &record).await;
        let now = self.clock.now();
        match outcome {
            Outcome::Succeeded(result) => {
                let decision = Decision::Succeed;
                let record = record.settled(decision, None, result, now);
                Ended { ticket, record, decision, failure: None, broken }
            }
            Outcome::Continues(cursor) => {
                let decision = Decision::Continue;
                let mut record = record.settled(decision, None, cursor, now);
                if batch.tickets[ticket].receives >= WORN_OUT {
                    record.park();
                }
                Ended { ticket, record, decision, failure: None, broken }
            }
            Outcome::Failed(failure) => {
                record.fall_back(batch.tickets[ticket].fallback.as_deref(), now);
                let situation = Situation {
                    policy: &J::POLICY,
                    ledger: record.ledger,
                    deadline: record.ends_at(J::POLICY.give_up_after),
                    provisional: record.provisional.is_some(),
                    budget_spent: self.gates.is_budget_spent(&record.work.dependency),
                    now,
                    chance: self.random.unit(),
                };
                let decision = match retry::decide(&failure, &situation) {
                    // Its message has few receives left: from here on it waits in its record.
                    Decision::Retry { after, spends }
                        if batch.tickets[ticket].receives >= WORN_OUT =>
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

    /// One run through the gates and back; and why the event must fail, if the gates are broken.
    async fn try_run(
        &self,
        batch: &Batch<J::Payload>,
        ticket: usize,
        record: &Record,
    ) -> (Outcome, Option<String>) {
        if !self.fits(batch) {
            return (Outcome::Failed(executor::unstarted()), None);
        }
        let turn = match record.ledger {
            Ledger { attempts: 1.., .. } => Turn::Retry,
            Ledger { claims: ..=1, .. } => Turn::First,
            _ => Turn::Again,
        };
        let receives = batch.tickets[ticket].receives;
        let mut pass = match self.gates.enter(&record.work.dependency, turn).await {
            Ok(pass) => pass,
            Err(Turned::Away(failure)) => {
                let failure = match failure.class() {
                    Class::Unstarted => failure.with_retry_after(Some(pause(receives))),
                    _ => failure,
                };
                return (Outcome::Failed(failure), None);
            }
            Err(Turned::Broken(why)) => {
                let wait = Some(pause(receives));
                let failure = Failure::new(Class::Unstarted, "gates_broken", why.clone());
                return (Outcome::Failed(failure.with_retry_after(wait)), Some(why));
            }
        };
        // Its slot may have come late.
        let outcome = if self.fits(batch) {
            let payload = &batch.tickets[ticket].message.payload;
            let latest_end = batch.deadline.before(J::POLICY.reserve);
            pass.until((self.clock.now() + J::POLICY.job_timeout).min(latest_end), latest_end);
            executor::execute(&self.job, payload, record, &pass, &self.clock, latest_end).await
        } else {
            Outcome::Failed(executor::unstarted())
        };
        let end = match &outcome {
            Outcome::Failed(failure) if failure.code() == executor::JOB_TIMEOUT => RunEnd::TimedOut,
            _ => RunEnd::Ended,
        };
        // What is found out may be late, and the end of the run must be written.
        let left = batch.deadline.before(ANSWER_RESERVE + LEAVE_RESERVE).since(self.clock.now());
        if tokio::time::timeout(left.min(LEAVE_TIME), self.gates.leave(pass, end)).await.is_err() {
            telemetry::port_failed("leave", &PortError::Unavailable("out of time".into()));
        }
        (outcome, None)
    }
}
