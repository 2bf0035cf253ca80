//! The passes of a tick. Each has a time limit and a limit on the number of its changes, is
//! idempotent, and counts what it does.

pub mod audit;
pub mod balance;
mod calls;
mod census;
mod dead_letters;
pub mod history;
mod minutes;
pub mod observe;
pub mod operate;
pub mod patterns;
pub mod preview;
mod prune;
pub mod redrive;
pub mod release;
pub mod rescue;
pub mod watch;

use std::time::Duration;

/// One of the passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Resumes jobs whose process died or whose message was lost.
    Rescue,
    /// Releases parked jobs that are due or whose breaker has closed.
    Release,
    /// Empties the dead-letter queues.
    Redrive,
    /// Carries on what operators have begun.
    Operate,
    /// Removes expired items, and reports and repairs inconsistent records. One page of a table
    /// walk serves both.
    Audit,
    /// Moves concurrency between the queues.
    Balance,
    /// Publishes metrics, notes and forecasts.
    Observe,
    /// Rolls minutes up to the hours of a day, for reports.
    History,
}

impl Pass {
    /// In the order of a tick: jobs first, then maintenance.
    pub const ALL: [Self; 8] = [
        Self::Rescue,
        Self::Release,
        Self::Redrive,
        Self::Operate,
        Self::Audit,
        Self::Balance,
        Self::Observe,
        Self::History,
    ];

    /// The name in counts and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rescue => "rescue",
            Self::Release => "release",
            Self::Redrive => "redrive",
            Self::Operate => "operate",
            Self::Audit => "audit",
            Self::Balance => "balance",
            Self::Observe => "observe",
            Self::History => "history",
        }
    }

    /// Longest time that the pass may take. All together take less than a tick.
    #[must_use]
    pub const fn time_box(self) -> Duration {
        match self {
            Self::Rescue | Self::Release => Duration::from_secs(12),
            Self::Redrive => Duration::from_secs(8),
            Self::Operate => Duration::from_secs(6),
            Self::Audit | Self::Balance | Self::Observe | Self::History => Duration::from_secs(5),
        }
    }
}
