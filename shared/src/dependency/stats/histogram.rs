//! Durations, counted in fixed bins.

use std::time::Duration;

use crate::base::time::millis;

/// Inclusive upper bounds of the bins, in milliseconds. One more bin holds longer durations.
pub const LATENCY_BOUNDS_MS: [u32; 23] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 450, 650, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500,
    10_000, 15_000, 30_000, 60_000, 300_000,
];

/// Number of bins.
const BINS: usize = LATENCY_BOUNDS_MS.len() + 1;

/// Durations, counted in fixed bins so that the histograms of many containers can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram(pub(super) [u64; BINS]);

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, took: Duration) {
        let ms = millis(took);
        let bin = LATENCY_BOUNDS_MS.partition_point(|&bound| u64::from(bound) < ms);
        self.0[bin] += 1;
    }

    /// Takes back a duration that was counted before, when it was at most `took`.
    pub fn take_back(&mut self, took: Duration) {
        let ms = millis(took);
        let bin = LATENCY_BOUNDS_MS.partition_point(|&bound| u64::from(bound) < ms);
        if let Some(count) = self.0[..=bin].iter_mut().rev().find(|count| **count > 0) {
            *count -= 1;
        }
    }

    /// Number of durations counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another histogram to this one.
    pub fn add(&mut self, other: &Self) {
        for (bin, more) in self.0.iter_mut().zip(other.0) {
            *bin += more;
        }
    }

    /// The duration that the share `q` (0 to 1) of all does not exceed, rounded up to the upper
    /// bound of its bin. `None` if nothing was counted. The last bin has no upper bound; there the
    /// result is five minutes.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of calls in minutes is far below 2^52, and not negative"
    )]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let bin = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let last = LATENCY_BOUNDS_MS[LATENCY_BOUNDS_MS.len() - 1];
        let bound = LATENCY_BOUNDS_MS.get(bin).copied().unwrap_or(last);
        Some(Duration::from_millis(bound.into()))
    }
}
