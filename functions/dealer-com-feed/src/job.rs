//! Reads a dealer's whole inventory, over several runs if necessary, and creates jobs for new and
//! changed cars.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::time::{Clock, Time},
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes},
    failure::{Class, Failure},
    http::{
        Outbound,
        transport::{Network, Transport},
    },
    job::{Gate, Job, Progress, Run, Soundness},
    policy::Policy,
    ports::{Queue, Store},
};
use inventory::vehicles::{self, Vehicles};
use url::Url;

use crate::{
    change::{self, Listed, Mark},
    collapse::{self, Counts},
    fan_out::{Made, Queues, fan_out},
    inventory::Page,
    orphan::orphans,
    paging::Cursor,
    payload::{Condition, FanOut, Feed},
    reading::{Reading, Summary, count},
    site::Site,
    snapshot::{self, Snapshot},
};

/// Time that a page may take, with its cars and jobs. A run starts no further page with less time
/// left.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// How many cars are stored and get their jobs in one step, and the time that a step may take.
const CARS_AT_ONCE: usize = 25;
const CARS_TIME: Duration = Duration::from_secs(3);

/// Failure code of an implausible read.
const COLLAPSE: &str = "collapse";

/// Most pages of one run. A run that dies loses at most this many.
const PAGES_A_RUN: u32 = 60;

/// Selects the count of a summary that a car belongs to.
type Counter = fn(&mut Summary) -> &mut u32;

/// Longest duration of a read that may mark cars as removed. During a longer one, cars may have
/// moved between pages.
const LONGEST_READING: Duration = Duration::from_mins(15);

/// The job type's name in messages, records and metrics.
pub const TYPE: &str = "dealer_com_feed";

/// Time-outs, retries, breaker and limits of the job type.
pub const POLICY: Policy = Policy {
    dependency: "dealer.com",
    // Transient: 5xx and time-outs. Anomaly: implausible responses.
    retryable: &[Class::Transient, Class::Anomaly],
    backoff_cap: Duration::from_secs(300),
    job_timeout: Duration::from_secs(26),
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
    outbound: Outbound<C, T>,
    vehicles: V,
    store: S,
    queue: Q,
    queues: Queues,
    clock: C,
}

impl<V, S, Q, C, T> DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles,
    S: Store,
    Q: Queue,
    C: Clock,
    T: Transport,
{
    /// The job type with these ports.
    pub const fn new(
        outbound: Outbound<C, T>,
        vehicles: V,
        store: S,
        queue: Q,
        queues: Queues,
        clock: C,
    ) -> Self {
        Self { outbound, vehicles, store, queue, queues, clock }
    }

    /// Continues `reading` until all lists are read or the run's time is over. Returns whether all
    /// lists are read.
    async fn read<G: Gate>(
        &self,
        feed: &Feed,
        url: &Url,
        run: &Run<'_, G>,
        reading: &mut Reading,
    ) -> Result<bool, Failure> {
        let site = Site { outbound: &self.outbound, url, run };
        let mut marks = self.marks(feed).await?;
        for page_of_run in 0..PAGES_A_RUN {
            let Some((condition, start)) = reading.next(feed) else { return Ok(true) };
            // The first page is read in any case, so that every run makes progress.
            if page_of_run > 0 && self.clock.now() + PAGE_TIME > run.ends_at {
                return Ok(false);
            }
            let mut page = site.page(&mut reading.site, condition, start).await?;
            if page.vehicles.is_empty() && start > 0 {
                // Either the end of the list or a temporary error of the site. The page is read
                // again, because a false end would mark all cars after it as removed.
                page = site.page(&mut reading.site, condition, start).await?;
            }
            if !self.take(feed, condition, &page, &mut marks, reading, run.ends_at).await? {
                return Ok(false);
            }
            reading.advance(condition, &page);
        }
        Ok(reading.next(feed).is_none())
    }

    /// The marks of all stored cars that are listed, by VIN.
    async fn marks(&self, feed: &Feed) -> Result<BTreeMap<String, Mark>, Failure> {
        let known = self.vehicles.known(&feed.dealer_slug).await;
        let known = known.map_err(|error| error.unstarted())?;
        Ok(known.into_iter().filter_map(|car| Some((car.vin, Mark::parse(&car.hash?)))).collect())
    }

    /// Processes the cars of a page that were on no earlier page. They are processed in steps,
    /// because a page may have thousands. Returns whether there was time for all of them.
    async fn take(
        &self,
        feed: &Feed,
        condition: Condition,
        page: &Page,
        marks: &mut BTreeMap<String, Mark>,
        reading: &mut Reading,
        ends_at: Time,
    ) -> Result<bool, Failure> {
        let cars = page.vehicles.iter().flatten();
        // A car in two lists may have different fields in each, and would count as changed every
        // time.
        let fresh: Vec<_> = cars.filter(|car| !reading.has(car.vin.as_str())).collect();
        let found = change::compare(fresh, marks, feed.fan_out);
        let kinds: [(&[Listed<'_>], Counter); 3] = [
            (&found.new, |summary| &mut summary.new),
            (&found.changed, |summary| &mut summary.changed),
            (&found.lacking, |summary| &mut summary.unchanged),
        ];
        let news = kinds.iter().flat_map(|(cars, counter)| cars.iter().map(|car| (car, *counter)));
        let news: Vec<(&Listed<'_>, Counter)> = news.collect();
        for (number, some) in news.chunks(CARS_AT_ONCE).enumerate() {
            if number > 0 && self.clock.now() + CARS_TIME > ends_at {
                return Ok(false);
            }
            let cars: Vec<&Listed<'_>> = some.iter().map(|(car, _)| *car).collect();
            reading.summary.made.add(self.make(feed, condition, &cars).await?);
            for (car, counter) in some {
                *counter(&mut reading.summary) += 1;
                marks.insert(car.vehicle.vin.as_str().into(), marked(car, feed.fan_out));
            }
        }
        reading.summary.unchanged += count(found.unchanged.len());
        reading.summary.note_bad(page);
        Ok(true)
    }

    /// Stores the data of these cars, creates their jobs, and then stores their hashes.
    ///
    /// The order guarantees two things: a scraping job finds the data of its car, and a car with a
    /// hash has its jobs.
    async fn make(
        &self,
        feed: &Feed,
        list: Condition,
        cars: &[&Listed<'_>],
    ) -> Result<Made, Failure> {
        let keep = async |with_mark: bool| {
            let mark = |car| with_mark.then(|| marked(car, feed.fan_out).to_string());
            let kept: Vec<vehicles::Vehicle> =
                cars.iter().filter_map(|car| keepable(car, list, mark(car))).collect();
            let written = self.vehicles.keep(&feed.dealer_slug, &kept, self.clock.now()).await;
            written.map_err(|error| error.unstarted())
        };
        keep(false).await?;
        let made = fan_out(&self.store, &self.queue, &self.clock, &self.queues, feed, cars).await?;
        keep(true).await?;
        Ok(made)
    }

    /// Ends a read of all lists: marks removed cars and stores the snapshot.
    ///
    /// An implausible read fails with code `collapse`, counts as a failed call, and marks no car.
    async fn finish<G: Gate>(
        &self,
        feed: &Feed,
        run: &Run<'_, G>,
        reading: Reading,
    ) -> Result<Summary, Failure> {
        let pages = reading.pages();
        let Reading { lists, mut summary, began, .. } = reading;
        let (counts, last) = (Counts::of(&lists), snapshot::last(&self.vehicles, feed).await?);
        let Snapshot { counts: last_good, mut read_at, emptied, .. } = last.unwrap_or_default();
        if let Some(fall) = collapse::judge(&last_good, &counts) {
            let failure = Failure::new(Class::Anomaly, COLLAPSE, fall.to_string());
            run.count_as_failed(&failure);
            return Err(failure);
        }
        let known = self.vehicles.known(&feed.dealer_slug).await;
        let known = known.map_err(|error| error.unstarted())?;
        let listed = known.iter().filter(|car| car.hash.is_some());
        let stored = listed.filter_map(|car| Some((car.vin.as_str(), condition(&car.list)?)));
        let (now, began) = (self.clock.now(), Time::from_millis(began));
        let emptied = collapse::doubted(&last_good, &counts, &emptied, now);
        let stored = stored.filter(|(_, list)| !emptied.contains_key(list));
        let mut gone: Vec<String> =
            change::gone(stored, &lists, &last_good).into_iter().map(str::to_owned).collect();
        // No car is marked as removed if a later read has ended before this one, or if this one
        // took so long that cars may have moved between its pages.
        let overtaken = |list: &Cursor| {
            read_at.get(&list.condition()).is_some_and(|at| *at > began.as_millis())
        };
        if lists.iter().any(overtaken) || now > began + LONGEST_READING {
            gone.clear();
        }
        let unlisted = self.vehicles.unlist(&feed.dealer_slug, &gone, began, now).await;
        unlisted.map_err(|error| error.unstarted())?;
        summary.gone = count(gone.len());
        summary.doubted = emptied.keys().copied().collect();
        summary.pages = pages;
        let vins: BTreeSet<&str> = lists.iter().flat_map(|list| list.vins().iter()).collect();
        summary.vehicles = count(vins.len());
        summary.whole = lists.iter().all(|list| list.is_whole() && list.is_healthy());
        if summary.whole {
            let listed = known.iter().filter(|car| car.hash.is_some()).count();
            let vehicles = count(listed.saturating_sub(gone.len()));
            let counts = counts.without(&emptied).or(last_good);
            let believed = lists.iter().map(Cursor::condition);
            let believed = believed.filter(|list| !emptied.contains_key(list));
            read_at.extend(believed.map(|list| (list, now.as_millis())));
            let snapshot = Snapshot { at: now.as_millis(), vehicles, counts, read_at, emptied };
            let note = serde_json::to_string(&snapshot).unwrap_or_default();
            let kept = self.vehicles.keep_list(&feed.dealer_slug, &note, now).await;
            kept.map_err(|error| error.unstarted())?;
        }
        Ok(summary)
    }
}

fn marked(car: &Listed<'_>, made: FanOut) -> Mark {
    Mark { hash: car.hash.clone(), had: car.had.and(made) }
}

fn keepable(car: &Listed<'_>, list: Condition, hash: Option<String>) -> Option<vehicles::Vehicle> {
    Some(vehicles::Vehicle {
        vin: car.vehicle.vin.as_str().to_owned(),
        hash,
        list: list.name().to_owned(),
        data: serde_json::to_string(car.vehicle).ok()?,
        addresses: Vec::new(),
    })
}

/// Whether a failure is temporary and the site has not asked for a delay.
fn passes(failure: &Failure) -> bool {
    let passing = matches!(
        failure.class(),
        Class::Transient | Class::Throttled | Class::Deferred | Class::Unstarted
    );
    passing && failure.retry_after().is_none()
}

fn condition(name: &str) -> Option<Condition> {
    Condition::ALL.into_iter().find(|condition| condition.name() == name)
}

impl<V, S, Q, C, T> Job for DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles + 'static,
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    T: Transport,
{
    const TYPE: &'static str = TYPE;
    const POLICY: Policy = POLICY;
    const STANDS_IN: bool = true;
    type Payload = Feed;
    type Output = Summary;

    fn dependency(feed: &Feed) -> Cow<'static, str> {
        let site = feed.site().ok();
        let host = site.as_ref().and_then(Url::host_str).unwrap_or_default();
        format!("{}/{host}", POLICY.dependency).into()
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
        let done = match self.read(feed, &url, run, &mut reading).await {
            Ok(true) => self.finish(feed, run, reading).await,
            Ok(false) => match reading.more() {
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
        let Some(first) = orphans.first() else { return Ok(Soundness::Sound) };
        let detail = format!("{} cars without their jobs, {first} among them", orphans.len());
        let unlisted = self.vehicles.unlist(&feed.dealer_slug, &orphans, now, now).await;
        unlisted.map_err(|error| error.unstarted())?;
        Ok(Soundness::Missing(detail))
    }
}
