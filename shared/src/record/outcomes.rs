//! Outcomes of the jobs of a type.

use std::{collections::BTreeMap, time::Duration};

use crate::dependency::stats::{
    BUCKET, Bucket, Histogram, LATEST_BYTES, Latest, Oldest, bins, bucket_start,
};
use crate::{
    base::time::{Time, millis},
    failure::{BREAKER_OPEN, Class, Failure, LOAD_SHED, QUOTA_SPENT, RATE_LIMIT},
    record::decision::{Decision, Spends},
};

/// Counter of jobs, summed over all batches.
pub const JOBS: &str = "jobs";

/// Counter of running time in milliseconds, summed over all batches. Divided by [`JOBS`], it is the
/// mean cost of a job.
pub const BUSY_MS: &str = "busy_ms";

/// Counter of runs whose end was never written: their lease was over.
pub const NEVER_CAME_BACK: &str = "lease_over";

/// Counter of the milliseconds from the end of these leases until somebody found the job and resumed it, over all of
/// them.
pub const OVERDUE_MS: &str = "overdue_ms";

/// Counter of the warnings that most of a month's quota is used: one a month for the whole fleet.
pub const QUOTA_WARNED: &str = "quota_warned";

/// Counter of runs that were admitted, and of the milliseconds that they took without their waits for slots.
pub const RUNS: &str = "runs";
/// See [`RUNS`].
pub const RUN_MS: &str = "run_ms";

/// Counter of the milliseconds from creation to success, over all jobs that succeeded.
pub const DONE_MS: &str = "done_ms";

/// Counter of the attempts of all jobs that ended.
pub const ATTEMPTS: &str = "attempts";

/// The counter of failed runs of a class is this and the class.
pub const OF_CLASS: &str = "class_";

/// The counter of deferrals for a reason is this and one of [`REASONS`].
pub const OF_REASON: &str = "reason_";

/// The counter of successes with a label is this and the label, see [`Job::label`](crate::job::Job::label).
pub const OF_LABEL: &str = "label_";

/// The counter of failed runs of an error pattern is this and the fingerprint, or [`OTHER`].
pub const OF_PATTERN: &str = "pattern_";

/// What counters call everything beyond a cap.
pub const OTHER: &str = "other";

/// Why runs are deferred.
pub const REASONS: [&str; 5] = [BREAKER_OPEN, RATE_LIMIT, LOAD_SHED, QUOTA_SPENT, OTHER];

/// Error patterns that a container counts one by one in a minute. An item of the table then stays small.
const MOST_PATTERNS: usize = 16;

/// Samples of error patterns in the counts of a minute.
const MOST_SAMPLES: usize = 4;

/// The end of a run, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What was decided about the job.
    pub decision: Decision,
    /// When the job was created.
    pub created_at: Time,
    /// When the run ended.
    pub at: Time,
    /// How long the run took, without its waits for slots; `None` if the gates refused it.
    pub took: Option<Duration>,
    /// Attempts of the job so far, with the one that has ended.
    pub attempts: u32,
    /// What the job type says of its success.
    pub label: Option<&'static str>,
    /// How the run failed, if it did.
    pub trouble: Option<Trouble>,
    /// The key of a job that has succeeded, to be listed among the newest.
    pub key: Option<String>,
}

impl End {
    /// The end of a job of which nothing else is known.
    #[must_use]
    pub const fn of(decision: Decision, created_at: Time, at: Time) -> Self {
        let (took, label, trouble, key) = (None, None, None, None);
        Self { decision, created_at, at, took, attempts: 0, label, trouble, key }
    }
}

/// How a run failed, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It was deferred before it called anybody: one of [`REASONS`].
    Deferred(&'static str),
    /// The run ended with a failure.
    Failed {
        /// The class of the failure.
        class: Class,
        /// Under which alike failures are counted.
        fingerprint: String,
        /// What all failures with this fingerprint have in common.
        sample: String,
    },
}

impl Trouble {
    /// How a failed run of a job with this dependency is counted.
    #[must_use]
    pub fn of(failure: &Failure, dependency: &str) -> Self {
        let class = failure.class();
        if class.ran() || class == Class::Crash {
            let (fingerprint, sample) = (failure.fingerprint(dependency), failure.sample());
            return Self::Failed { class, fingerprint, sample };
        }
        Self::Deferred(
            REASONS.into_iter().find(|reason| *reason == failure.code()).unwrap_or(OTHER),
        )
    }
}

/// Outcomes of the jobs of a type, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    counts: BTreeMap<&'static str, u64>,
    classes: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
    labels: BTreeMap<&'static str, u64>,
    patterns: BTreeMap<String, u64>,
    samples: BTreeMap<String, String>,
    done: Histogram,
    ran: Histogram,
    oldest: BTreeMap<String, Time>,
    latest: Latest,
}

/// The name of the counter of runs that ended like this.
const fn counter(decision: &Decision) -> &'static str {
    match decision {
        Decision::Retry { spends: Spends::Crash, .. } => "crashed",
        decision => decision.name(),
    }
}

/// Whether the job has ended with this.
const fn is_end(decision: &Decision) -> bool {
    matches!(decision, Decision::Succeed | Decision::Bury(_) | Decision::Quarantine)
}

/// Adds `more` to a counter, or takes it away.
fn change<K: Ord>(counts: &mut BTreeMap<K, u64>, name: K, more: u64, back: bool) {
    let count = counts.entry(name).or_default();
    *count = if back { count.saturating_sub(more) } else { count.saturating_add(more) };
}

impl Outcomes {
    /// Counts the end of a run.
    pub fn record(&mut self, end: &End) {
        self.change(end, false);
        if end.decision == Decision::Succeed {
            self.done.record(end.at.since(end.created_at));
        }
        if let Some(key) = &end.key {
            self.latest.insert(end.at, key, LATEST_BYTES);
        }
        if let Some(took) = end.took {
            self.ran.record(took);
        }
    }

    /// Takes back an end that was counted shortly before.
    pub fn take_back(&mut self, end: &End) {
        self.change(end, true);
        if end.decision == Decision::Succeed {
            self.done.take_back(end.at.since(end.created_at));
        }
        if let Some(key) = &end.key {
            self.latest.remove(end.at, key);
        }
        if let Some(took) = end.took {
            self.ran.take_back(took);
        }
    }

    fn change(&mut self, end: &End, back: bool) {
        change(&mut self.counts, counter(&end.decision), 1, back);
        if end.decision == Decision::Succeed {
            change(&mut self.counts, DONE_MS, millis(end.at.since(end.created_at)), back);
        }
        if is_end(&end.decision) {
            change(&mut self.counts, ATTEMPTS, end.attempts.into(), back);
        }
        if let Some(took) = end.took {
            change(&mut self.counts, RUNS, 1, back);
            change(&mut self.counts, RUN_MS, millis(took), back);
        }
        if let Some(label) = end.label {
            change(&mut self.labels, label, 1, back);
        }
        match &end.trouble {
            Some(Trouble::Deferred(reason)) => change(&mut self.reasons, *reason, 1, back),
            Some(Trouble::Failed { class, fingerprint, .. }) => {
                change(&mut self.classes, class.name(), 1, back);
                let is_known = self.patterns.contains_key(fingerprint);
                let has_room = !back && self.patterns.len() < MOST_PATTERNS;
                let name = if is_known || has_room { fingerprint.as_str() } else { OTHER };
                change(&mut self.patterns, name.to_owned(), 1, back);
            }
            None => {}
        }
    }

    /// Adds a sample of an error pattern; whether there was room for it.
    pub fn sample(&mut self, fingerprint: &str, text: &str) -> bool {
        let has_room = self.samples.len() < MOST_SAMPLES;
        if has_room {
            self.samples.insert(fingerprint.to_owned(), text.to_owned());
        }
        has_room
    }

    /// Counts a run that never came back, and for how long its lease was over. The end of a job that is quarantined for
    /// it is counted besides.
    pub fn never_came_back(&mut self, is_quarantined: bool, overdue: Duration) {
        *self.counts.entry(NEVER_CAME_BACK).or_default() += 1;
        *self.counts.entry(OVERDUE_MS).or_default() += millis(overdue);
        *self.counts.entry("crashed").or_default() += u64::from(!is_quarantined);
    }

    /// Counts a warning that most of a month's quota is used.
    pub fn warned_of_quota(&mut self) {
        *self.counts.entry(QUOTA_WARNED).or_default() += 1;
    }

    /// Takes note of a message that was received for the first time: the oldest of each queue is
    /// kept.
    pub fn received(&mut self, queue: &str, sent_at: Time) {
        let oldest = self.oldest.entry(queue.to_owned()).or_insert(sent_at);
        *oldest = (*oldest).min(sent_at);
    }

    /// Counts a batch of `jobs` jobs that took `took`.
    pub fn worked(&mut self, jobs: usize, took: Duration) {
        *self.counts.entry(JOBS).or_default() += jobs as u64;
        *self.counts.entry(BUSY_MS).or_default() += millis(took);
    }

    /// Whether nothing has been counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.oldest.is_empty()
    }

    /// The counts as counters of a bucket.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        let counts = self.counts.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let groups =
            [(OF_CLASS, &self.classes), (OF_REASON, &self.reasons), (OF_LABEL, &self.labels)];
        let named = groups.into_iter().flat_map(|(prefix, counts)| {
            counts.iter().map(move |(name, count)| (format!("{prefix}{name}"), *count))
        });
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|(name, count)| (format!("{OF_PATTERN}{name}"), *count));
        let bins = bins('t', &self.done).chain(bins('w', &self.ran));
        let oldest = self.oldest.iter().map(|(queue, at)| Oldest {
            sent_at: bucket_start(*at, BUCKET).as_millis(),
            queue: queue.clone(),
        });
        Bucket {
            oldest: oldest.collect(),
            samples: self.samples.clone(),
            latest: self.latest.clone(),
            ..Bucket::counting(counts.chain(named).chain(patterns).chain(bins))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependency::stats::LATENCY_BOUNDS_MS;

    fn failed(n: usize) -> End {
        let class = Class::ALL[n % Class::ALL.len()];
        let message = format!("{} {}", "no".repeat(n + 1), "word ".repeat(60));
        let failure = Failure::new(class, "http_503", message);
        let trouble = Some(Trouble::of(&failure, "elsewhere"));
        let took =
            Some(Duration::from_millis(LATENCY_BOUNDS_MS[n % LATENCY_BOUNDS_MS.len()].into()));
        let decision = Decision::Retry { after: Duration::ZERO, spends: Spends::Attempt };
        End { took, trouble, ..End::of(decision, Time::default(), Time::default()) }
    }

    /// The worst minute: every class, reason and bin, more patterns than there is room for, samples, and keys.
    #[test]
    fn errors_labels_and_run_times_add_less_than_two_kilobytes_to_a_minutes_item() {
        // A number takes a byte for two digits and one more.
        let bytes = |outcomes: &Outcomes| {
            let Bucket { counts, samples, latest, .. } = outcomes.bucket();
            let counts = counts
                .iter()
                .map(|(name, count)| name.len() + count.to_string().len().div_ceil(2) + 1);
            let samples = samples.iter();
            let samples = samples.map(|(name, text)| "sample_".len() + name.len() + text.len());
            let latest = if latest.is_empty() { 0 } else { "latest".len() + latest.bytes() };
            counts.sum::<usize>() + samples.sum::<usize>() + latest
        };
        let (mut before, mut after) = (Outcomes::default(), Outcomes::default());
        for outcomes in [&mut before, &mut after] {
            outcomes.worked(10_000, Duration::from_hours(1));
            outcomes.received("q", Time::default());
            outcomes.counts.insert("retried", 100_000);
        }
        for n in 0..1_000 {
            let end = failed(n);
            after.record(&end);
            if let Some(Trouble::Failed { fingerprint, sample, .. }) = &end.trouble {
                after.sample(fingerprint, sample);
            }
        }
        for reason in REASONS {
            change(&mut after.reasons, reason, 10_000, false);
        }
        change(&mut after.labels, "superseded", 10_000, false);
        for n in 0..1_000 {
            let at = Time::from_millis(1_800_000_000_000 + n);
            after.latest.insert(at, &format!("url_shortening#g:{n}"), LATEST_BYTES);
        }
        let more = bytes(&after) - bytes(&before);
        assert!((1_200..=2_048).contains(&more), "{more} bytes");
        let sum: u64 = after.patterns.values().sum();
        assert_eq!(after.patterns.len(), MOST_PATTERNS + 1);
        assert_eq!(sum, after.classes.values().sum::<u64>());
    }

    #[test]
    fn a_run_that_never_came_back_is_counted_with_the_time_until_it_was_found() {
        let mut outcomes = Outcomes::default();
        outcomes.never_came_back(false, Duration::from_secs(40));
        outcomes.never_came_back(true, Duration::from_secs(2));
        let bucket = outcomes.bucket();
        let counts = [NEVER_CAME_BACK, OVERDUE_MS, "crashed"].map(|name| bucket.count(name));
        assert_eq!(counts, [2, 42_000, 1]);
    }

    #[test]
    fn an_end_that_is_taken_back_leaves_nothing() {
        let success = End {
            took: Some(Duration::from_secs(2)),
            attempts: 1,
            label: Some("adopted"),
            key: Some("errand#g:1".to_owned()),
            ..End::of(Decision::Succeed, Time::default(), Time::from_millis(7_000))
        };
        let mut outcomes = Outcomes::default();
        for end in [&success, &failed(0), &failed(6)] {
            outcomes.record(end);
        }
        let bucket = outcomes.bucket();
        let counts = ["succeeded", RUN_MS, DONE_MS, ATTEMPTS, "label_adopted"];
        assert_eq!(counts.map(|name| bucket.count(name)), [1, 2_105, 7_000, 1, 1]);
        assert_eq!((bucket.histogram('t').total(), bucket.histogram('w').total()), (1, 3));
        assert_eq!(
            bucket.latest.newest_first().next(),
            Some((Time::from_millis(7_000), "errand#g:1"))
        );
        for end in [&success, &failed(0), &failed(6)] {
            outcomes.take_back(end);
        }
        let bucket = outcomes.bucket();
        assert!(bucket.counts.is_empty() && bucket.latest.is_empty(), "{bucket:?}");
    }
}
