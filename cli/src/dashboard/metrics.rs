//! `/metrics`: the numbers of the overview in Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::question::Reply;

/// One metric with its help, type and values.
struct Metric {
    text: String,
    name: &'static str,
}

impl Metric {
    fn new(name: &'static str, kind: &str, help: &str) -> Self {
        Self { text: format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"), name }
    }

    fn gauge(name: &'static str, help: &str) -> Self {
        Self::new(name, "gauge", help)
    }

    fn add(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = labels.join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        // Writing into a text does not fail.
        let _ = writeln!(self.text, "{}{labels} {value}", self.name);
    }
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics. What was not read is left out.
pub(super) fn text(reply: &Reply) -> String {
    let mut metrics = Vec::new();
    metrics.extend(of_sweeper(reply));
    metrics.extend(of_types(reply));
    metrics.extend(of_dependencies(reply));
    metrics.extend(of_queues(reply));
    let mut units = Metric::new(
        "evenkeel_dashboard_read_units_total",
        "counter",
        "Read units that the dashboard has used.",
    );
    units.add(&[], reply.live.units);
    let mut lately = Metric::gauge(
        "evenkeel_dashboard_read_units_last_minute",
        "Read units that the dashboard has used within the last minute.",
    );
    lately.add(&[], reply.live.units_last_minute);
    metrics.extend([units, lately]);
    metrics.into_iter().map(|metric| metric.text).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction")]
fn of_sweeper(reply: &Reply) -> Vec<Metric> {
    let seen = &reply.live.observed;
    if seen.at == 0 {
        return Vec::new();
    }
    let mut at = Metric::gauge("evenkeel_observed_timestamp_seconds", "When the sweeper reported.");
    at.add(&[], seen.at as f64 / 1_000.0);
    let mut running = Metric::gauge("evenkeel_running_jobs", "Jobs of all running batches.");
    running.add(&[], seen.running);
    let mut stuck = Metric::gauge("evenkeel_stuck_jobs", "Jobs whose lease is over.");
    stuck.add(&[], seen.stuck);
    vec![at, running, stuck]
}

fn of_types(reply: &Reply) -> Vec<Metric> {
    let mut runs =
        Metric::gauge("evenkeel_runs_last_minute", "Runs that ended in the last whole minute.");
    let mut times = Metric::gauge("evenkeel_job_seconds", "Time from creation to success.");
    let mut oldest = Metric::gauge("evenkeel_oldest_job_seconds", "Age of the oldest job.");
    let mut index = Metric::gauge("evenkeel_index_jobs", "Jobs on the index, counted up to a cap.");
    for (kind, seen) in &reply.live.observed.types {
        for (outcome, count) in [
            ("succeeded", seen.succeeded),
            ("retried", seen.retried),
            ("deferred", seen.deferred),
            ("parked", seen.parked),
            ("dead", seen.dead),
            ("quarantined", seen.quarantined),
        ] {
            runs.add(&[("type", kind), ("outcome", outcome)], count);
        }
        for (quantile, took) in [("0.5", seen.p50_s), ("0.95", seen.p95_s)] {
            if let Some(took) = took {
                times.add(&[("type", kind), ("quantile", quantile)], took);
            }
        }
        if let Some(age) = seen.oldest_s {
            oldest.add(&[("type", kind)], age);
        }
        for (state, count) in &seen.states {
            index.add(&[("type", kind), ("state", state)], count);
        }
    }
    vec![runs, times, oldest, index]
}

fn of_dependencies(reply: &Reply) -> Vec<Metric> {
    let mut open =
        Metric::gauge("evenkeel_breaker_refuses_calls", "1 if the breaker refuses calls.");
    for (name, breaker) in &reply.live.breakers {
        open.add(&[("dependency", name)], u8::from(breaker.refuses_calls));
    }
    let mut calls = Metric::gauge("evenkeel_calls_last_minute", "Calls in the last whole minute.");
    let mut parked = Metric::gauge("evenkeel_parked_jobs", "Parked jobs, counted up to a cap.");
    for (name, seen) in &reply.live.observed.dependencies {
        for (outcome, count) in
            [("conclusive", seen.calls), ("failed", seen.failed), ("throttled", seen.throttled)]
        {
            calls.add(&[("dependency", name), ("outcome", outcome)], count);
        }
        parked.add(&[("dependency", name)], seen.parked);
    }
    vec![open, calls, parked]
}

fn of_queues(reply: &Reply) -> Vec<Metric> {
    let mut messages =
        Metric::gauge("evenkeel_queue_messages", "Messages, as SQS approximates them.");
    for queue in &reply.live.queues {
        for (state, count) in
            [("visible", queue.visible), ("in_flight", queue.in_flight), ("delayed", queue.delayed)]
        {
            messages.add(&[("queue", &queue.queue), ("state", state)], count);
        }
    }
    vec![messages]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_early() {
        let mut metric = Metric::gauge("m", "H.");
        metric.add(&[("d", "a\"} 1\n\\")], 2);
        assert_eq!(metric.text, "# HELP m H.\n# TYPE m gauge\nm{d=\"a\\\"} 1\\n\\\\\"} 2\n");
    }
}
