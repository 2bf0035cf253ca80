//! Slots: the container's share of the calls that the account's rate limits allow.

use std::time::Duration;

use super::{Gates, MOST_RACES, Refused};
use crate::{
    base::time::{Clock, Time},
    dependency::{
        breaker::State,
        limiter::{Rates, Reservation, block_size},
    },
    failure::Failure,
    ports::{Control, PortError, Ports, Seen, Swapped},
    telemetry,
};

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
        let known = self.cache(dependency, |cache| cache.limiter);
        let mut seen = match known {
            Some(seen) => seen,
            None => self.control.limiter(dependency).await?,
        };
        let (used_up, worked) =
            self.cache(dependency, |cache| (std::mem::take(&mut cache.used_up), cache.worked));
        let want = block_size(rates, need, used_up);
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let (next, grant) = match seen.value.reserve(rates, want, worked, now) {
                Reservation::Granted(next, grant) => (next, grant),
                Reservation::Refused(ahead) => {
                    self.cache(dependency, |cache| cache.limiter = Some(seen));
                    return Ok(Reserved::No(ahead));
                }
            };
            // If the response is lost, the slots are too: no container uses them.
            match self.control.swap_limiter(dependency, &next, seen.revision).await {
                Ok(Swapped::Yes) => {
                    self.cache(dependency, |cache| {
                        cache.limiter = Some(Seen { value: next, revision: seen.revision + 1 });
                        cache.worked = cache.worked.saturating_sub(worked);
                        cache.block.add(grant);
                    });
                    return Ok(Reserved::Yes);
                }
                Ok(Swapped::No(current)) => seen = current,
                Err(error) => {
                    self.cache(dependency, |cache| cache.limiter = None);
                    return Err(error);
                }
            }
        }
        self.cache(dependency, |cache| cache.limiter = None);
        Ok(Reserved::No(Duration::from_secs(1)))
    }

    /// Passes a 429 on to the fleet: all containers pause for as long as it asked, then call at a
    /// slower pace.
    pub(super) async fn slow_down(&self, dependency: &str, asked: Duration) {
        if self.rules.rates.is_none() {
            return;
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
                    return self.cache(dependency, |cache| cache.limiter = Some(seen));
                }
                Ok(Swapped::No(current)) => seen = current,
                Err(error) => return telemetry::port_failed("swap_limiter", &error),
            }
        }
    }
}
