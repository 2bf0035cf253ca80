//! How far the machine's clock is from that of AWS. Containers whose clocks disagree would reserve each other's slots
//! and doubt each other's leases, so each corrects its own clock by the `Date` of the answers that it gets.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use super::Time;

/// What a `Date` leaves open: it is in whole seconds (RFC 9110, section 6.6.1).
const RESOLUTION_MS: i64 = 1_000;

/// The bounds of a clock's error, narrowed by each answer.
#[derive(Debug)]
pub struct Skew {
    bounds: Mutex<Bounds>,
    /// What follows from the bounds, to be added to the machine's clock, in milliseconds. The clock is read for each call.
    offset: AtomicI64,
}

/// The least and the most, in milliseconds, that must be added to the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

impl Skew {
    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        let bounds = Mutex::new(Bounds { least: i64::MIN, most: i64::MAX });
        Self { bounds, offset: AtomicI64::new(0) }
    }

    /// Takes note of an answer that says `date`. The request went out at `sent` and the answer came at `received`, both
    /// by the machine's clock.
    ///
    /// If this contradicts what was known, the machine's clock was set meanwhile, and only this counts.
    pub fn see(&self, sent: Time, received: Time, date: Time) {
        let least = ms(date).saturating_sub(ms(received));
        let most = ms(date).saturating_sub(ms(sent)).saturating_add(RESOLUTION_MS);
        let mut bounds = self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let both = Bounds { least: bounds.least.max(least), most: bounds.most.min(most) };
        *bounds = if both.least <= both.most { both } else { Bounds { least, most } };
        let Bounds { least, most } = *bounds;
        let offset = if least > 0 { least } else { most.min(0) };
        self.offset.store(offset, Relaxed);
    }

    /// Whether an answer has told anything.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let bounds = self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.most < i64::MAX
    }

    /// The machine's time, corrected by no more than is certain.
    #[must_use]
    pub fn correct(&self, machine: Time) -> Time {
        let offset = self.offset.load(Relaxed);
        Time::from_millis(machine.as_millis().saturating_add_signed(offset))
    }
}

impl Default for Skew {
    fn default() -> Self {
        Self::new()
    }
}

fn ms(time: Time) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a service says of the time, whose clock is `ahead` milliseconds ahead of the machine's.
    fn answer(skew: &Skew, sent: u64, took: u64, ahead: i64) {
        let at = (sent + took / 2).saturating_add_signed(ahead);
        let date = at - at % 1_000;
        let [sent, received, date] = [sent, sent + took, date].map(Time::from_millis);
        skew.see(sent, received, date);
    }

    fn offset(skew: &Skew) -> i64 {
        let now = Time::from_millis(1_700_000_000_000);
        ms(skew.correct(now)) - ms(now)
    }

    #[test]
    fn a_clock_that_is_right_or_unknown_is_left_alone() {
        let skew = Skew::new();
        assert_eq!(offset(&skew), 0);
        for n in 0..100 {
            answer(&skew, 1_700_000_000_000 + n * 377, 20, 0);
            assert_eq!(offset(&skew), 0);
        }
    }

    #[test]
    fn a_clock_that_is_set_is_learnt_anew() {
        let skew = Skew::new();
        answer(&skew, 1_700_000_000_000, 10, 0);
        answer(&skew, 1_700_000_001_000, 10, -5_000);
        assert!((-5_010..=-4_000).contains(&offset(&skew)), "{}", offset(&skew));
        answer(&skew, 1_700_000_002_000, 10, 0);
        assert_eq!(offset(&skew), 0);
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let skew = Skew::new();
        skew.see(Time::MAX, Time::default(), Time::MAX);
        skew.see(Time::default(), Time::MAX, Time::default());
        let _ = skew.correct(Time::MAX);
    }

    proptest! {
        #[test]
        fn ten_answers_bring_any_clock_within_a_second(
            ahead in -60_000_i64..60_000,
            calls in proptest::collection::vec((1_700_000_000_000_u64..1_700_000_100_000, 1_u64..50), 10),
        ) {
            let skew = Skew::new();
            for (sent, took) in calls {
                answer(&skew, sent, took, ahead);
                let left = ahead - offset(&skew);
                prop_assert!(left.abs() <= 1_050, "{left} ms");
                prop_assert!(offset(&skew).abs() <= ahead.abs() + 25, "no more than needed");
            }
        }
    }
}
