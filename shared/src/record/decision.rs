//! What is decided about a job after a run.

use std::time::Duration;

/// What happens to a job next. Only [`crate::record::retry::decide`] derives it from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The job has succeeded; keep its result.
    Succeed,
    /// Continue in another run, from the cursor.
    Continue,
    /// Run again after a delay, for which the message stays hidden in the queue.
    Retry {
        /// Delay from now.
        after: Duration,
        /// The counter to raise.
        spends: Spends,
    },
    /// Wait in the record, without a message, until an outside cause is resolved.
    Park {
        /// Delay from now.
        after: Duration,
        /// The counter to raise.
        spends: Spends,
    },
    /// The job is dead: no retry can succeed, or none is left.
    Bury(Cause),
    /// The job keeps crashing. Only an operator may run it again.
    Quarantine,
}

/// Which counter of the job a delay raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spends {
    /// [`Counters::attempts`](crate::record::Counters::attempts).
    Attempt,
    /// [`Counters::defers`](crate::record::Counters::defers).
    Deferral,
    /// [`Counters::crashes`](crate::record::Counters::crashes).
    Crash,
}

/// Why a job is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The failure is final.
    Permanent,
    /// The last attempt failed.
    AttemptsSpent,
    /// The sender's deadline has passed.
    DeadlinePassed,
    /// The dependency has been down until the policy's `give_up_after` was over.
    GaveUp,
}

impl Cause {
    /// The text in records and logs.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Permanent => "failed for good",
            Self::AttemptsSpent => "attempts spent",
            Self::DeadlinePassed => "deadline over",
            Self::GaveUp => "gave up",
        }
    }
}

impl Decision {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Succeed => "succeeded",
            Self::Continue => "continued",
            Self::Retry { spends: Spends::Deferral, .. } => "deferred",
            Self::Retry { .. } => "retried",
            Self::Park { .. } => "parked",
            Self::Bury(_) => "dead",
            Self::Quarantine => "quarantined",
        }
    }
}
