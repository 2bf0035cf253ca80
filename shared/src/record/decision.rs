//! What is decided about a job after a run: a closed vocabulary.

use std::time::Duration;

/// What happens to the job next. [`crate::record::retry::decide`] is the only place that makes one of a
/// failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Done: keep the result.
    Succeed,
    /// Go on in another run.
    Continue,
    /// Try again after a while; `spends` says whether it cost one of the attempts.
    Retry {
        /// From now.
        after: Duration,
        /// What the counters counts.
        spends: Spends,
    },
    /// Out of the way until something outside is mended; never a failure of the job.
    Park {
        /// From now until somebody looks.
        after: Duration,
        /// What the counters counts.
        spends: Spends,
    },
    /// It will never work, or its allowance is spent.
    Bury(Cause),
    /// It kills what runs it: only operators may touch it again.
    Quarantine,
}

/// Which counter of the counters a retry raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spends {
    /// One of the attempts.
    Attempt,
    /// Nothing but patience: a deferral.
    Deferral,
    /// One of the crashes.
    Crash,
}

/// Why a job is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The failure itself is for good.
    Permanent,
    /// The last attempt failed.
    AttemptsSpent,
    /// The sender's deadline is over.
    DeadlineOver,
}

impl Cause {
    /// The words in a record and a log.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Permanent => "failed for good",
            Self::AttemptsSpent => "attempts spent",
            Self::DeadlineOver => "deadline over",
        }
    }
}

impl Decision {
    /// The word in logs and metrics.
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
