//! The gates: what stands between a run and its dependency. Breaker, foreseen trouble, limiter; and
//! the pulse that they go by.
//!
//! ```text
//!  run ─ enter ─ breaker ─ prediction ─ slot ─► calls, each with its time limit ─► leave
//!           │                                                                       │
//!           └ turned away: parked, no attempt spent       counted, tripped, proven ─┘
//! ```
//!
//! What decides is pure and stands in [`crate::dependency::breaker`], [`crate::dependency::limiter`], [`crate::dependency::load_shedding`],
//! [`crate::dependency::call_timeout`] and [`crate::dependency::stats`]. This is the container's side of it: what it has seen of
//! the control table, for how long it may believe it, and the conditional writes.

mod cache;
mod permit;
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
        limiter::{HORIZON, Rates},
        load_shedding, retry_budget,
        stats::MEMORY,
    },
    failure::{BREAKER_OPEN, Class, Failure},
    policy::Policy,
    ports::{Control, PortError, Ports, Seen, Swapped},
    record::outcomes::Outcomes,
    telemetry,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use permit::{Permit, RunEnd};

use cache::DependencyCache;

/// Lost races after which a run is put off: others are busy with the same item.
const MOST_RACES: usize = 8;

/// Dependencies that a container remembers; the one that was used least recently goes.
const MOST_DEPENDENCIES: usize = 64;

/// For how long a container believes that a breaker is closed, give or take a fifth; and the longest
/// that it believes it to be open.
const BELIEF: Duration = Duration::from_secs(5);

/// Over how long those come back whom one moment has turned away.
const SPREAD: Duration = Duration::from_secs(10);

/// How long foreseen trouble is given to pass.
const SHED_PAUSE: Duration = Duration::from_secs(20);

/// What a job type's gates go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The job type.
    pub(crate) kind: &'static str,
    /// Its numbers.
    pub(crate) policy: &'static Policy,
    /// The policy's breaker, with what operators have changed about it.
    pub(crate) breaker: BreakerPolicy,
    /// How fast its dependency may be called, if that is limited.
    pub(crate) rates: Option<Rates>,
}

/// Why a run must not begin.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is put off.
    Deferred(Failure),
    /// Nothing will work until somebody mends the control table.
    Broken(String),
}

impl Refused {
    /// The failure of what was turned away, or could not even be asked.
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
            PortError::Broken(why) => Self::Broken(why),
            PortError::Unavailable(why) | PortError::Unreadable(why) => {
                Self::Deferred(Failure::new(Class::Unstarted, "gates_unavailable", why))
            }
        }
    }
}

/// What a run is to its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// Its first.
    First,
    /// A later attempt, after one that failed.
    Retry,
    /// Neither: it was put off before, or goes on.
    Again,
}

/// The gates of one container.
pub(crate) struct Gates<P: Ports> {
    pub(crate) rules: Rules,
    control: P::Store,
    clock: P::Clock,
    random: P::Random,
    state: Mutex<Cache>,
    /// Held while slots are reserved: the runs of one container need not race each other.
    reserving: tokio::sync::Mutex<()>,
}

/// What the container knows.
#[derive(Debug, Default)]
struct Cache {
    dependencies: BTreeMap<String, DependencyCache>,
    outcomes: BTreeMap<Time, Outcomes>,
    outcomes_sent_at: Time,
}

impl<P: Ports> Gates<P> {
    /// Gates that know nothing yet.
    pub(crate) fn new(rules: Rules, control: P::Store, clock: P::Clock, random: P::Random) -> Self {
        let reserving = tokio::sync::Mutex::default();
        Self { rules, control, clock, random, state: Mutex::default(), reserving }
    }

    fn state(&self) -> MutexGuard<'_, Cache> {
        // A panic while the lock was held leaves counters behind that are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on what is known of a dependency.
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
    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), chance: self.random.unit() }
    }

    /// Lets a run to its dependency, when its slot has come; or says why not. What the run is to its
    /// job counts for the retry budget.
    pub(crate) async fn enter(
        &self,
        dependency: &str,
        kind: RunKind,
    ) -> Result<Permit<'_, P>, Refused> {
        let permit = self.admit(dependency).await?;
        let slot = match self.shed_load(&permit) {
            Ok(()) => self.slot(dependency).await,
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
            tokio::time::sleep(slot.since(self.clock.now())).await;
            // It may have opened meanwhile, or a 429 come: what has not begun does not begin.
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

    /// Whether the fleet has spent its retry budget on this dependency.
    pub(crate) fn is_budget_spent(&self, dependency: &str) -> bool {
        let now = self.clock.now();
        self.cache(dependency, |cache| {
            retry_budget::is_budget_spent(&cache.window.last(MEMORY, now, None))
        })
    }

    /// Asks the breaker, and takes a probe's lease where it must be one.
    async fn admit(&self, dependency: &str) -> Result<Permit<'_, P>, Refused> {
        let mut seen = self.view(dependency).await?;
        for _ in 0..MOST_RACES {
            let now = self.clock.now();
            let longest = HORIZON + self.rules.policy.job_timeout;
            let probe = Probe::lease(self.random.token(), longest, now);
            let token = probe.token.clone();
            let next = match seen.value.admit(probe, &self.rules.breaker, now) {
                Admission::Pass => {
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
                    self.note(
                        dependency,
                        Seen { value: next.clone(), revision: seen.revision + 1 },
                    );
                    telemetry::breaker(dependency, &seen.value, &next);
                    return Ok(Permit::new(self, dependency, generation, Some(token)));
                }
                // Our own write, whose answer was lost.
                Swapped::No(current) if current.value == next => {
                    telemetry::breaker(dependency, &seen.value, &next);
                    self.note(dependency, current);
                    return Ok(Permit::new(self, dependency, generation, Some(token)));
                }
                Swapped::No(current) => seen = self.note(dependency, current),
            }
        }
        Err(Refused::Deferred(self.deferred(
            "breaker_contended",
            "others are busy with it".into(),
            SPREAD,
        )))
    }

    /// The breaker as the container may believe it to be.
    async fn view(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        let now = self.clock.now();
        let known = self
            .cache(dependency, |cache| (now < cache.believed_until).then(|| cache.breaker.clone()));
        match known {
            Some(known) => Ok(known),
            None => self.reread_breaker(dependency).await,
        }
    }

    /// The breaker as the table has it.
    async fn reread_breaker(&self, dependency: &str) -> Result<Seen<Breaker>, PortError> {
        Ok(self.note(dependency, self.control.breaker(dependency).await?))
    }

    /// Takes over what the table says, for as long as it may be believed; unless more is known: answers
    /// may overtake each other.
    fn note(&self, dependency: &str, seen: Seen<Breaker>) -> Seen<Breaker> {
        let Moment { now, chance } = self.moment();
        let belief = match seen.value.at(now).state {
            State::Closed => BELIEF.mul_f64(0.8 + 0.4 * chance),
            State::Open { retry_at, .. } => retry_at.since(now).min(BELIEF),
            State::Forced { until, .. } => until.since(now).min(BELIEF),
            State::HalfOpen { .. } => Duration::ZERO,
        };
        self.cache(dependency, |cache| {
            // Revision 0 is an item that is gone.
            if seen.revision > 0 && seen.revision < cache.breaker.revision {
                return cache.breaker.clone();
            }
            cache.breaker = seen.clone();
            cache.believed_until = now + belief;
            seen
        })
    }

    /// Writes a change of a breaker, if `step` still wants it of what is in the table. An open one is
    /// open in this container at once.
    async fn turn(&self, dependency: &str, step: impl Fn(&Breaker, Moment) -> Option<Breaker>) {
        let mut seen = self.cache(dependency, |cache| cache.breaker.clone());
        for _ in 0..MOST_RACES {
            let Some(next) = step(&seen.value, self.moment()) else { return };
            if matches!(next.state, State::Open { .. }) {
                self.note(dependency, Seen { value: next.clone(), revision: seen.revision });
            }
            match self.control.swap_breaker(dependency, &next, seen.revision).await {
                Ok(Swapped::Yes) => {
                    telemetry::breaker(dependency, &seen.value, &next);
                    self.note(dependency, Seen { value: next, revision: seen.revision + 1 });
                    return;
                }
                Ok(Swapped::No(current)) => {
                    if current.value == next {
                        telemetry::breaker(dependency, &seen.value, &next);
                        self.note(dependency, current);
                        return;
                    }
                    seen = self.note(dependency, current);
                }
                Err(error) => return telemetry::port_failed("swap_breaker", &error),
            }
        }
    }

    /// Puts a part of the load off if the pulse foretells trouble. A probe is what finds out.
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
        Err(self.deferred("load_shed", why, SHED_PAUSE))
    }

    /// Whether the way is still as open, as far as the container knows, as when the run was let in.
    fn still_open(&self, permit: &Permit<'_, P>) -> Result<(), Failure> {
        let now = self.clock.now();
        let (known, stopped_until) = self
            .cache(&permit.dependency, |cache| (cache.breaker.value.at(now), cache.stopped_until));
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

    /// The failure of a run that an open breaker turns away until then.
    fn closed(&self, breaker: &Breaker, until: Time) -> Failure {
        let why = format!("{}: {}", breaker.state.name(), breaker.why);
        self.deferred(BREAKER_OPEN, why, until.since(self.clock.now()))
    }

    /// The failure of a run that is put off for so long and a little more, that not all come at once.
    fn deferred(&self, code: &'static str, why: String, wait: Duration) -> Failure {
        let after = wait + SPREAD.mul_f64(self.random.unit());
        Failure::new(Class::Deferred, code, why).with_retry_after(Some(after))
    }
}

#[cfg(test)]
#[path = "gates_tests.rs"]
mod tests;
