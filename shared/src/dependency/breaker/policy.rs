//! When the breakers of a job type open and close.

use std::time::Duration;

/// When the breakers of a job type open and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPolicy {
    /// Failed or slow calls in the rolling minute that trip the breaker, if their share of all
    /// calls is also large enough: half if they failed, eight tenths if they were slow.
    pub failures: u32,
    /// How long the breaker stays open after it trips. For the next ten minutes, a probe follows
    /// [`PROBE_WAIT`](super::PROBE_WAIT) after one that failed; later, or if an operator must fix the cause, each failed
    /// probe doubles the wait.
    pub open_wait: Duration,
    /// Upper bound of the doubled wait.
    pub longest_wait: Duration,
    /// Concurrent probes while the breaker is half-open.
    pub probes: u32,
    /// Successful probes that close the breaker.
    pub successes: u32,
}

impl BreakerPolicy {
    /// Panics if a number is out of range; in a constant, such a policy does not compile.
    pub(crate) const fn check(&self) {
        assert!(self.failures >= 1, "breaker.failures is zero");
        assert!(
            self.probes >= 1 && self.successes >= 1,
            "breaker.probes or breaker.successes is zero"
        );
        assert!(self.open_wait.as_secs() >= 1, "breaker.open_wait is below one second");
        assert!(
            self.open_wait.as_secs() <= self.longest_wait.as_secs(),
            "breaker.open_wait exceeds breaker.longest_wait"
        );
    }
}
