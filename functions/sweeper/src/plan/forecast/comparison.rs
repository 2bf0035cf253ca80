//! A dependency's latest calls compared with those before them: more failures, longer calls.

use std::fmt;

use super::trend::{Point, float};
use crate::plan::observation::DependencySeen;

/// Calls that each side of a comparison needs: one failure of one call is no trend.
const ENOUGH_CALLS: u64 = 10;

/// By how much the failure rate must have risen: ten percentage points.
const RISEN: f64 = 0.1;

/// The failure rate at which a dependency counts as down.
const HALF: f64 = 0.5;

/// How many times as long as before calls must take.
const SLOWER: f64 = 2.0;

/// How much longer than before calls must take, in milliseconds: twice a few milliseconds is still
/// quick.
const SLOWER_MS: f64 = 200.0;

/// Whether the failure rate has risen: in how many minutes half of the calls will fail, where that
/// can be estimated, and a sentence.
///
/// The line goes through the means of the two groups (A. Wald, "The Fitting of Straight Lines if
/// Both Variables are Subject to Error", Annals of Mathematical Statistics 11, 1940). The sentence
/// states the same numbers.
pub(super) fn failing(
    then: &[Point<&DependencySeen>],
    now: &[Point<&DependencySeen>],
) -> Option<(Option<f64>, String)> {
    let (then, now) = (Failures::of(then)?, Failures::of(now)?);
    let risen = now.rate - then.rate;
    if risen < RISEN {
        return None;
    }
    let apart = now.minutes - then.minutes;
    let until_half = (HALF - now.rate) / risen * apart + now.minutes;
    // Observations of the same moment have no slope.
    let half_in_minutes = (apart > 0.0).then(|| until_half.max(0.0));
    Some((half_in_minutes, format!("{now} failed, {then} before")))
}

/// Whether calls take longer, as a sentence.
pub(super) fn slowing(
    then: &[Point<&DependencySeen>],
    now: &[Point<&DependencySeen>],
) -> Option<String> {
    let (then, now) = (mean_p95_ms(then)?, mean_p95_ms(now)?);
    let slower = now >= then * SLOWER && now - then >= SLOWER_MS;
    slower.then(|| format!("95 of 100 calls took up to {now:.0} ms, {then:.0} ms before"))
}

/// How many calls of some observations failed.
struct Failures {
    calls: u64,
    failed: u64,
    /// Failed calls divided by calls, from 0 to 1.
    rate: f64,
    /// The mean time of the calls, in minutes as in a [`Point`].
    minutes: f64,
}

impl Failures {
    /// `None` below [`ENOUGH_CALLS`].
    fn of(points: &[Point<&DependencySeen>]) -> Option<Self> {
        let calls = points.iter().fold(0_u64, |sum, &(_, seen)| sum.saturating_add(seen.calls));
        if calls < ENOUGH_CALLS {
            return None;
        }
        let failed = points.iter().fold(0_u64, |sum, &(_, seen)| sum.saturating_add(seen.failed));
        let failed = failed.min(calls);
        let weighted: f64 = points.iter().map(|&(minutes, seen)| minutes * float(seen.calls)).sum();
        let (rate, minutes) = (float(failed) / float(calls), weighted / float(calls));
        Some(Self { calls, failed, rate, minutes })
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, failed, rate, .. } = self;
        write!(f, "{failed} of {calls} calls ({:.0} %)", rate * 100.0)
    }
}

/// The mean of the minutes' 95th percentiles, weighted by calls, in milliseconds; `None` below
/// [`ENOUGH_CALLS`].
///
/// This is not the 95th percentile of all calls, but a quiet minute does not outweigh a busy one.
fn mean_p95_ms(points: &[Point<&DependencySeen>]) -> Option<f64> {
    let (mut calls, mut weighted) = (0.0_f64, 0.0_f64);
    for &(_, seen) in points {
        if let Some(p95_ms) = seen.p95_ms {
            calls += float(seen.calls);
            weighted += float(seen.calls) * float(p95_ms);
        }
    }
    (calls >= float(ENOUGH_CALLS)).then(|| weighted / calls)
}
