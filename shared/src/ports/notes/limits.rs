//! What limits the calls of a dependency, and how fast its parked jobs go by that: the sweeper plans with it, and the
//! operators' command explains with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::{Grant, Limiter, Rates, Request, Reservation},
    },
};

/// What the sweeper must know about a dependency to release its parked jobs at a safe rate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Calls per minute that the account or the host allows; `None` if unlimited.
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// The same a second, as an earlier version has noted it.
    #[serde(default, skip_serializing)]
    pub per_second: Option<u32>,
    /// Calls per hour that it allows; `None` if unlimited.
    pub per_hour: Option<u32>,
    /// Calls that may be made at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// The name of its limiter, if that is not the dependency's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limiter: Option<String>,
    /// Number of successful probes that close its breaker.
    pub closes_with: u32,
    /// When this note was written, in milliseconds since the epoch.
    pub noted_at: u64,
}

/// Parked jobs that are released a minute where calls are not limited.
const UNLIMITED: u64 = 600;

/// What a minute's slots may take at full speed, in microseconds. A tenth is for rounding.
const MINUTE_OF_SLOTS_US: u64 = 66_000_000;

/// How many parked jobs of a dependency are released a minute, once the ramp after a recovery is over. At 60 or more,
/// each second has the same number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseRate {
    /// At the limiter's present pace, or by the hour if that is used up.
    pub at_present: u64,
    /// Once the hourly limit counts.
    pub by_hour: u64,
}

impl Limits {
    /// The limits of a dependency's note; without a readable one the [careful](Self::careful) ones.
    #[must_use]
    pub fn read(note: Option<&str>) -> Self {
        let read = note.and_then(|text| serde_json::from_str(text).ok());
        let mut limits: Self = read.unwrap_or_else(Self::careful);
        let per_second = limits.per_second.map(|rate| rate.saturating_mul(60));
        limits.per_minute = limits.per_minute.or(per_second);
        limits
    }

    /// The limits of a dependency without a note: one call a second, and one probe closes its breaker.
    #[must_use]
    pub fn careful() -> Self {
        let (per_minute, per_hour) = (Some(60), Some(3_600));
        Self { per_minute, per_hour, closes_with: 1, ..Self::default() }
    }

    /// The rates of its calls; `None` if they are not limited.
    #[must_use]
    pub fn rates(&self) -> Option<Rates> {
        let (per_minute, per_hour) = (self.per_minute?, self.per_hour?);
        Some(Rates { per_minute, per_hour, burst: self.burst.unwrap_or(1) })
    }

    /// When the later of the stops ends that 429s have brought about: that of the breaker's item, for calls without
    /// rates, and that of the limiter. In the past if there is none.
    #[must_use]
    pub fn stopped_until(&self, breaker: &Breaker, limiter: &Limiter, now: Time) -> Time {
        let stop = self.rates().and_then(|rates| limiter.stopped_until(rates, now));
        breaker.stopped_until.max(stop.unwrap_or_default())
    }

    /// How many parked jobs are released a minute. During a stop, ask for its end: the limiter has no slot before.
    #[must_use]
    pub fn release_rate(&self, limiter: &Limiter, now: Time) -> ReleaseRate {
        let Some(rates) = self.rates() else {
            return ReleaseRate { at_present: UNLIMITED, by_hour: UNLIMITED };
        };
        let full = even(u64::from(rates.per_minute) * u64::from(limiter.pace) / 1_000);
        let by_hour = even(u64::from(rates.per_hour) / 60).min(full);
        // Tries to reserve a whole minute at full speed: if the hourly limit slows that down, it applies.
        let want = u32::try_from(full).unwrap_or(u32::MAX);
        let request = Request { want, further: false, horizon: Duration::from_mins(1) };
        let is_full = |grant: &Grant| grant.interval_us.saturating_mul(full) <= MINUTE_OF_SLOTS_US;
        let at_present = match limiter.reserve(rates, request, 0, now) {
            Reservation::Granted(_, grants) if grants.iter().any(is_full) => full,
            _ => by_hour,
        };
        ReleaseRate { at_present, by_hour }
    }
}

/// As many jobs a minute as come of whole jobs each second. What is less than one a second stays, but for none at all.
const fn even(per_minute: u64) -> u64 {
    match per_minute {
        0 => 1,
        1..60 => per_minute,
        _ => per_minute / 60 * 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn limits(per_minute: u32, per_hour: u32) -> Limits {
        let (per_minute, per_hour) = (Some(per_minute), Some(per_hour));
        Limits { per_minute, per_hour, ..Limits::default() }
    }

    #[test]
    fn jobs_go_at_the_limiters_pace_in_whole_jobs_a_second_and_by_the_hour_once_it_is_used_up() {
        for (per_minute, per_hour, pace, at_present, by_hour) in [
            (480, 18_000, 1_000, 480, 300),
            (480, 18_000, 250, 120, 120),
            (100, 6_000, 1_000, 60, 60),
            (30, 1_800, 1_000, 30, 30),
            (30, 1_800, 100, 3, 3),
            (1, 60, 100, 1, 1),
            // An hour's calls cover no minute at the full rate.
            (480, 600, 1_000, 10, 10),
        ] {
            let limiter = Limiter { pace, ..Limiter::default() };
            let rate = limits(per_minute, per_hour).release_rate(&limiter, NOW);
            let case = format!("{per_minute} a minute, {per_hour} an hour, pace {pace}");
            assert_eq!(rate, ReleaseRate { at_present, by_hour }, "{case}");
        }
        let next_hourly_us = (NOW.as_millis() + 360_000) * 1_000;
        let used_up = Limiter { next_hourly_us, ..Limiter::default() };
        assert_eq!(limits(480, 18_000).release_rate(&used_up, NOW).at_present, 300);
        let unlimited = Limits::default().release_rate(&Limiter::default(), NOW);
        assert_eq!(unlimited, ReleaseRate { at_present: 600, by_hour: 600 });
    }

    #[test]
    fn without_a_readable_note_one_job_a_second_goes() {
        let rate = |note| Limits::read(note).release_rate(&Limiter::default(), NOW).at_present;
        assert_eq!([rate(None), rate(Some("{"))], [60, 60]);
        let earlier = r#"{"per_second":8,"per_hour":18000,"closes_with":3,"noted_at":1}"#;
        assert_eq!(rate(Some(earlier)), 480);
        assert_eq!(rate(Some(r#"{"per_hour":null,"closes_with":3,"noted_at":1}"#)), 600);
    }

    #[test]
    fn the_later_stop_counts() {
        let after = |minutes| NOW + Duration::from_mins(minutes);
        let limits = limits(480, 18_000);
        let rates = limits.rates().unwrap();
        let breaker = |minutes| Breaker { stopped_until: after(minutes), ..Breaker::default() };
        let calm = Limiter::default();
        let stopped = calm.slowed(rates, Duration::from_mins(10), NOW);
        assert_eq!(limits.stopped_until(&breaker(5), &stopped, NOW), after(10));
        assert_eq!(limits.stopped_until(&breaker(15), &stopped, NOW), after(15));
        assert_eq!(limits.stopped_until(&breaker(5), &calm, NOW), after(5));
        assert!(limits.stopped_until(&Breaker::default(), &calm, NOW) <= NOW);
    }
}
