//! How much the dashboard may read: a bucket of read units that fills by the second.

use std::{collections::VecDeque, time::Duration};

use evenkeel::base::time::Time;

/// Read units a second, while a tab is open.
pub(super) const UNITS_PER_SECOND: f64 = 10.0;

/// Read units that may be used at once after a pause: two seconds' worth.
const BURST: f64 = 20.0;

/// How far back uses are told.
const MINUTE: Duration = Duration::from_secs(60);

/// The read units that are left, and those that were used.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    left: f64,
    filled_at: Time,
    /// Since the start, for `/metrics`.
    pub(super) used: f64,
    /// The seconds of the last minute in which some were used, and how many.
    lately: VecDeque<(u64, f64)>,
}

impl Allowance {
    pub(super) const fn new(now: Time) -> Self {
        Self { left: BURST, filled_at: now, used: 0.0, lately: VecDeque::new() }
    }

    /// Whether a read may begin now. What one costs is known only afterwards, so a costly one is followed by a pause.
    pub(super) fn permits(&mut self, now: Time) -> bool {
        let passed: Duration = now.since(self.filled_at);
        self.left = BURST.min(self.left + passed.as_secs_f64() * UNITS_PER_SECOND);
        self.filled_at = now;
        self.left > 0.0
    }

    /// Counts what a read has cost.
    pub(super) fn charge(&mut self, now: Time, units: f64) {
        self.left -= units;
        self.used += units;
        let second = now.as_millis() / 1_000;
        let oldest = now.before(MINUTE).as_millis() / 1_000;
        self.lately.retain(|(second, _)| *second > oldest);
        match self.lately.back_mut().filter(|(last, _)| *last == second) {
            Some((_, sum)) => *sum += units,
            None => self.lately.push_back((second, units)),
        }
    }

    /// The units that were used within the last minute.
    pub(super) fn last_minute(&self, now: Time) -> f64 {
        let oldest = now.before(MINUTE).as_millis() / 1_000;
        self.lately.iter().filter(|(second, _)| *second > oldest).map(|(_, units)| units).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_costly_read_is_followed_by_a_pause_that_makes_up_for_it() {
        let start = Time::from_millis(1_000_000);
        let mut allowance = Allowance::new(start);
        assert!(allowance.permits(start));
        allowance.charge(start, 70.0);
        assert!(!allowance.permits(start + Duration::from_secs(4)));
        assert!(allowance.permits(start + Duration::from_millis(5_100)));
    }

    #[test]
    fn a_minute_of_reads_stays_within_ten_units_a_second_and_the_burst() {
        let start = Time::from_millis(1_000_000);
        let mut allowance = Allowance::new(start);
        for ms in (0..60_000).step_by(100) {
            let now = start + Duration::from_millis(ms);
            if allowance.permits(now) {
                allowance.charge(now, 7.5);
            }
        }
        assert!(allowance.used <= 60.0 * UNITS_PER_SECOND + BURST + 7.5, "{}", allowance.used);
        assert!(allowance.used > 500.0, "it uses what it may: {}", allowance.used);
    }

    #[test]
    fn what_was_used_within_the_last_minute_is_known() {
        let start = Time::from_millis(1_000_000);
        let mut allowance = Allowance::new(start);
        for s in 0..90 {
            allowance.charge(start + Duration::from_secs(s), 2.0);
            allowance.charge(start + Duration::from_secs(s), 1.0);
        }
        let now = start + Duration::from_secs(89);
        assert!((allowance.last_minute(now) - 180.0).abs() < 0.01, "{allowance:?}");
        assert!(allowance.last_minute(now + MINUTE).abs() < 0.01);
        assert_eq!(allowance.lately.len(), 60, "it does not grow");
    }
}
