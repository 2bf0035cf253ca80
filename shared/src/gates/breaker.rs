//! The container's copy of the breakers: how long it may be used, and the conditional writes.

use std::{sync::Arc, time::Duration};

use super::{BREAKER_CACHE_TIME, Gates, MOST_RACES};
use crate::{
    base::time::Clock,
    dependency::breaker::{Breaker, Moment, State},
    ports::{Control, PortError, Ports, Seen, Swapped},
    telemetry,
};

/// How long a container believes that a breaker is half-open. All runs of a batch ask at once, and must not read it
/// one after the other: one that believes too long that a probe is free learns the truth from its refused write.
const HALF_OPEN_FOR: Duration = Duration::from_secs(1);

impl<P: Ports> Gates<P> {
    /// The breaker from the cache while that is fresh enough, otherwise from the table.
    pub(super) async fn cached_breaker(
        &self,
        dependency: &str,
    ) -> Result<Seen<Breaker>, PortError> {
        let now = self.clock.now();
        let known = self
            .cache(dependency, |cache| (now < cache.fresh_until).then(|| cache.breaker.clone()));
        if let Some(known) = known {
            return Ok(known);
        }
        let reading = self.cache(dependency, |cache| Arc::clone(&cache.reading));
        let _one_at_a_time = reading.lock().await;
        // Another run may have read it while this one waited.
        let now = self.clock.now();
        let known = self
            .cache(dependency, |cache| (now < cache.fresh_until).then(|| cache.breaker.clone()));
        match known {
            Some(known) => Ok(known),
            None => self.reread_breaker(dependency).await,
        }
    }

    /// Reads the breaker from the table into the cache.
    pub(super) async fn reread_breaker(
        &self,
        dependency: &str,
    ) -> Result<Seen<Breaker>, PortError> {
        let learned = self.cache(dependency, |cache| cache.learned);
        let seen = self.read_shared_breaker(dependency).await?;
        // Nothing was learned meanwhile, so this is the newest that there is, whatever its revision: an
        // operator may have deleted the item, and another container made it anew.
        self.cache(dependency, |cache| {
            if cache.learned == learned {
                cache.breaker.revision = 0;
            }
        });
        Ok(self.cache_breaker(dependency, seen))
    }

    /// Caches a breaker as read from the table, and for how long it may be used. Returns the cached
    /// breaker instead if that is newer, since responses may arrive out of order.
    pub(super) fn cache_breaker(&self, dependency: &str, seen: Seen<Breaker>) -> Seen<Breaker> {
        let Moment { now, chance } = self.moment();
        let fresh_for = match seen.value.at(now).state {
            State::Closed => BREAKER_CACHE_TIME.mul_f64(0.8 + 0.4 * chance),
            State::Open { retry_at, .. } => retry_at.since(now).min(BREAKER_CACHE_TIME),
            State::Forced { until, .. } => until.since(now).min(BREAKER_CACHE_TIME),
            State::HalfOpen { probes, .. } => {
                let first = probes.values().filter(|until| **until > now).min();
                first.map_or(HALF_OPEN_FOR, |first| first.since(now).min(HALF_OPEN_FOR))
            }
        };
        self.cache(dependency, |cache| {
            // Revision 0 means that the item does not exist any more.
            if seen.revision > 0 && seen.revision < cache.breaker.revision {
                return cache.breaker.clone();
            }
            cache.breaker = seen.clone();
            cache.learned += 1;
            cache.fresh_until = now + fresh_for;
            seen
        })
    }

    /// Applies `step` to the breaker and writes the result conditionally. After a lost race,
    /// applies `step` to the current breaker; stops when it returns `None`. A breaker that opens
    /// takes effect in this container before the write.
    pub(super) async fn update_breaker(
        &self,
        dependency: &str,
        step: impl Fn(&Breaker, Moment) -> Option<Breaker>,
    ) {
        let mut seen = self.cache(dependency, |cache| cache.breaker.clone());
        for _ in 0..MOST_RACES {
            let Some(next) = step(&seen.value, self.moment()) else { return };
            if matches!(next.state, State::Open { .. }) {
                self.cache_breaker(
                    dependency,
                    Seen { value: next.clone(), revision: seen.revision },
                );
            }
            match self.control.swap_breaker(dependency, &next, seen.revision).await {
                Ok(Swapped::Yes) => {
                    telemetry::breaker(dependency, &seen.value, &next);
                    let written = Seen { value: next.clone(), revision: seen.revision + 1 };
                    self.cache_breaker(dependency, written);
                    return self.changed(dependency, &seen.value, &next).await;
                }
                Ok(Swapped::No(current)) => {
                    if current.value == next {
                        telemetry::breaker(dependency, &seen.value, &next);
                        self.cache_breaker(dependency, current);
                        return self.changed(dependency, &seen.value, &next).await;
                    }
                    seen = self.cache_breaker(dependency, current);
                }
                Err(error) => return telemetry::port_failed("swap_breaker", &error),
            }
        }
    }

    /// Tells others of a breaker that this container has opened. A probe that failed is no news.
    async fn changed(&self, dependency: &str, before: &Breaker, now: &Breaker) {
        let is_down = |breaker: &Breaker| {
            matches!(breaker.state, State::Open { .. } | State::HalfOpen { .. })
        };
        if is_down(now) && !is_down(before) {
            self.register_opened(dependency, now.since).await;
        }
    }
}
