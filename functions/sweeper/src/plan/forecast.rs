//! Forecasts: what the observations of the last minutes say about the next ones.
//!
//! They are straight-line extrapolations, because a dozen points support nothing finer. Each
//! forecast states its evidence, and a trend within the noise gives none. The sweeper decides
//! nothing by them: they are for alarms and for operators.

mod comparison;
mod trend;

use serde::{Deserialize, Serialize};

use self::{
    comparison::{failing, slowing},
    trend::{Line, float, lately, latest_rise, seconds, span_minutes},
};
use super::observation::{DependencySeen, Observation, QueueSeen};

/// Most observations that a forecast uses: 15 minutes, at one a minute.
const OBSERVATIONS: usize = 15;

/// Messages that must wait for a forecast: a shorter backlog is gone before anybody reads of it.
const LEAST_BACKLOG: u64 = 20;

/// Points that a backlog's line needs: two points always lie on a line, and three nearly do.
const LEAST_POINTS: usize = 4;

/// Messages a minute by which a backlog must rise or fall: less is noise.
const LEAST_SLOPE: f64 = 1.0;

/// Part of the backlog by which it must rise or fall each minute: less is noise in a long backlog.
/// As a consequence no backlog is forecast to clear later than in 50 minutes.
const LEAST_PART: f64 = 0.02;

/// Longest time in which a backlog is forecast to clear, in seconds: a week. SQS keeps a message
/// for two weeks at most.
const LONGEST_CLEARING_S: u64 = 7 * 24 * 3_600;

/// Points that a line of calls ahead of the hourly rate needs, each higher than the one before.
const LEAST_RISING: usize = 3;

/// Longest time ahead for which a reached limit or a failing dependency is forecast, in seconds:
/// beyond two hours the load will have changed.
const HORIZON_S: u64 = 2 * 3_600;

/// Latest observations of a dependency, which are compared with those before them.
const LATELY: usize = 3;

/// The fewest observations that they are compared with.
const LEAST_BEFORE: usize = 3;

const _: () = assert!(LATELY + LEAST_BEFORE <= OBSERVATIONS, "there is something to compare");

/// The name of a closed breaker. In any other state the breaker itself says more than a forecast.
const CLOSED: &str = "closed";

/// Something that is about to happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The kind of event.
    pub what: What,
    /// The name of the queue or of the dependency.
    pub about: String,
    /// Seconds from the last observation until it happens, where that can be estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_s: Option<u64>,
    /// A sentence with the numbers and the time span that the forecast is based on.
    pub evidence: String,
}

/// What can be forecast, in the order in which forecasts are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The backlog of a queue will be gone.
    Clears,
    /// The backlog of a queue gets longer.
    Grows,
    /// The hourly rate will limit the calls to a dependency: the allowance for calls ahead of that
    /// rate is nearly used up.
    HitsHourlyLimit,
    /// Calls to a dependency fail more often, or take longer, than some minutes ago.
    Deteriorates,
}

impl What {
    /// The name in JSON, logs and metrics.
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

/// The forecasts that a history supports, sorted by kind and then by name.
///
/// `history` is sorted by time, the oldest observation first. Only its last 15 minutes count, and
/// only the part after the latest gap.
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

/// Whether the backlog of a queue will clear or goes on growing. A dead-letter queue has no
/// forecast: how long its messages wait depends on the operators.
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
/// a flood begins within a minute, and the quiet time before it would flatten the line.
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
    let (half_in_minutes, failing) = failing(then, now).unzip();
    let signs: Vec<String> = failing.into_iter().chain(slowing(then, now)).collect();
    if signs.is_empty() {
        return None;
    }
    let in_s = half_in_minutes.flatten().and_then(|minutes| seconds(minutes, HORIZON_S));
    let signs = signs.join("; ");
    let minutes = span_minutes(&points);
    let evidence = format!(
        "{signs}: the last {LATELY} observations against the {before} before, of {minutes:.0} min"
    );
    Some(Forecast { what: What::Deteriorates, about: name.to_owned(), in_s, evidence })
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
