//! Reads the lists of a site and stores the cars that need jobs. No job is created before all lists are read: only
//! then is it known whether the read is plausible.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::{Clock, Time},
    failure::Failure,
    http::transport::Transport,
    job::{Gate, Run},
    ports::{Control, Queue, Store},
};
use inventory::{
    link::{KeptLink, with_address},
    vehicles::{self, Vehicles},
};
use url::Url;

use crate::{
    change::{self, Asked, Listed, Mark, Stored},
    fan_out::planned,
    inventory::Page,
    job::DealerComFeed,
    payload::{Condition, Feed},
    reading::{Reading, Summary, count},
    site::Site,
    vehicle::Vehicle,
};

/// Time that a page may take, with its cars. A run starts no further page with less time left.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// How many cars are stored in one step, and the time that a step may take.
pub(crate) const CARS_AT_ONCE: usize = 25;
pub(crate) const CARS_TIME: Duration = Duration::from_secs(3);

/// Most pages of one run. A run that dies loses at most this many.
const PAGES_A_RUN: u32 = 60;

/// Selects the count of a summary that a car belongs to.
type Counter = fn(&mut Summary) -> &mut u32;

/// The cars that a run has stored, by VIN.
pub(crate) type Fresh = BTreeMap<String, Vehicle>;

impl<V, S, Q, C, T> DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    T: Transport,
{
    /// Continues `reading` until all lists are read or the run's time is over. Returns the cars that this run has
    /// stored; `None` if not all lists are read.
    pub(crate) async fn read<G: Gate>(
        &self,
        feed: &Feed,
        url: &Url,
        run: &Run<'_, G>,
        reading: &mut Reading,
    ) -> Result<Option<Fresh>, Failure> {
        let mut fresh = Fresh::new();
        if reading.next(feed).is_none() {
            return Ok(Some(fresh));
        }
        let (outbound, robots, authorised) = (&self.outbound, &self.robots, feed.authorised);
        let site = Site { outbound, robots, url, run, authorised };
        let stored = self.stored(feed).await?;
        for page_of_run in 0..PAGES_A_RUN {
            let Some((condition, start)) = reading.next(feed) else { return Ok(Some(fresh)) };
            // The first page is read in any case, so that every run makes progress.
            if page_of_run > 0 && self.clock.now() + PAGE_TIME > run.ends_at {
                return Ok(None);
            }
            let mut page = site.page(&mut reading.site, condition, start).await?;
            if page.vehicles.is_empty() && start > 0 {
                // Either the end of the list or a temporary error of the site. The page is read
                // again, because a false end would mark all cars after it as removed.
                page = site.page(&mut reading.site, condition, start).await?;
            }
            let place = (condition, run.ends_at);
            if !self.take(feed, place, &page, &stored, reading, &mut fresh).await? {
                return Ok(None);
            }
            reading.advance(condition, &page);
        }
        Ok(reading.next(feed).is_none().then_some(fresh))
    }

    /// What is stored about the dealer's cars and their links, by VIN.
    pub(crate) async fn stored(&self, feed: &Feed) -> Result<BTreeMap<String, Stored>, Failure> {
        let known = self.vehicles.known(&feed.dealer_slug).await;
        let mut links: BTreeMap<String, KeptLink> = if feed.fan_out.shorten {
            let links = self.vehicles.links(&feed.dealer_slug).await;
            links.map_err(|error| error.unstarted())?.into_iter().collect()
        } else {
            BTreeMap::new()
        };
        let known = known.map_err(|error| error.unstarted())?.into_iter().map(|car| {
            let stored = Stored {
                mark: car.hash.as_deref().map(Mark::parse),
                asked: car.asked.as_deref().and_then(Asked::parse),
                addresses: car.addresses,
                pending: car.pending,
                link: links.remove(&car.vin),
            };
            (car.vin, stored)
        });
        let mut stored: BTreeMap<String, Stored> = known.collect();
        // Cars that only others have asked for.
        for (vin, link) in links {
            stored.insert(vin, Stored { link: Some(link), ..Stored::default() });
        }
        Ok(stored)
    }

    /// Stores the cars of a page that need jobs and were on no earlier page. They are processed in steps,
    /// because a page may have thousands. Returns whether there was time for all of them.
    async fn take(
        &self,
        feed: &Feed,
        (condition, ends_at): (Condition, Time),
        page: &Page,
        stored: &BTreeMap<String, Stored>,
        reading: &mut Reading,
        fresh: &mut Fresh,
    ) -> Result<bool, Failure> {
        let cars = page.vehicles.iter().flatten();
        for car in cars.clone().filter(|car| !is_of_account(feed, car)) {
            if stored.contains_key(car.vin.as_str()) {
                reading.foreign.insert(&car.vin);
            }
        }
        // A car in two lists may have different fields in each, and would count as changed every
        // time. What an earlier run has stored of this page counts again.
        let is_new = |car: &&Vehicle| !reading.has(car.vin.as_str()) && is_of_account(feed, car);
        let found = change::compare(cars.filter(is_new), stored, feed, reading.began);
        let kinds: [(&[Listed<'_>], Counter); 3] = [
            (&found.new, |summary| &mut summary.new),
            (&found.changed, |summary| &mut summary.changed),
            (&found.lacking, |summary| &mut summary.unchanged),
        ];
        let news: Vec<&Listed<'_>> = kinds.iter().flat_map(|(cars, _)| cars.iter()).collect();
        for (number, some) in news.chunks(CARS_AT_ONCE).enumerate() {
            if number > 0 && self.clock.now() + CARS_TIME > ends_at {
                return Ok(false);
            }
            if feed.dry_run {
                reading.summary.made.add(planned(some));
                continue;
            }
            let unknown = some.iter().filter(|car| !is_stored(car, stored.get(car.vin())));
            let pending = unknown.filter_map(|car| pending(car, condition, stored.get(car.vin())));
            let (again, others): (Vec<_>, Vec<_>) =
                pending.partition(|car| was_gone(stored.get(&car.vin)));
            self.store_pending(feed, &again, &others).await?;
            fresh.extend(some.iter().map(|car| (car.vin().to_owned(), car.vehicle.clone())));
        }
        for (cars, counter) in kinds {
            *counter(&mut reading.summary) += count(cars.len());
        }
        reading.summary.unchanged += count(found.unchanged.len());
        reading.summary.note_bad(page);
        Ok(true)
    }

    /// Stores cars whose jobs are to be made: those that are listed again, and the others.
    async fn store_pending(
        &self,
        feed: &Feed,
        again: &[vehicles::Vehicle],
        others: &[vehicles::Vehicle],
    ) -> Result<(), Failure> {
        let (dealer, now) = (&feed.dealer_slug, self.clock.now());
        if !again.is_empty() {
            // Their pages stay. They may not be scraped again: within hours, a scraping counts as done.
            let relisted = self.vehicles.relist(dealer, again, now).await;
            relisted.map_err(|error| error.unstarted())?;
        }
        self.vehicles.keep(dealer, others, now).await.map_err(|error| error.unstarted())
    }
}

/// Whether a car was stored, and gone.
fn was_gone(known: Option<&Stored>) -> bool {
    known.is_some_and(|known| known.mark.is_none() && known.pending.is_none())
}

fn is_of_account(feed: &Feed, car: &Vehicle) -> bool {
    let of = |id: &String| feed.account_ids.contains(id);
    feed.account_ids.is_empty() || car.account_id.as_ref().is_some_and(of)
}

/// Whether an earlier run has stored the car as it is, and no job was created since.
fn is_stored(car: &Listed<'_>, known: Option<&Stored>) -> bool {
    let pending = known.and_then(|known| known.pending.as_ref());
    let asked = known.and_then(|known| known.asked.as_ref());
    pending == Some(&car.hash) && asked == car.asked.as_ref()
}

/// A car whose jobs are not created yet. It stays listed if it was.
fn pending(car: &Listed<'_>, list: Condition, known: Option<&Stored>) -> Option<vehicles::Vehicle> {
    let mark = known.and_then(|known| known.mark.as_ref()).map(ToString::to_string);
    let before = known.map(|known| known.addresses.as_slice()).unwrap_or_default();
    keepable(car, list, mark, before, Some(car.hash.clone()))
}

/// A car with its address among those that it had `before`.
pub(crate) fn keepable(
    car: &Listed<'_>,
    list: Condition,
    hash: Option<String>,
    before: &[String],
    pending: Option<String>,
) -> Option<vehicles::Vehicle> {
    let addresses = match &car.destination {
        Some(address) => with_address(before, address),
        None => before.to_vec(),
    };
    Some(vehicles::Vehicle {
        vin: car.vin().to_owned(),
        hash,
        list: list.name().to_owned(),
        data: serde_json::to_string(car.vehicle).ok()?,
        addresses,
        asked: car.asked.as_ref().map(ToString::to_string),
        pending,
    })
}
