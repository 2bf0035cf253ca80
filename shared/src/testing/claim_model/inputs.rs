//! What the shipped decisions are asked, and what they answer.

use std::time::Duration;

use super::world::Batch;
use crate::{
    base::time::Time,
    failure::{Class, Failure},
    policy::Policy,
    record::{
        Record, Work,
        claim_decision::{self, ClaimDecision, Claimant},
        decision::Decision,
        retry::{self, Situation},
    },
    testing::POLICY,
    worker::{disposition::Disposition, settle},
};

/// The policy of the job: a second failure is the last one.
const FEW: Policy = Policy { max_attempts: 2, ..POLICY };

fn work() -> Work {
    Work {
        payload: "{}".into(),
        queue: "queue".into(),
        dependency: POLICY.dependency.into(),
        retention: POLICY.retention(),
        created_at: Time::default(),
        deadline: None,
        group: None,
        first_created_at: None,
        trace: None,
    }
}

/// What the message of a batch may do with the job, given its record.
pub(super) fn decide(seen: Option<&Record>, batch: &Batch, now: Time) -> ClaimDecision {
    let claimant = Claimant {
        owner: &batch.owner,
        message_ids: &[batch.message_id()],
        sent_at: batch.sent_at,
        may_kill: false,
        wakes: batch.wakes,
        stray: false,
        redriven: false,
        excuses_crashes: false,
        // The copy may ask for the work once more, as if it were sent after the window.
        dedup_window: Duration::ZERO,
        fallback: None,
        stands_in: false,
        give_up_after: FEW.give_up_after,
        now,
        lease_until: batch.until,
    };
    claim_decision::claim(seen, "errand#g:model", &work(), &claimant)
}

/// The record at the end of its run, and what then becomes of the message.
pub(super) fn ended(record: &Record, end: Option<Class>, now: Time) -> (Record, Disposition) {
    let failure = end.map(|class| Failure::new(class, "model", "as asked"));
    let situation = Situation {
        policy: &FEW,
        counters: record.counters,
        deadline: None,
        provisional: false,
        stands_in: false,
        first_failed_at: None,
        gives_up_at: Time::MAX,
        breaker_open: false,
        ends_if_gone: false,
        budget_spent: false,
        now,
        chance: 0.0,
    };
    let decision =
        failure.as_ref().map_or(Decision::Succeed, |failure| retry::decide(failure, &situation));
    let mut settled = record.settled(decision, failure.as_ref(), "{}".into(), now);
    // None of these decides anything here, and they would tell worlds apart.
    settled.history.clear();
    settled.journal.clear();
    settled.counters.defers = 0;
    let disposition = settle::disposition(&settled, decision, None);
    (settled, disposition)
}
