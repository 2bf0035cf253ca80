//! Exchanges call statistics with the fleet: writes this container's counts and reads the totals.

use std::time::Duration;

use futures_util::future::join_all;

use super::Gates;
use crate::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    dependency::stats::{
        BUCKET, BUCKET_RETENTION, BucketKey, Calls, MEMORY, SHARDS, TYPE_BUCKET,
        TYPE_BUCKET_RETENTION, bucket_start,
    },
    ports::{Control, PortError, Ports},
    record::{decision::Decision, outcomes::Outcomes},
    telemetry,
};

/// Minimum time between two writes of a dependency's call statistics.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Minimum time between two writes of a job type's statistics, whose buckets are a minute long.
const TYPE_REPORT_EVERY: Duration = Duration::from_secs(10);

/// Maximum time that a batch waits for its reports: a report may be late, but not the response to
/// Lambda.
const REPORT_TIME: Duration = Duration::from_secs(1);

impl<P: Ports> Gates<P> {
    /// Records when a message was sent that arrived from the queue with this ARN for the first
    /// time. The oldest per bucket is reported.
    pub(crate) fn received(&self, queue: &str, sent_at: Time) {
        let name = queue.rsplit(':').next().unwrap_or_default();
        self.outcomes(|outcomes, _| outcomes.received(name, sent_at));
    }

    /// Counts the time that a batch of `jobs` jobs took.
    pub(crate) fn worked(&self, jobs: usize, took: Duration) {
        self.outcomes(|outcomes, _| outcomes.worked(jobs, took));
    }

    /// Counts the end of a run of a job that was created at `created_at`.
    pub(crate) fn ended(&self, decision: &Decision, created_at: Time) {
        self.outcomes(|outcomes, now| outcomes.record(decision, created_at, now));
    }

    fn outcomes(&self, note: impl FnOnce(&mut Outcomes, Time)) {
        let now = self.clock.now();
        note(self.state().outcomes.entry(bucket_start(now, TYPE_BUCKET)).or_default(), now);
    }

    /// Writes the counts of each dependency whose last write is long enough ago. If a write fails,
    /// the fleet never gets its counts; this container still uses them.
    pub(crate) async fn report(&self) {
        if tokio::time::timeout(REPORT_TIME, self.try_report()).await.is_err() {
            telemetry::port_failed("report", &PortError::Unavailable("out of time".into()));
        }
    }

    async fn try_report(&self) {
        let now = self.clock.now();
        let due: Vec<String> = {
            let state = self.state();
            let due = state.dependencies.iter().filter(|(_, cache)| {
                !cache.window.is_sent() && now.since(cache.sent_at) >= REPORT_EVERY
            });
            due.map(|(dependency, _)| dependency.clone()).collect()
        };
        let stats = join_all(due.iter().map(|dependency| self.bucket(dependency)));
        tokio::join!(stats, self.report_outcomes());
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

    async fn report_outcomes(&self) {
        let now = self.clock.now();
        let taken = {
            let mut state = self.state();
            let due = now.since(state.outcomes_sent_at) >= TYPE_REPORT_EVERY;
            let taken = if due { state.outcomes.pop_first() } else { None };
            if taken.is_some() {
                state.outcomes_sent_at = now;
            }
            taken
        };
        let Some((start, outcomes)) = taken.filter(|(_, outcomes)| !outcomes.is_empty()) else {
            return;
        };
        let subject = format!("type:{}", self.rules.kind);
        let key = BucketKey { subject, start, generation: 0, shard: 0 };
        let bucket = outcomes.bucket();
        // Lost counts make a report slightly low; the records hold the truth.
        if let Err(error) =
            self.control.add_to_bucket(&key, &bucket, start + TYPE_BUCKET_RETENTION).await
        {
            telemetry::port_failed("add_to_bucket", &error);
        }
    }
}
