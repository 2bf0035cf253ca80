//! The metrics of a tick: what [`table`] names, with values.
//!
//! A zero is told only where an alarm calculates with it: CloudWatch bills a metric in each hour in which it has a
//! value, and every alarm says what a missing value means.

pub mod table;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{Bucket, Calls, Histogram},
    record::outcomes::{DONE_MS, OF_CLASS, OF_LABEL, OF_REASON, RUN_MS, RUNS},
    telemetry,
};

use crate::{
    config::{Config, JobType, Source},
    plan::{
        forecast::{Forecast, What},
        observation::{DependencySeen, Observation, QueueSeen, TypeSeen},
    },
};
use table::{DEFERRALS, ENDS, ERRORS};

/// Longest time ahead for which a forecast counts as good or bad news, in seconds.
const SOON_S: u64 = 30 * 60;

/// Metrics of which a zero is told: an expression of an alarm has no value while a part of it has never had one.
const ZEROS: [&str; 6] =
    ["BacklogClears", "BreakerOpen", "Dead", "OldestJobAge", "Quarantined", "Succeeded"];

/// A metric: its name, its value, and its CloudWatch unit.
pub type Number = (Cow<'static, str>, u64, &'static str);

/// What the passes of a tick have done: how many times, by pass and by the action's name.
pub type Done = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// The metrics of one log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Their dimension and its value; `None` for those of the whole stack.
    pub of: Option<(&'static str, String)>,
    /// The time that they are told of.
    pub at: Time,
    /// Names, values and units.
    pub numbers: Vec<Number>,
}

impl Line {
    fn new(of: Option<(&'static str, &str)>, at: Time, numbers: Vec<Number>) -> Self {
        let is_told = |name: &str, value: u64| value > 0 || ZEROS.contains(&name);
        let numbers =
            numbers.into_iter().filter(|(name, value, _)| is_told(name, *value)).collect();
        Self { of: of.map(|(name, value)| (name, value.to_owned())), at, numbers }
    }
}

fn number(name: impl Into<Cow<'static, str>>, value: u64, unit: &'static str) -> Number {
    (name.into(), value, unit)
}

fn count(name: &'static str, value: u64) -> Number {
    number(name, value, "Count")
}

/// The metrics of an observation and its forecasts.
///
/// Queue depths are missing because SQS publishes them itself. Dependencies that come from
/// payloads, such as hosts, appear only in the sums: CloudWatch bills each value of a dimension as
/// a metric.
#[must_use]
pub fn lines(config: &Config, seen: &Observation, forecasts: &[Forecast]) -> Vec<Line> {
    let at = Time::from_millis(seen.at);
    let queues = seen.queues.iter().filter_map(|(queue, seen)| {
        let slots = count("Concurrency", u64::from(seen.concurrency?));
        Some(Line::new(Some(("queue", queue.as_str())), at, vec![slots]))
    });
    let types = config.types.iter().filter_map(|job| {
        let of_type = seen.types.get(&job.kind)?;
        let numbers = of_job_type(job, of_type, seen, forecasts);
        Some(Line::new(Some(("type", job.kind.as_str())), at, numbers))
    });
    let dependencies = seen.dependencies.iter().filter(|(name, _)| config.is_shared(name));
    let dependencies = dependencies.map(|(name, seen)| {
        Line::new(Some(("dependency", name.as_str())), at, of_dependency(seen))
    });
    let lines = queues.chain(types).chain(dependencies);
    lines.chain([Line::new(None, at, of_stack(seen, forecasts))]).collect()
}

fn of_job_type(
    job: &JobType,
    of_type: &TypeSeen,
    seen: &Observation,
    forecasts: &[Forecast],
) -> Vec<Number> {
    let state = |name: &str| of_type.states.get(name).copied().unwrap_or_default();
    let mut numbers = vec![
        count("Queued", state("queued")),
        count("Waiting", state("waiting")),
        count("GivenUp", state("dead")),
        number("OldestJobAge", of_type.oldest_s.unwrap_or_default(), "Seconds"),
        count("BacklogClears", u64::from(clears(job, seen, forecasts))),
    ];
    let slots = |job: &JobType| -> u64 {
        let names = job.sources().map(|source| source.name().to_owned());
        let queues = names.iter().filter_map(|name| seen.queues.get(name)?.concurrency);
        queues.map(u64::from).sum()
    };
    let all = |of: fn(&TypeSeen) -> u64| seen.types.values().map(of).sum::<u64>();
    let all_slots: u64 =
        seen.queues.values().filter_map(|queue| queue.concurrency).map(u64::from).sum();
    let parts = [
        ("ShareOfJobs", of_type.jobs, all(|seen| seen.jobs)),
        ("ShareOfRunTime", of_type.busy_ms, all(|seen| seen.busy_ms)),
        ("ShareOfCapacity", slots(job), all_slots),
    ];
    let percent = |part: u64, whole: u64| part.saturating_mul(100).checked_div(whole);
    numbers.extend(
        parts
            .into_iter()
            .filter_map(|(name, part, whole)| Some(number(name, percent(part, whole)?, "Percent"))),
    );
    numbers
}

/// Whether nothing but the pace keeps the jobs of a type waiting, and not for long: its breaker is closed, and each
/// of its backlogs is forecast to be gone soon.
fn clears(job: &JobType, seen: &Observation, forecasts: &[Forecast]) -> bool {
    let dependency = job.dependency.as_ref().and_then(|name| seen.dependencies.get(name));
    let soon = |forecast: &Forecast| {
        forecast.what == What::Clears && forecast.in_s.is_some_and(|in_s| in_s <= SOON_S)
    };
    let backlog = |name: &str| seen.queues.get(name).map_or(0, QueueSeen::backlog);
    let sources = job.sources().map(Source::name);
    let waiting: Vec<&str> = sources.into_iter().filter(|name| backlog(name) > 0).collect();
    let is_forecast =
        |name: &&str| forecasts.iter().any(|forecast| forecast.about == **name && soon(forecast));
    let is_open = dependency.is_some_and(is_open);
    !is_open && !waiting.is_empty() && waiting.iter().all(is_forecast)
}

fn of_dependency(seen: &DependencySeen) -> Vec<Number> {
    vec![
        count("BreakerOpen", u64::from(is_open(seen))),
        count("BreakerOpened", u64::from(seen.opened)),
    ]
}

fn of_stack(seen: &Observation, forecasts: &[Forecast]) -> Vec<Number> {
    let sum = |number: fn(&DependencySeen) -> u64| -> u64 {
        seen.dependencies.values().map(number).sum()
    };
    let longest = seen.dependencies.values().filter_map(|seen| seen.longest_parked_s);
    let longest = longest.chain(seen.others.longest_parked_s).max();
    let open = sum(|seen| u64::from(is_open(seen)));
    let bad = forecasts.iter().filter(|forecast| match forecast.what {
        What::Grows | What::Deteriorates => true,
        What::HitsHourlyLimit => forecast.in_s.is_some_and(|in_s| in_s <= SOON_S),
        What::Clears => false,
    });
    vec![
        count("Running", seen.running),
        count("Stuck", seen.stuck),
        count("Parked", sum(|seen| seen.parked) + seen.others.parked),
        number("LongestParked", longest.unwrap_or_default(), "Seconds"),
        count("BreakersOpen", open + seen.others.open_breakers),
        count("NeedPerson", seen.need_person),
        count("OverduePauses", seen.overdue_pauses),
        count("BadForecasts", bad.count() as u64),
    ]
}

/// The metrics of one minute of a job type, which began at `start`. Of the labels of successes, it has only `labels`:
/// each is a series that CloudWatch bills.
#[must_use]
pub fn minute(kind: &str, bucket: &Bucket, labels: &BTreeSet<String>, start: Time) -> Line {
    let counted = |name: &'static str, counter: &str| count(name, bucket.count(counter));
    let mut numbers: Vec<Number> =
        ENDS.iter().map(|(name, counter, _)| counted(name, counter)).collect();
    numbers.extend(
        DEFERRALS.iter().map(|(name, reason, _)| counted(name, &format!("{OF_REASON}{reason}"))),
    );
    numbers.extend(
        ERRORS.iter().map(|(name, class, _)| counted(name, &format!("{OF_CLASS}{}", class.name()))),
    );
    let told = bucket.counts_of(OF_LABEL).filter(|(label, _)| labels.contains(*label));
    numbers.extend(told.map(|(label, many)| number(format!("Succeeded.{label}"), many, "Count")));
    let run = ["RunTimeMean", "RunTimeP50", "RunTimeP95", "RunTimeP99"];
    numbers.extend(times(run, bucket.count(RUN_MS), bucket.count(RUNS), &bucket.histogram('w')));
    let done = ["DoneTimeMean", "DoneTimeP50", "DoneTimeP95", "DoneTimeP99"];
    let succeeded = bucket.count("succeeded");
    numbers.extend(times(done, bucket.count(DONE_MS), succeeded, &bucket.histogram('t')));
    Line::new(Some(("type", kind)), start, numbers)
}

/// The metrics of one minute of a dependency, which began at `start`.
#[must_use]
pub fn calls(name: &str, calls: &Calls, start: Time) -> Line {
    let quantile = |q: f64| calls.latency.quantile(q).map_or(0, millis);
    let numbers = vec![
        count("Calls", calls.conclusive()),
        count("FailedCalls", calls.failed),
        count("ThrottledCalls", calls.throttled),
        number("LatencyP95", quantile(0.95), "Milliseconds"),
        number("LatencyP99", quantile(0.99), "Milliseconds"),
    ];
    Line::new(Some(("dependency", name)), start, numbers)
}

/// Mean, median, 95th and 99th percentile.
fn times(names: [&'static str; 4], sum: u64, many: u64, bins: &Histogram) -> Vec<Number> {
    let quantile = |q: f64| bins.quantile(q).map(millis);
    let values = [sum.checked_div(many), quantile(0.5), quantile(0.95), quantile(0.99)];
    let told = names.into_iter().zip(values);
    told.filter_map(|(name, value)| Some(number(name, value?, "Milliseconds"))).collect()
}

/// The metric of error patterns of a type that are new.
#[must_use]
pub fn new_patterns(kind: &str, many: u64, now: Time) -> Line {
    Line::new(Some(("type", kind)), now, vec![count("NewPatterns", many)])
}

/// The metrics of the tick itself: that it was, and what its passes have done.
#[must_use]
pub fn of_tick(done: &Done, is_cut_short: bool, now: Time) -> Line {
    let sum = |pass: &str, names: &[&str]| -> u64 {
        let done = done.get(pass).into_iter().flatten();
        done.filter(|(name, _)| names.contains(*name)).map(|(_, many)| many).sum()
    };
    let redriven = ["sent_back", "lease_expiry_indexed", "held", "ended", "already_due", "check"];
    let numbers = vec![
        count("Ticks", 1),
        count("SweepCutShort", u64::from(is_cut_short)),
        count("Rescued", sum("rescue", &["crashed", "sent_again", "aged"])),
        count("Released", sum("release", &["released"])),
        count("Redriven", sum("redrive", &redriven)),
        count("Repaired", sum("audit", &["repaired"])),
        count("Moved", sum("balance", &["moved"])),
    ];
    Line::new(None, now, numbers)
}

/// Logs a line in CloudWatch's embedded metric format, unless it is empty.
pub fn tell(config: &Config, line: &Line) {
    if line.numbers.is_empty() {
        return;
    }
    let of: Vec<(&str, &str)> =
        line.of.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let numbers: Vec<(&str, u64, &str)> =
        line.numbers.iter().map(|(name, value, unit)| (name.as_ref(), *value, *unit)).collect();
    telemetry::metrics(&config.namespace, &of, &numbers, line.at);
}

/// Whether the breaker refuses calls, or lets only probes through.
fn is_open(seen: &DependencySeen) -> bool {
    !matches!(seen.breaker.as_str(), "closed" | "forced_closed")
}
