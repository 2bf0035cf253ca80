//! What operators do to a breaker and to a limiter: changes by hand, which end by themselves.

use super::{
    breaker::{Breaker, State},
    limiter::Limiter,
};
use crate::base::time::Time;

/// The slowest pace that an operator can set, in thousandths: the same as after 429s.
pub const SLOWEST_SET_PACE: u32 = 100;

impl Breaker {
    /// The breaker that an operator opens or closes until a given time. After that it is closed, and opens by itself
    /// if calls fail.
    #[must_use]
    pub fn forced(&self, open: bool, until: Time, why: &str, now: Time) -> Self {
        self.at(now).next(State::Forced { open, until }, why, now)
    }

    /// The breaker that decides for itself again: closed, whatever it was.
    #[must_use]
    pub fn automatic(&self, why: &str, now: Time) -> Self {
        self.at(now).next(State::Closed, why, now)
    }
}

impl Limiter {
    /// The limiter with another pace, in thousandths of the configured rate. It rises again with each call that
    /// succeeds.
    #[must_use]
    pub fn paced(&self, pace: u32, now: Time) -> Self {
        let pace = pace.clamp(SLOWEST_SET_PACE, Self::default().pace);
        Self { pace, slowed_at: now, ..self.clone() }
    }

    /// The limiter that gives no slot before this time, but for a burst that its account allows. An earlier time than that
    /// of a stop before lifts the stop.
    #[must_use]
    pub fn stopped(&self, until: Time) -> Self {
        let next_us = until.as_millis().saturating_mul(1_000);
        Self { next_us, kept: Vec::new(), since_kept: 0, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    #[test]
    fn a_forced_breaker_ends_by_itself_and_has_a_generation_of_its_own() {
        let until = NOW + Duration::from_mins(30);
        let open = Breaker::default().forced(true, until, "their maintenance", NOW);
        assert!(open.generation > 0 && open.at(NOW).state.refuses_calls());
        assert_eq!(open.at(until).state, State::Closed);
        let closed = open.automatic("it is over", NOW);
        assert_eq!((&closed.state, closed.generation), (&State::Closed, open.generation + 1));
        assert_eq!(closed.down_since, Time::default());
    }

    #[test]
    fn a_limiter_is_slowed_or_stopped() {
        let slow = Limiter::default().paced(5, NOW);
        assert_eq!((slow.pace, slow.slowed_at), (SLOWEST_SET_PACE, NOW));
        let until = NOW + Duration::from_mins(5);
        assert_eq!(Limiter::default().stopped(until).next_us, until.as_millis() * 1_000);
    }

    /// Ten days instead of ten minutes, for instance.
    #[test]
    fn a_stop_that_was_too_long_is_shortened() {
        use crate::dependency::limiter::{Rates, Request, Reservation};
        let (rates, day) = (Rates::each_second(8, 18_000), Duration::from_hours(24));
        let long = Limiter::default().stopped(NOW + day * 10);
        let free = |limiter: &Limiter| {
            let asked = limiter.reserve(rates, Request::first(1), 0, NOW + day);
            matches!(asked, Reservation::Granted(..))
        };
        assert!(!free(&long));
        assert!(free(&long.stopped(NOW + Duration::from_secs(1))));
    }
}
