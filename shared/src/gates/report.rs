//! Exchanges call statistics with the fleet: writes this container's counts and reads the totals.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Cache, Gates};
use crate::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    dependency::stats::{
        BUCKET, BUCKET_RETENTION, BucketKey, Calls, ContainerCounts, MEMORY, SHARDS, TYPE_BUCKET,
        bucket_start,
    },
    ports::{Control, PortError, Ports, Written},
    record::outcomes::{End, Outcomes, Trouble},
    telemetry,
};

/// Minimum time between two writes of a dependency's call statistics.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Minimum time between two writes of counts in which no run has ended.
const TYPE_REPORT_EVERY: Duration = Duration::from_secs(10);

/// How long a minute is kept after it: an end of it may be taken back once the write of its record has failed.
const KEPT_FOR: Duration = Duration::from_mins(2);

/// Minimum time between two samples that a container writes of the same error pattern.
const SAMPLE_EVERY: Duration = Duration::from_mins(10);

/// Error patterns of which a container remembers that it has written a sample.
const MOST_SAMPLED: usize = 64;

/// Maximum time that a batch waits for its reports: a report may be late, but not the response to
/// Lambda.
const REPORT_TIME: Duration = Duration::from_secs(1);

/// What a container has counted of its job type in one minute.
#[derive(Debug, Default)]
pub(super) struct CountedMinute {
    outcomes: Outcomes,
    /// Whether its item is in the table.
    exists: bool,
    /// Changes so far; those up to the last end of a run; and those that are known to be written.
    changes: u64,
    ends: u64,
    written: u64,
    /// Whether an end was taken back. A counter that is zero again needs a write of the whole item.
    was_corrected: bool,
}

impl CountedMinute {
    const fn has_changed(&self) -> bool {
        self.changes > self.written
    }

    const fn has_ends(&self) -> bool {
        self.ends > self.written
    }
}

impl<P: Ports> Gates<P> {
    /// Records when a message was sent that arrived from the queue with this ARN for the first
    /// time. The oldest per bucket is reported.
    pub(crate) fn received(&self, queue: &str, sent_at: Time) {
        let name = queue.rsplit(':').next().unwrap_or_default();
        self.minute(|minute| minute.outcomes.received(name, sent_at));
    }

    /// Counts the time that a batch of `jobs` jobs took.
    pub(crate) fn worked(&self, jobs: usize, took: Duration) {
        self.minute(|minute| minute.outcomes.worked(jobs, took));
    }

    /// Counts a run that never came back, whose lease has been over for so long, and whose job may be quarantined for it.
    pub(crate) fn never_came_back(&self, is_quarantined: bool, overdue: Duration) {
        self.minute(|minute| minute.outcomes.never_came_back(is_quarantined, overdue));
    }

    /// Counts the end of a run.
    pub(crate) fn ended(&self, end: &End) {
        let mut state = self.state();
        let Cache { minutes, sampled_at, .. } = &mut *state;
        let minute = minutes.entry(bucket_start(end.at, TYPE_BUCKET)).or_default();
        minute.changes += 1;
        minute.outcomes.record(end);
        minute.ends = minute.changes;
        if let Some(Trouble::Failed { fingerprint, sample, .. }) = &end.trouble {
            sampled_at.retain(|_, at| *at + SAMPLE_EVERY > end.at);
            if !sampled_at.contains_key(fingerprint)
                && sampled_at.len() < MOST_SAMPLED
                && minute.outcomes.sample(fingerprint, sample)
            {
                sampled_at.insert(fingerprint.clone(), end.at);
            }
        }
    }

    /// Takes back the end of a run that could not be written, or that another run has taken over.
    pub(crate) fn not_ended(&self, end: &End) {
        let mut state = self.state();
        // If its minute is forgotten, so is the end.
        let Some(minute) = state.minutes.get_mut(&bucket_start(end.at, TYPE_BUCKET)) else {
            return;
        };
        minute.changes += 1;
        minute.outcomes.take_back(end);
        (minute.ends, minute.was_corrected) = (minute.changes, true);
    }

    /// Counts that most of a month's quota is used.
    pub(super) fn warned_of_quota(&self) {
        self.minute(|minute| minute.outcomes.warned_of_quota());
    }

    fn minute(&self, note: impl FnOnce(&mut CountedMinute)) {
        let start = bucket_start(self.clock.now(), TYPE_BUCKET);
        let mut state = self.state();
        let minute = state.minutes.entry(start).or_default();
        minute.changes += 1;
        note(minute);
    }

    /// What the container has counted in the present minute, if that has changed, to be written with the `last`
    /// records of a batch; or with others, if the last write was long ago. [`Gates::counted`] must be told what
    /// became of it.
    pub(crate) fn counts(&self, last: bool) -> Option<ContainerCounts> {
        let now = self.clock.now();
        let state = self.state();
        if !last && now.since(state.minutes_sent_at) < TYPE_REPORT_EVERY {
            return None;
        }
        let start = bucket_start(now, TYPE_BUCKET);
        let minute = state.minutes.get(&start)?;
        (minute.has_changed() && !minute.was_corrected).then(|| self.taken(start, minute))
    }

    fn taken(&self, start: Time, minute: &CountedMinute) -> ContainerCounts {
        let bucket = minute.outcomes.bucket();
        let counts = ContainerCounts::new(self.rules.kind, self.container, start, bucket);
        ContainerCounts { exists: minute.exists, changes: minute.changes, ..counts }
    }

    /// Takes note of whether counts were written.
    pub(crate) fn counted(&self, counts: &ContainerCounts, written: Option<&Written>) {
        let now = self.clock.now();
        let mut state = self.state();
        if written == Some(&Written::Yes) {
            state.minutes_sent_at = now;
        }
        let Some(minute) = state.minutes.get_mut(&counts.key.start) else { return };
        match written {
            Some(Written::Yes) => {
                (minute.exists, minute.written) = (true, minute.written.max(counts.changes));
            }
            Some(Written::No(_)) => minute.exists = !counts.exists,
            // The next write holds the same and more.
            Some(Written::Unknown(_)) | None => {}
        }
    }

    /// Writes the counts of each dependency whose last write is long enough ago. If a write fails,
    /// the fleet never gets its counts; this container still uses them.
    ///
    /// At the end of a batch (`last`), also what was counted of the job type and went with no records.
    pub(crate) async fn report(&self, last: bool) {
        if tokio::time::timeout(REPORT_TIME, self.try_report(last)).await.is_err() {
            telemetry::port_failed("report", &PortError::Unavailable("out of time".into()));
        }
    }

    async fn try_report(&self, last: bool) {
        let now = self.clock.now();
        let due: Vec<String> = {
            let state = self.state();
            let due = state.dependencies.iter().filter(|(_, cache)| {
                !cache.window.is_sent() && now.since(cache.sent_at) >= REPORT_EVERY
            });
            due.map(|(dependency, _)| dependency.clone()).collect()
        };
        let stats = join_all(due.iter().map(|dependency| self.bucket(dependency)));
        tokio::join!(stats, self.report_outcomes(last), self.return_unused(last));
    }

    /// Writes a dependency's counts to its bucket. The response holds the fleet's totals of that
    /// bucket. The totals of earlier buckets are read once per bucket length.
    async fn bucket(&self, dependency: &str) {
        let now = self.clock.now();
        let taken = self.cache(dependency, |cache| {
            cache.window.forget(now);
            cache.sent_at = now;
            Some((cache.window.take_unsent()?, cache.window.is_hot(now)))
        });
        let Some((((start, generation), calls), hot)) = taken else { return };
        let shards = if hot { SHARDS } else { 1 };
        let shard = u8::try_from(self.random.bits() % u64::from(shards)).unwrap_or_default();
        let key = BucketKey { subject: dependency.to_owned(), start, generation, shard };
        let bucket = Calls { writes: 1, ..calls }.bucket();
        // Count locally before the write: a failed write may have taken effect, so it is not
        // repeated.
        self.cache(dependency, |cache| cache.window.assume(&key, &calls));
        match self.control.add_to_bucket(&key, &bucket, start + BUCKET_RETENTION).await {
            Ok(total) => self.cache(dependency, |cache| cache.window.see(&key, (&total).into())),
            Err(error) => return telemetry::port_failed("add_to_bucket", &error),
        }
        let read_at = self.cache(dependency, |cache| cache.read_at);
        if now.since(read_at) >= BUCKET {
            // Past buckets change only by late writes.
            let from = read_at.before(BUCKET * 2).max(now.before(MEMORY));
            self.read_fleet(dependency, bucket_start(from, BUCKET), shards).await;
        }
        self.trip(dependency).await;
        self.register_troubled(dependency).await;
    }

    /// Reads the fleet's counts of a dependency, unless that was done lately: before a failure is judged by what others
    /// have met. A container that has just started knows nothing of them.
    pub(crate) async fn know_fleet(&self, dependency: &str) {
        let now = self.clock.now();
        let read_at = self.cache(dependency, |cache| cache.read_at);
        if now.since(read_at) < BUCKET {
            return;
        }
        let from = bucket_start(read_at.before(BUCKET * 2).max(now.before(MEMORY)), BUCKET);
        let hot = |gates: &Self| gates.cache(dependency, |cache| cache.window.is_hot(now));
        let shards = if hot(self) { SHARDS } else { 1 };
        self.read_fleet(dependency, from, shards).await;
        if shards == 1 && hot(self) {
            self.read_fleet(dependency, from, SHARDS).await;
        }
    }

    async fn read_fleet(&self, dependency: &str, from: Time, shards: u8) {
        match self.control.buckets(dependency, shards, from).await {
            Ok(buckets) => self.cache(dependency, |cache| {
                cache.read_at = self.clock.now();
                for (key, bucket) in &buckets {
                    cache.window.see(key, bucket.into());
                }
            }),
            Err(error) => telemetry::port_failed("buckets", &error),
        }
    }

    /// Writes the counts that went with no records, if their minute is over or the last write was long ago. At the end of
    /// a batch (`last`), also if runs have ended: there may be no other batch for hours.
    async fn report_outcomes(&self, last: bool) {
        let now = self.clock.now();
        let due: Vec<ContainerCounts> = {
            let mut state = self.state();
            let present = bucket_start(now, TYPE_BUCKET);
            let waits = now.since(state.minutes_sent_at) < TYPE_REPORT_EVERY;
            state
                .minutes
                .retain(|start, minute| minute.has_changed() || *start + KEPT_FOR >= present);
            let due = state.minutes.iter().filter(|(start, minute)| {
                minute.has_changed() && (last && minute.has_ends() || **start < present || !waits)
            });
            due.map(|(start, minute)| self.taken(*start, minute)).collect()
        };
        for counts in due {
            let written = match self.control.put_counts(&counts).await {
                Ok(()) => Written::Yes,
                Err(error) => {
                    telemetry::port_failed("put_counts", &error);
                    Written::Unknown(error.to_string())
                }
            };
            self.counted(&counts, Some(&written));
        }
    }
}
