//! Clocks and random numbers that a test controls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::base::{
    random::Random,
    time::{Clock, Time},
};

/// The time at which every test begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: Time = Time::from_millis(1_767_225_600_000);

/// A clock that follows tokio's, so that a test can pause and advance it.
#[derive(Clone, Copy, Debug)]
pub struct TestClock {
    started: Instant,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl TestClock {
    /// The clock of a process whose time is ahead by `span`.
    #[must_use]
    pub fn ahead(self, span: Duration) -> Self {
        Self { started: self.started.checked_sub(span).unwrap_or(self.started) }
    }

    /// The clock of a process whose time is behind by `span`. At first it stands still for that long.
    #[must_use]
    pub fn behind(self, span: Duration) -> Self {
        Self { started: self.started + span }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        BEGINNING + self.started.elapsed()
    }
}

/// Random numbers that repeat with the same seed (SplitMix64, Steele et al. 2014).
#[derive(Clone, Debug)]
pub struct SeededRandom(Arc<AtomicU64>);

impl SeededRandom {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }
}

impl Random for SeededRandom {
    fn bits(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
