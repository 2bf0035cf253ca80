//! Ends a read of all lists: marks removed cars and stores the snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::time::{Clock, Time},
    failure::Failure,
    http::transport::Transport,
    job::enqueue::{NewJob, enqueue},
    ports::{Control, Queue, Store},
    record::trace::Trace,
};
use inventory::{
    link::KeptLink,
    vehicles::{Known, Vehicles},
};

use crate::{
    change,
    collapse::{self, Counts},
    fan_out::redirects,
    job::DealerComFeed,
    paging::Cursor,
    payload::Feed,
    pending::condition,
    reading::{Reading, Summary, count},
    snapshot::Snapshot,
};

/// Longest duration of a read that may mark cars as removed. During a longer one, cars may have
/// moved between pages.
const LONGEST_READING: Duration = Duration::from_mins(15);

impl<V, S, Q, C, T> DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    T: Transport,
{
    /// Ends a plausible read whose jobs are created. `last` is the last good one.
    pub(crate) async fn finish(
        &self,
        feed: &Feed,
        trace: Option<&Trace>,
        reading: &Reading,
        last: Snapshot,
    ) -> Result<Summary, Failure> {
        let Reading { lists, began, foreign, .. } = reading;
        let mut summary = reading.summary.clone();
        let counts = Counts::of(lists);
        let Snapshot { counts: last_good, mut read_at, emptied, .. } = last;
        let known = self.vehicles.known(&feed.dealer_slug).await;
        let known = known.map_err(|error| error.unstarted())?;
        let (now, began) = (self.clock.now(), Time::from_millis(*began));
        let emptied = collapse::doubted(&last_good, &counts, &emptied, now);
        let left = |was: fn(&Known) -> bool| -> Vec<String> {
            let stored = known.iter().filter(|car| was(car));
            let stored = stored.filter_map(|car| Some((car.vin.as_str(), condition(&car.list)?)));
            let stored = stored.filter(|(_, list)| !emptied.contains_key(list));
            let gone = change::gone(stored, lists, &last_good, foreign);
            gone.into_iter().map(str::to_owned).collect()
        };
        let mut gone = left(|car| car.hash.is_some());
        // A read that did not end has stored them, and their jobs were never made.
        let mut unmade = left(|car| car.hash.is_none() && car.pending.is_some());
        // No car is marked as removed if a later read has ended before this one, or if this one
        // took so long that cars may have moved between its pages.
        let overtaken = |list: &Cursor| {
            read_at.get(&list.condition()).is_some_and(|at| *at > began.as_millis())
        };
        if lists.iter().any(overtaken) || now > began + LONGEST_READING {
            gone.clear();
            unmade.clear();
        }
        self.remove(feed, trace, &gone, &unmade, began).await?;
        summary.gone = count(gone.len());
        summary.doubted = emptied.keys().copied().collect();
        summary.pages = reading.pages();
        summary.vehicles = count(reading.vins().len());
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

    /// Marks cars as removed, also those that were never listed. If the links of the others are to lead elsewhere then,
    /// the jobs for that come first: a car that is marked is not found again.
    async fn remove(
        &self,
        feed: &Feed,
        trace: Option<&Trace>,
        gone: &[String],
        unmade: &[String],
        began: Time,
    ) -> Result<(), Failure> {
        if feed.links.when_gone.is_some() && feed.fan_out.shorten && !gone.is_empty() {
            let links = self.vehicles.links(&feed.dealer_slug).await;
            let links: BTreeMap<String, KeptLink> =
                links.map_err(|error| error.unstarted())?.into_iter().collect();
            let gone: Vec<(&str, &KeptLink)> =
                gone.iter().filter_map(|vin| Some((vin.as_str(), links.get(vin)?))).collect();
            let jobs = redirects(&self.queues, feed, began.as_millis(), &gone);
            let jobs: Vec<NewJob> = jobs.into_iter().map(|job| job.traced(trace)).collect();
            let made = enqueue(&self.store, &self.queue, &self.clock, &jobs).await;
            made.map_err(|error| error.unstarted())?;
        }
        let all = [gone, unmade].concat();
        let unlisted = self.vehicles.unlist(&feed.dealer_slug, &all, began, self.clock.now()).await;
        unlisted.map_err(|error| error.unstarted())
    }
}

impl Reading {
    /// The VINs of all lists, each once.
    pub(crate) fn vins(&self) -> BTreeSet<&str> {
        self.lists.iter().flat_map(|list| list.vins().iter()).collect()
    }

    /// The result of a read that has stored nothing.
    pub(crate) fn dry_summary(&self) -> Summary {
        Summary {
            vehicles: count(self.vins().len()),
            pages: self.pages(),
            dry_run: true,
            whole: self.lists.iter().all(|list| list.is_whole() && list.is_healthy()),
            ..self.summary.clone()
        }
    }
}
