//! Every metric, with what it is told of: docs/monitoring.md has this table, and its tests compare alarms with it.

use evenkeel::{
    failure::{BREAKER_OPEN, Class, LOAD_SHED, QUOTA_SPENT, RATE_LIMIT},
    record::outcomes::OTHER,
};

/// Labels of a job type that are told: each is a metric of its own.
pub const MOST_LABELS: usize = 2;

/// What a metric is told of: its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// The whole stack: no dimension.
    Stack,
    /// Each job type.
    Type,
    /// Each queue from which a function receives.
    Queue,
    /// Each dependency that all jobs of a type share.
    Dependency,
}

impl Of {
    /// The name of the dimension; `None` for the whole stack.
    #[must_use]
    pub const fn dimension(self) -> Option<&'static str> {
        match self {
            Self::Stack => None,
            Self::Type => Some("type"),
            Self::Queue => Some("queue"),
            Self::Dependency => Some("dependency"),
        }
    }
}

/// What the table of metrics says of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// What it is told of.
    pub of: Of,
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit in CloudWatch.
    pub unit: &'static str,
    /// What it says.
    pub what: &'static str,
}

const fn metric(of: Of, name: &'static str, unit: &'static str, what: &'static str) -> Metric {
    Metric { of, name, unit, what }
}

/// Counts of runs and jobs in a minute, with the names of their counters.
pub const ENDS: [(&str, &str, &str); 6] = [
    ("Succeeded", "succeeded", "jobs that succeeded in the minute"),
    ("Retried", "retried", "runs that failed and are tried again"),
    ("Dead", "dead", "jobs that were given up"),
    ("Crashed", "crashed", "runs that panicked, or that were found dead"),
    ("Quarantined", "quarantined", "jobs that crashed their process three times"),
    ("Attempts", "attempts", "attempts of all jobs that ended; divided by these, the mean"),
];

/// Deferrals by their reason.
pub const DEFERRALS: [(&str, &str, &str); 5] = [
    ("DeferredByBreaker", BREAKER_OPEN, "runs that an open breaker refused"),
    ("DeferredByRate", RATE_LIMIT, "runs without a slot of the limiter in time"),
    ("DeferredByLoad", LOAD_SHED, "runs that load shedding refused"),
    ("DeferredByQuota", QUOTA_SPENT, "runs that wait for the next month's quota"),
    ("DeferredOtherwise", OTHER, "runs deferred for another reason, such as too little time"),
];

/// Failed runs by the class of the failure.
pub const ERRORS: [(&str, Class, &str); 7] = [
    ("ErrorsTransient", Class::Transient, "failed runs of the class `transient`"),
    ("ErrorsThrottled", Class::Throttled, "of the class `throttled`: 429"),
    ("ErrorsPermanent", Class::Permanent, "of the class `permanent`"),
    ("ErrorsSystemic", Class::Systemic, "of the class `systemic`"),
    ("ErrorsConflict", Class::Conflict, "of the class `conflict`"),
    ("ErrorsAnomaly", Class::Anomaly, "of the class `anomaly`"),
    ("ErrorsCrash", Class::Crash, "of the class `crash`"),
];

const S: Of = Of::Stack;
const T: Of = Of::Type;
const D: Of = Of::Dependency;

/// The metrics besides [`ENDS`], [`DEFERRALS`], [`ERRORS`], and the labels of job types.
pub const OTHERS: [Metric; 40] = [
    metric(T, "RunTimeMean", "Milliseconds", "mean time of a run, without waits for slots"),
    metric(T, "RunTimeP50", "Milliseconds", "its median"),
    metric(T, "RunTimeP95", "Milliseconds", "its 95th percentile"),
    metric(T, "RunTimeP99", "Milliseconds", "its 99th percentile"),
    metric(T, "DoneTimeMean", "Milliseconds", "mean time from creation to success"),
    metric(T, "DoneTimeP50", "Milliseconds", "its median"),
    metric(T, "DoneTimeP95", "Milliseconds", "its 95th percentile"),
    metric(T, "DoneTimeP99", "Milliseconds", "its 99th percentile"),
    metric(T, "NewPatterns", "Count", "error patterns not seen for a month"),
    metric(T, "Queued", "Count", "records on the index `due` that wait for their first run"),
    metric(T, "Waiting", "Count", "records on the index `due` that wait for another run"),
    metric(T, "GivenUp", "Count", "jobs and messages under `dead#TYPE` on the index `due`"),
    metric(T, "OldestJobAge", "Seconds", "since the oldest known job was created"),
    metric(
        T,
        "BacklogClears",
        "Count",
        "1 if each backlog is forecast to be gone within 30 min, and no breaker is open",
    ),
    metric(T, "ShareOfJobs", "Percent", "its part of all jobs of the minute"),
    metric(T, "ShareOfRunTime", "Percent", "its part of the time of all batches"),
    metric(T, "ShareOfCapacity", "Percent", "its part of all slots"),
    metric(Of::Queue, "Concurrency", "Count", "its slots; missing while the mapping is paused"),
    metric(D, "BreakerOpen", "Count", "1 if its breaker turns jobs away"),
    metric(D, "BreakerOpened", "Count", "1 if it has opened since the last tick"),
    metric(D, "Calls", "Count", "calls of the minute, without 429s"),
    metric(D, "FailedCalls", "Count", "of these, those that failed"),
    metric(D, "ThrottledCalls", "Count", "429s in that minute"),
    metric(D, "LatencyP95", "Milliseconds", "95th percentile of the time of these calls"),
    metric(D, "LatencyP99", "Milliseconds", "their 99th percentile"),
    metric(S, "Running", "Count", "jobs of all batches"),
    metric(S, "Stuck", "Count", "of these, jobs whose lease is over"),
    metric(
        S,
        "Parked",
        "Count",
        "parked jobs of all registered dependencies, up to 3,400 of one that a type shares, 400 of a host",
    ),
    metric(S, "LongestParked", "Seconds", "of the jobs of each dependency that are due first"),
    metric(S, "BreakersOpen", "Count", "of all registered dependencies"),
    metric(S, "NeedPerson", "Count", "quarantined jobs and rejected messages"),
    metric(
        S,
        "OverduePauses",
        "Count",
        "queues that are paused and that no open pause resumes later, and 1 if balance has been off for a day",
    ),
    metric(
        S,
        "BadForecasts",
        "Count",
        "forecasts of growth, of a limit within 30 min, of deterioration",
    ),
    metric(S, "Ticks", "Count", "1 for each tick"),
    metric(S, "SweepCutShort", "Count", "1 for each tick of which a pass did not end"),
    metric(S, "Rescued", "Count", "crashes and lost messages that the tick has dealt with"),
    metric(S, "Released", "Count", "parked jobs that it has released"),
    metric(S, "Redriven", "Count", "dead letters that it has dealt with"),
    metric(S, "Repaired", "Count", "records that it has repaired"),
    metric(S, "Moved", "Count", "slots that it has moved between queues"),
];

/// Every metric, without the labels of job types: these are `Succeeded.LABEL`.
#[must_use]
pub fn all() -> Vec<Metric> {
    let ends = ENDS.into_iter().map(|(name, _, what)| metric(T, name, "Count", what));
    let deferrals = DEFERRALS.into_iter().map(|(name, _, what)| metric(T, name, "Count", what));
    let errors = ERRORS.into_iter().map(|(name, _, what)| metric(T, name, "Count", what));
    ends.chain(deferrals).chain(errors).chain(OTHERS).collect()
}

/// How many series CloudWatch bills at most, for so many job types, of which so many share a dependency.
#[must_use]
pub fn series(types: usize, dependencies: usize) -> usize {
    let of = |of: Of| all().iter().filter(|metric| metric.of == of).count();
    let per_type = of(Of::Type) + MOST_LABELS + 2 * of(Of::Queue);
    types * per_type + dependencies * of(Of::Dependency) + of(Of::Stack)
}
