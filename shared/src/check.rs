//! A look at what a job that succeeded has left behind, on the sweeper's word: its own type knows how
//! to look, and the way there is that of every other call.

use std::{sync::PoisonError, time::Duration};

use futures_util::future::join_all;

use crate::{
    batch::{Batch, Worker},
    error::{Class, Failure},
    finding::{Finding, KEPT_FOR, Soundness},
    gates::{RunEnd, Turn, Turned},
    job::{Job, Run},
    message::Message,
    ports::{Control, Queue, Store, Written},
    random::Random,
    record::{Phase, Record},
    telemetry,
    time::{Clock, Time},
};

/// A younger result that is not found is left alone: a read may lag behind the write.
const SETTLED: Duration = Duration::from_hours(1);

/// For how long a container's looks count together.
const LOOKS_FOR: Duration = Duration::from_hours(1);

/// Results that may be missing beyond as many as were found, before looking itself is doubted.
const MISSING: u32 = 5;

/// What a container's latest looks came to. Whoever finds nothing at all looks in the wrong place: a
/// workspace that was changed, a key of another account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    since: Time,
    sound: u32,
    lost: u32,
    missing: u32,
}

impl Looks {
    fn note(&mut self, soundness: &Soundness, now: Time) {
        if now.since(self.since) >= LOOKS_FOR {
            *self = Self { since: now, ..Self::default() };
        }
        match soundness {
            Soundness::Sound | Soundness::Changed(_) => self.sound += 1,
            Soundness::Lost(_) => self.lost += 1,
            Soundness::Missing(_) => self.missing += 1,
        }
    }

    /// Whether a result that was not found may be believed to be gone.
    fn are_believed(self) -> bool {
        self.sound > 0 && self.lost <= self.sound + MISSING
    }

    /// Whether results that are missing may be made again: if most of them are, what looks is wrong.
    fn may_be_missing(self) -> bool {
        self.missing <= self.sound + MISSING
    }
}

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
        let looks = batch.checks.iter().map(|message| self.look_at(batch, message));
        let looked: Vec<(Record, Soundness)> =
            join_all(looks).await.into_iter().flatten().collect();
        let now = self.clock.now();
        let believed = {
            // Counters that are whole, whatever panicked.
            let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            for (_, soundness) in &looked {
                looks.note(soundness, now);
            }
            *looks
        };
        let owner = &batch.lease.owner;
        let told = looked
            .iter()
            .map(|(record, soundness)| self.tell(record, soundness, believed, owner, now));
        join_all(told).await;
    }

    /// Notes what was found, and lets the job begin anew if that is sure to be right.
    async fn tell(
        &self,
        record: &Record,
        soundness: &Soundness,
        believed: Looks,
        owner: &str,
        now: Time,
    ) {
        let (what, detail, again) = match soundness {
            Soundness::Sound => return,
            Soundness::Missing(detail) => ("result_missing", detail, believed.may_be_missing()),
            Soundness::Lost(detail) => {
                let settled = record.phase.ended_at().is_some_and(|at| at + SETTLED <= now);
                ("result_lost", detail, believed.are_believed() && settled)
            }
            Soundness::Changed(detail) => ("result_changed", detail, false),
        };
        let repaired = again && {
            let anew = done_again(record, owner, detail, now);
            self.store.replace(&anew, Some(&record.guard())).await == Ok(Written::Yes)
        };
        let finding = Finding {
            what: what.to_owned(),
            detail: detail.clone(),
            at: now.as_millis(),
            repaired,
        };
        telemetry::finding(&record.key, &finding);
        let text = serde_json::to_string(&finding).unwrap_or_default();
        let noted = self.store.put_note(&Finding::place(&record.key), &text, now + KEPT_FOR).await;
        if let Err(error) = noted {
            telemetry::port_failed("put_note", &error);
        }
    }

    /// The record that a message asks about, and what a look at its result came to; `None` if there is
    /// nothing to look at, or it could not be looked at.
    async fn look_at(
        &self,
        batch: &Batch<J::Payload>,
        message: &Message<J::Payload>,
    ) -> Option<(Record, Soundness)> {
        let record = match self.store.read(&message.key).await {
            Ok(record) => record?,
            Err(error) => {
                telemetry::port_failed("check", &error);
                return None;
            }
        };
        let Phase::Succeeded { result, .. } = &record.phase else { return None };
        if !self.fits(batch) {
            return None;
        }
        match self.verify(&record, message, result, batch).await {
            Ok(soundness) => Some((record, soundness)),
            Err(failure) => {
                telemetry::check_failed(&record, &failure);
                None
            }
        }
    }

    async fn verify(
        &self,
        record: &Record,
        message: &Message<J::Payload>,
        result: &str,
        batch: &Batch<J::Payload>,
    ) -> Result<Soundness, Failure> {
        let pass = self.gates.enter(&record.work.dependency, Turn::Again).await;
        let mut pass = pass.map_err(Turned::into_failure)?;
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
fn done_again(record: &Record, owner: &str, detail: &str, now: Time) -> Record {
    let mut work = record.work.clone();
    // It has been met: a result that is wanted back has none.
    work.deadline = None;
    let mut again = record.clone().reopened(&work);
    owner.clone_into(&mut again.owner);
    again.fence += 1;
    let why = format!("done again: {detail}");
    again.phase = Phase::Waiting { run_after: now, due_at: now, why };
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    #[test]
    fn who_finds_nothing_at_all_is_not_believed() {
        let (sound, lost) = (Soundness::Sound, Soundness::Lost("gone".into()));
        let after = |looks: &[&Soundness]| {
            let mut all = Looks::default();
            for soundness in looks {
                all.note(soundness, NOW);
            }
            all
        };
        assert!(!after(&[&lost]).are_believed(), "perhaps the wrong place");
        assert!(after(&[&lost, &sound]).are_believed());
        let mut many = after(&[&lost; 7]);
        many.note(&sound, NOW);
        assert!(!many.are_believed(), "seven of eight");
        many.note(&sound, NOW);
        assert!(many.are_believed());
        many.note(&lost, NOW + LOOKS_FOR);
        assert!(!many.are_believed(), "that was an hour ago");
    }

    #[test]
    fn what_finds_everything_missing_is_wrong_itself() {
        let mut looks = Looks::default();
        let missing = Soundness::Missing("no record".into());
        for _ in 0..MISSING {
            looks.note(&missing, NOW);
        }
        assert!(looks.may_be_missing(), "a few may be");
        looks.note(&missing, NOW);
        assert!(!looks.may_be_missing());
        looks.note(&Soundness::Sound, NOW);
        assert!(looks.may_be_missing());
    }
}
