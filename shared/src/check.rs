//! A look at what a job that succeeded has left behind, on the sweeper's word: its own type knows how
//! to look, and the way there is that of every other call.

use futures_util::future::join_all;

use crate::{
    batch::{Batch, Worker},
    error::{Class, Failure},
    finding::{Finding, KEPT_FOR, Soundness},
    gates::{RunEnd, Turn},
    job::{Job, Run},
    message::Message,
    ports::{Control, Queue, Store, Written},
    random::Random,
    record::{Phase, Record},
    telemetry,
    time::Clock,
};

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Looks at the results that the batch asks about. What fails is not tried again: the audit comes
    /// by again.
    pub(crate) async fn check(&self, batch: &Batch<J::Payload>) {
        join_all(batch.checks.iter().map(|message| self.check_one(batch, message))).await;
    }

    async fn check_one(&self, batch: &Batch<J::Payload>, message: &Message<J::Payload>) {
        let record = match self.store.read(&message.key).await {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => return telemetry::port_failed("check", &error),
        };
        let Phase::Succeeded { result, .. } = &record.phase else { return };
        if record.work.payload != message.canonical || !self.fits(batch) {
            return;
        }
        let soundness = match self.look_at(&record, message, result, batch).await {
            Ok(Soundness::Sound) => return,
            Ok(soundness) => soundness,
            Err(failure) => return telemetry::check_failed(&record, &failure),
        };
        let now = self.clock.now();
        let (what, detail, repaired) = match soundness {
            Soundness::Lost(detail) => {
                let again = done_again(&record, &batch.lease.owner, &detail, now);
                let written = self.store.replace(&again, Some(&record.guard())).await;
                ("result_lost", detail, written == Ok(Written::Yes))
            }
            Soundness::Changed(detail) => ("result_changed", detail, false),
            Soundness::Sound => return,
        };
        let finding = Finding { what: what.to_owned(), detail, at: now.as_millis(), repaired };
        telemetry::finding(&record.key, &finding);
        let text = serde_json::to_string(&finding).unwrap_or_default();
        let noted = self.store.put_note(&Finding::place(&record.key), &text, now + KEPT_FOR).await;
        if let Err(error) = noted {
            telemetry::port_failed("put_note", &error);
        }
    }

    async fn look_at(
        &self,
        record: &Record,
        message: &Message<J::Payload>,
        result: &str,
        batch: &Batch<J::Payload>,
    ) -> Result<Soundness, Failure> {
        let dependency = &record.work.dependency;
        let pass = self.gates.enter(dependency, Turn::Again).await;
        let mut pass = pass.map_err(crate::gates::Turned::into_failure)?;
        let latest_end = batch.deadline.before(J::POLICY.reserve);
        let ends_at = (self.clock.now() + J::POLICY.job_timeout).min(latest_end);
        pass.until(ends_at, latest_end);
        let run = Run {
            key: record.key.clone(),
            ledger: record.ledger,
            history: Vec::new(),
            cursor: None,
            ends_at,
            gate: &pass,
        };
        let limit = ends_at.since(self.clock.now());
        let looked =
            tokio::time::timeout(limit, self.job.verify(&message.payload, result, &run)).await;
        let (looked, end) = match looked {
            Ok(looked) => (looked, RunEnd::Ended),
            Err(_) => (
                Err(Failure::new(Class::Transient, "check_timeout", "the look took too long")),
                RunEnd::TimedOut,
            ),
        };
        self.gates.leave(pass, end).await;
        looked
    }
}

/// The record of a job that begins anew because what it had made is gone; the sweeper wakes it.
fn done_again(record: &Record, owner: &str, detail: &str, now: crate::time::Time) -> Record {
    let mut again = record.clone().reopened(&record.work);
    owner.clone_into(&mut again.owner);
    again.fence += 1;
    let why = format!("done again: {detail}");
    again.phase = Phase::Waiting { run_after: now, due_at: now, why };
    again
}
