//! Reads a dealer's whole inventory, over several runs if necessary, and creates jobs for new and
//! changed cars.

use std::{borrow::Cow, time::Duration};

use evenkeel::{
    base::time::Clock,
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes, limiter::Rates},
    failure::{Class, Failure, RATE_LIMIT},
    http::{
        Outbound, host_limiter,
        transport::{Network, Transport},
    },
    job::{Gate, Job, Progress, Run, Soundness, robots::Robots},
    policy::Policy,
    ports::{Control, Queue, Store},
};
use inventory::vehicles::Vehicles;
use url::Url;

use crate::{
    collapse::{self, Counts},
    fan_out::Queues,
    orphan::{gaps, orphans},
    payload::{Feed, TYPE},
    reading::{Reading, Summary},
    snapshot::{self, Snapshot},
};

/// Failure code of an implausible read.
const COLLAPSE: &str = "collapse";

/// Time-outs, retries, breaker and limits of the job type.
pub const POLICY: Policy = Policy {
    dependency: "dealer.com",
    // Transient: 5xx and time-outs. Anomaly: implausible responses.
    retryable: &[Class::Transient, Class::Anomaly],
    backoff_cap: Duration::from_secs(300),
    job_timeout: Duration::from_secs(22),
    concurrency: 4,
    dedup_window: Duration::from_mins(10),
    // The next read of the feed comes within the hour.
    give_up_after: Duration::from_hours(1),
    breaker: BreakerPolicy {
        failures: 3,
        open_wait: Duration::from_secs(120),
        longest_wait: Duration::from_secs(1800),
        probes: 1,
        successes: 2,
    },
    calls: CallTimes {
        shortest: Duration::from_secs(3),
        longest: Duration::from_secs(8),
        slow_after: Duration::from_secs(6),
    },
    ..Policy::DEFAULT
}
.checked();

/// Job type `dealer_com_feed`.
pub struct DealerComFeed<V, S, Q, C, T = Network> {
    pub(crate) outbound: Outbound<C, T>,
    pub(crate) robots: Robots<S, C>,
    pub(crate) vehicles: V,
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) queues: Queues,
    pub(crate) clock: C,
}

impl<V, S, Q, C, T> DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    T: Transport,
{
    /// The job type with these ports.
    pub const fn new(
        outbound: Outbound<C, T>,
        robots: Robots<S, C>,
        vehicles: V,
        store: S,
        queue: Q,
        queues: Queues,
        clock: C,
    ) -> Self {
        Self { outbound, robots, vehicles, store, queue, queues, clock }
    }

    /// Goes on with a read: its lists, then the jobs, then its end. `None` if another run has to go on.
    async fn advance<G: Gate>(
        &self,
        feed: &Feed,
        url: &Url,
        run: &Run<'_, G>,
        reading: &mut Reading,
    ) -> Result<Option<Summary>, Failure> {
        let Some(fresh) = self.read(feed, url, run, reading).await? else { return Ok(None) };
        if feed.dry_run {
            return Ok(Some(reading.dry_summary()));
        }
        let last = snapshot::last(&self.vehicles, feed).await?;
        judge_size(run, reading, last.as_ref())?;
        if !self.create_jobs(feed, run, reading, last.is_none(), fresh).await? {
            return Ok(None);
        }
        self.finish(feed, run.trace.as_ref(), reading, last.unwrap_or_default()).await.map(Some)
    }
}

/// Fails with code `collapse` if the read has implausibly few cars, and counts that as a failed call.
fn judge_size<G: Gate>(
    run: &Run<'_, G>,
    reading: &Reading,
    last: Option<&Snapshot>,
) -> Result<(), Failure> {
    let before = last.map(|last| last.counts.clone()).unwrap_or_default();
    let Some(fall) = collapse::judge(&before, &Counts::of(&reading.lists)) else { return Ok(()) };
    let failure = Failure::new(Class::Anomaly, COLLAPSE, fall.to_string());
    run.count_as_failed(&failure);
    Err(failure)
}

/// Whether a failure is temporary and the site has not asked for a delay.
fn passes(failure: &Failure) -> bool {
    let passing = matches!(
        failure.class(),
        Class::Transient | Class::Throttled | Class::Deferred | Class::Unstarted
    );
    // A slot that is too far ahead for this run is waited for by the next one.
    passing && (failure.retry_after().is_none() || failure.code() == RATE_LIMIT)
}

impl<V, S, Q, C, T> Job for DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles + 'static,
    S: Store + Control + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    T: Transport,
{
    const TYPE: &'static str = TYPE;
    const POLICY: Policy = POLICY;
    const STANDS_IN: bool = true;
    type Payload = Feed;
    type Output = Summary;

    fn label(summary: &Summary) -> Option<&'static str> {
        summary.stale.then_some("stale")
    }

    fn dependency(feed: &Feed) -> Cow<'static, str> {
        let site = feed.site().ok();
        let host = site.as_ref().and_then(Url::host_str).unwrap_or_default();
        format!("{}/{host}", POLICY.dependency).into()
    }

    fn rates(&self, feed: &Feed) -> Option<Rates> {
        let site = feed.site().ok();
        Some(self.robots.rates(self.outbound.rates(), site.as_ref()))
    }

    fn limiter(feed: &Feed) -> Cow<'static, str> {
        host_limiter(feed.site().ok().as_ref()).into()
    }

    async fn run<G: Gate>(
        &self,
        feed: &Feed,
        run: &Run<'_, G>,
    ) -> Result<Progress<Summary>, Failure> {
        let invalid = |error: url::ParseError| {
            Failure::new(Class::Permanent, "invalid_payload", error.to_string())
        };
        let url = feed.site().map_err(invalid)?;
        let cursor = run.cursor.as_deref();
        let cursor: Option<Reading> = cursor.and_then(|cursor| serde_json::from_str(cursor).ok());
        // An implausible read is repeated from the beginning.
        let untrue = |reading: &Reading| {
            run.history
                .iter()
                .any(|attempt| attempt.code == COLLAPSE && attempt.at >= reading.began)
        };
        let cursor = cursor.filter(|reading| !untrue(reading));
        let began = self.clock.now().as_millis();
        let mut reading = cursor.unwrap_or_else(|| Reading::begun(began));
        let before = reading.pages();
        let done = match self.advance(feed, &url, run, &mut reading).await {
            Ok(Some(summary)) => Ok(summary),
            Ok(None) => match reading.more() {
                Ok(more) => return Ok(more),
                Err(failure) => Err(failure),
            },
            // A temporary failure after some progress keeps that progress. The next run continues
            // from there, and fails if it makes none.
            Err(failure) if reading.pages() > before && passes(&failure) => return reading.more(),
            Err(failure) => Err(failure),
        };
        match done {
            Ok(summary) => Ok(Progress::Done(summary)),
            Err(failure) => snapshot::stand_in(&self.vehicles, feed, run.is_last, failure)
                .await
                .map(Progress::Done),
        }
    }

    /// Checks that the records of the jobs of the most recently stored cars exist. Cars without
    /// them are unlisted, so that the repeated run of this job treats them as new.
    async fn verify<G: Gate>(
        &self,
        feed: &Feed,
        result: &str,
        _: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        if serde_json::from_str::<Summary>(result).is_err() {
            return Ok(Soundness::Missing("the result is no summary".to_owned()));
        }
        let now = self.clock.now();
        let orphans = orphans(&self.vehicles, &self.store, &self.queues, feed, now).await;
        let orphans = orphans.map_err(|error| error.unstarted())?;
        let Some(first) = orphans.first() else {
            let gaps = gaps(&self.vehicles, feed, now).await.map_err(|error| error.unstarted())?;
            return Ok(gaps.map_or(Soundness::Sound, Soundness::Changed));
        };
        let detail = format!("{} cars without their jobs, {first} among them", orphans.len());
        let unlisted = self.vehicles.unlist(&feed.dealer_slug, &orphans, now, now).await;
        unlisted.map_err(|error| error.unstarted())?;
        Ok(Soundness::Missing(detail))
    }
}
