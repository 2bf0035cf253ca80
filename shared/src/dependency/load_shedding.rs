//! Load shedding: which share of the jobs to defer before the breaker has to trip.
//!
//! Two signals, each a pure function of the call statistics:
//!
//! - The dependency accepts fewer calls. The share is that of client-side throttling in Google's
//!   "Site Reliability Engineering" (2016), chapter 21, "Handling Overload":
//!   `max(0, (calls - K * accepts) / (calls + 1))`.
//! - Calls take longer than before. Queues fill up before they overflow.

use std::time::Duration;

use crate::{
    base::time::Time,
    dependency::stats::{BUCKET, Calls, MEMORY, MINUTE, Window},
};

/// `K` of the formula: shedding begins when fewer than four of five calls are accepted. With the
/// source's value of 2 it would begin only where the breaker trips.
const K: f64 = 1.25;

/// Calls below which a signal is ignored: one failed call is no trend.
const ENOUGH: u64 = 20;

/// Factor by which the latency must have risen.
const RISEN: f64 = 3.0;

/// Latency below this is never a signal, however much it has risen.
const QUICK: Duration = Duration::from_millis(400);

/// The largest share that is deferred. The remaining calls show when the dependency has recovered.
const MOST: f64 = 0.9;

/// The largest share for latency by itself, because the calls still succeed.
const MOST_FOR_LATENCY: f64 = 0.5;

/// Span of the recent calls. They are compared with calls of some minutes ago, so that a slow rise
/// shows as well.
const LATELY: Duration = BUCKET.saturating_mul(2);

/// Smallest age of the calls that the recent ones are compared with.
const AGO: Duration = Duration::from_secs(120);

/// A share of the jobs to defer, and the reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shedding {
    /// From 0 to 1.
    pub share: f64,
    /// The stronger signal.
    pub signal: Signal,
}

/// A sign that the dependency is overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The dependency accepts fewer calls.
    Failing,
    /// Calls take longer than before.
    Slowing,
}

impl Signal {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Slowing => "slowing",
        }
    }
}

/// The share to defer, from the call statistics; `None` if the dependency is healthy. Failures
/// count only if they are of the breaker's current `generation`.
#[must_use]
pub fn shedding(window: &Window, generation: u64, now: Time) -> Option<Shedding> {
    let minute = window.last(MINUTE, now, Some(generation));
    let failing = Shedding { share: accept_share(&minute), signal: Signal::Failing };
    let lately = window.last(LATELY, now, None);
    let before = window.sum(now.before(MEMORY), now.before(AGO), None);
    let slowing = Shedding { share: latency_share(&lately, &before), signal: Signal::Slowing };
    let strongest = if failing.share >= slowing.share { failing } else { slowing };
    // Each signal defers its share of what the other leaves.
    let share = 1.0 - (1.0 - failing.share) * (1.0 - slowing.share);
    (share > 0.0).then_some(Shedding { share: share.min(MOST), ..strongest })
}

#[expect(clippy::cast_precision_loss, reason = "a minute's calls are far below 2^52")]
fn accept_share(minute: &Calls) -> f64 {
    let (calls, accepts) = (minute.conclusive(), minute.ok);
    if calls < ENOUGH {
        return 0.0;
    }
    let share = (calls as f64 - K * accepts as f64) / (calls as f64 + 1.0);
    share.clamp(0.0, MOST)
}

fn latency_share(lately: &Calls, before: &Calls) -> f64 {
    let typical = |calls: &Calls| {
        let enough = calls.latency.total() >= ENOUGH;
        calls.latency.quantile(0.75).filter(|_| enough)
    };
    let (Some(now), Some(then)) = (typical(lately), typical(before)) else { return 0.0 };
    let risen = now.as_secs_f64() / then.as_secs_f64();
    if now < QUICK || risen < RISEN {
        return 0.0;
    }
    // Keeps the number of concurrent calls constant (Little's law): with three times the latency, a
    // third of the calls.
    (1.0 - 1.0 / risen).min(MOST_FOR_LATENCY)
}

#[cfg(test)]
#[path = "load_shedding_tests.rs"]
mod tests;
