//! Decides what follows from a failure: the only place where its class and the policy meet.

use std::time::Duration;

use crate::{
    base::time::Time,
    dependency::limiter::PROMISE_HORIZON,
    failure::{BREAKER_OPEN, Class, DEPENDENCY_DOWN, Failure, RATE_LIMIT},
    policy::{
        CRASH_PAUSE, LONGEST_PARK, LONGEST_WAIT, MAX_CRASHES, Policy, SHORTEST_DELAY,
        SYSTEMIC_PAUSE,
    },
    record::{
        Counters,
        decision::{Cause, Decision, Spends},
    },
};

/// The inputs of [`decide`] besides the failure.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Situation<'a> {
    pub policy: &'a Policy,
    /// The job's counters before this failure.
    pub counters: Counters,
    /// When retrying ends: [`Record::ends_at`](crate::record::Record::ends_at).
    pub deadline: Option<Time>,
    /// Whether there is a provisional result. Then only the deadline ends the job.
    pub provisional: bool,
    /// Whether the type may have a result without any call. Then spent attempts do not end the job: what stands in
    /// for its result is taken at its end, and not before.
    pub stands_in: bool,
    /// When the first attempt of the job failed; `None` if none has.
    pub first_failed_at: Option<Time>,
    /// When a job without a deadline is given up while its dependency is down.
    pub gives_up_at: Time,
    /// Whether the dependency's breaker is not closed. Then a job that failed waits for it.
    pub breaker_open: bool,
    /// Whether the job ends without a call if the dependency stays down. Then it must come back to see that.
    pub ends_if_gone: bool,
    /// Whether the fleet has used up its retry budget. Then backoffs are twice as long.
    pub budget_spent: bool,
    /// The current time.
    pub now: Time,
    /// A number drawn uniformly from `[0, 1)`, for the jitter.
    pub chance: f64,
}

/// Decides what follows from a failure.
///
/// Every delay is at least [`SHORTEST_DELAY`]. `Retry-After` is a lower bound on every delay, up to
/// the job's deadline or [`LONGEST_PARK`]. A delay over [`LONGEST_WAIT`] parks the job. Every
/// deferral by a gate parks it too, so that an outage costs a message one receive, however long it
/// lasts; only a wait for a slot of at most [`PROMISE_HORIZON`] does not.
#[must_use]
pub fn decide(failure: &Failure, situation: &Situation<'_>) -> Decision {
    let Situation { policy, counters, .. } = situation;
    let decision = match failure.class() {
        Class::Deferred if failure.code() == BREAKER_OPEN && situation.ends_if_gone => {
            look_again(Duration::ZERO, situation)
        }
        _ if failure.code() == DEPENDENCY_DOWN => wait_out(failure, situation),
        class @ (Class::Transient | Class::Anomaly | Class::Conflict) => {
            let attempts = counters.attempts + 1;
            if !is_retryable(policy, class) {
                return Decision::Bury(Cause::Permanent);
            }
            if attempts >= policy.max_attempts {
                return without_attempts(failure, situation);
            }
            let wait = backoff(policy, attempts, situation.chance);
            later(if situation.budget_spent { wait * 2 } else { wait }, failure, Spends::Attempt)
        }
        Class::Throttled => {
            // A 429 never ends a job, because the dependency works and only asks for fewer calls.
            // From the cap on, the job parks, so that its message does not use up its receives. The
            // limiter sets the pace of the whole fleet, so the pauses of one job double only a few
            // times.
            let wait = backoff(policy, (counters.defers + 1).min(MOST_DOUBLINGS), situation.chance);
            if counters.defers >= policy.max_deferrals {
                let asked = failure.retry_after().unwrap_or_default();
                let after = asked.saturating_add(wait).clamp(SHORTEST_DELAY, LONGEST_PARK);
                let decision = Decision::Park { after, spends: Spends::Deferral };
                return within_deadline(decision, situation);
            }
            later(wait, failure, Spends::Deferral)
        }
        Class::Permanent => return Decision::Bury(Cause::Permanent),
        // The breaker doubles its own wait, and the jobs parked for it are woken when it closes.
        Class::Systemic => park(SYSTEMIC_PAUSE, failure),
        // The message waits in the queue, which costs less than parking the job.
        Class::Deferred if waits_for_a_slot(failure) => {
            later(Duration::ZERO, failure, Spends::Deferral)
        }
        // Its time stands still until then; only a deadline is not waited past.
        Class::Deferred if failure.is_quota_spent() => {
            let decision = park(SHORTEST_DELAY, failure);
            let ends = situation.deadline.is_some() && !situation.provisional;
            return if ends { within_deadline(decision, situation) } else { decision };
        }
        Class::Deferred => park(SHORTEST_DELAY, failure),
        Class::Contended | Class::Unstarted => later(SHORTEST_DELAY, failure, Spends::Deferral),
        Class::Crash => match counters.crashes + 1 {
            MAX_CRASHES.. => return Decision::Quarantine,
            1 => later(SHORTEST_DELAY, failure, Spends::Crash),
            _ => later(CRASH_PAUSE, failure, Spends::Crash),
        },
    };
    within_deadline(decision, situation)
}

/// What follows from a failure after the last attempt. A job that will have some result at its end goes on until then,
/// since a late result is better than a stand-in.
fn without_attempts(failure: &Failure, situation: &Situation<'_>) -> Decision {
    let decision = if situation.provisional {
        park(situation.policy.backoff_cap, failure)
    } else if situation.stands_in {
        let asked = failure.retry_after().unwrap_or_default();
        let after = asked.clamp(LONGEST_WAIT, LONGEST_PARK);
        Decision::Park { after, spends: Spends::Attempt }
    } else {
        return Decision::Bury(Cause::AttemptsSpent);
    };
    within_deadline(decision, situation)
}

/// Waits for a dependency that is down, until the job is given up: each time for at most half as long as the job
/// has been failing, and for at most [`LONGEST_WAIT`]. So a job is back at the latest when the outage has lasted
/// half as long again. If the breaker is not closed, the job parks, and goes as soon as it closes.
fn wait_out(failure: &Failure, situation: &Situation<'_>) -> Decision {
    let Situation { policy, counters, now, gives_up_at, .. } = situation;
    // A deadline ends the job by itself.
    let left = situation.deadline.map_or(gives_up_at.since(*now), |_| LONGEST_PARK);
    if left.is_zero() {
        return Decision::Bury(Cause::GaveUp);
    }
    let failing = situation.first_failed_at.map_or(Duration::ZERO, |first| now.since(first));
    let least = policy.backoff_base.max(SHORTEST_DELAY);
    // Jobs that failed together must not come back together.
    let wait = (failing / 2).mul_f64(0.5 + situation.chance.clamp(0.0, 1.0) / 2.0);
    let asked = failure.retry_after().unwrap_or_default();
    let wait = wait.clamp(least, LONGEST_WAIT).max(asked);
    let after = wait.min(left.max(SHORTEST_DELAY)).min(LONGEST_PARK);
    // What asks for a longer pause than a message can wait is not gone.
    if situation.ends_if_gone && asked <= LONGEST_WAIT {
        return look_again(asked, situation);
    }
    if situation.breaker_open || counters.defers >= policy.max_deferrals || after > LONGEST_WAIT {
        Decision::Park { after, spends: Spends::Deferral }
    } else {
        Decision::Retry { after, spends: Spends::Deferral }
    }
}

/// Comes back through the queue to see whether the dependency still is down: a parked job would stay behind the open
/// breaker. The times differ widely, so that some job always comes soon after the breaker's wait, and probes; none is
/// shorter than `asked`.
fn look_again(asked: Duration, situation: &Situation<'_>) -> Decision {
    let after = LONGEST_WAIT.mul_f64(0.25 + 0.75 * situation.chance.clamp(0.0, 1.0));
    Decision::Retry { after: after.max(asked), spends: Spends::Deferral }
}

/// `U(0, min(cap, base * 2^(n-1)))` for the n-th failure, from 1: "full jitter" of the AWS
/// Architecture Blog's "Exponential Backoff And Jitter" (2015).
#[must_use]
pub fn backoff(policy: &Policy, failures: u32, chance: f64) -> Duration {
    let doubled = policy.backoff_base.saturating_mul(1 << failures.saturating_sub(1).min(20));
    doubled.min(policy.backoff_cap).mul_f64(chance.clamp(0.0, 1.0))
}

/// Deferrals up to which the backoff of a throttled job doubles.
const MOST_DOUBLINGS: u32 = 6;

/// Whether the job has only to wait for its slot, and not for long.
fn waits_for_a_slot(failure: &Failure) -> bool {
    failure.code() == RATE_LIMIT && failure.retry_after().unwrap_or_default() <= PROMISE_HORIZON
}

fn is_retryable(policy: &Policy, class: Class) -> bool {
    policy.retryable.contains(&class)
}

fn later(wait: Duration, failure: &Failure, spends: Spends) -> Decision {
    // The jitter is added to the requested delay, because jobs with the same `Retry-After` must not
    // return at the same time.
    let after = match failure.retry_after() {
        Some(asked) => asked.saturating_add(wait).clamp(SHORTEST_DELAY, LONGEST_PARK),
        None => wait.max(SHORTEST_DELAY),
    };
    if after > LONGEST_WAIT {
        Decision::Park { after, spends }
    } else {
        Decision::Retry { after, spends }
    }
}

fn park(wait: Duration, failure: &Failure) -> Decision {
    let after = wait.max(failure.retry_after().unwrap_or_default()).min(LONGEST_PARK);
    Decision::Park { after, spends: Spends::Deferral }
}

/// Limits a delay to the deadline, or to the time when a job without one is given up. After that, the job is dead.
fn within_deadline(decision: Decision, situation: &Situation<'_>) -> Decision {
    let (end, cause) = match situation.deadline {
        Some(deadline) => (deadline, Cause::DeadlinePassed),
        None => (situation.gives_up_at, Cause::GaveUp),
    };
    let left = end.since(situation.now);
    match decision {
        _ if left.is_zero() => Decision::Bury(cause),
        Decision::Retry { after, spends } => Decision::Retry { after: after.min(left), spends },
        Decision::Park { after, spends } => Decision::Park { after: after.min(left), spends },
        other => other,
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
