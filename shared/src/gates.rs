//! The gates between a run and its dependency: breaker, load shedding and limiter, with the call
//! statistics that they use.
//!
//! ```text
//!  run ─ enter ─ breaker ─ load shedding ─ slot ─► calls, each with its time limit ─► leave
//!           │                                                                          │
//!           └ refused: parked, no attempt spent        count, trip or close the breaker ┘
//! ```
//!
//! The decisions are pure functions in [`crate::dependency`]. This module is the container's side:
//! its cache of the control table, how long cached state may be used, and the conditional writes.

mod breaker;
mod cache;
mod closed;
mod gather;
mod permit;
mod quota;
mod register;
mod report;
mod slots;

use crate::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    dependency::{
        breaker::{Admission, Breaker, BreakerPolicy, Moment, Probe, State},
        limiter::{HIGH_HORIZON, HORIZON, Limit},
        load_shedding, retry_budget,
        stats::MEMORY,
    },
    failure::{BREAKER_OPEN, Class, Failure, LOAD_SHED},
    policy::Policy,
    ports::{
        Control, PortError, Ports, Seen, Swapped,
        notes::{CRASH_STORM, CrashStorm, NoteKey},
    },
    telemetry,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use closed::Closed;
pub(crate) use permit::{Permit, RunEnd};
pub(crate) use slots::Ahead;

use cache::DependencyCache;
use gather::Gathered;
use report::CountedMinute;

/// Lost races after which a run is deferred: other containers keep writing the same item.
const MOST_RACES: usize = 8;

/// Maximum number of dependencies that a container caches; the least recently used one is evicted.
const MOST_DEPENDENCIES: usize = 64;

/// How long a container uses a cached closed breaker, ±20 % at random; and the longest that it uses
/// a cached open one.
const BREAKER_CACHE_TIME: Duration = Duration::from_secs(5);

/// Maximum random extra delay of a deferred run, so that runs refused at the same moment do not
/// return together.
const MAX_EXTRA_DELAY: Duration = Duration::from_secs(10);

/// Delay of a run that load shedding refuses, before the random extra delay.
const SHED_PAUSE: Duration = Duration::from_secs(20);

/// The configuration of a job type's gates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) kind: &'static str,
    pub(crate) policy: &'static Policy,
    /// The policy's breaker, with the changes that operators configured.
    pub(crate) breaker: BreakerPolicy,
}

/// Why a run must not begin.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The run is deferred.
    Deferred(Failure),
    /// No run can begin until an operator fixes the control table.
    Broken(String),
}

impl Refused {
    /// The failure of the refused run.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Deferred(failure) => failure,
            Self::Broken(why) => Failure::new(Class::Unstarted, "gates_broken", why),
        }
    }
}

impl From<PortError> for Refused {
    fn from(error: PortError) -> Self {
        telemetry::port_failed("gates", &error);
        match error {
            PortError::Broken(why) | PortError::Invalid(why) => Self::Broken(why),
            PortError::Unavailable(why) | PortError::Unreadable(why) => {
                Self::Deferred(Failure::new(Class::Unstarted, "gates_unavailable", why))
            }
        }
    }
}

/// How a run counts for the retry budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// The first run of its job.
    First,
    /// A later attempt, after one that failed.
    Retry,
    /// Neither: the job was deferred before, or continues from a cursor.
    Again,
}

/// The gates of one container.
pub(crate) struct Gates<P: Ports> {
    pub(crate) rules: Rules,
    control: P::Store,
    clock: P::Clock,
    random: P::Random,
    /// The number under which the container counts.
    container: u64,
    state: Mutex<Cache>,
    gathered: Gathered,
}

/// What the container has cached, and what it has counted of its job type.
#[derive(Debug, Default)]
struct Cache {
    dependencies: BTreeMap<String, DependencyCache>,
    minutes: BTreeMap<Time, CountedMinute>,
    minutes_sent_at: Time,
    /// When a sample of an error pattern was added to the counts last, by fingerprint.
    sampled_at: BTreeMap<String, Time>,
}

impl<P: Ports> Gates<P> {
    /// Gates with an empty cache.
    pub(crate) fn new(rules: Rules, control: P::Store, clock: P::Clock, random: P::Random) -> Self {
        let (gathered, container) = (Gathered::default(), random.bits());
        Self { rules, control, clock, random, container, state: Mutex::default(), gathered }
    }

    fn state(&self) -> MutexGuard<'_, Cache> {
        // A panic while the lock was held leaves consistent counters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies `work` to the cached state of a dependency. If the cache is full, evicts the least
    /// recently used dependency.
    fn cache<T>(&self, dependency: &str, work: impl FnOnce(&mut DependencyCache) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.state();
        if !state.dependencies.contains_key(dependency) {
            if state.dependencies.len() >= MOST_DEPENDENCIES {
                let oldest = state.dependencies.iter().min_by_key(|(_, cache)| cache.used_at);
                let oldest = oldest.map(|(name, _)| name.clone());
                oldest.and_then(|name| state.dependencies.remove(&name));
            }
            state.dependencies.insert(dependency.to_owned(), DependencyCache::default());
        }
        let cache = state.dependencies.entry(dependency.to_owned()).or_default();
        cache.used_at = now;
        work(cache)
    }
}

impl<P: Ports> Gates<P> {
    /// Notes how the calls of a dependency are limited. Call it before the first job of the dependency enters.
    pub(crate) fn know_limit(&self, dependency: &str, limit: Option<Limit>) {
        self.cache(dependency, |cache| cache.limit = limit);
    }

    /// The limit of a dependency's calls; `None` if there is none.
    fn limit(&self, dependency: &str) -> Option<Limit> {
        self.cache(dependency, |cache| cache.limit.clone())
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), chance: self.random.unit() }
    }

    /// Admits a run to its dependency once its slot has come, or refuses it. `kind` says how the
    /// run counts for the retry budget.
    pub(crate) async fn enter(
        &self,
        dependency: &str,
        kind: RunKind,
    ) -> Result<Permit<'_, P>, Refused> {
        let mut permit = self.admit(dependency).await?;
        // A run that may not call for long must not take a slot from those that may.
        let slot = match self.not_stopped(&permit).and_then(|()| self.shed_load(&permit)) {
            Ok(()) => self.first_slot(dependency).await,
            Err(failure) => Err(Refused::Deferred(failure)),
        };
        let slot = match slot {
            Ok(slot) => slot,
            Err(refused) => {
                self.leave(permit, RunEnd::Ended).await;
                return Err(refused);
            }
        };
        if let Some(slot) = slot {
            permit.waited_first = slot.since(self.clock.now());
            tokio::time::sleep(permit.waited_first).await;
            permit.first_slot = Some(slot.max(self.clock.now()));
            // The breaker may have opened meanwhile, or a 429 arrived: then the run must not begin.
            if let Err(failure) = self.still_open(&permit) {
                self.leave(permit, RunEnd::Ended).await;
                return Err(Refused::Deferred(failure));
            }
        }
        let now = self.clock.now();
        self.cache(dependency, |cache| {
            let calls = cache.window.counting(now, permit.generation);
            match kind {
                RunKind::First => calls.first += 1,
                RunKind::Retry => calls.retries += 1,
                RunKind::Again => {}
            }
        });
        Ok(permit)
    }

    /// Whether most runs of the job type crash, so that a crash is not counted. If that cannot be found out, it is.
    pub(crate) async fn excuses_crashes(&self) -> bool {
        let key = NoteKey::new(CRASH_STORM, self.rules.kind);
        let note = self.control.note(&key).await.unwrap_or_else(|error| {
            telemetry::port_failed("note", &error);
            Seen::default()
        });
        let storm: Option<CrashStorm> =
            note.value.and_then(|text| serde_json::from_str(&text).ok());
        storm.is_some_and(|storm| storm.excuses(self.clock.now()))
    }

    /// Whether the dependency's breaker is not closed, as far as this container knows.
    pub(crate) fn is_open(&self, dependency: &str) -> bool {
        let now = self.clock.now();
        self.cache(dependency, |cache| cache.breaker.value.at(now).state).refuses_calls()
    }

    /// Whether the dependency's breaker is not closed because only an operator can help, as far as this container knows:
    /// for instance since a site has put up a wall.
    pub(crate) fn is_walled(&self, dependency: &str) -> bool {
        let now = self.clock.now();
        let breaker = self.cache(dependency, |cache| cache.breaker.value.at(now));
        breaker.state.refuses_calls() && breaker.systemic
    }

    /// How long the dependency's breaker has not been closed because it is down, as far as this container knows, and
    /// whether a probe is under way. `None` if the breaker is closed, waits for an operator, or was set by one.
    pub(crate) fn down_for(&self, dependency: &str) -> Option<(Duration, bool)> {
        let now = self.clock.now();
        let breaker = self.cache(dependency, |cache| cache.breaker.value.at(now));
        let is_probed = matches!(breaker.state, State::HalfOpen { .. });
        let is_down = is_probed || matches!(breaker.state, State::Open { .. });
        (is_down && !breaker.systemic).then(|| (now.since(breaker.down_since), is_probed))
    }

    /// Whether the fleet has spent its retry budget on this dependency.
    pub(crate) fn is_budget_spent(&self, dependency: &str) -> bool {
        let now = self.clock.now();
        self.cache(dependency, |cache| {
            retry_budget::is_budget_spent(&cache.window.last(MEMORY, now, None))
        })
    }

    /// Asks the breaker for admission. If the breaker admits only probes, takes the lease of one.
    async fn admit(&self, dependency: &str) -> Result<Permit<'_, P>, Refused> {
        let mut seen = self.cached_breaker(dependency).await?;
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let longest = HIGH_HORIZON + self.rules.policy.job_timeout;
            let probe = Probe::lease(self.random.token(), longest, now);
            let token = probe.token.clone();
            let next = match seen.value.admit(probe, &self.rules.breaker, now) {
                Admission::Permit => {
                    let generation = seen.value.at(now).generation;
                    return Ok(Permit::new(self, dependency, generation, None));
                }
                Admission::Wait(until) => {
                    return Err(Refused::Deferred(self.closed(&seen.value, until)));
                }
                Admission::Probe(next) => next,
            };
            let generation = next.generation;
            match self.control.swap_breaker(dependency, &next, seen.revision).await? {
                Swapped::Yes => {
                    self.cache_breaker(
                        dependency,
                        Seen { value: next.clone(), revision: seen.revision + 1 },
                    );
                    telemetry::breaker(dependency, &seen.value, &next);
                    let mut permit = Permit::new(self, dependency, generation, Some(token));
                    permit.probe_until = Some(now + longest);
                    return Ok(permit);
                }
                // Our own write, whose response was lost.
                Swapped::No(current) if current.value == next => {
                    telemetry::breaker(dependency, &seen.value, &next);
                    self.cache_breaker(dependency, current);
                    let mut permit = Permit::new(self, dependency, generation, Some(token));
                    permit.probe_until = Some(now + longest);
                    return Ok(permit);
                }
                Swapped::No(current) => seen = self.cache_breaker(dependency, current),
            }
        }
        Err(Refused::Deferred(self.deferred(
            "breaker_contended",
            "other containers write it at the same time".into(),
            MAX_EXTRA_DELAY,
        )))
    }

    /// Refuses a share of the runs if the call statistics show that calls fail or slow down. A
    /// probe is never refused: it finds out whether the dependency works again.
    fn shed_load(&self, permit: &Permit<'_, P>) -> Result<(), Failure> {
        let now = self.clock.now();
        let chance = self.random.unit();
        if permit.probe.is_some() || !self.rules.policy.sheds_load {
            return Ok(());
        }
        let shed = self.cache(&permit.dependency, |cache| {
            let shed = load_shedding::shedding(&cache.window, permit.generation, now)?;
            let struck = chance < shed.share;
            cache.window.counting(now, permit.generation).load_shed += u64::from(struck);
            struck.then_some(shed)
        });
        let Some(shed) = shed else { return Ok(()) };
        let why =
            format!("{} is {}: share {:.2}", permit.dependency, shed.signal.name(), shed.share);
        Err(self.deferred(LOAD_SHED, why, SHED_PAUSE))
    }

    /// Checks in the cache that no 429 has stopped calls for longer than a run waits for its slot.
    fn not_stopped(&self, permit: &Permit<'_, P>) -> Result<(), Failure> {
        let now = self.clock.now();
        let stopped_until = self.cache(&permit.dependency, |cache| {
            cache.stopped_until.max(cache.breaker.value.stopped_until)
        });
        // Without rates, there is no slot to wait for.
        let limit = self.limit(&permit.dependency);
        let wait = if limit.is_some() { HORIZON } else { Duration::ZERO };
        if stopped_until > now + wait {
            return Err(self.rate_limited(&permit.dependency, stopped_until.since(now)));
        }
        Ok(())
    }

    /// Checks in the cache that the breaker still admits the run, and that no 429 has stopped calls
    /// meanwhile.
    fn still_open(&self, permit: &Permit<'_, P>) -> Result<(), Failure> {
        let now = self.clock.now();
        let (known, stopped_until) = self.cache(&permit.dependency, |cache| {
            let known = cache.breaker.value.at(now);
            let stopped_until = cache.stopped_until.max(known.stopped_until);
            (known, stopped_until)
        });
        if stopped_until > now {
            return Err(self.rate_limited(&permit.dependency, stopped_until.since(now)));
        }
        match known.state {
            State::HalfOpen { .. } if permit.probe.is_none() => Err(self.closed(&known, now)),
            State::Open { retry_at: until, .. } | State::Forced { open: true, until }
                if permit.probe.is_none() =>
            {
                Err(self.closed(&known, until))
            }
            _ => Ok(()),
        }
    }

    /// The failure of a run that the breaker refuses until `until`.
    fn closed(&self, breaker: &Breaker, until: Time) -> Failure {
        let why = format!("{}: {}", breaker.state.name(), breaker.why);
        self.deferred(BREAKER_OPEN, why, until.since(self.clock.now()))
    }

    /// The failure of a run that is deferred for `wait` and a random extra delay, so that deferred
    /// runs do not return together.
    fn deferred(&self, code: &'static str, why: String, wait: Duration) -> Failure {
        let after = wait.saturating_add(MAX_EXTRA_DELAY.mul_f64(self.random.unit()));
        Failure::new(Class::Deferred, code, why).with_retry_after(Some(after))
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
