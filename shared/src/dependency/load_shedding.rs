//! Foreseeing trouble: which share of the load to put off before a breaker would have to trip.
//!
//! Two signs, each a plain function of the pulse. Calls that are accepted less often: the client-side
//! throttling of Google's "Site Reliability Engineering" (2016), chapter 21, "Handling Overload",
//! `max(0, (calls - K * accepts) / (calls + 1))`. Calls that take longer than they used to: queues
//! fill up before they overflow.

use std::time::Duration;

use crate::{
    base::time::Time,
    dependency::stats::{BUCKET, Calls, MEMORY, MINUTE, Window},
};

/// `K`: the share starts when fewer than four of five calls are accepted. The book's 2 would start
/// where a breaker trips.
const K: f64 = 1.25;

/// Calls below which a signal says nothing: one failure of one call is no trend.
const ENOUGH: u64 = 20;

/// How many times as long as before calls must take to count as rising.
const RISEN: f64 = 3.0;

/// Calls shorter than this are quick, however much they have risen.
const QUICK: Duration = Duration::from_millis(400);

/// The largest share that is put off: the rest finds out when the trouble is over.
const MOST: f64 = 0.9;

/// The largest share for rising times alone: the calls still work.
const MOST_FOR_LATENCY: f64 = 0.5;

/// The latest calls, compared with those of some minutes ago, so that a slow rise shows as well.
const LATELY: Duration = BUCKET.saturating_mul(2);

/// How long ago those are that the latest are compared with.
const AGO: Duration = Duration::from_secs(120);

/// A share of the load to put off, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shedding {
    /// From 0 to 1.
    pub share: f64,
    /// The signal, as logs and metrics name it.
    pub signal: Signal,
}

/// What makes trouble likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Fewer calls are accepted.
    Failing,
    /// Calls take longer than they did.
    Slowing,
}

impl Signal {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Slowing => "slowing",
        }
    }
}

/// What the pulse of a generation foretells; `None` on a healthy dependency.
#[must_use]
pub fn shedding(window: &Window, generation: u64, now: Time) -> Option<Shedding> {
    let minute = window.last(MINUTE, now, Some(generation));
    let failing = Shedding { share: accept_share(&minute), signal: Signal::Failing };
    let lately = window.last(LATELY, now, None);
    let before = window.sum(now.before(MEMORY), now.before(AGO), None);
    let slowing = Shedding { share: latency_share(&lately, &before), signal: Signal::Slowing };
    let strongest = if failing.share >= slowing.share { failing } else { slowing };
    // Each signal puts its share off what the other one leaves.
    let share = 1.0 - (1.0 - failing.share) * (1.0 - slowing.share);
    (share > 0.0).then_some(Shedding { share: share.min(MOST), ..strongest })
}

#[expect(clippy::cast_precision_loss, reason = "a minute's calls are far below 2^52")]
fn accept_share(minute: &Calls) -> f64 {
    let (calls, accepts) = (minute.telling(), minute.ok);
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
    // As many calls at once as before: what takes three times as long may come a third as often.
    (1.0 - 1.0 / risen).min(MOST_FOR_LATENCY)
}

#[cfg(test)]
#[path = "load_shedding_tests.rs"]
mod tests;
