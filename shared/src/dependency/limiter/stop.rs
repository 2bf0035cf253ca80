//! Stops: what a 429 does to the limiter, and until when it does.

use std::time::Duration;

use super::{
    HIGH_HORIZON, KEPT_TENTHS, LONGEST_STOP, Limiter, Rates, SLOWED_FOR, SLOWEST_PACE, micros,
};
use crate::base::time::Time;

impl Limiter {
    /// The limiter after a 429 that asked for the delay `retry_after`, which may be zero. No call
    /// is allowed before it is over. The pace falls too, but only once for all 429s of a second.
    #[must_use]
    pub fn slowed(&self, rates: Rates, retry_after: Duration, now: Time) -> Self {
        let stop = now + retry_after.min(LONGEST_STOP);
        let mut limiter = self.clone();
        limiter.forget_kept(rates, u64::MAX);
        if now.since(self.slowed_at) >= SLOWED_FOR {
            limiter.pace = (self.pace * KEPT_TENTHS / 10).max(SLOWEST_PACE);
            limiter.slowed_at = now;
        }
        // No burst within the stop.
        let stop_us = micros(stop).saturating_add(rates.tolerance_us(limiter.pace));
        limiter.next_us = limiter.next_us.max(stop_us);
        limiter
    }

    /// Until when a 429 has stopped all calls. `None` if none has, or if its stop ends so soon that the slots after it
    /// can be reserved now: then jobs wait for them as for any other.
    #[must_use]
    pub fn stopped_until(&self, rates: Rates, now: Time) -> Option<Time> {
        let first_us = self.next_us.saturating_sub(rates.tolerance_us(self.pace));
        let interval_us = rates.interval_us(self.pace).max(rates.hourly_interval_us());
        let reserved = HIGH_HORIZON.max(rates.interval()) + Duration::from_micros(interval_us);
        (first_us > micros(now + reserved)).then(|| Time::from_millis(first_us.div_ceil(1_000)))
    }
}
