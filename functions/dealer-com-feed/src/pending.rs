//! Creates the jobs of the cars that a read has stored.

use std::collections::BTreeMap;

use evenkeel::{
    base::time::Clock,
    failure::Failure,
    http::transport::Transport,
    job::Run,
    ports::{Control, Queue, Store},
    record::trace::Trace,
};
use inventory::vehicles::{self, Vehicles};

use crate::{
    change::{self, Listed, Mark, Stored},
    fan_out::fan_out,
    growth,
    job::DealerComFeed,
    payload::{Condition, Feed},
    reader::{CARS_AT_ONCE, CARS_TIME, Fresh, keepable},
    reading::{Reading, count},
    vehicle::Vehicle,
};

/// A stored car whose jobs are not created yet.
struct Pending {
    vin: String,
    list: Condition,
}

impl<V, S, Q, C, T> DealerComFeed<V, S, Q, C, T>
where
    V: Vehicles,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    T: Transport,
{
    /// Creates the jobs of all pending cars of this read, unless too many of them are new. Returns whether there was
    /// time for all. `fresh` are the cars that this run has stored; the others are read.
    pub(crate) async fn create_jobs<G>(
        &self,
        feed: &Feed,
        run: &Run<'_, G>,
        reading: &mut Reading,
        is_first: bool,
        mut fresh: Fresh,
    ) -> Result<bool, Failure> {
        let known = self.vehicles.known(&feed.dealer_slug).await;
        let known = known.map_err(|error| error.unstarted())?;
        let due: Vec<&vehicles::Known> =
            known.iter().filter(|car| car.pending.is_some() && reading.has(&car.vin)).collect();
        if due.is_empty() {
            return Ok(true);
        }
        if !reading.is_judged {
            let listed = count(known.iter().filter(|car| car.hash.is_some()).count());
            let mut new: Vec<&str> =
                due.iter().filter(|car| car.hash.is_none()).map(|car| car.vin.as_str()).collect();
            new.sort_unstable();
            // A dealer of whom only this read knows cars is a new one, whatever an older version has stored.
            let is_new = known.iter().all(|car| car.hash.is_none() && car.pending.is_some());
            let is_first = is_new || is_first && listed == 0;
            growth::judge(feed, &new, (!is_first).then_some(listed))?;
            reading.is_judged = true;
        }
        let stored = self.stored(feed).await?;
        let pending = due
            .iter()
            .filter_map(|car| Some(Pending { vin: car.vin.clone(), list: condition(&car.list)? }));
        let pending: Vec<Pending> = pending.collect();
        for (number, some) in pending.chunks(CARS_AT_ONCE).enumerate() {
            if number > 0 && self.clock.now() + CARS_TIME > run.ends_at {
                return Ok(false);
            }
            let mut earlier = self.stored_by_earlier_runs(feed, some, &fresh).await?;
            let car = |Pending { vin, list }: &Pending| {
                let car = fresh.remove(vin).or_else(|| earlier.remove(vin))?;
                Some((car, *list))
            };
            let cars: Vec<(Vehicle, Condition)> = some.iter().filter_map(car).collect();
            self.make(feed, run.trace.as_ref(), &cars, &stored, reading).await?;
        }
        Ok(true)
    }

    /// The data of those cars that this run has not read, by VIN. Data that cannot be read is stored anew by the next
    /// read.
    async fn stored_by_earlier_runs(
        &self,
        feed: &Feed,
        pending: &[Pending],
        fresh: &Fresh,
    ) -> Result<BTreeMap<String, Vehicle>, Failure> {
        let earlier = pending.iter().filter(|car| !fresh.contains_key(&car.vin));
        let earlier = earlier.map(|car| (feed.dealer_slug.clone(), car.vin.clone()));
        let earlier: Vec<(String, String)> = earlier.collect();
        if earlier.is_empty() {
            return Ok(BTreeMap::new());
        }
        let data = self.vehicles.data(&earlier).await.map_err(|error| error.unstarted())?;
        let read = |((_, vin), data): ((String, String), Option<String>)| {
            Some((vin, serde_json::from_str(&data?).ok()?))
        };
        Ok(earlier.into_iter().zip(data).filter_map(read).collect())
    }

    /// Creates the jobs of these cars, and then notes that.
    ///
    /// The order guarantees two things: a scraping job finds the data of its car, and a car that is not pending has
    /// its jobs.
    async fn make(
        &self,
        feed: &Feed,
        trace: Option<&Trace>,
        cars: &[(Vehicle, Condition)],
        stored: &BTreeMap<String, Stored>,
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        let listed = |car: &(Vehicle, Condition)| stored.get(car.0.vin.as_str()).cloned();
        let known: Vec<Option<Stored>> = cars.iter().map(listed).collect();
        let compared = cars.iter().zip(&known).map(|((car, list), known)| {
            (change::listed(car, known.as_ref(), feed, reading.began), *list, known)
        });
        let compared: Vec<(Listed<'_>, Condition, &Option<Stored>)> = compared.collect();
        let all: Vec<&Listed<'_>> = compared.iter().map(|(car, ..)| car).collect();
        let (store, queue, clock) = (&self.store, &self.queue, &self.clock);
        let made = fan_out(store, queue, clock, &self.queues, feed, &all, trace).await?;
        reading.summary.made.add(made);
        let done = compared.iter().filter_map(|(car, list, known)| {
            let mark = Mark { hash: car.hash.clone(), had: car.had.and(car.wanted) };
            let before = known.as_ref().map(|known| known.addresses.as_slice());
            keepable(car, *list, Some(mark.to_string()), before.unwrap_or_default(), None)
        });
        let done: Vec<vehicles::Vehicle> = done.collect();
        let kept = self.vehicles.keep(&feed.dealer_slug, &done, self.clock.now()).await;
        kept.map_err(|error| error.unstarted())
    }
}

pub(crate) fn condition(name: &str) -> Option<Condition> {
    Condition::ALL.into_iter().find(|condition| condition.name() == name)
}
