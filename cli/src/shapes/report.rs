//! Output of `report`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What happened in a period, against the targets of the improvement plan.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// The beginning of the period, a whole hour.
    pub from: u64,
    /// Its end: the end of the last hour that is rolled up.
    pub until: u64,
    /// Hours of the period about which nothing is known, for instance because the stack is younger.
    pub unknown_hours: usize,
    /// The plan's KPIs.
    pub kpis: Vec<Kpi>,
    /// Each job type.
    pub types: Vec<TypeReport>,
    /// Each dependency that all jobs of a type share.
    pub dependencies: Vec<DependencyReport>,
    /// The most frequent error patterns on the days of the period, whole days, most frequent first.
    pub patterns: Vec<PatternReport>,
    /// The worst hosts on the days of the period that are over, worst first.
    pub hosts: Vec<HostReport>,
    /// What the sweeper forecasts now.
    pub forecasts: Vec<ForecastReport>,
    /// Parts of the history that are too long to be read whole. What is said of them is too low.
    pub cut: Vec<Cut>,
    /// DynamoDB's read units for this report.
    pub read_units: f64,
}

/// A part of the history that was not read whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cut {
    /// `types`, `dependencies` or `hosts`.
    pub part: String,
    /// Items that were read, one a subject and day; there are more.
    pub read: usize,
    /// The date of the last of them. Later ones are missing.
    pub until: String,
}

/// A KPI of the plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Kpi {
    /// What it is.
    pub name: String,
    /// Its value in the period; missing if nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What the value counts, such as `s` or `%`.
    pub unit: String,
    /// What it was when the plan was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// The value below which it is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Whether the target is reached; missing without a value or a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
}

/// A job type in the period.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct TypeReport {
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Jobs that were quarantined.
    pub quarantined: u64,
    /// The last two among all jobs that ended, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_percent: Option<f64>,
    /// Runs that failed and were tried again.
    pub retried: u64,
    /// Runs that were deferred or parked without an attempt.
    pub deferred: u64,
    /// Mean attempts of a job that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_mean: Option<f64>,
    /// Mean time from creation to success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_mean_ms: Option<u64>,
    /// Median, 95th and 99th percentile of the same, rounded up to bins; 300,000 is five minutes or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_percentiles_ms: Option<[u64; 3]>,
    /// Mean time of a run, without waits for slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_mean_ms: Option<u64>,
    /// Its part of all jobs, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_jobs_percent: Option<f64>,
    /// Its part of the time of all batches, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_run_time_percent: Option<f64>,
    /// Its part of all slots, in percent: batches that may be at work at once, as they are now. Missing while it is not
    /// known how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_slots_percent: Option<f64>,
    /// Runs that never came back, and whose jobs were found and resumed.
    pub recovered: u64,
    /// Mean time from the end of their leases until then. Hours of a version that did not count it are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_mean_ms: Option<u64>,
    /// How many of them have such a time, and its sum in milliseconds.
    #[serde(skip)]
    pub(crate) timed_recoveries: (u64, u64),
    /// Failed runs by the class of the failure.
    pub errors: BTreeMap<String, u64>,
    /// Successes by what the type says of them.
    pub labels: BTreeMap<String, u64>,
}

/// A dependency in the period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DependencyReport {
    /// The dependency as breakers name it.
    pub dependency: String,
    /// Calls, without 429s.
    pub calls: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Calls that were answered with a 429.
    pub throttled: u64,
    /// How often its breaker has opened.
    pub opened: u64,
    /// 95th percentile of the time of the calls, rounded up to a bin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
}

/// An error pattern.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PatternReport {
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its fingerprint, as in log lines and lists; `other` for all beyond the cap.
    pub fingerprint: String,
    /// Runs that failed like this.
    pub failures: u64,
    /// What these failures have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// When it was seen first; missing if it was not seen for a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<u64>,
    /// Whether that was in the period.
    pub new: bool,
}

/// A host in trouble.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HostReport {
    /// The dependency that names it, such as `page/www.example.com`.
    pub dependency: String,
    /// Calls in minutes in which some failed.
    pub calls: u64,
    /// Of these, those that failed.
    pub failed: u64,
    /// Calls that were answered with a 429.
    pub throttled: u64,
}

/// What is expected to happen, and when.
#[derive(Clone, Debug, serde::Deserialize, Serialize, JsonSchema)]
pub struct ForecastReport {
    /// `clears`, `grows`, `hits_hourly_limit` or `deteriorates`.
    pub what: String,
    /// The queue or the dependency.
    pub about: String,
    /// Seconds until it happens, where that can be estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_s: Option<u64>,
    /// The numbers that it is based on.
    pub evidence: String,
}
