//! Time as a value, in milliseconds since the Unix epoch, and the clock that returns it.
//!
//! Only this file reads the system clock; `clippy.toml` bans it elsewhere. Tests of leases, delays
//! and windows therefore need not wait.

mod month;
mod skew;

use std::{
    fmt,
    ops::Add,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
pub use month::LATEST_MONTH_BEGIN;
pub use skew::Skew;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The latest time.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `ms` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, the unit of a TTL attribute in DynamoDB. Rounded up, so
    /// that no item expires early.
    #[must_use]
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// The duration from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This time minus `span`, but not before the epoch.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Parses an RFC 3339 date and time with an offset, such as `2026-11-23T18:00:00Z`.
    ///
    /// Fails with a sentence that names the expected format.
    pub fn parse_rfc3339(text: &str) -> Result<Self, String> {
        let timestamp: Timestamp = text.parse().map_err(|_| {
            format!("{text:?} is not an RFC 3339 time such as 2026-11-23T18:00:00Z")
        })?;
        u64::try_from(timestamp.as_millisecond())
            .map(Self)
            .map_err(|_| format!("{text:?} is before 1970"))
    }

    /// Parses an HTTP date (RFC 9110, section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
        u64::try_from(zoned.timestamp().as_millisecond()).ok().map(Self)
    }
}

/// A duration in whole milliseconds, at most `u64::MAX`.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "checked just before")]
pub const fn millis(span: Duration) -> u64 {
    let ms = span.as_millis();
    if ms > u64::MAX as u128 { u64::MAX } else { ms as u64 }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).map(Timestamp::from_millisecond) {
            Ok(Ok(timestamp)) => write!(f, "{timestamp}"),
            _ => write!(f, "{} ms", self.0),
        }
    }
}

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Time;
}

/// The system clock, corrected by [`SKEW`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// How far this machine's clock is from that of AWS, as far as the answers of AWS have told.
pub static SKEW: Skew = Skew::new();

impl SystemClock {
    /// What the machine's clock says.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
    pub fn machine() -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(millis(since_epoch))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        SKEW.correct(Self::machine())
    }
}

/// How long a lease outlasts the run that it covers, as an allowance for clock skew.
pub const LEASE_GRACE: Duration = Duration::from_secs(5);

/// Largest assumed difference between the clocks of two containers.
pub const CLOCK_SKEW: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trips_and_needs_an_offset() {
        let time = Time::parse_rfc3339("2026-11-23T18:00:00.250Z").unwrap();
        assert_eq!(time.as_millis(), 1_795_456_800_250);
        assert_eq!(time.to_string(), "2026-11-23T18:00:00.25Z");
        assert_eq!(Time::parse_rfc3339("2026-11-23T19:00:00.250+01:00"), Ok(time));
        for bad in ["", "tomorrow", "2026-11-23", "2026-11-23T18:00:00", "1950-01-01T00:00:00Z"] {
            assert!(Time::parse_rfc3339(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn http_dates_are_parsed() {
        let time = Time::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(time.as_millis(), 784_111_777_000);
        assert_eq!(Time::parse_http_date("120"), None);
    }

    #[test]
    fn ttl_seconds_round_up() {
        assert_eq!(Time::from_millis(1001).as_secs_ceil(), 2);
        assert_eq!(Time::from_millis(1000).as_secs_ceil(), 1);
    }
}
