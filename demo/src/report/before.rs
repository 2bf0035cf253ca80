//! The incident in the old system: figures of the improvement plan of 2025-08-24.

use serde::Serialize;

/// Figures of the old system.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Before {
    /// Of all three types.
    pub(crate) jobs: u32,
    /// The share of the shortening jobs.
    pub(crate) shortening_percent: f64,
    pub(crate) failed: u32,
    pub(crate) failed_percent: f64,
    /// Failures because the slashtag existed already.
    pub(crate) slashtag_conflicts: u32,
    /// All other failures. The plan names two patterns, undefined properties of pages and HTTP 500
    /// of feeds, but not how often each occurred.
    pub(crate) other_failures: u32,
    pub(crate) mean_ms: u64,
}

/// The plan's "Issues Identified". It gives no percentile of the time.
pub(crate) const INCIDENT: Before = Before {
    jobs: 151,
    shortening_percent: 87.4,
    failed: 23,
    failed_percent: 15.2,
    slashtag_conflicts: 19,
    other_failures: 4,
    mean_ms: 202_500,
};

const _: () = assert!(
    INCIDENT.slashtag_conflicts + INCIDENT.other_failures == INCIDENT.failed,
    "all of them"
);
