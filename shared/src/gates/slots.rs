//! Slots: the container's share of the calls that the account's rate limits allow.

use std::{sync::Arc, time::Duration};

use super::{Gates, MOST_RACES, Refused};
use crate::{
    base::{
        random::Random as _,
        time::{Clock, Time},
    },
    dependency::{
        breaker::{Breaker, Moment},
        limiter::{
            Block, Grant, HORIZON, LONGEST_STOP, Limit, Limiter, PROMISE_HORIZON, Rates, Request,
            Reservation, block_size,
        },
    },
    failure::{Failure, RATE_LIMIT},
    ports::{Control, LimiterSwap, PortError, Ports, Seen, Swapped},
    telemetry,
};

/// How long a cached limiter is believed that has no slot: another container may have raised the pace since.
const REFUSAL_CACHE_TIME: Duration = Duration::from_secs(5);

/// Shortest stop after a 429 of a dependency without rates.
const UNNAMED_STOP: Duration = Duration::from_secs(5);

/// The result of a reservation.
enum Reserved {
    /// The container's block has slots.
    Yes,
    /// There is no slot within the horizon; try again after this time.
    No(Duration),
}

/// What a reservation is for.
#[derive(Clone, Copy, Debug)]
struct Need {
    calls: Calls,
    slots: u32,
    /// How far ahead they can be.
    horizon: Duration,
    /// Whether those that are missing are promised for later.
    promises: bool,
}

/// A change of the limiter, and what it reserves.
struct Step {
    next: Limiter,
    grants: Vec<Grant>,
    promised: Vec<Time>,
    reserved: Reserved,
}

impl Need {
    /// Reserves up to `asked` slots of the limiter. Of the `missing` ones, promises those that it has not.
    fn step(
        self,
        limiter: &Limiter,
        rates: Rates,
        [asked, missing]: [u32; 2],
        worked: u32,
        now: Time,
    ) -> Step {
        let further = self.calls == Calls::Further;
        let request = Request { want: asked, further, horizon: self.horizon };
        let (mut next, grants, reserved) = match limiter.reserve(rates, request, worked, now) {
            Reservation::Granted(next, grants) => (next, grants, Reserved::Yes),
            Reservation::Refused(wait) => (limiter.clone(), Vec::new(), Reserved::No(wait)),
        };
        let granted: u32 = grants.iter().map(|grant| grant.count).sum();
        let mut promised = Vec::new();
        if self.promises {
            (next, promised) = {
                let is_high = self.horizon > HORIZON;
                next.promise(rates, missing.saturating_sub(granted), is_high, now)
            };
        }
        Step { next, grants, promised, reserved }
    }
}

/// The calls that use a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    /// The first call of a run.
    First,
    /// A further call of a run in progress.
    Further,
}

/// A container's unused slots for the calls of a dependency.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    first: Block,
    further: Block,
    /// Whether the last block of slots was used up.
    used_up: bool,
}

impl Blocks {
    fn of(&mut self, calls: Calls) -> &mut Block {
        match calls {
            Calls::First => &mut self.first,
            Calls::Further => &mut self.further,
        }
    }

    fn clear(&mut self) {
        self.first.clear();
        self.further.clear();
    }
}

/// Longest pause after the first lost race for the limiter; it doubles with each further one. A fleet that wrote again at
/// once would overload the item.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// When a message comes again whose slot could not be reserved, since other containers were always faster.
const AFTER_RACES: Duration = Duration::from_secs(4);

/// The slots that a batch has before its jobs are claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Every job may be claimed: there is no limit, or the run itself finds out what there is.
    Any,
    /// This many jobs have a slot. Some of the others have a time at which they should come again.
    Some {
        /// Number of slots.
        slots: u32,
        /// Times of slots that are further ahead, in order.
        promised: Vec<Time>,
    },
}

impl<P: Ports> Gates<P> {
    /// Reads the breaker into the cache, unless the cached one is fresh enough. Ignores errors:
    /// `enter` meets a lasting one again and handles it.
    pub(crate) async fn read_breaker(&self, dependency: &str) {
        let _ = self.cached_breaker(dependency).await;
    }

    /// Reserves slots for the `jobs` of a batch, in one write. If there are too few within `horizon`, the
    /// others are promised one for later.
    ///
    /// Errors are ignored: `enter` meets a lasting one again and handles it.
    pub(crate) async fn reserve_ahead(
        &self,
        dependency: &str,
        jobs: u32,
        horizon: Duration,
    ) -> Ahead {
        let Some(limit) = self.limit(dependency) else { return Ahead::Any };
        let Ok(seen) = self.cached_breaker(dependency).await else { return Ahead::Any };
        if seen.value.at(self.clock.now()).state.refuses_calls() {
            return Ahead::Any;
        }
        let need = Need { calls: Calls::First, slots: jobs, horizon, promises: true };
        let Ok((_, promised)) = self.reserve(dependency, &limit, need).await else {
            return Ahead::Any;
        };
        let slots = self.cache(dependency, |cache| cache.blocks.first.left(self.clock.now()));
        Ahead::Some { slots, promised }
    }

    /// Takes the slot of a run's first call and returns its time; `None` if the calls are not limited.
    pub(super) async fn first_slot(&self, dependency: &str) -> Result<Option<Time>, Refused> {
        self.slot(dependency, Calls::First).await
    }

    /// Takes the slot of a further call.
    pub(super) async fn further_slot(&self, dependency: &str) -> Result<Option<Time>, Refused> {
        self.slot(dependency, Calls::Further).await
    }

    async fn slot(&self, dependency: &str, calls: Calls) -> Result<Option<Time>, Refused> {
        let Some(limit) = self.limit(dependency) else { return Ok(None) };
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let slot = self.cache(dependency, |cache| {
                let slot = cache.blocks.of(calls).take(now);
                cache.blocks.used_up |= slot.is_some() && cache.blocks.of(calls).left(now) == 0;
                slot
            });
            if slot.is_some() {
                return Ok(slot);
            }
            let horizon = HORIZON.max(limit.rates.interval());
            let need = Need { calls, slots: 1, horizon, promises: false };
            match self.reserve(dependency, &limit, need).await? {
                (Reserved::Yes, _) => {}
                (Reserved::No(wait), _) => {
                    return Err(Refused::Deferred(self.rate_limited(dependency, wait)));
                }
            }
        }
        Err(Refused::Deferred(self.rate_limited(dependency, Duration::from_secs(1))))
    }

    /// The failure of a run whose slot is too far ahead to wait for it in the queue.
    pub(crate) fn no_slot(&self, dependency: &str) -> Failure {
        self.rate_limited(dependency, PROMISE_HORIZON + Duration::from_secs(1))
    }

    pub(super) fn rate_limited(&self, dependency: &str, wait: Duration) -> Failure {
        let why = format!("{dependency}: the next slot is {} ms ahead", wait.as_millis());
        self.deferred(RATE_LIMIT, why, wait)
    }

    /// Makes sure that the block has the slots that are needed, or as many as there are within the
    /// horizon. Returns also the times that were promised for those that are missing.
    async fn reserve(
        &self,
        dependency: &str,
        limit: &Limit,
        need: Need,
    ) -> Result<(Reserved, Vec<Time>), PortError> {
        let reserving = self.cache(dependency, |cache| Arc::clone(&cache.reserving));
        let _one_at_a_time = reserving.lock().await;
        // Another run may have reserved enough while this one waited for the lock.
        let left =
            self.cache(dependency, |cache| cache.blocks.of(need.calls).left(self.clock.now()));
        let missing = need.slots.saturating_sub(left);
        if missing == 0 {
            return Ok((Reserved::Yes, Vec::new()));
        }
        let known =
            self.cache(dependency, |cache| Some((cache.limiter.clone()?, cache.limiter_known_at)));
        let (mut seen, mut known_at) = match known {
            Some(known) => known,
            None => self.read_limiter(dependency, &limit.name).await?,
        };
        let (used_up, worked) = self
            .cache(dependency, |cache| (std::mem::take(&mut cache.blocks.used_up), cache.worked));
        let rates = limit.rates;
        let want = block_size(rates, missing, used_up);
        for race in 0..MOST_RACES {
            let now = self.clock.now();
            let step = need.step(&seen.value, rates, [want, missing], worked, now);
            if step.grants.is_empty() && now.since(known_at) >= REFUSAL_CACHE_TIME {
                (seen, known_at) = self.read_limiter(dependency, &limit.name).await?;
                continue;
            }
            let Step { next, grants, promised, reserved } = step;
            let granted = !grants.is_empty();
            if !granted && promised.is_empty() {
                return Ok((reserved, promised));
            }
            // If the response is lost, the slots are too: no container uses them.
            let (name, revision) = (limit.name.clone(), seen.revision);
            let swap = LimiterSwap { name, next: next.clone(), revision };
            match self.swap_shared_limiter(swap).await {
                Ok(Swapped::Yes) => {
                    self.cache(dependency, |cache| {
                        cache.limiter = Some(Seen { value: next, revision: seen.revision + 1 });
                        cache.limiter_known_at = now;
                        if granted {
                            cache.worked = cache.worked.saturating_sub(worked);
                        }
                        cache.blocks.of(need.calls).add(grants);
                    });
                    return Ok((reserved, promised));
                }
                Ok(Swapped::No(current)) => {
                    known_at = self.cache_limiter(dependency, current.clone());
                    seen = current;
                    self.pause_after(race).await;
                }
                Err(error) => {
                    self.cache(dependency, |cache| cache.limiter = None);
                    return Err(error);
                }
            }
        }
        self.cache(dependency, |cache| cache.limiter = None);
        // Others write the item all the time. The messages come again soon, which is no reason to park.
        let again = if need.promises { missing } else { 0 };
        let promised = vec![self.clock.now() + AFTER_RACES; usize::try_from(again).unwrap_or(0)];
        Ok((Reserved::No(Duration::from_secs(1)), promised))
    }

    /// Waits after a lost race for the limiter: the first one is lost to a neighbour, the next ones to a crowd.
    async fn pause_after(&self, race: usize) {
        let longest = FIRST_PAUSE * (1 << race.min(5));
        let pause = longest.mul_f64(self.random.unit());
        tokio::time::sleep(if race == 0 { Duration::ZERO } else { pause }).await;
    }

    /// Reads the limiter into the cache. Returns it, and from when it is.
    async fn read_limiter(
        &self,
        dependency: &str,
        name: &str,
    ) -> Result<(Seen<Limiter>, Time), PortError> {
        let seen = self.read_shared_limiter(name).await?;
        let known_at = self.cache_limiter(dependency, seen.clone());
        Ok((seen, known_at))
    }

    /// Caches the limiter as it was just read; returns the time.
    fn cache_limiter(&self, dependency: &str, seen: Seen<Limiter>) -> Time {
        let now = self.clock.now();
        self.cache(dependency, |cache| {
            (cache.limiter, cache.limiter_known_at) = (Some(seen), now);
        });
        now
    }

    /// How long this container stops after a 429 that asked for a delay, which may be zero. A service that
    /// has no rates here is not slowed down by the limiter, so it is left alone for a moment in any case.
    pub(super) fn stop_for(&self, dependency: &str, asked: Duration) -> Duration {
        let least = if self.limit(dependency).is_none() { UNNAMED_STOP } else { Duration::ZERO };
        asked.clamp(least, LONGEST_STOP)
    }

    /// Passes a 429 on to the fleet: all containers pause for as long as it asked, then call at a
    /// slower pace.
    pub(super) async fn slow_down(&self, dependency: &str, asked: Duration) {
        let Some(Limit { name, rates }) = self.limit(dependency) else {
            let stop = |breaker: &Breaker, moment: Moment| breaker.stopped(asked, moment.now);
            return self.update_breaker(dependency, stop).await;
        };
        self.cache(dependency, |cache| cache.blocks.clear());
        let mut seen = match self.control.limiter(&name).await {
            Ok(seen) => seen,
            Err(error) => return telemetry::port_failed("limiter", &error),
        };
        for _ in 0..MOST_RACES {
            let next = seen.value.slowed(rates, asked, self.clock.now());
            match self.control.swap_limiter(&name, &next, seen.revision).await {
                Ok(Swapped::Yes) => {
                    let seen = Seen { value: next, revision: seen.revision + 1 };
                    self.cache_limiter(dependency, seen);
                    return;
                }
                Ok(Swapped::No(current)) => seen = current,
                Err(error) => return telemetry::port_failed("swap_limiter", &error),
            }
        }
    }
}
