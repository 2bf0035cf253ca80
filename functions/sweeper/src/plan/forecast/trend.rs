//! Points of a history, and the straight line through them.

use std::fmt;

use crate::plan::observation::Observation;

/// Milliseconds of a minute.
pub(super) const MINUTE_MS: u64 = 60_000;

/// Observations that are older than this, measured from the last one, are ignored.
const MEMORY_MS: u64 = 15 * MINUTE_MS;

/// Longest gap within a line: what happened in a longer one is unknown, so a new line begins.
const GAP_MS: u64 = 5 * MINUTE_MS;

/// A time and the value observed then. The time is in minutes from the last observation, so it is
/// zero or negative.
pub(super) type Point<T> = (f64, T);

/// The latest values that `find` extracts, oldest first. It stops at a gap between them, and where
/// the clock was set back, since the order of the observations is unknown there.
pub(super) fn lately<'a, T>(
    history: &'a [Observation],
    find: impl Fn(&'a Observation) -> Option<T>,
) -> Vec<Point<T>> {
    let last_at = history.last().map_or(0, |last| last.at);
    let mut newer_at = last_at;
    let mut points = Vec::new();
    for observation in history.iter().rev() {
        let Some(seen) = find(observation) else { continue };
        let Some(gap_ms) = newer_at.checked_sub(observation.at) else { break };
        let age_ms = last_at.saturating_sub(observation.at);
        if gap_ms > GAP_MS || age_ms > MEMORY_MS {
            break;
        }
        newer_at = observation.at;
        points.push((-float(age_ms) / float(MINUTE_MS), seen));
    }
    points.reverse();
    points
}

/// The longest tail of the points in which each is higher than the one before.
pub(super) fn latest_rise(points: &[Point<u64>]) -> &[Point<u64>] {
    let fall = points.windows(2).rposition(|pair| pair[1].1 <= pair[0].1);
    &points[fall.map_or(0, |index| index + 1)..]
}

/// Minutes from the first of the points to the last.
pub(super) fn span_minutes<T>(points: &[Point<T>]) -> f64 {
    match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => last - first,
        _ => 0.0,
    }
}

/// The least-squares line through some points.
pub(super) struct Line {
    /// By how much the values rise in a minute.
    pub(super) per_minute: f64,
    /// Number of points.
    points: usize,
    /// Time from the first point to the last.
    minutes: f64,
}

impl Line {
    /// Ordinary least squares (A.-M. Legendre, "Nouvelles méthodes pour la détermination des
    /// orbites des comètes", 1805): the slope is
    /// `sum((x - mean x) * (y - mean y)) / sum((x - mean x)^2)`. `None` if all points have the same
    /// time.
    pub(super) fn through(points: &[Point<u64>]) -> Option<Self> {
        let mean_minute = mean(points.iter().map(|&(minute, _)| minute));
        let mean_value = mean(points.iter().map(|&(_, value)| float(value)));
        let (mut products, mut squares) = (0.0_f64, 0.0_f64);
        for &(minute, value) in points {
            let off = minute - mean_minute;
            products += off * (float(value) - mean_value);
            squares += off * off;
        }
        let per_minute = products / squares;
        let line = Self { per_minute, points: points.len(), minutes: span_minutes(points) };
        per_minute.is_finite().then_some(line)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line through {} observations of {:.0} min", self.points, self.minutes)
    }
}

/// The mean, or NaN if there are no values.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.fold((0.0_f64, 0.0_f64), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// A count as a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "what is lost beyond 2^53 is far below the noise")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

/// Minutes as whole seconds; `None` if they are negative, not a number or more than `most` seconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is whole, not negative, and at most `most`"
)]
pub(super) fn seconds(minutes: f64, most: u64) -> Option<u64> {
    let seconds = (minutes * 60.0).round();
    (0.0..=float(most)).contains(&seconds).then_some(seconds as u64)
}
