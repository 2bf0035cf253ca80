//! What a run holds on its way to the dependency, and what it leaves behind.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::Gates;
use crate::{
    breaker::Proof,
    error::{Class, Classified, Failure},
    job::Gate,
    ports::Control,
    pulse::{MEMORY, MINUTE, Standing},
    random::Random,
    time::{Clock, Time},
    timeout,
};

/// One run's way to its dependency.
#[derive(Debug)]
pub(crate) struct Pass<'a, S, C, R> {
    gates: &'a Gates<S, C, R>,
    pub(super) dependency: String,
    /// The breaker's, when the run was let in.
    pub(super) generation: u64,
    /// The token of its lease, if it is a probe.
    pub(super) probe: Option<String>,
    ends_at: Time,
    calls: Mutex<Made>,
}

/// What the calls of a run came to.
#[derive(Debug, Default)]
struct Made {
    count: u32,
    /// Since when the latest call is under way; `None` if none is.
    under_way: Option<Time>,
    well: bool,
    ill: Option<String>,
    systemic: Option<String>,
}

impl<'a, S, C, R> Pass<'a, S, C, R> {
    pub(super) fn new(
        gates: &'a Gates<S, C, R>,
        dependency: &str,
        generation: u64,
        probe: Option<String>,
    ) -> Self {
        let dependency = dependency.to_owned();
        let (ends_at, calls) = (Time::default(), Mutex::default());
        Self { gates, dependency, generation, probe, ends_at, calls }
    }

    /// Says when the run must be over.
    pub(crate) fn until(&mut self, ends_at: Time) {
        self.ends_at = ends_at;
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Control, C: Clock, R: Random> Pass<'_, S, C, R> {
    /// Counts the end of a call.
    fn count(&self, class: Option<Class>, took: Duration) {
        let now = self.gates.clock.now();
        let slow_after = self.gates.rules.policy.calls.slow_after;
        self.gates.desk(&self.dependency, |desk| {
            desk.window.counting(now, self.generation).record(class, took, slow_after);
            desk.worked += u32::from(Standing::of(class) == Standing::Well);
        });
    }
}

impl<S: Control, C: Clock, R: Random> Gate for Pass<'_, S, C, R> {
    async fn begin(&self) -> Result<Duration, Failure> {
        let later = self.made().count > 0;
        if later {
            // The first call has the slot that the run waited for.
            self.gates.still_open(self)?;
            let slot = self.gates.slot(&self.dependency).await.map_err(|turned| match turned {
                super::Turned::Away(failure) => failure,
                super::Turned::Broken(why) => Failure::new(Class::Unstarted, "gates_broken", why),
            })?;
            if let Some(slot) = slot {
                tokio::time::sleep(slot.since(self.gates.clock.now())).await;
            }
        }
        let now = self.gates.clock.now();
        {
            let mut made = self.made();
            made.count += 1;
            made.under_way = Some(now);
        }
        let latency =
            self.gates.desk(&self.dependency, |desk| desk.window.last(MEMORY, now, None).latency);
        let left = self.ends_at.since(now);
        Ok(timeout::limit(&latency, &self.gates.rules.policy.calls, left))
    }

    fn end(&self, error: Option<&dyn Classified>) {
        let now = self.gates.clock.now();
        let class = error.map(Classified::class);
        let took = {
            let mut made = self.made();
            match Standing::of(class) {
                Standing::Well => made.well = true,
                Standing::Ill => made.ill = error.map(Classified::why),
                Standing::Silent => {}
            }
            if class == Some(Class::Systemic) {
                made.systemic = error.map(Classified::why);
            }
            made.under_way.take().map(|since| now.since(since)).unwrap_or_default()
        };
        self.count(class, took);
        if class == Some(Class::Throttled) {
            let asked = error.and_then(Classified::retry_after).unwrap_or_default();
            self.gates
                .desk(&self.dependency, |desk| desk.throttled = desk.throttled.max(Some(asked)));
        }
    }
}

impl<S: Control, C: Clock, R: Random> Gates<S, C, R> {
    /// Takes over what a run has found out: a probe's proof, a reason to open, a 429.
    pub(crate) async fn leave(&self, pass: Pass<'_, S, C, R>) {
        let now = self.clock.now();
        // The run was cut off in the middle of a call: its time limit is part of the evidence.
        let cut_off = pass.made().under_way.take();
        if let Some(since) = cut_off {
            pass.count(Some(Class::Transient), now.since(since));
            pass.made().ill.get_or_insert_with(|| "a call was cut off with its run".into());
        }
        let Pass { dependency, generation, probe, calls, .. } = pass;
        let made = calls.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = probe {
            let (proof, why) = match (made.ill, made.well) {
                (Some(why), _) => (Proof::Fails, format!("a probe failed: {why}")),
                (None, true) => (Proof::Works, String::new()),
                (None, false) => (Proof::Nothing, String::new()),
            };
            let policy = &self.rules.breaker;
            self.turn(&dependency, false, |breaker, moment| {
                breaker.concluded(&token, generation, proof, &why, policy, moment)
            })
            .await;
        } else if let Some(why) = made.systemic {
            let policy = &self.rules.breaker;
            self.turn(&dependency, true, |breaker, moment| {
                breaker.opened(generation, why.clone(), policy, moment)
            })
            .await;
        } else if made.ill.is_some() {
            self.trip(&dependency).await;
        }
        let throttled = self.desk(&dependency, |desk| desk.throttled.take());
        if let Some(asked) = throttled {
            self.slow_down(&dependency, asked).await;
        }
    }

    /// Opens the breaker if the rolling minute says so.
    pub(super) async fn trip(&self, dependency: &str) {
        let policy = &self.rules.breaker;
        let now = self.clock.now();
        let (generation, minute) = self.desk(dependency, |desk| {
            let generation = desk.breaker.value.at(now).generation;
            (generation, desk.window.last(MINUTE, now, Some(generation)))
        });
        self.turn(dependency, false, |breaker, moment| {
            breaker.tripped(generation, &minute, policy, moment)
        })
        .await;
    }
}
