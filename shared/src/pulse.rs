//! The pulse: what the calls to a dependency came to, counted by the whole fleet in buckets of ten
//! seconds; and what the jobs of a type came to, in buckets of a minute.
//!
//! A container adds what it has counted to the present bucket, at most once a second, and is
//! answered with the fleet's totals. Breaker, time-outs, retry budget and prediction all read the
//! same numbers. Everything here is a plain function of them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    error::Class,
    outcome::{Decision, Spends},
    time::{Time, millis},
};

/// Length of a bucket of a dependency's pulse.
pub const BUCKET: Duration = Duration::from_secs(10);

/// Length of a bucket of a job type's pulse.
pub const TYPE_BUCKET: Duration = Duration::from_secs(60);

/// What a breaker looks at: the rolling minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What time-outs and the retry budget look at, and the oldest that a container remembers.
pub const MEMORY: Duration = Duration::from_secs(300);

/// How long a dependency's buckets are kept, for whoever looks into an incident.
pub const BUCKET_RETENTION: Duration = Duration::from_hours(2);

/// How long a type's buckets are kept, for reports of a week.
pub const TYPE_BUCKET_RETENTION: Duration = Duration::from_hours(8 * 24);

/// Writes to one bucket of ten seconds from which on a pulse counts as hot and is spread over
/// [`SHARDS`] partitions. A partition takes 10,000 in that time, other items of it included.
pub const HOT_WRITES: u64 = 1_000;

/// Partitions of a hot pulse.
pub const SHARDS: u8 = 4;

/// The moment itself, rounded down to the beginning of its bucket of `length`.
#[must_use]
pub const fn bucket_start(now: Time, length: Duration) -> Time {
    let length = millis(length);
    Time::from_millis(now.as_millis() / length * length)
}

/// Upper ends of the histogram's bins, in milliseconds; one more bin takes what is longer.
pub const LATENCY_BOUNDS_MS: [u32; 23] = [
    5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 450, 650, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500,
    10_000, 15_000, 30_000, 60_000, 300_000,
];

/// Bins of a histogram.
const BINS: usize = LATENCY_BOUNDS_MS.len() + 1;

/// How long things took, counted in fixed bins so that histograms of many containers add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram([u64; BINS]);

impl Histogram {
    /// Counts one of them.
    pub fn record(&mut self, took: Duration) {
        let ms = millis(took);
        let bin = LATENCY_BOUNDS_MS.partition_point(|&bound| u64::from(bound) < ms);
        self.0[bin] += 1;
    }

    /// How many were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds another histogram to this one.
    pub fn add(&mut self, other: &Self) {
        for (bin, more) in self.0.iter_mut().zip(other.0) {
            *bin += more;
        }
    }

    /// The time within which the share `q` (0 to 1) of them was over: the upper end of the bin that
    /// holds it, so never too short. `None` if nothing was counted.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of calls in minutes is far below 2^52, and not negative"
    )]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let bin = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let last = LATENCY_BOUNDS_MS[LATENCY_BOUNDS_MS.len() - 1];
        let bound = LATENCY_BOUNDS_MS.get(bin).copied().unwrap_or(last);
        Some(Duration::from_millis(bound.into()))
    }
}

/// Counters of one bucket by name, as the table holds them, and the oldest messages received.
///
/// A beat is what all containers can add to without reading: numbers only grow, and a set only
/// gains members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Counters that are not zero, by name.
    pub counts: BTreeMap<String, u64>,
    /// When the oldest message of each batch was sent, in milliseconds, rounded down to ten
    /// seconds so that they are few.
    pub oldest: std::collections::BTreeSet<u64>,
}

impl Beat {
    fn counting(counts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let counts = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        Self { counts, ..Self::default() }
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    fn histogram(&self, prefix: char) -> Histogram {
        let mut histogram = Histogram::default();
        for (bin, count) in histogram.0.iter_mut().enumerate() {
            *count = self.count(&format!("{prefix}{bin}"));
        }
        histogram
    }

    /// Adds another beat to this one, as a bucket does.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.oldest.extend(&other.oldest);
    }
}

fn bins(prefix: char, histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    histogram.0.into_iter().enumerate().map(move |(bin, count)| (format!("{prefix}{bin}"), count))
}

/// Which bucket of which pulse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BucketKey {
    /// A dependency, or `type:` and a job type.
    pub pulse: String,
    /// When the bucket begins.
    pub start: Time,
    /// The breaker's generation of the calls that it counts: what was counted before a breaker
    /// opened must not open it again when it has just closed.
    pub generation: u64,
    /// From 0; more than one only while the pulse is hot.
    pub shard: u8,
}

/// What the calls to a dependency came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that the dependency answered as it should; a conflict is such an answer.
    pub ok: u64,
    /// Calls that failed for a reason of the dependency's.
    pub failed: u64,
    /// Calls of either kind that took longer than the policy's `slow_after`.
    pub slow: u64,
    /// Calls that were asked to come later.
    pub throttled: u64,
    /// Runs that were a job's first attempt.
    pub first: u64,
    /// Runs that were a later attempt.
    pub retries: u64,
    /// Runs put off because trouble was foreseen.
    pub predicted: u64,
    /// Writes to the bucket.
    pub writes: u64,
    /// How long the calls took.
    pub latency: Histogram,
}

impl Calls {
    /// Calls that say whether the dependency is well.
    #[must_use]
    pub const fn telling(&self) -> u64 {
        self.ok + self.failed
    }

    /// Counts one call that ended with `class`, or well.
    pub fn record(&mut self, class: Option<Class>, took: Duration, slow_after: Duration) {
        let standing = Standing::of(class);
        match standing {
            Standing::Well => self.ok += 1,
            Standing::Ill => self.failed += 1,
            Standing::Silent if class == Some(Class::Throttled) => self.throttled += 1,
            Standing::Silent => {}
        }
        if standing != Standing::Silent {
            self.latency.record(took);
            self.slow += u64::from(took > slow_after);
        }
    }

    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.slow += other.slow;
        self.throttled += other.throttled;
        self.first += other.first;
        self.retries += other.retries;
        self.predicted += other.predicted;
        self.writes += other.writes;
        self.latency.add(&other.latency);
    }

    /// These as counters of a bucket.
    #[must_use]
    pub fn beat(&self) -> Beat {
        let counts = [
            ("ok", self.ok),
            ("failed", self.failed),
            ("slow", self.slow),
            ("throttled", self.throttled),
            ("first", self.first),
            ("retries", self.retries),
            ("predicted", self.predicted),
            ("writes", self.writes),
        ];
        let counts = counts.map(|(name, count)| (name.to_owned(), count));
        Beat::counting(counts.into_iter().chain(bins('l', &self.latency)))
    }
}

impl From<&Beat> for Calls {
    fn from(beat: &Beat) -> Self {
        Self {
            ok: beat.count("ok"),
            failed: beat.count("failed"),
            slow: beat.count("slow"),
            throttled: beat.count("throttled"),
            first: beat.count("first"),
            retries: beat.count("retries"),
            predicted: beat.count("predicted"),
            writes: beat.count("writes"),
            latency: beat.histogram('l'),
        }
    }
}

/// What the end of a call says of the dependency's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Well,
    /// It does not.
    Ill,
    /// Nothing: the failure was not its, or it only asked for patience.
    Silent,
}

impl Standing {
    /// The column "breaker" of the table of classes in docs/error-handling.md.
    #[must_use]
    pub const fn of(class: Option<Class>) -> Self {
        match class {
            None | Some(Class::Conflict) => Self::Well,
            Some(Class::Transient | Class::Anomaly | Class::Systemic) => Self::Ill,
            Some(
                Class::Throttled
                | Class::Permanent
                | Class::Deferred
                | Class::Contended
                | Class::Unstarted
                | Class::Crash,
            ) => Self::Silent,
        }
    }
}

/// What a container knows of a dependency's last five minutes: the fleet's buckets, as it saw them
/// last, and what it has counted itself since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    seen: BTreeMap<(Time, u64, u8), Calls>,
    unsent: BTreeMap<(Time, u64), Calls>,
}

impl Window {
    /// Takes over what the table says of a bucket.
    pub fn see(&mut self, key: &BucketKey, calls: Calls) {
        self.seen.insert((key.start, key.generation, key.shard), calls);
    }

    /// What is counted now, not sent yet.
    pub fn counting(&mut self, now: Time, generation: u64) -> &mut Calls {
        self.unsent.entry((bucket_start(now, BUCKET), generation)).or_default()
    }

    /// Takes what is to be sent: one bucket of it, the oldest.
    pub fn take_unsent(&mut self) -> Option<((Time, u64), Calls)> {
        self.unsent.pop_first()
    }

    /// Whether anything is to be sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Counts what is about to be sent as part of its bucket, until the table says what is in it.
    pub fn assume(&mut self, key: &BucketKey, calls: &Calls) {
        self.seen.entry((key.start, key.generation, key.shard)).or_default().add(calls);
    }

    /// Forgets what is older than [`MEMORY`].
    pub fn forget(&mut self, now: Time) {
        let oldest = bucket_start(now.before(MEMORY), BUCKET);
        self.seen.retain(|(start, _, _), _| *start >= oldest);
        self.unsent.retain(|(start, _), _| *start >= oldest);
    }

    /// The sum of the buckets that began in the span from `from` to before `to`, of one generation
    /// or of all.
    #[must_use]
    pub fn sum(&self, from: Time, to: Time, generation: Option<u64>) -> Calls {
        let counts = |start: Time, of: u64| {
            (from..to).contains(&start) && generation.is_none_or(|generation| generation == of)
        };
        let mut sum = Calls::default();
        for ((start, of, _), calls) in &self.seen {
            if counts(*start, *of) {
                sum.add(calls);
            }
        }
        for ((start, of), calls) in &self.unsent {
            if counts(*start, *of) {
                sum.add(calls);
            }
        }
        sum
    }

    /// The last `span` up to now; its first bucket counts whole.
    #[must_use]
    pub fn last(&self, span: Duration, now: Time, generation: Option<u64>) -> Calls {
        self.sum(bucket_start(now.before(span), BUCKET) + BUCKET, now + BUCKET, generation)
    }

    /// Whether so many containers write that the pulse should be spread.
    #[must_use]
    pub fn is_hot(&self, now: Time) -> bool {
        self.last(BUCKET * 2, now, None).writes >= HOT_WRITES
    }
}

/// What the jobs of a type came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    counts: BTreeMap<&'static str, u64>,
    took: Histogram,
    oldest: Option<Time>,
}

impl Outcomes {
    /// Counts the end of a run of a job that was made at `created_at`.
    pub fn record(&mut self, decision: &Decision, created_at: Time, now: Time) {
        let name = match decision {
            Decision::Retry { spends: Spends::Crash, .. } => "crashed",
            decision => decision.name(),
        };
        *self.counts.entry(name).or_default() += 1;
        if *decision == Decision::Succeed {
            self.took.record(now.since(created_at));
        }
    }

    /// Notes when the oldest message of a batch was sent.
    pub fn received(&mut self, sent_at: Time) {
        self.oldest = Some(self.oldest.map_or(sent_at, |oldest| oldest.min(sent_at)));
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.oldest.is_none()
    }

    /// These as counters of a bucket.
    #[must_use]
    pub fn beat(&self) -> Beat {
        let counts = self.counts.iter().map(|(name, count)| ((*name).to_owned(), *count));
        let oldest = self.oldest.map(|at| bucket_start(at, BUCKET).as_millis());
        Beat {
            oldest: oldest.into_iter().collect(),
            ..Beat::counting(counts.chain(bins('t', &self.took)))
        }
    }
}

#[cfg(test)]
#[path = "pulse_tests.rs"]
mod tests;
