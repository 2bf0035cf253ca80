//! Quota: the container's share of what the account may make in a month.
//!
//! Each request takes a unit from the container's block. An empty block is filled by one conditional write, with as
//! much as the batch may need; what is left at its end is given back.

use std::{sync::Arc, time::Duration};

use super::{Gates, MAX_EXTRA_DELAY, MOST_RACES, Refused};
use crate::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    dependency::quota::{Block, Quota, Reservation, Unit, Usage, turn},
    failure::{Failure, QUOTA_SPENT},
    ports::{Control, PortError, Ports, Seen, Swapped},
    telemetry,
};

/// How long a container believes that a quota is used up: others may give back what they have reserved.
const SPENT_FOR: Duration = Duration::from_mins(1);

/// What a container caches about the quota of a dependency.
#[derive(Debug, Default)]
pub(super) struct CachedQuota {
    quota: Option<Quota>,
    /// Jobs of the present batch, each of which may need a unit.
    jobs: u32,
    /// The usage as last read or written.
    seen: Option<Seen<Usage>>,
    /// The reserved units.
    block: Block,
    /// Until when the quota counts as used up, and until when nothing may be made then.
    spent: Option<(Time, Time)>,
}

/// A container's request for a unit.
enum Asked {
    /// There is a unit in the block.
    Taken(Unit),
    /// Nothing may be made until then.
    Refused(Time),
    /// The block is empty.
    Empty,
}

impl CachedQuota {
    fn ask(&mut self, quota: Quota, now: Time) -> Asked {
        if let Some(until) = turn(quota, now) {
            return Asked::Refused(until);
        }
        if let Some(unit) = self.block.take(quota, now) {
            return Asked::Taken(unit);
        }
        match self.spent.filter(|(believed, _)| *believed > now) {
            Some((_, until)) => Asked::Refused(until),
            None => Asked::Empty,
        }
    }
}

/// The answer to a request for a block.
enum Reserved {
    Block {
        block: Block,
        seen: Seen<Usage>,
        /// Whether the fleet must be warned.
        warns: bool,
    },
    /// Nothing may be made until then.
    Nothing(Time),
    /// Other containers were always faster.
    Contended,
}

impl<P: Ports> Gates<P> {
    /// Notes how much the `jobs` of a batch may make. Call it before the first of them enters.
    pub(crate) fn know_quota(&self, dependency: &str, quota: Option<Quota>, jobs: u32) {
        self.cache(dependency, |cache| (cache.quota.quota, cache.quota.jobs) = (quota, jobs));
    }

    /// Takes a unit of the dependency's quota; `None` if it has none.
    pub(super) async fn take_unit(&self, dependency: &str) -> Result<Option<Unit>, Failure> {
        let Some(quota) = self.cache(dependency, |cache| cache.quota.quota) else {
            return Ok(None);
        };
        let reserving = self.cache(dependency, |cache| Arc::clone(&cache.reserving));
        let _one_at_a_time = reserving.lock().await;
        let asked = |now| self.cache(dependency, |cache| cache.quota.ask(quota, now));
        match asked(self.clock.now()) {
            Asked::Taken(unit) => return Ok(Some(unit)),
            Asked::Refused(until) => return Err(self.spent(dependency, quota, until)),
            Asked::Empty => {}
        }
        let reserved = self.reserve_block(dependency, quota).await;
        let reserved = reserved.map_err(|error| Refused::from(error).into_failure())?;
        let now = self.clock.now();
        match reserved {
            Reserved::Block { block, seen, warns } => {
                if warns {
                    telemetry::quota(dependency, quota, &seen.value);
                    self.warned_of_quota();
                }
                self.cache(dependency, |cache| {
                    cache.quota.block.add(block);
                    cache.quota.seen = Some(seen);
                });
            }
            Reserved::Nothing(until) => {
                self.cache(dependency, |cache| cache.quota.spent = Some((now + SPENT_FOR, until)));
            }
            Reserved::Contended => {}
        }
        match asked(now) {
            Asked::Taken(unit) => Ok(Some(unit)),
            Asked::Refused(until) => Err(self.spent(dependency, quota, until)),
            Asked::Empty => {
                let why = format!("{dependency}: others write its quota at the same time");
                Err(self.deferred("quota_contended", why, MAX_EXTRA_DELAY))
            }
        }
    }

    /// Puts back a unit with which nothing was made.
    pub(super) fn put_back(&self, dependency: &str, unit: Unit) {
        self.cache(dependency, |cache| cache.quota.block.put_back(unit));
    }

    /// Reserves a block by a conditional write.
    async fn reserve_block(&self, dependency: &str, quota: Quota) -> Result<Reserved, PortError> {
        let name = self.account(dependency);
        let want = self.cache(dependency, |cache| cache.quota.jobs);
        let mut known = self.cache(dependency, |cache| cache.quota.seen.take());
        for _ in 0..MOST_RACES {
            let is_fresh = known.is_none();
            let seen = match known.take() {
                Some(seen) => seen,
                None => self.control.quota(&name, quota.what).await?,
            };
            let token = self.random.token();
            let reserved = seen.value.reserve(quota, want, token, self.clock.now());
            let (next, block, warns) = match reserved {
                Reservation::Granted { next, block, warns } => (next, block, warns),
                Reservation::Refused(until) if is_fresh => return Ok(Reserved::Nothing(until)),
                // The cached usage is old: units may have been given back since.
                Reservation::Refused(_) => continue,
            };
            let swapped = self.control.swap_quota(&name, quota.what, &next, seen.revision).await;
            let current = match swapped {
                Ok(Swapped::Yes) => {
                    let seen = Seen { value: next, revision: seen.revision + 1 };
                    return Ok(Reserved::Block { block, seen, warns });
                }
                Ok(Swapped::No(current)) => current,
                // It may be written all the same.
                Err(error @ PortError::Unavailable(_)) => {
                    telemetry::port_failed("swap_quota", &error);
                    self.control.quota(&name, quota.what).await?
                }
                Err(error) => return Err(error),
            };
            if current.value.token == next.token {
                return Ok(Reserved::Block { block, seen: current, warns });
            }
            known = Some(current);
        }
        Ok(Reserved::Contended)
    }

    /// Gives back what the batch has reserved and not used, at its end (`last`). If that fails, it is lost: a second
    /// try could give it back twice.
    pub(super) async fn return_unused(&self, last: bool) {
        if !last {
            return;
        }
        let unused: Vec<(String, Quota, Block)> = {
            let mut state = self.state();
            let taken = state.dependencies.iter_mut().filter_map(|(dependency, cache)| {
                let (quota, block) = (cache.quota.quota?, std::mem::take(&mut cache.quota.block));
                (!block.is_empty()).then(|| (dependency.clone(), quota, block))
            });
            taken.collect()
        };
        for (dependency, quota, block) in unused {
            if let Err(error) = self.return_block(&dependency, quota, block).await {
                telemetry::port_failed("swap_quota", &error);
            }
        }
    }

    async fn return_block(
        &self,
        dependency: &str,
        quota: Quota,
        block: Block,
    ) -> Result<(), PortError> {
        let name = self.account(dependency);
        let mut known = self.cache(dependency, |cache| cache.quota.seen.take());
        for _ in 0..MOST_RACES {
            let seen = match known.take() {
                Some(seen) => seen,
                None => self.control.quota(&name, quota.what).await?,
            };
            let token = self.random.token();
            let Some(next) = seen.value.without(block, token) else { return Ok(()) };
            match self.control.swap_quota(&name, quota.what, &next, seen.revision).await? {
                Swapped::Yes => {
                    let seen = Seen { value: next, revision: seen.revision + 1 };
                    self.cache(dependency, |cache| cache.quota.seen = Some(seen));
                    return Ok(());
                }
                Swapped::No(current) => known = Some(current),
            }
        }
        Err(PortError::Unavailable("other containers write the quota at the same time".into()))
    }

    /// The name of the account's limiter, beside which its quota is kept.
    fn account(&self, dependency: &str) -> String {
        self.limit(dependency).map_or_else(|| dependency.to_owned(), |limit| limit.name)
    }

    /// The failure of a job that waits until something may be made again. It is parked under a name of its own, so
    /// that other jobs of the dependency do not wait behind it; the sweeper releases both at the limiter's pace.
    fn spent(&self, dependency: &str, quota: Quota, until: Time) -> Failure {
        let name = format!("{dependency}/{}", quota.what);
        self.know_limit(&name, self.limit(dependency));
        let Quota { what, most, .. } = quota;
        let why = format!("{dependency}: no {what} before {until}, {most} a month are allowed");
        self.deferred(QUOTA_SPENT, why, until.since(self.clock.now())).parked_under(name)
    }
}
