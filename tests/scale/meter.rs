//! What reads have cost: calls, read units, and for how long at least one call was under way.

use std::{
    ops::Sub,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

/// A sum that all ports of a run add to.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    used: Used,
    under_way: u32,
    /// Since when some call is under way.
    since: Option<Instant>,
}

/// What was used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Used {
    pub(super) calls: u64,
    /// DynamoDB's read units.
    pub(super) units: f64,
    /// Time during which the service was waited for. Calls that overlap count once.
    pub(super) waited: Duration,
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            units: self.units - before.units,
            waited: self.waited.saturating_sub(before.waited),
        }
    }
}

impl Meter {
    /// What was used so far.
    pub(super) fn used(&self) -> Used {
        self.0.lock().unwrap().used
    }

    /// Counts a call from now on until the answer is dropped.
    pub(super) fn begin(&self) -> Call<'_> {
        let mut state = self.0.lock().unwrap();
        state.used.calls += 1;
        state.under_way += 1;
        if state.under_way == 1 {
            state.since = Some(Instant::now());
        }
        Call(self)
    }
}

/// A call that is under way. It ends when this is dropped, also if nobody waits for it any longer.
pub(super) struct Call<'a>(&'a Meter);

impl Call<'_> {
    /// Counts what the call has cost.
    pub(super) fn cost(&self, units: f64) {
        self.0.0.lock().unwrap().used.units += units;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap();
        state.under_way -= 1;
        if state.under_way == 0
            && let Some(since) = state.since.take()
        {
            state.used.waited += since.elapsed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_overlap_are_waited_for_once() {
    let meter = Meter::default();
    let pause = |ms| tokio::time::advance(Duration::from_millis(ms));
    let one = meter.begin();
    pause(10).await;
    let other = meter.begin();
    other.cost(0.5);
    pause(10).await;
    drop(one);
    pause(10).await;
    drop(other);
    pause(10).await;
    let used = Used { calls: 2, units: 0.5, waited: Duration::from_millis(30) };
    assert_eq!(meter.used(), used);
    drop(meter.begin());
    assert_eq!(meter.used() - used, Used { calls: 1, ..Used::default() });
}
