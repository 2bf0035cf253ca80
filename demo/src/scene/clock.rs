//! The demo's one clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Epoch milliseconds, for comparison with what the functions write into their records. The wall
/// clock is read once; from there on a clock counts that nobody sets back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_ms: u64,
    origin: Instant,
}

impl Clock {
    /// Starts at the present wall-clock time.
    pub(crate) fn start() -> Self {
        Self { started_ms: wall_clock_ms(), origin: Instant::now() }
    }

    /// When it was started.
    pub(crate) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// The present.
    pub(crate) fn now_ms(&self) -> u64 {
        self.started_ms + u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX >> 1)
    }

    /// How long ago it was started.
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
