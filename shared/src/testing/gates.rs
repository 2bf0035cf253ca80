//! The gates by themselves, for benchmarks: they are no part of the crate's interface.

use std::fmt;

use super::{MemoryStore, POLICY, SeededRandom, TestClock, TestPorts};
use crate::{
    base::time::Clock as _,
    failure::Failure,
    gates::{Gates, Refused, Rules, RunEnd, RunKind},
    job::Gate as _,
};

/// The gates of a container, on tables in memory.
pub struct MeasuredGates {
    gates: Gates<TestPorts>,
    clock: TestClock,
}

impl fmt::Debug for MeasuredGates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredGates").finish_non_exhaustive()
    }
}

impl MeasuredGates {
    /// Gates with an empty cache, by the rules of [`POLICY`] and without rates.
    #[must_use]
    pub fn new(clock: TestClock) -> Self {
        let rules = Rules { kind: "errand", policy: &POLICY, breaker: POLICY.breaker };
        let random = SeededRandom::new(1);
        Self { gates: Gates::new(rules, MemoryStore::default(), clock, random), clock }
    }

    /// Lets a run enter, make one call that works, and leave. Fails if the gates refuse it.
    pub async fn pass(&self) -> Result<(), Failure> {
        let entered = self.gates.enter(POLICY.dependency, RunKind::First).await;
        let mut permit = entered.map_err(Refused::into_failure)?;
        let end = self.clock.now() + POLICY.job_timeout;
        permit.until(end, end);
        permit.begin().await?;
        permit.end(None);
        self.gates.leave(permit, RunEnd::Ended).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_pass_as_long_as_their_calls_work() {
        let gates = MeasuredGates::new(TestClock::default());
        for _ in 0..3 {
            gates.pass().await.unwrap();
        }
        assert!(!gates.gates.is_open(POLICY.dependency));
    }
}
