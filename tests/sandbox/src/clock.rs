//! The sandbox's clock, and the formats of its times.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::time::Instant;

/// Epoch milliseconds that advance with tokio's clock.
///
/// The wall clock is read once, at the start, unless the start is given. After that tokio's clock
/// counts. A test can therefore pause the time, and a wall clock that is set back does not reorder the
/// record of calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_ms: u64,
    origin: Instant,
}

impl Clock {
    /// Starts at the current wall-clock time.
    pub(crate) fn start() -> Self {
        Self::starting_at(wall_clock_ms())
    }

    /// Starts at this time, in epoch milliseconds.
    pub(crate) fn starting_at(started_ms: u64) -> Self {
        Self { started_ms, origin: Instant::now() }
    }

    /// The current time, in epoch milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        let elapsed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(elapsed)
    }
}

/// A time in epoch milliseconds as a timestamp.
pub(crate) fn timestamp(at_ms: u64) -> Timestamp {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX)
}

/// A time in epoch milliseconds as an HTTP date, rounded down to the second. Empty if the time
/// cannot be written as one, which does not occur before the year 10000.
pub(crate) fn http_date(at_ms: u64) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(at_ms)).unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "createdAt and the record of calls show real times; read once, at the start"
)]
fn wall_clock_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_tokios_clock() {
        let clock = Clock::start();
        let before = clock.now_ms();
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.now_ms(), before + 1500);
    }

    #[test]
    fn an_http_date_has_whole_seconds() {
        assert_eq!(http_date(1_754_006_400_999), "Fri, 01 Aug 2025 00:00:00 GMT");
        assert_eq!(timestamp(1_754_006_400_000).to_string(), "2025-08-01T00:00:00Z");
    }
}
