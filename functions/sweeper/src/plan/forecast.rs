//! Foreseeing: what the last minutes say about the next ones.
//!
//! Straight lines only: with a dozen points nothing finer holds. A forecast says what it rests on,
//! so that whoever reads it can judge it, and nothing is foreseen where the line is within what
//! noise brings about. It decides nothing: alarms and people read it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::observation::{DependencySeen, Observation, QueueSeen};

/// The most observations that are looked at: a quarter of an hour's, at one a minute.
const OBSERVATIONS: usize = 15;

/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

/// An observation older than this, before the last one, says nothing about what comes.
const MEMORY_MS: u64 = 15 * MINUTE_MS;

/// After a longer gap than this nothing is known of what went on in it, and a new line begins.
const GAP_MS: u64 = 5 * MINUTE_MS;

/// A shorter backlog is gone before anybody reads of it.
const LEAST_BACKLOG: u64 = 20;

/// Points that a backlog's line needs: two always lie on one, and three nearly do.
const LEAST_POINTS: usize = 4;

/// Messages a minute by which a backlog must rise or fall: less is noise.
const LEAST_SLOPE: f64 = 1.0;

/// Part of the backlog by which it must rise or fall each minute: less is noise in a long one. It
/// also means that no backlog is foreseen to clear later than in 50 minutes.
const LEAST_PART: f64 = 0.02;

/// The longest time in which a backlog is said to clear, in seconds: a week. Messages are kept for
/// two at most.
const LONGEST_CLEARING_S: u64 = 7 * 24 * 3_600;

/// Points that a line of calls ahead of the hourly rate needs, each higher than the one before.
const LEAST_RISING: usize = 3;

/// How far ahead a limit or a failing dependency is foreseen, in seconds: in two hours the load is
/// another one.
const HORIZON_S: u64 = 2 * 3_600;

/// Observations of a dependency that are compared with those before them.
const LATELY: usize = 3;

/// The fewest observations that they are compared with.
const LEAST_BEFORE: usize = 3;

const _: () = assert!(LATELY + LEAST_BEFORE <= OBSERVATIONS, "there is something to compare");

/// Calls that each side of a comparison needs: one failure of one call is no trend.
const ENOUGH_CALLS: u64 = 10;

/// By how much the share of calls that fail must have risen: ten percentage points.
const RISEN: f64 = 0.1;

/// The share of calls that fail at which a dependency is as good as gone.
const HALF: f64 = 0.5;

/// How many times as long as before calls must take.
const SLOWER: f64 = 2.0;

/// How much longer calls must take, in milliseconds: twice a moment is still a moment.
const SLOWER_MS: f64 = 200.0;

/// The breaker's word for letting calls through. Any other state says more than a forecast could.
const CLOSED: &str = "closed";

/// Something that is about to happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What it is.
    pub what: What,
    /// The queue or the dependency.
    pub about: String,
    /// Seconds from the last observation until it happens, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_s: Option<u64>,
    /// What it rests on: a sentence with the numbers and the time span.
    pub evidence: String,
}

/// What can be foreseen, in the order in which forecasts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The backlog of a queue will be gone.
    Clears,
    /// The backlog of a queue gets longer.
    Grows,
    /// Calls to a dependency will be held to the hourly rate: what it lets through ahead of time is
    /// used up.
    HitsHourlyLimit,
    /// Calls to a dependency fail more often, or take longer, than some minutes ago.
    Deteriorates,
}

impl What {
    /// The word in JSON, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clears => "clears",
            Self::Grows => "grows",
            Self::HitsHourlyLimit => "hits_hourly_limit",
            Self::Deteriorates => "deteriorates",
        }
    }
}

/// What a history foretells, by what and then about what. The history is in the order of time, the
/// oldest observation first; only the last fifteen minutes count, and of these what came after the
/// latest gap.
#[must_use]
pub fn forecast(history: &[Observation]) -> Vec<Forecast> {
    let history = &history[history.len().saturating_sub(OBSERVATIONS)..];
    let Some(last) = history.last() else { return Vec::new() };
    let queues = last.queues.iter().filter_map(|(name, seen)| backlog(history, name, seen));
    let limits =
        last.dependencies.iter().filter_map(|(name, seen)| hourly_limit(history, name, seen));
    let worse =
        last.dependencies.iter().filter_map(|(name, seen)| deterioration(history, name, seen));
    let mut forecasts: Vec<Forecast> = queues.chain(limits).chain(worse).collect();
    forecasts.sort_by(|a, b| a.what.cmp(&b.what).then_with(|| a.about.cmp(&b.about)));
    forecasts
}

/// Whether the backlog of a queue will clear or goes on growing. Messages on a dead-letter queue
/// wait for a person, and a line knows nothing of people.
fn backlog(history: &[Observation], name: &str, seen: &QueueSeen) -> Option<Forecast> {
    let waiting = seen.backlog();
    if seen.dead_letter || waiting < LEAST_BACKLOG {
        return None;
    }
    let points =
        lately(history, |observation| observation.queues.get(name).map(QueueSeen::backlog));
    if points.len() < LEAST_POINTS {
        return None;
    }
    let line = Line::through(&points)?;
    let rate = line.per_minute.abs();
    if rate < LEAST_SLOPE.max(LEAST_PART * float(waiting)) {
        return None;
    }
    let (what, in_s, word) = if line.per_minute < 0.0 {
        (What::Clears, seconds(float(waiting) / rate, LONGEST_CLEARING_S), "fewer")
    } else {
        (What::Grows, None, "more")
    };
    let evidence = format!("{waiting} messages wait, {rate:.1} {word} each minute by the {line}");
    Some(Forecast { what, about: name.to_owned(), in_s, evidence })
}

/// When calls will be as far ahead of the hourly rate as they may be. Only the latest rise counts:
/// a flood begins from one minute to the next, and the quiet before it would flatten its line.
fn hourly_limit(history: &[Observation], name: &str, seen: &DependencySeen) -> Option<Forecast> {
    let (ahead, most) = (seen.ahead_s?, seen.may_be_ahead_s?);
    let state = format!("calls are {ahead} s ahead of the hourly rate and may be {most} s");
    let (in_s, evidence) = if ahead >= most {
        (0, format!("{state}, by the last observation"))
    } else {
        let points = lately(history, |observation| observation.dependencies.get(name)?.ahead_s);
        let rise = latest_rise(&points);
        if rise.len() < LEAST_RISING {
            return None;
        }
        let line = Line::through(rise).filter(|line| line.per_minute > 0.0)?;
        let in_s = seconds(float(most - ahead) / line.per_minute, HORIZON_S)?;
        (in_s, format!("{state}, {:.1} s more each minute by the {line}", line.per_minute))
    };
    let what = What::HitsHourlyLimit;
    Some(Forecast { what, about: name.to_owned(), in_s: Some(in_s), evidence })
}

/// Whether calls to a dependency got worse in the last [`LATELY`] observations.
fn deterioration(history: &[Observation], name: &str, seen: &DependencySeen) -> Option<Forecast> {
    if seen.breaker != CLOSED {
        return None;
    }
    let points = lately(history, |observation| observation.dependencies.get(name));
    let before = points.len().checked_sub(LATELY).filter(|&before| before >= LEAST_BEFORE)?;
    let (then, now) = points.split_at(before);
    let (in_s, failing) = failing(then, now).unzip();
    let signs: Vec<String> = failing.into_iter().chain(slowing(then, now)).collect();
    if signs.is_empty() {
        return None;
    }
    let signs = signs.join("; ");
    let minutes = span_minutes(&points);
    let evidence = format!(
        "{signs}: the last {LATELY} observations against the {before} before, of {minutes:.0} min"
    );
    let what = What::Deteriorates;
    Some(Forecast { what, about: name.to_owned(), in_s: in_s.flatten(), evidence })
}

/// Whether a larger share of calls fails, in a sentence, and in how many seconds half of them will.
///
/// The line goes through the means of the two groups (A. Wald, "The Fitting of Straight Lines if
/// Both Variables are Subject to Error", Annals of Mathematical Statistics 11, 1940), which are the
/// numbers that the sentence gives.
fn failing(
    then: &[Point<&DependencySeen>],
    now: &[Point<&DependencySeen>],
) -> Option<(Option<u64>, String)> {
    let (then, now) = (Failures::of(then)?, Failures::of(now)?);
    let risen = now.share - then.share;
    if risen < RISEN {
        return None;
    }
    let apart = now.minutes - then.minutes;
    let until_half = (HALF - now.share) / risen * apart + now.minutes;
    // Observations of one moment have no slope.
    let in_s = if apart > 0.0 { seconds(until_half.max(0.0), HORIZON_S) } else { None };
    Some((in_s, format!("{now} failed, {then} before")))
}

/// Whether calls take longer, in a sentence.
fn slowing(then: &[Point<&DependencySeen>], now: &[Point<&DependencySeen>]) -> Option<String> {
    let (then, now) = (mean_p95_ms(then)?, mean_p95_ms(now)?);
    let slower = now >= then * SLOWER && now - then >= SLOWER_MS;
    slower.then(|| format!("95 of 100 calls took up to {now:.0} ms, {then:.0} ms before"))
}

/// How many calls of some observations failed.
struct Failures {
    calls: u64,
    failed: u64,
    /// From 0 to 1.
    share: f64,
    /// The mean moment of the calls, as in a [`Point`].
    minutes: f64,
}

impl Failures {
    /// `None` for too few calls to say.
    fn of(points: &[Point<&DependencySeen>]) -> Option<Self> {
        let calls = points.iter().fold(0_u64, |sum, &(_, seen)| sum.saturating_add(seen.calls));
        if calls < ENOUGH_CALLS {
            return None;
        }
        let failed = points.iter().fold(0_u64, |sum, &(_, seen)| sum.saturating_add(seen.failed));
        let failed = failed.min(calls);
        let weighted: f64 = points.iter().map(|&(minutes, seen)| minutes * float(seen.calls)).sum();
        let (share, minutes) = (float(failed) / float(calls), weighted / float(calls));
        Some(Self { calls, failed, share, minutes })
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, failed, share, .. } = self;
        write!(f, "{failed} of {calls} calls ({:.0} %)", share * 100.0)
    }
}

/// The mean of the 95th percentiles, weighted by calls, in milliseconds: percentiles of minutes do
/// not add up to one of them all, but a quiet minute must not outweigh a busy one. `None` for too
/// few calls to say.
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

/// What was seen, and when: in minutes from the last observation, so zero or less.
type Point<T> = (f64, T);

/// What `find` sees lately, oldest first. It looks back until a gap in what it sees, and never
/// beyond a clock that was set back: the order of time is not known there.
fn lately<'a, T>(
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

/// The latest of the points, as long as each is higher than the one before.
fn latest_rise(points: &[Point<u64>]) -> &[Point<u64>] {
    let fall = points.windows(2).rposition(|pair| pair[1].1 <= pair[0].1);
    &points[fall.map_or(0, |index| index + 1)..]
}

/// Minutes from the first of the points to the last.
fn span_minutes<T>(points: &[Point<T>]) -> f64 {
    match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => last - first,
        _ => 0.0,
    }
}

/// The straight line that fits some points best.
struct Line {
    /// Its slope.
    per_minute: f64,
    /// How many points there were.
    points: usize,
    /// From the first of them to the last.
    minutes: f64,
}

impl Line {
    /// Ordinary least squares (A.-M. Legendre, "Nouvelles méthodes pour la détermination des
    /// orbites des comètes", 1805): the slope is
    /// `sum((x - mean x) * (y - mean y)) / sum((x - mean x)^2)`. `None` where all points are of one
    /// moment.
    fn through(points: &[Point<u64>]) -> Option<Self> {
        let mean_minute = mean(points.iter().map(|&(minute, _)| minute));
        let mean_value = mean(points.iter().map(|&(_, value)| float(value)));
        let (mut together, mut alone) = (0.0_f64, 0.0_f64);
        for &(minute, value) in points {
            let off = minute - mean_minute;
            together += off * (float(value) - mean_value);
            alone += off * off;
        }
        let per_minute = together / alone;
        let line = Self { per_minute, points: points.len(), minutes: span_minutes(points) };
        per_minute.is_finite().then_some(line)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line through {} observations of {:.0} min", self.points, self.minutes)
    }
}

/// The mean; of nothing it is not a number.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.fold((0.0_f64, 0.0_f64), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "what is lost beyond 2^53 is far below the noise")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// Minutes as whole seconds; `None` if they are negative, not a number or more than `most` seconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is whole, not negative, and at most as large as a u64"
)]
fn seconds(minutes: f64, most: u64) -> Option<u64> {
    let seconds = (minutes * 60.0).round();
    (0.0..=float(most)).contains(&seconds).then_some(seconds as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::plan::observation::tests::observation;

    const START: u64 = 1_800_000_000_000;

    const NOTHING: [(What, Option<u64>); 0] = [];

    /// Calls, failures and the 95th percentile of a minute.
    type Minute = (u64, u64, u64);

    /// The observations, a minute apart.
    fn each_minute(seen: impl IntoIterator<Item = Observation>) -> Vec<Observation> {
        let at = |minute: u64| START + minute * MINUTE_MS;
        (0_u64..).zip(seen).map(|(minute, seen)| Observation { at: at(minute), ..seen }).collect()
    }

    fn of_queue(seen: QueueSeen) -> Observation {
        let queues = BTreeMap::from([("cars".to_owned(), seen)]);
        Observation { queues, ..Observation::default() }
    }

    fn of_dependency(seen: DependencySeen) -> Observation {
        let dependencies = BTreeMap::from([("supplier".to_owned(), seen)]);
        Observation { dependencies, ..Observation::default() }
    }

    /// A queue with so many messages in one minute after the other.
    fn backlogs(counts: impl IntoIterator<Item = u64>) -> Vec<Observation> {
        let queue = |visible| of_queue(QueueSeen { visible, ..QueueSeen::default() });
        each_minute(counts.into_iter().map(queue))
    }

    /// Calls so far ahead of an hourly rate that allows for 360 s.
    fn ahead(seconds: &[u64]) -> Vec<Observation> {
        each_minute(seconds.iter().map(|&ahead_s| {
            let (ahead_s, may_be_ahead_s) = (Some(ahead_s), Some(360));
            of_dependency(DependencySeen { ahead_s, may_be_ahead_s, ..DependencySeen::default() })
        }))
    }

    /// A dependency whose breaker is closed, in one minute after the other.
    fn calls(minutes: &[Minute]) -> Vec<Observation> {
        each_minute(minutes.iter().map(|&(calls, failed, p95_ms)| {
            of_dependency(DependencySeen {
                breaker: CLOSED.to_owned(),
                calls,
                failed,
                p95_ms: Some(p95_ms),
                ..DependencySeen::default()
            })
        }))
    }

    /// `count` minutes before, and three lately.
    fn change(count: usize, before: Minute, lately: Minute) -> Vec<Minute> {
        [vec![before; count], vec![lately; LATELY]].concat()
    }

    /// What is foreseen, and when.
    fn foreseen(history: &[Observation]) -> Vec<(What, Option<u64>)> {
        forecast(history).into_iter().map(|forecast| (forecast.what, forecast.in_s)).collect()
    }

    fn evidence(history: &[Observation]) -> String {
        let evidence: Vec<String> =
            forecast(history).into_iter().map(|forecast| forecast.evidence).collect();
        evidence.join("\n")
    }

    #[test]
    fn of_no_history_nothing_is_foreseen() {
        assert_eq!(foreseen(&[]), NOTHING);
        assert_eq!(foreseen(&[Observation::default()]), NOTHING);
    }

    #[test]
    fn a_backlog_that_falls_steadily_clears() {
        let history = backlogs([1_000, 900, 800, 700, 600, 500, 400]);
        assert_eq!(foreseen(&history), [(What::Clears, Some(240))]);
        assert_eq!(
            evidence(&history),
            "400 messages wait, 100.0 fewer each minute by the line through 7 observations of 6 min"
        );
        assert_eq!(forecast(&history)[0].about, "cars");
    }

    #[test]
    fn a_backlog_that_rises_steadily_grows() {
        let history = backlogs([100, 150, 200, 250, 300]);
        assert_eq!(foreseen(&history), [(What::Grows, None)]);
        assert_eq!(
            evidence(&history),
            "300 messages wait, 50.0 more each minute by the line through 5 observations of 4 min"
        );
    }

    #[test]
    fn noise_around_a_constant_foretells_nothing() {
        let long = [500, 504, 497, 501, 499, 503, 496, 502, 500, 498, 505, 499, 501, 497, 500];
        assert_eq!(foreseen(&backlogs(long)), NOTHING);
        assert_eq!(foreseen(&backlogs([25, 22, 27, 24, 26, 23, 25, 24])), NOTHING);
    }

    #[test]
    fn a_slow_change_a_short_backlog_or_a_short_history_foretells_nothing() {
        let slow = (0..10_u64).map(|minute| 10_000 - 100 * minute);
        assert_eq!(foreseen(&backlogs(slow)), NOTHING, "a hundredth of it each minute");
        assert_eq!(foreseen(&backlogs([100, 80, 60, 40, 19])), NOTHING, "soon gone");
        assert_eq!(foreseen(&backlogs([400, 300, 200])), NOTHING, "three points");
        assert_eq!(foreseen(&backlogs([500, 400, 300, 200])), [(What::Clears, Some(120))]);
    }

    #[test]
    fn what_was_before_a_gap_does_not_count() {
        let with_gap = |count: usize, gap_ms: u64| {
            let mut history = backlogs([9_000, 9_000, 9_000, 500, 400, 300, 200]);
            history[3..].iter_mut().for_each(|observation| observation.at += gap_ms);
            history.truncate(3 + count);
            history
        };
        let history = with_gap(4, 5 * MINUTE_MS);
        assert_eq!(foreseen(&history), [(What::Clears, Some(120))]);
        assert!(evidence(&history).ends_with("4 observations of 3 min"), "{}", evidence(&history));
        assert_eq!(foreseen(&with_gap(3, 5 * MINUTE_MS)), NOTHING, "three are too few");
        let history = with_gap(3, 4 * MINUTE_MS);
        assert!(evidence(&history).ends_with("6 observations of 9 min"), "five minutes are none");
    }

    #[test]
    fn a_queue_that_was_not_seen_for_a_while_has_a_gap_of_its_own() {
        let mut history = backlogs([900, 800, 700, 600, 500, 400, 300, 200, 100]);
        history[2..8].iter_mut().for_each(|observation| observation.queues.clear());
        assert_eq!(foreseen(&history), NOTHING);
    }

    #[test]
    fn what_was_before_the_clock_was_set_back_does_not_count() {
        let mut history = backlogs([900, 800, 700, 600, 500, 400, 300]);
        history[..4].iter_mut().for_each(|observation| observation.at += 60 * MINUTE_MS);
        assert_eq!(foreseen(&history), NOTHING);
    }

    #[test]
    fn only_the_last_quarter_of_an_hour_counts() {
        let rise = (0..10_u64).map(|minute| 1_000 * minute);
        assert_eq!(foreseen(&backlogs(rise.chain([9_000_u64; 15]))), NOTHING);
        let mut history = backlogs([90_000, 500, 450, 400, 350, 300]);
        for (observation, minute) in history.iter_mut().zip([0, 4, 8, 12, 16, 20]) {
            observation.at = START + minute * MINUTE_MS;
        }
        assert!(evidence(&history).ends_with("4 observations of 12 min"), "four minutes apart");
    }

    #[test]
    fn a_dead_letter_queue_is_left_to_people() {
        let mut history = backlogs([100, 200, 300, 400, 500]);
        for queue in history.iter_mut().flat_map(|observation| observation.queues.values_mut()) {
            queue.dead_letter = true;
        }
        assert_eq!(foreseen(&history), NOTHING);
    }

    #[test]
    fn delayed_messages_are_of_the_backlog_and_those_in_flight_are_not() {
        let queue = |delayed, in_flight| {
            of_queue(QueueSeen { visible: 10, delayed, in_flight, ..QueueSeen::default() })
        };
        let delayed = (0..5_u64).map(|minute| queue(100 + 50 * minute, 0));
        assert_eq!(foreseen(&each_minute(delayed)), [(What::Grows, None)]);
        let in_flight = (0..5_u64).map(|minute| queue(100, 50 * minute));
        assert_eq!(foreseen(&each_minute(in_flight)), NOTHING);
    }

    #[test]
    fn calls_that_get_ahead_of_the_hourly_rate_hit_its_limit() {
        let history = ahead(&[0, 0, 0, 60, 120, 180]);
        assert_eq!(foreseen(&history), [(What::HitsHourlyLimit, Some(180))]);
        assert_eq!(
            evidence(&history),
            "calls are 180 s ahead of the hourly rate and may be 360 s, 60.0 s more each minute by \
             the line through 4 observations of 3 min"
        );
        assert_eq!(forecast(&history)[0].about, "supplier");
    }

    #[test]
    fn calls_that_are_as_far_ahead_as_they_may_be_have_hit_the_limit() {
        assert_eq!(foreseen(&ahead(&[360])), [(What::HitsHourlyLimit, Some(0))]);
        assert_eq!(foreseen(&ahead(&[362, 362, 361])), [(What::HitsHourlyLimit, Some(0))]);
    }

    #[test]
    fn calls_that_keep_to_the_hourly_rate_hit_no_limit() {
        assert_eq!(foreseen(&ahead(&[80, 80, 80, 80])), NOTHING, "as fast as the rate");
        assert_eq!(foreseen(&ahead(&[120, 100, 80, 60])), NOTHING, "slower");
        assert_eq!(foreseen(&ahead(&[0, 0, 0, 60])), NOTHING, "one step is no trend");
        assert_eq!(foreseen(&ahead(&[1, 2, 3, 4])), NOTHING, "in six hours");
        let unlimited = DependencySeen { ahead_s: Some(500), ..DependencySeen::default() };
        assert_eq!(foreseen(&each_minute([of_dependency(unlimited)])), NOTHING);
    }

    #[test]
    fn a_dependency_that_fails_more_often_deteriorates() {
        let history = calls(&change(5, (20, 0, 100), (20, 6, 100)));
        assert_eq!(foreseen(&history), [(What::Deteriorates, Some(100))]);
        assert_eq!(
            evidence(&history),
            "18 of 60 calls (30 %) failed, 0 of 100 calls (0 %) before: the last 3 observations \
             against the 5 before, of 7 min"
        );
        let history = calls(&change(5, (20, 0, 100), (20, 15, 100)));
        assert_eq!(foreseen(&history), [(What::Deteriorates, Some(0))], "three of four");
    }

    #[test]
    fn a_dependency_that_gets_slow_deteriorates() {
        let history = calls(&change(3, (20, 0, 300), (20, 0, 900)));
        assert_eq!(foreseen(&history), [(What::Deteriorates, None)]);
        assert_eq!(
            evidence(&history),
            "95 of 100 calls took up to 900 ms, 300 ms before: the last 3 observations against \
             the 3 before, of 5 min"
        );
    }

    #[test]
    fn a_dependency_that_fails_and_gets_slow_deteriorates_once() {
        let history = calls(&change(5, (20, 0, 300), (20, 6, 900)));
        assert_eq!(foreseen(&history), [(What::Deteriorates, Some(100))]);
        let evidence = evidence(&history);
        assert!(evidence.contains("(30 %)") && evidence.contains("900 ms"), "{evidence}");
    }

    #[test]
    fn a_healthy_dependency_is_not_foreseen_to_fail() {
        assert_eq!(foreseen(&calls(&[(20, 1, 100); 15])), NOTHING);
        assert_eq!(
            foreseen(&calls(&change(9, (20, 1, 100), (20, 2, 100)))),
            NOTHING,
            "five points"
        );
        assert_eq!(
            foreseen(&calls(&change(9, (20, 9, 900), (20, 0, 100)))),
            NOTHING,
            "it recovers"
        );
        assert_eq!(foreseen(&calls(&change(9, (20, 0, 50), (20, 0, 200)))), NOTHING, "still quick");
        assert_eq!(
            foreseen(&calls(&change(9, (20, 0, 900), (20, 0, 1_500)))),
            NOTHING,
            "not doubled"
        );
    }

    #[test]
    fn a_quiet_minute_does_not_outweigh_busy_ones() {
        let mut minutes = change(9, (50, 0, 300), (50, 0, 300));
        minutes[11] = (1, 1, 9_000);
        assert_eq!(foreseen(&calls(&minutes)), NOTHING);
    }

    #[test]
    fn a_few_calls_or_a_few_observations_foretell_nothing_of_a_dependency() {
        assert_eq!(foreseen(&calls(&change(9, (20, 0, 100), (3, 3, 900)))), NOTHING, "nine calls");
        assert_eq!(
            foreseen(&calls(&change(9, (1, 0, 100), (20, 20, 900)))),
            NOTHING,
            "nine before"
        );
        assert_eq!(
            foreseen(&calls(&change(2, (20, 0, 100), (20, 20, 900)))),
            NOTHING,
            "two before"
        );
    }

    #[test]
    fn a_breaker_that_is_not_closed_needs_no_forecast() {
        for state in ["open", "half_open", ""] {
            let mut history = calls(&change(9, (20, 0, 100), (20, 20, 900)));
            for seen in history.iter_mut().flat_map(|seen| seen.dependencies.values_mut()) {
                state.clone_into(&mut seen.breaker);
            }
            assert_eq!(foreseen(&history), NOTHING, "{state}");
        }
    }

    #[test]
    fn forecasts_are_listed_by_what_and_then_by_name() {
        let queue = |visible| QueueSeen { visible, ..QueueSeen::default() };
        let history = each_minute((0..6_u64).map(|minute| {
            let (rising, falling) = (queue(100 + 50 * minute), queue(1_000 - 100 * minute));
            let ahead_s = Some(60 * minute);
            let dependency =
                DependencySeen { ahead_s, may_be_ahead_s: Some(360), ..DependencySeen::default() };
            let queues = [("c", falling.clone()), ("b", falling), ("a", rising)];
            Observation {
                queues: queues.map(|(name, seen)| (name.to_owned(), seen)).into(),
                dependencies: [("a".to_owned(), dependency)].into(),
                ..Observation::default()
            }
        }));
        let listed: Vec<String> = forecast(&history)
            .into_iter()
            .map(|forecast| format!("{} {}", forecast.what.name(), forecast.about))
            .collect();
        assert_eq!(listed, ["clears b", "clears c", "grows a", "hits_hourly_limit a"]);
    }

    #[test]
    fn the_name_is_the_word_in_json() {
        for what in [What::Clears, What::Grows, What::HitsHourlyLimit, What::Deteriorates] {
            assert_eq!(serde_json::to_value(what).unwrap(), what.name());
        }
    }

    /// Any observations: mostly a minute apart, now and then after a gap or by a clock that jumps.
    fn history() -> impl Strategy<Value = Vec<Observation>> {
        let step = prop_oneof![
            16 => Just(MINUTE_MS),
            2 => 0..10 * MINUTE_MS,
            1 => any::<u64>(),
        ];
        vec((step, observation()), 0..20).prop_map(|steps| {
            let mut at = START;
            let place = |(step, seen): (u64, Observation)| {
                at = at.wrapping_add(step);
                Observation { at, ..seen }
            };
            steps.into_iter().map(place).collect::<Vec<_>>()
        })
    }

    proptest! {
        /// Whatever was seen: times are bounded, numbers are numbers, and nothing is said twice.
        #[test]
        fn a_forecast_of_anything_is_bounded_and_listed_once(history in history()) {
            let forecasts = forecast(&history);
            for forecast in &forecasts {
                let most = match forecast.what {
                    What::Clears => LONGEST_CLEARING_S,
                    What::Grows => 0,
                    What::HitsHourlyLimit | What::Deteriorates => HORIZON_S,
                };
                prop_assert!(forecast.in_s.is_none_or(|in_s| in_s <= most), "{forecast:?}");
                let unsaid = ["NaN", "inf"].iter().any(|word| forecast.evidence.contains(word));
                prop_assert!(!unsaid, "{forecast:?}");
            }
            let before = |a: &Forecast, b: &Forecast| (a.what, &a.about) < (b.what, &b.about);
            prop_assert!(forecasts.is_sorted_by(before), "{forecasts:?}");
        }

        #[test]
        fn a_steady_fall_clears_when_it_reaches_zero(left in 20..1_000_u64, rate in 20..200_u64) {
            let history = backlogs((0..10_u64).rev().map(|minute| left + rate * minute));
            let forecasts = forecast(&history);
            prop_assert_eq!(forecasts.len(), 1);
            let in_s = forecasts[0].in_s.unwrap();
            prop_assert!(in_s.abs_diff(left * 60 / rate) <= 1, "{in_s} s");
        }

        #[test]
        fn a_forecast_is_the_same_after_a_trip_through_json(
            what in prop_oneof![
                Just(What::Clears),
                Just(What::Grows),
                Just(What::HitsHourlyLimit),
                Just(What::Deteriorates),
            ],
            about in ".{0,20}",
            in_s in any::<Option<u64>>(),
            evidence in ".{0,80}",
        ) {
            let forecast = Forecast { what, about, in_s, evidence };
            let text = serde_json::to_string(&forecast).unwrap();
            prop_assert_eq!(serde_json::from_str::<Forecast>(&text).unwrap(), forecast);
        }
    }
}
