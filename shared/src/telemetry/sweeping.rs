//! The lines of the sweeper, and metrics.

use std::{io::Write as _, sync::atomic::Ordering, time::Duration};

use tracing::{error, info, warn};

use super::STARTED;
use crate::base::time::{Time, millis};

/// Logs what a tick of the sweeper did, as counts by pass.
pub fn swept(done: &impl serde::Serialize, cut_short: &[&str], took: Duration) {
    let done = serde_json::to_string(done).unwrap_or_default();
    let cut_short = (!cut_short.is_empty()).then(|| cut_short.join(" "));
    info!(done, cut_short, ms = millis(took), "sweep");
}

/// Logs a mass lease expiry: so many stuck jobs point to clock skew or bad reads rather than to
/// dead processes.
pub fn many_stuck(stuck: usize, running: usize) {
    error!(
        outcome = "alarm",
        code = "many_stuck",
        stuck,
        running,
        reason =
            "many leases are over at once: perhaps clocks differ or reads are wrong; rescue pauses"
    );
}

/// Logs that most runs of a job type crash, so that crashes are not counted.
pub fn crash_storm(kind: &str, crashed: u64, runs: u64) {
    error!(
        outcome = "alarm",
        code = "crash_storm",
        r#type = kind,
        crashed,
        runs,
        reason = "most runs of five minutes never came back: perhaps the tables take no writes; \
                  crashes are not counted"
    );
}

/// Logs a move of concurrency slots between queues.
pub fn balanced(from: Option<&str>, to: Option<&str>, slots: u32, reason: &str) {
    info!(from, to, slots, reason, "balance");
}

/// Logs a forecast: what will happen to `about`, in how many seconds if that is known, and the
/// evidence.
pub fn forecast(what: &str, about: &str, in_s: Option<u64>, evidence: &str) {
    warn!(outcome = "forecast", what, about, in_s, reason = evidence);
}

/// Writes metrics for CloudWatch in its Embedded Metric Format (EMF): one line that is plain JSON.
///
/// `dimensions` are pairs of name and value; `metrics` are triples of name, value and CloudWatch
/// unit. Source of the format: "Specification: Embedded metric format" in the CloudWatch user
/// guide.
pub fn metrics(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, u64, &str)],
    now: Time,
) {
    // Without a started log there are no metrics, so that tests write none.
    if !STARTED.load(Ordering::Relaxed) {
        return;
    }
    let line = embedded(namespace, dimensions, metrics, now);
    let mut out = std::io::stdout().lock();
    // A metric that cannot be written must not fail the caller.
    let _ = writeln!(out, "{line}");
}

pub(super) fn embedded(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, u64, &str)],
    now: Time,
) -> serde_json::Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let units: Vec<_> = metrics
        .iter()
        .map(|(name, _, unit)| serde_json::json!({ "Name": name, "Unit": unit }))
        .collect();
    let mut line = serde_json::json!({
        "_aws": {
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [names],
                "Metrics": units,
            }],
        },
    });
    for (name, value) in dimensions {
        line[*name] = (*value).into();
    }
    for (name, value, _) in metrics {
        line[*name] = (*value).into();
    }
    line
}
