//! The clock of the demo.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells epoch milliseconds, to compare with the times in records. It reads the wall clock once and
/// then adds monotonic time, so that a clock adjustment does not distort the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_ms: u64,
    origin: Instant,
}

impl Clock {
    /// A clock whose zero is the time of this call.
    pub(crate) fn start() -> Self {
        Self { started_ms: wall_clock_ms(), origin: Instant::now() }
    }

    /// The time of the start, in epoch milliseconds.
    pub(crate) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// The time now, in epoch milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.started_ms + u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX >> 1)
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "records carry wall-clock times, and the time from send to link ends with one"
)]
fn wall_clock_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX >> 1)
}
