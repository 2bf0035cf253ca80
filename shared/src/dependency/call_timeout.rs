//! The time limit of a call, derived from how long recent calls took.

use std::time::Duration;

use crate::dependency::stats::Histogram;

/// The bounds of the time limits of calls to a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimes {
    /// Lower bound of a call's time limit.
    pub shortest: Duration,
    /// Upper bound of a call's time limit.
    pub longest: Duration,
    /// A call that takes longer counts as slow.
    pub slow_after: Duration,
}

/// Calls that must be counted before their latency is used.
const ENOUGH: u64 = 20;

/// The time limit of a call whose run must end within `left`.
///
/// The limit is 1.5 times the p99 of recent calls, within the bounds of the policy; while too few
/// calls are counted, it is the upper bound. A call that is cut off counts with the time that it
/// took, so a limit that has become too short raises itself.
#[must_use]
pub fn limit(latency: &Histogram, times: &CallTimes, left: Duration) -> Duration {
    let usual = latency.quantile(0.99).filter(|_| latency.total() >= ENOUGH);
    let limit = usual.map_or(times.longest, |p99| p99.mul_f64(1.5));
    limit.clamp(times.shortest, times.longest).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: CallTimes = CallTimes {
        shortest: Duration::from_millis(500),
        longest: Duration::from_secs(3),
        slow_after: Duration::from_secs(1),
    };

    fn latency(ms: u64, calls: u64) -> Histogram {
        let mut latency = Histogram::default();
        (0..calls).for_each(|_| latency.record(Duration::from_millis(ms)));
        latency
    }

    #[test]
    fn the_limit_follows_p99_between_its_bounds() {
        let left = Duration::from_secs(60);
        let of = |ms, calls| limit(&latency(ms, calls), &TIMES, left).as_millis();
        assert_eq!(of(100, 19), 3_000, "too few calls");
        assert_eq!(of(100, 20), 500, "never shorter");
        assert_eq!(of(640, 100), 975, "p99 and half as much");
        assert_eq!(of(2_900, 100), 3_000, "never longer");
    }

    #[test]
    fn a_limit_that_is_too_short_raises_itself() {
        let mut latency = latency(100, 100);
        let short = limit(&latency, &TIMES, Duration::from_secs(60));
        (0..5).for_each(|_| latency.record(short));
        assert!(limit(&latency, &TIMES, Duration::from_secs(60)) > short);
    }

    #[test]
    fn the_limit_never_exceeds_the_time_left() {
        let left = Duration::from_millis(200);
        assert_eq!(limit(&latency(100, 100), &TIMES, left), left);
    }
}
