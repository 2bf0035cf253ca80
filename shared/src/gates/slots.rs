//! Slots: the container's share of the calls that the account's rate limits allow.

use std::time::Duration;

use super::{Gates, MOST_RACES, Refused};
use crate::{
    base::time::{Clock, Time},
    dependency::{
        breaker::{Breaker, Moment, State},
        limiter::{LONGEST_STOP, Limiter, Rates, Reservation, block_size},
    },
    failure::Failure,
    ports::{Control, PortError, Ports, Seen, Swapped},
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

impl<P: Ports> Gates<P> {
    /// Reads the breaker into the cache, unless the cached one is fresh enough. Ignores errors:
    /// `enter` meets a lasting one again and handles it.
    pub(crate) async fn read_breaker(&self, dependency: &str) {
        let _ = self.cached_breaker(dependency).await;
    }

    /// Reserves a slot for each of the `runs` of a batch in one write. Ignores errors: `enter`
    /// meets a lasting one again and handles it.
    pub(crate) async fn reserve_ahead(&self, dependency: &str, runs: u32) {
        let Ok(seen) = self.cached_breaker(dependency).await else { return };
        let calm = matches!(
            seen.value.at(self.clock.now()).state,
            State::Closed | State::Forced { open: false, .. }
        );
        if let (true, Some(rates)) = (calm, self.rules.rates) {
            let _ = self.reserve(dependency, rates, runs).await;
        }
    }

    /// Takes a slot for one call and returns its time; `None` if the calls are not limited.
    pub(super) async fn slot(&self, dependency: &str) -> Result<Option<Time>, Refused> {
        let Some(rates) = self.rules.rates else { return Ok(None) };
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let slot = self.cache(dependency, |cache| {
                let slot = cache.block.take(now);
                cache.used_up |= slot.is_some() && cache.block.left(now) == 0;
                slot
            });
            if slot.is_some() {
                return Ok(slot);
            }
            match self.reserve(dependency, rates, 1).await? {
                Reserved::Yes => {}
                Reserved::No(wait) => {
                    return Err(Refused::Deferred(self.rate_limited(dependency, wait)));
                }
            }
        }
        Err(Refused::Deferred(self.rate_limited(dependency, Duration::from_secs(1))))
    }

    pub(super) fn rate_limited(&self, dependency: &str, wait: Duration) -> Failure {
        let why = format!("{dependency}: the next slot is {} ms ahead", wait.as_millis());
        self.deferred("rate_limit", why, wait)
    }

    /// Makes sure that the block has slots for `need` calls, or as many as there are within the
    /// horizon.
    async fn reserve(
        &self,
        dependency: &str,
        rates: Rates,
        need: u32,
    ) -> Result<Reserved, PortError> {
        let _one_at_a_time = self.reserving.lock().await;
        // Another run may have reserved enough while this one waited for the lock.
        let left = self.cache(dependency, |cache| cache.block.left(self.clock.now()));
        let need = need.saturating_sub(left);
        if need == 0 {
            return Ok(Reserved::Yes);
        }
        let known = self.cache(dependency, |cache| Some((cache.limiter?, cache.limiter_known_at)));
        let (mut seen, mut known_at) = match known {
            Some(known) => known,
            None => self.read_limiter(dependency).await?,
        };
        let (used_up, worked) =
            self.cache(dependency, |cache| (std::mem::take(&mut cache.used_up), cache.worked));
        let want = block_size(rates, need, used_up);
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let (next, grant) = match seen.value.reserve(rates, want, worked, now) {
                Reservation::Granted(next, grant) => (next, grant),
                Reservation::Refused(_) if now.since(known_at) >= REFUSAL_CACHE_TIME => {
                    (seen, known_at) = self.read_limiter(dependency).await?;
                    continue;
                }
                Reservation::Refused(ahead) => return Ok(Reserved::No(ahead)),
            };
            // If the response is lost, the slots are too: no container uses them.
            match self.control.swap_limiter(dependency, &next, seen.revision).await {
                Ok(Swapped::Yes) => {
                    self.cache(dependency, |cache| {
                        cache.limiter = Some(Seen { value: next, revision: seen.revision + 1 });
                        cache.limiter_known_at = now;
                        cache.worked = cache.worked.saturating_sub(worked);
                        cache.block.add(grant);
                    });
                    return Ok(Reserved::Yes);
                }
                Ok(Swapped::No(current)) => {
                    (seen, known_at) = (current, self.cache_limiter(dependency, current));
                }
                Err(error) => {
                    self.cache(dependency, |cache| cache.limiter = None);
                    return Err(error);
                }
            }
        }
        self.cache(dependency, |cache| cache.limiter = None);
        Ok(Reserved::No(Duration::from_secs(1)))
    }

    /// Reads the limiter into the cache. Returns it, and from when it is.
    async fn read_limiter(&self, dependency: &str) -> Result<(Seen<Limiter>, Time), PortError> {
        let seen = self.control.limiter(dependency).await?;
        Ok((seen, self.cache_limiter(dependency, seen)))
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
    pub(super) fn stop_for(&self, asked: Duration) -> Duration {
        let least = if self.rules.rates.is_none() { UNNAMED_STOP } else { Duration::ZERO };
        asked.clamp(least, LONGEST_STOP)
    }

    /// Passes a 429 on to the fleet: all containers pause for as long as it asked, then call at a
    /// slower pace.
    pub(super) async fn slow_down(&self, dependency: &str, asked: Duration) {
        if self.rules.rates.is_none() {
            let stop = |breaker: &Breaker, moment: Moment| breaker.stopped(asked, moment.now);
            return self.update_breaker(dependency, stop).await;
        }
        self.cache(dependency, |cache| cache.block.clear());
        let mut seen = match self.control.limiter(dependency).await {
            Ok(seen) => seen,
            Err(error) => return telemetry::port_failed("limiter", &error),
        };
        for _ in 0..MOST_RACES {
            let next = seen.value.slowed(asked, self.clock.now());
            match self.control.swap_limiter(dependency, &next, seen.revision).await {
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
