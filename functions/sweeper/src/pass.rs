//! The passes of a tick. Each is bounded in time and number, harmless when repeated, and counts what
//! it does.

pub mod audit;
pub mod balance;
pub mod observe;
mod prune;
pub mod redrive;
pub mod release;
pub mod rescue;

use std::time::Duration;

/// A pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Jobs whose process died, and jobs whose message got lost.
    Rescue,
    /// Parked jobs whose time has come.
    Release,
    /// What is in the dead-letter queues.
    Redrive,
    /// What has expired, and what cannot be: one page of a walk serves both.
    Audit,
    /// How many batches of each queue may be at work.
    Balance,
    /// How things stand, and where they go.
    Observe,
}

impl Pass {
    /// In the order of a tick: first what somebody waits for.
    pub const ALL: [Self; 6] =
        [Self::Rescue, Self::Release, Self::Redrive, Self::Audit, Self::Balance, Self::Observe];

    /// Its name in counts and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rescue => "rescue",
            Self::Release => "release",
            Self::Redrive => "redrive",
            Self::Audit => "audit",
            Self::Balance => "balance",
            Self::Observe => "observe",
        }
    }

    /// The longest that it may take. Together less than a tick.
    #[must_use]
    pub const fn time_box(self) -> Duration {
        match self {
            Self::Rescue | Self::Release => Duration::from_secs(12),
            Self::Redrive => Duration::from_secs(8),
            Self::Audit | Self::Balance | Self::Observe => Duration::from_secs(5),
        }
    }
}
