//! Telling the fleet what this container has counted, and hearing what the fleet has.

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

/// Least time between two writes to a dependency's pulse.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Least time between two writes to a job type's pulse, whose buckets are a minute long.
const TYPE_REPORT_EVERY: Duration = Duration::from_secs(10);

/// Longest time for which a batch waits for its reports: they may be late, and the answer may not.
const REPORT_TIME: Duration = Duration::from_secs(1);

impl<P: Ports> Gates<P> {
    /// Notes when the oldest message was sent that came from the queue with this ARN for the first
    /// time.
    pub(crate) fn received(&self, queue: &str, sent_at: Time) {
        let name = queue.rsplit(':').next().unwrap_or_default();
        self.outcomes(|outcomes, _| outcomes.received(name, sent_at));
    }

    /// Counts the time that a batch of so many jobs took.
    pub(crate) fn worked(&self, jobs: usize, took: Duration) {
        self.outcomes(|outcomes, _| outcomes.worked(jobs, took));
    }

    /// Counts the end of a run of a job that was made at `created_at`.
    pub(crate) fn ended(&self, decision: &Decision, created_at: Time) {
        self.outcomes(|outcomes, now| outcomes.record(decision, created_at, now));
    }

    fn outcomes(&self, note: impl FnOnce(&mut Outcomes, Time)) {
        let now = self.clock.now();
        note(self.state().outcomes.entry(bucket_start(now, TYPE_BUCKET)).or_default(), now);
    }

    /// Writes what has been counted, where the last write is long enough ago. What fails is lost to
    /// the fleet, and stays known here.
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

    /// One write to a dependency's pulse. It answers with the fleet's totals of that bucket; those of
    /// the buckets before are read once in a bucket's time.
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
        // Known here before it is written: whether a write that failed was done is not known, so it is
        // not repeated.
        self.cache(dependency, |cache| cache.window.assume(&key, &calls));
        match self.control.add_to_bucket(&key, &bucket, start + BUCKET_RETENTION).await {
            Ok(total) => self.cache(dependency, |cache| cache.window.see(&key, (&total).into())),
            Err(error) => return telemetry::port_failed("add_to_bucket", &error),
        }
        let read_at = self.cache(dependency, |cache| cache.read_at);
        if now.since(read_at) >= BUCKET {
            // Buckets that are over do not change any more, but for writes that were late.
            let from = read_at.before(BUCKET * 2).max(now.before(MEMORY));
            self.read_fleet(dependency, bucket_start(from, BUCKET), shards).await;
        }
        self.trip(dependency).await;
        self.note_trouble(dependency).await;
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
        // Counts that are lost make a report a little short; the records have the truth.
        if let Err(error) =
            self.control.add_to_bucket(&key, &bucket, start + TYPE_BUCKET_RETENTION).await
        {
            telemetry::port_failed("add_to_bucket", &error);
        }
    }
}
