//! What an operator's act does to a job.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    record::{Parking, Phase, Record},
};

use crate::step::{Call, Step};

/// An act on one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAct {
    /// Run it now, or anew if it was given up or cancelled.
    Retry,
    /// End it without a result.
    Cancel,
    /// Begin it anew, whatever has become of it.
    Reset,
}

/// What belongs to an operation and is written with each of its jobs.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Id of the operation.
    pub op: &'a str,
    /// Owner token of the writes.
    pub owner: &'a str,
    /// What the job's journal says.
    pub note: &'a str,
}

/// What is done about one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write this record, and send its message.
    Take(Box<Step>),
    /// A run holds it: look again when it has ended.
    Later,
    /// Nothing, for this reason, which is the name of a count.
    Leave(&'static str),
}

/// How long a message that was sent again is waited for.
const DUE_AFTER: Duration = Duration::from_mins(1);

/// Decides what an act does to the job with this record. Its next run begins at `at` at the earliest.
#[must_use]
pub fn decide(act: JobAct, record: &Record, mark: Mark<'_>, at: Time, now: Time) -> Verdict {
    if record.has_noted(mark.op) {
        return Verdict::Leave("done");
    }
    if record.expires_at().is_some_and(|end| end <= now) {
        return Verdict::Leave("expired");
    }
    let next = match (act, &record.phase) {
        (JobAct::Cancel, Phase::Running { .. }) => return Verdict::Later,
        (JobAct::Cancel, phase) if phase.ended_at().is_some() => return Verdict::Leave("ended"),
        (JobAct::Cancel, _) => record.cancelled(mark.owner, mark.note.to_owned(), now),
        // A run that is alive would do the work once more beside the new one.
        (JobAct::Reset, Phase::Running { lease_until, .. }) if *lease_until > now => {
            return Verdict::Leave("running");
        }
        (JobAct::Retry, Phase::Running { .. }) => return Verdict::Leave("running"),
        (JobAct::Retry, Phase::Succeeded { .. }) => return Verdict::Leave("succeeded"),
        (JobAct::Retry, phase) if phase.ended_at().is_none() => {
            record.awaiting_wake_up(mark.owner, at, at + DUE_AFTER)
        }
        (JobAct::Retry | JobAct::Reset, _) => begun_anew(record, mark.owner, at),
    };
    let call = (act != JobAct::Cancel).then(|| Call { queue: record.work.queue.clone(), at });
    let step = Step { guard: record.guard(), record: next.noted(mark.op, mark.note, now), call };
    Verdict::Take(Box::new(step))
}

/// The record of a job that begins anew with all its attempts.
fn begun_anew(record: &Record, owner: &str, at: Time) -> Record {
    // Its time begins anew as well, or it would be given up at the next deferral.
    let mut work = record.work.begun_anew(at);
    // A deadline that has passed would end the job again at once, but the operator wants the
    // result.
    work.deadline = work.deadline.filter(|deadline| *deadline > at);
    let mut fresh = record.clone().reopened(&work);
    // Until it is claimed again, a job that waits for a quota has another dependency's name.
    let paused = record.parking.filter(|_| record.is_paused());
    // It begins now, and so does its wait.
    fresh.parking = paused.map(|parking| Parking { since: at, paused_since: Some(at), ..parking });
    fresh.awaiting_wake_up(owner, at, at + DUE_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_records::{NOW, record};

    const MARK: Mark<'_> = Mark { op: "op", owner: "operator", note: "retry: mended" };

    fn verdict(act: JobAct, phase: Phase) -> Verdict {
        decide(act, &record("a", phase), MARK, NOW, NOW)
    }

    fn phases() -> [Phase; 8] {
        let (at, why) = (NOW, String::new);
        [
            Phase::Queued { due_at: at },
            Phase::Running { lease_until: at + DUE_AFTER, lease_expiry_indexed: false },
            Phase::Waiting { run_after: at, due_at: at, why: why() },
            Phase::Parked { run_after: at, why: why() },
            Phase::Succeeded { at, result: why() },
            Phase::Dead { at, why: why() },
            Phase::Cancelled { at, why: why() },
            Phase::Quarantined { at, why: why() },
        ]
    }

    #[test]
    fn what_each_act_does_in_each_state() {
        let told = |act| {
            phases().map(|phase| match verdict(act, phase) {
                Verdict::Take(step) => step.record.phase.name(),
                Verdict::Later => "later",
                Verdict::Leave(why) => why,
            })
        };
        let retried = [
            "waiting",
            "running",
            "waiting",
            "waiting",
            "succeeded",
            "waiting",
            "waiting",
            "waiting",
        ];
        assert_eq!(told(JobAct::Retry), retried);
        let cancelled =
            ["cancelled", "later", "cancelled", "cancelled", "ended", "ended", "ended", "ended"];
        assert_eq!(told(JobAct::Cancel), cancelled);
        let reset = [
            "waiting", "running", "waiting", "waiting", "waiting", "waiting", "waiting", "waiting",
        ];
        assert_eq!(told(JobAct::Reset), reset);
    }

    #[test]
    fn every_write_raises_the_fence_and_is_noted_once() {
        for act in [JobAct::Retry, JobAct::Cancel, JobAct::Reset] {
            for phase in phases() {
                let before = record("a", phase);
                let Verdict::Take(step) = decide(act, &before, MARK, NOW, NOW) else { continue };
                assert!(step.record.fence > before.fence, "{act:?} {:?}", before.phase);
                assert_eq!(step.guard, before.guard());
                assert_eq!(step.record.journal.len(), 1);
                let again = decide(act, &step.record, MARK, NOW, NOW);
                assert_eq!(again, Verdict::Leave("done"));
                assert_eq!(step.call.is_some(), act != JobAct::Cancel);
            }
        }
    }

    #[test]
    fn a_job_that_begins_anew_has_time_and_asks_for_nothing_newer() {
        let ended = record("a", Phase::Succeeded { at: NOW, result: String::new() });
        let asked_at = ended.work.asked_at();
        let Verdict::Take(step) = decide(JobAct::Reset, &ended, MARK, NOW, NOW) else {
            panic!("it is left")
        };
        assert_eq!((step.record.work.created_at, step.record.work.asked_at()), (NOW, asked_at));
        let later = NOW + DUE_AFTER;
        let again = step.record.work.begun_anew(later);
        assert_eq!((again.created_at, again.asked_at()), (later, asked_at));
        assert!(asked_at < NOW, "{asked_at:?}");
    }

    #[test]
    fn a_run_whose_lease_is_over_can_be_reset() {
        let over = Phase::Running { lease_until: NOW, lease_expiry_indexed: false };
        assert!(matches!(verdict(JobAct::Reset, over), Verdict::Take(_)));
    }
}
