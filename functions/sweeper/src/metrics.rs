//! The metrics of a tick. A test compares them with the table in docs/sweeper.md.

use evenkeel::{base::time::Time, dependency::stats::Bucket, telemetry};

use crate::{
    config::Config,
    plan::observation::{DependencySeen, Observation},
};

/// A metric: its name, its value, and its CloudWatch unit.
pub type Number = (&'static str, u64, &'static str);

/// The metrics of one log line, with their dimension and its value; `None` for those of the whole
/// stack.
pub type Line = (Option<(&'static str, String)>, Vec<Number>);

/// The metrics of an observation.
///
/// Queue depths are missing because SQS publishes them itself. Dependencies that come from
/// payloads, such as hosts, appear only in the sums: CloudWatch bills each value of a dimension as
/// a metric.
#[must_use]
pub fn lines(config: &Config, seen: &Observation) -> Vec<Line> {
    let queues = seen.queues.iter().filter_map(|(queue, seen)| {
        let slots = ("Concurrency", u64::from(seen.concurrency?), "Count");
        Some((Some(("queue", queue.clone())), vec![slots]))
    });
    let types = seen.types.iter().map(|(kind, seen)| {
        let state = |name: &str| seen.states.get(name).copied().unwrap_or_default();
        let mut numbers = vec![
            ("Queued", state("queued"), "Count"),
            ("Waiting", state("waiting"), "Count"),
            ("GivenUp", state("dead"), "Count"),
        ];
        numbers.extend(seen.oldest_s.map(|age| ("OldestJobAge", age, "Seconds")));
        (Some(("type", kind.clone())), numbers)
    });
    let fixed =
        |name: &String| config.types.iter().any(|job| job.dependency.as_ref() == Some(name));
    let dependencies = seen.dependencies.iter().filter(|(name, _)| fixed(name));
    let dependencies = dependencies.map(|(dependency, seen)| {
        let numbers = vec![
            ("BreakerOpen", u64::from(is_open(seen)), "Count"),
            ("Calls", seen.calls, "Count"),
            ("FailedCalls", seen.failed, "Count"),
            ("ThrottledCalls", seen.throttled, "Count"),
        ];
        (Some(("dependency", dependency.clone())), numbers)
    });
    let sum = |number: fn(&DependencySeen) -> u64| -> u64 {
        seen.dependencies.values().map(number).sum()
    };
    let longest = seen.dependencies.values().filter_map(|seen| seen.longest_parked_s);
    let longest = longest.chain(seen.others.longest_parked_s).max();
    let open = sum(|seen| u64::from(is_open(seen)));
    let all = vec![
        ("Running", seen.running, "Count"),
        ("Stuck", seen.stuck, "Count"),
        ("Parked", sum(|seen| seen.parked) + seen.others.parked, "Count"),
        ("LongestParked", longest.unwrap_or_default(), "Seconds"),
        ("BreakersOpen", open + seen.others.open_breakers, "Count"),
    ];
    queues.chain(types).chain(dependencies).chain([(None, all)]).collect()
}

/// Logs the metrics of an observation, in CloudWatch's embedded metric format.
pub fn tell(config: &Config, seen: &Observation, now: Time) {
    for (of, numbers) in lines(config, seen) {
        let of: Vec<(&str, &str)> =
            of.iter().map(|(name, value)| (*name, value.as_str())).collect();
        telemetry::metrics(&config.namespace, &of, &numbers, now);
    }
}

/// The counts of one minute of a job type, with their names in a bucket.
pub const OF_A_MINUTE: [(&str, &str); 5] = [
    ("Succeeded", "succeeded"),
    ("Retried", "retried"),
    ("Dead", "dead"),
    ("Crashed", "crashed"),
    ("Quarantined", "quarantined"),
];

/// Logs the counts of the minute that began at `start`.
pub fn tell_minute(config: &Config, kind: &str, bucket: &Bucket, start: Time) {
    let numbers: Vec<Number> =
        OF_A_MINUTE.map(|(name, counter)| (name, bucket.count(counter), "Count")).into();
    telemetry::metrics(&config.namespace, &[("type", kind)], &numbers, start);
}

/// Whether the breaker refuses calls, or lets only probes through.
fn is_open(seen: &DependencySeen) -> bool {
    !matches!(seen.breaker.as_str(), "closed" | "forced_closed")
}
