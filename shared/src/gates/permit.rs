//! The permit that a run holds while it calls its dependency, and what the run reports when it
//! leaves.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    base::time::{Clock, Time},
    dependency::{
        breaker::ProbeResult,
        call_timeout,
        limiter::{Rates, SLOT_LIFE},
        quota::Unit,
        stats::{BUCKET, CallOutcome, Counted, MEMORY, MINUTE, bucket_start},
    },
    failure::{Class, Classified, Failure, JOB_TIMEOUT},
    gates::{Gates, Refused},
    job::Gate,
    ports::Ports,
    telemetry,
};

/// The latest part of the minute that by itself can open the breaker, in whole buckets.
const LATEST: Duration = Duration::from_secs(20);

/// The permission of one run to call its dependency.
pub(crate) struct Permit<'a, P: Ports> {
    gates: &'a Gates<P>,
    pub(super) dependency: String,
    /// The breaker's generation when the run was admitted.
    pub(super) generation: u64,
    /// The token of the probe's lease, if the run is a probe.
    pub(super) probe: Option<String>,
    /// How long the run has waited for the slot of its first call.
    pub(super) waited_first: Duration,
    /// When that slot came; `None` if the calls are not limited.
    pub(super) first_slot: Option<Time>,
    /// When the run must end, if it is a probe.
    pub(super) probe_until: Option<Time>,
    ends_at: Time,
    latest_end: Time,
    calls: Mutex<CallsMade>,
}

/// The calls that a run has made, and how they ended.
#[derive(Debug, Default)]
struct CallsMade {
    count: u32,
    /// When the call in progress began; `None` if there is none.
    call_began_at: Option<Time>,
    succeeded: bool,
    /// Calls that succeeded.
    ok: u64,
    /// Where the latest success was counted.
    counted: Option<Counted>,
    /// Where the latest call's failure was counted.
    counted_failure: Option<Counted>,
    /// Whether the dependency has answered a call with a refusal of just this request.
    answered: bool,
    failed: Option<String>,
    systemic: Option<String>,
    /// How long the run has waited for slots in the past, and since when it waits for one now.
    waited: Duration,
    waiting_since: Option<Instant>,
}

/// How a run ended, as far as its calls are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// The run ended by itself.
    Ended,
    /// The run was cut off: a call that was in progress has taken too long.
    TimedOut,
}

impl<'a, P: Ports> Permit<'a, P> {
    pub(super) fn new(
        gates: &'a Gates<P>,
        dependency: &str,
        generation: u64,
        probe: Option<String>,
    ) -> Self {
        let dependency = dependency.to_owned();
        let (ends_at, latest_end, calls) = (Time::default(), Time::default(), Mutex::default());
        let waited_first = Duration::ZERO;
        let probe_until = None;
        Self {
            gates,
            dependency,
            generation,
            probe,
            waited_first,
            first_slot: None,
            probe_until,
            ends_at,
            latest_end,
            calls,
        }
    }

    /// Sets when the run must end: at `ends_at`, extended by the time that it waits for slots, but
    /// never after `latest_end`.
    pub(crate) fn until(&mut self, ends_at: Time, latest_end: Time) {
        // A probe must end within its lease, however long it waits for the slots of further calls.
        let latest_end = self.probe_until.map_or(latest_end, |until| latest_end.min(until));
        (self.ends_at, self.latest_end) = (ends_at, latest_end);
    }

    /// How much of the run's time is left; waits for slots do not use it up.
    fn left(&self, now: Time) -> Duration {
        (self.ends_at + self.waited()).min(self.latest_end).since(now)
    }

    /// How long the run has waited for slots, that of its first call included.
    pub(crate) fn waited_in_all(&self) -> Duration {
        self.waited_first + self.waited()
    }

    /// How long the run has waited for slots since it began.
    fn waited(&self) -> Duration {
        let made = self.made();
        made.waited + made.waiting_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn made(&self) -> MutexGuard<'_, CallsMade> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Ports> Permit<'_, P> {
    /// Whether a call of another job has worked since `since`, or in the last minutes if that is longer ago, as
    /// far as this container knows of the fleet.
    ///
    /// The bucket of that time may also hold calls of the job's own earlier run, and of when all was still well.
    pub(crate) fn others_worked(&self, since: Time) -> bool {
        let now = self.gates.clock.now();
        let from = bucket_start(since.max(now.before(MEMORY)), BUCKET) + BUCKET;
        let ok = self
            .gates
            .cache(&self.dependency, |cache| cache.window.sum(from, now + BUCKET, None).ok);
        ok > self.made().ok
    }

    /// Whether all calls of the run have worked: then its failure is no outage.
    pub(crate) fn all_worked(&self) -> bool {
        let made = self.made();
        made.ok > 0 && made.failed.is_none()
    }

    /// Takes what was wrong with the run's calls as the job's own trouble: it says nothing about the dependency.
    pub(crate) fn is_own_trouble(&self) {
        let counted = {
            let mut made = self.made();
            (made.systemic, made.failed) = (None, None);
            made.counted_failure.take()
        };
        if let Some(counted) = counted {
            self.gates.cache(&self.dependency, |cache| cache.window.take_back_failure(counted));
        }
    }

    /// Counts the end of a call. `class` and `code` are those of its failure.
    fn count(&self, class: Option<Class>, code: &str, took: Duration) {
        let now = self.gates.clock.now();
        let slow_after = self.gates.rules.policy.calls.slow_after;
        let ended = CallOutcome::of(class);
        let succeeded = ended == CallOutcome::Succeeded;
        let counted = self.gates.cache(&self.dependency, |cache| {
            cache.window.counting(now, self.generation).record(class, took, slow_after);
            cache.worked += u32::from(succeeded);
            if ended == CallOutcome::Failed {
                cache.codes.record(code, now);
            }
            cache.window.counted(now, self.generation)
        });
        let mut made = self.made();
        made.counted = succeeded.then_some(counted);
        made.counted_failure = (ended == CallOutcome::Failed).then_some(counted);
    }
}

impl<P: Ports> Permit<'_, P> {
    /// Waits for the slot of a call. The first call needs none of this: the run was admitted with a
    /// slot.
    async fn wait(&self) -> Result<(), Failure> {
        self.gates.still_open(self)?;
        let slot =
            self.gates.further_slot(&self.dependency).await.map_err(|refused| match refused {
                Refused::Deferred(failure) => failure,
                Refused::Broken(why) => Failure::new(Class::Unstarted, "gates_broken", why),
            })?;
        let Some(slot) = slot else { return Ok(()) };
        let now = self.gates.clock.now();
        if slot + self.gates.rules.policy.calls.shortest > self.latest_end {
            return Err(self.gates.rate_limited(&self.dependency, slot.since(now)));
        }
        self.made().waiting_since = Some(Instant::now());
        tokio::time::sleep(slot.since(now)).await;
        {
            let mut made = self.made();
            let since = made.waiting_since.take();
            made.waited += since.map(|since| since.elapsed()).unwrap_or_default();
        }
        self.gates.still_open(self)
    }
}

impl<P: Ports> Permit<'_, P> {
    /// Whether the slot of the first call is so old that a call would crowd those that follow: the run has waited for
    /// something else.
    fn is_slot_over(&self) -> bool {
        let now = self.gates.clock.now();
        self.first_slot.is_some_and(|slot| slot + SLOT_LIFE < now)
    }
}

impl<P: Ports> Gate for Permit<'_, P> {
    async fn begin(&self) -> Result<Duration, Failure> {
        if self.made().count > 0 || self.is_slot_over() {
            self.wait().await?;
        }
        let now = self.gates.clock.now();
        let (calls, left) = (&self.gates.rules.policy.calls, self.left(now));
        if left < calls.shortest {
            let message = "too little of the run's time is left for a call";
            // A run that has called has spent its time on that: this is an attempt.
            let failure = if self.made().count > 0 {
                Failure::new(Class::Transient, JOB_TIMEOUT, message)
            } else {
                Failure::new(Class::Unstarted, "unstarted", message)
            };
            return Err(failure);
        }
        {
            let mut made = self.made();
            made.count += 1;
            made.call_began_at = Some(now);
        }
        let latency = self
            .gates
            .cache(&self.dependency, |cache| cache.window.last(MEMORY, now, None).latency);
        Ok(call_timeout::limit(&latency, calls, left))
    }

    async fn reserve(&self) -> Result<Option<Unit>, Failure> {
        self.gates.take_unit(&self.dependency).await
    }

    fn give_back(&self, unit: Unit) {
        self.gates.put_back(&self.dependency, unit);
    }

    fn end(&self, error: Option<&dyn Classified>) {
        let now = self.gates.clock.now();
        let class = error.map(Classified::class);
        let took = {
            let mut made = self.made();
            match CallOutcome::of(class) {
                CallOutcome::Succeeded => {
                    made.succeeded = true;
                    made.ok += 1;
                }
                CallOutcome::Failed => made.failed = error.map(Classified::why),
                CallOutcome::Neutral => made.answered |= error.is_some_and(Classified::is_answer),
            }
            if class == Some(Class::Systemic) {
                made.systemic = error.map(Classified::why);
            }
            made.call_began_at.take().map(|since| now.since(since)).unwrap_or_default()
        };
        self.count(class, &error.map(Classified::code).unwrap_or_default(), took);
        if class == Some(Class::Throttled) {
            let asked = error.and_then(Classified::retry_after).unwrap_or_default();
            let asked = self.gates.stop_for(&self.dependency, asked);
            self.gates.cache(&self.dependency, |cache| {
                cache.throttled = cache.throttled.max(Some(asked));
                cache.stopped_until = cache.stopped_until.max(now + asked);
            });
        }
    }

    fn count_as_failed(&self, failure: &Failure) {
        let now = self.gates.clock.now();
        let counted = self.made().counted.take();
        self.gates.cache(&self.dependency, |cache| {
            // If the success was already reported, the failure is counted in addition to it.
            if let Some(counted) = counted {
                cache.window.take_back(counted);
            }
            cache.window.counting(now, self.generation).failed += 1;
            cache.codes.record(failure.code(), now);
        });
        let mut made = self.made();
        (made.succeeded, made.failed) = (false, Some(failure.to_string()));
        if failure.class() == Class::Systemic {
            made.systemic = Some(failure.to_string());
        }
    }

    fn waited(&self) -> Duration {
        Permit::waited(self)
    }

    fn is_waiting(&self) -> bool {
        self.made().waiting_since.is_some()
    }

    fn keep_to(&self, rates: Rates) {
        self.gates.cache(&self.dependency, |cache| {
            if let Some(limit) = &mut cache.limit {
                limit.rates = rates;
            }
        });
    }
}

impl<P: Ports> Gates<P> {
    /// Ends a run: reports the result of a probe, opens the breaker if the run's failures require
    /// it, and passes a 429 on to the fleet.
    pub(crate) async fn leave(&self, permit: Permit<'_, P>, end: RunEnd) {
        let now = self.clock.now();
        let cut_off = permit.made().call_began_at.take().map(|since| now.since(since));
        // A call that was cut off before the shortest time that any call gets proves nothing.
        let shortest = self.rules.policy.calls.shortest;
        if let Some(took) = cut_off.filter(|took| end == RunEnd::TimedOut && *took >= shortest) {
            permit.count(Some(Class::Transient), JOB_TIMEOUT, took);
            permit.made().failed.get_or_insert_with(|| "a call was cut off with its run".into());
        }
        let Permit { dependency, generation, probe, calls, .. } = permit;
        let made = calls.into_inner().unwrap_or_else(PoisonError::into_inner);
        let policy = &self.rules.breaker;
        if let Some(token) = probe {
            let works = made.succeeded || made.answered;
            let (result, why) = match (made.systemic, made.failed, works) {
                (Some(why), _, _) => {
                    (ProbeResult::FailedSystemically, format!("a probe failed: {why}"))
                }
                (None, Some(why), _) => (ProbeResult::Failed, format!("a probe failed: {why}")),
                (None, None, true) => (ProbeResult::Succeeded, String::new()),
                (None, None, false) => (ProbeResult::Neutral, String::new()),
            };
            // The cache has this probe's lease, unless the dependency was evicted from it. If another probe has
            // written since, the refused write says what.
            let knows_lease =
                self.cache(&dependency, |cache| cache.breaker.value.has_probe(&token));
            if !knows_lease && let Err(error) = self.reread_breaker(&dependency).await {
                telemetry::port_failed("breaker", &error);
            }
            self.update_breaker(&dependency, |breaker, moment| {
                breaker.concluded(&token, generation, result, &why, policy, moment)
            })
            .await;
        } else if let Some(why) = made.systemic {
            self.update_breaker(&dependency, |breaker, moment| {
                breaker.opened_systemically(generation, why.clone(), policy, moment)
            })
            .await;
        } else if made.failed.is_some() {
            self.trip(&dependency).await;
        }
        let throttled = self.cache(&dependency, |cache| cache.throttled.take());
        if let Some(asked) = throttled {
            self.slow_down(&dependency, asked).await;
        }
    }

    /// Opens the breaker if the calls of the last minute require it, or the latest of them alone: a minute
    /// in which all was still well must not hide an outage that has just begun.
    pub(super) async fn trip(&self, dependency: &str) {
        let policy = &self.rules.breaker;
        let now = self.clock.now();
        let (generation, spans, code) = self.cache(dependency, |cache| {
            let generation = cache.breaker.value.at(now).generation;
            let calls = |span| cache.window.last(span, now, Some(generation));
            let code = cache.codes.most_frequent(now).map(str::to_owned);
            (generation, [MINUTE, LATEST].map(calls), code)
        });
        let code = code.as_deref();
        self.update_breaker(dependency, |breaker, moment| {
            let mut spans = spans.iter();
            spans.find_map(|calls| breaker.tripped(generation, calls, code, policy, moment))
        })
        .await;
    }
}
