//! Lambda, simulated: the containers of one function.
//!
//! A container is one process. It keeps its [`Worker`] from one invocation to the next. In between it is
//! frozen: time passes, and nothing of it runs. That needs no simulation, because what is deployed
//! spawns no task (a tidy rule), so a function's future is all of it. A container ends when an invocation exceeds the function's time-out, or when the process
//! dies; the next invocation then starts another one ("Understanding the Lambda execution environment
//! lifecycle").

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::Faults;
use crate::{
    base::time::{Clock, Time},
    job::Job,
    lambda,
    ports::Ports,
    worker::Worker,
};

/// The code of a function, with what one process keeps between invocations.
pub trait Function: Send + Sync {
    /// Handles an event as Lambda delivers it. The error is that of the whole invocation.
    fn invoke(&self, event: Value, deadline: Time) -> BoxFuture<'_, Result<Value, String>>;
}

impl<J: Job, P: Ports> Function for Worker<J, P> {
    fn invoke(&self, event: Value, deadline: Time) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            lambda::invoke(self, event, deadline).await.map_err(|error| error.to_string())
        })
    }
}

/// How Lambda runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Time-out of an invocation.
    pub timeout: Duration,
    /// Invocations at the same time; more are throttled. `None` if unlimited.
    pub concurrency: Option<usize>,
    /// How long a new container takes to start.
    pub cold_start: Duration,
    /// How long an idle container is kept; `None` if for ever.
    pub idle: Option<Duration>,
}

impl FunctionSettings {
    /// A function without limits but its time-out, whose containers start at once.
    #[must_use]
    pub const fn with_timeout(timeout: Duration) -> Self {
        Self { timeout, concurrency: None, cold_start: Duration::ZERO, idle: None }
    }
}

/// How many invocations of a function ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "Invocation documents the variants of the same names")]
pub struct Ends {
    pub answered: u64,
    pub failed: u64,
    /// Without those whose process was frozen.
    pub timed_out: u64,
    pub timed_out_frozen: u64,
    pub died: u64,
    pub throttled: u64,
}

impl Ends {
    fn count(&mut self, ended: &Invocation, was_frozen: bool) {
        let count = match ended {
            Invocation::Answered(_) => &mut self.answered,
            Invocation::Failed(_) => &mut self.failed,
            Invocation::TimedOut if was_frozen => &mut self.timed_out_frozen,
            Invocation::TimedOut => &mut self.timed_out,
            Invocation::Died => &mut self.died,
            Invocation::Throttled => &mut self.throttled,
        };
        *count += 1;
    }
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// The function answered.
    Answered(Value),
    /// The function returned an error.
    Failed(String),
    /// The function exceeded its time-out.
    TimedOut,
    /// The process died.
    Died,
    /// The function was not called: too many invocations were in progress.
    Throttled,
}

struct Container {
    function: Box<dyn Function>,
    faults: Faults,
    idle_since: Time,
}

#[derive(Default)]
struct Fleet {
    idle: Vec<Container>,
    /// The invocations in progress, by their numbers.
    busy: Vec<(u64, Faults)>,
    started: u64,
    invocations: u64,
    /// Time that all invocations took together, which Lambda bills.
    worked: Duration,
    ends: Ends,
}

/// Starts the process of a container, whose ports go through these faults.
type Start = Box<dyn Fn(&Faults) -> Box<dyn Function> + Send + Sync>;

/// The containers of a function.
pub struct Containers<C> {
    settings: Mutex<FunctionSettings>,
    clock: C,
    start: Start,
    faults: Faults,
    fleet: Mutex<Fleet>,
}

impl<C> fmt::Debug for Containers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Containers").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<C: Clock> Containers<C> {
    /// No container yet. `start` makes the code of a process from the faults of its ports.
    pub fn new(
        settings: FunctionSettings,
        clock: C,
        faults: Faults,
        start: impl Fn(&Faults) -> Box<dyn Function> + Send + Sync + 'static,
    ) -> Self {
        let (settings, fleet) = (Mutex::new(settings), Mutex::default());
        Self { settings, clock, start: Box::new(start), faults, fleet }
    }

    /// The faults of all processes' ports.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The settings of the next invocation.
    pub fn settings(&self) -> FunctionSettings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the settings; invocations in progress keep theirs.
    pub fn set(&self, settings: FunctionSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// How many containers were started so far.
    pub fn started(&self) -> u64 {
        self.fleet().started
    }

    /// How many invocations began so far, and the time of those that have ended, which Lambda bills.
    pub fn invocations(&self) -> (u64, Duration) {
        let fleet = self.fleet();
        (fleet.invocations, fleet.worked)
    }

    /// How the invocations ended so far.
    pub fn ends(&self) -> Ends {
        self.fleet().ends
    }

    /// Kills every process that handles an invocation now. Returns how many there were.
    pub fn kill(&self) -> usize {
        let fleet = self.fleet();
        fleet.busy.iter().for_each(|(_, faults)| faults.kill());
        fleet.busy.len()
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container of an invocation that begins: the one that was busy last, or a new one. `None`
    /// if the invocation is throttled.
    fn occupy(&self, settings: &FunctionSettings) -> Option<(u64, Container, bool)> {
        let now = self.clock.now();
        let mut fleet = self.fleet();
        if settings.concurrency.is_some_and(|most| fleet.busy.len() >= most) {
            return None;
        }
        if let Some(idle) = settings.idle {
            fleet.idle.retain(|container| container.idle_since + idle > now);
        }
        let (container, is_new) = if let Some(container) = fleet.idle.pop() {
            (container, false)
        } else {
            let faults = self.faults.process();
            let function = (self.start)(&faults);
            (Container { function, faults, idle_since: now }, true)
        };
        fleet.started += u64::from(is_new);
        let number = fleet.invocations;
        fleet.invocations += 1;
        fleet.busy.push((number, container.faults.clone()));
        Some((number, container, is_new))
    }

    /// Invokes the function.
    pub async fn invoke(&self, event: Value) -> Invocation {
        let settings = self.settings();
        let Some((number, mut container, is_new)) = self.occupy(&settings) else {
            self.fleet().ends.count(&Invocation::Throttled, false);
            return Invocation::Throttled;
        };
        if is_new && !settings.cold_start.is_zero() {
            tokio::time::sleep(settings.cold_start).await;
        }
        let began = self.clock.now();
        let deadline = began + settings.timeout;
        let ended = {
            let work = container.faults.hold(container.function.invoke(event, deadline));
            tokio::select! {
                biased;
                () = container.faults.death() => Invocation::Died,
                answer = work => answer.map_or_else(Invocation::Failed, Invocation::Answered),
                () = container.faults.time_out(settings.timeout) => Invocation::TimedOut,
            }
        };
        let mut fleet = self.fleet();
        fleet.worked += self.clock.now().since(began);
        fleet.busy.retain(|(busy, _)| *busy != number);
        fleet.ends.count(&ended, container.faults.was_frozen());
        if matches!(ended, Invocation::Answered(_) | Invocation::Failed(_)) {
            container.idle_since = self.clock.now();
            fleet.idle.push(container);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use serde_json::json;

    use super::*;
    use crate::testing::TestClock;

    /// Counts its invocations, and takes as many seconds as the event says.
    struct Counting(AtomicU64);

    impl Function for Counting {
        fn invoke(&self, event: Value, _: Time) -> BoxFuture<'_, Result<Value, String>> {
            Box::pin(async move {
                let count = self.0.fetch_add(1, Relaxed) + 1;
                tokio::time::sleep(Duration::from_secs(event.as_u64().unwrap_or_default())).await;
                Ok(json!(count))
            })
        }
    }

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn containers() -> Containers<TestClock> {
        let start = |_: &Faults| -> Box<dyn Function> { Box::new(Counting(AtomicU64::new(0))) };
        let settings = FunctionSettings::with_timeout(TIMEOUT);
        Containers::new(settings, TestClock::default(), Faults::default(), start)
    }

    fn answered(count: u64) -> Invocation {
        Invocation::Answered(json!(count))
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_is_reused_and_two_at_once_need_two() {
        let lambda = containers();
        assert_eq!(lambda.invoke(json!(1)).await, answered(1));
        assert_eq!(lambda.invoke(json!(1)).await, answered(2));
        assert_eq!(lambda.started(), 1);
        let both = tokio::join!(lambda.invoke(json!(1)), lambda.invoke(json!(1)));
        assert_eq!((both, lambda.started()), ((answered(3), answered(1)), 2));
        assert_eq!(lambda.invocations(), (4, Duration::from_secs(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_out_and_a_kill_end_the_container_and_no_other() {
        let lambda = containers();
        assert_eq!(lambda.invoke(json!(60)).await, Invocation::TimedOut);
        assert_eq!(lambda.invoke(json!(0)).await, answered(1), "a new container");
        let killer = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            lambda.kill()
        };
        let (ended, count) = tokio::join!(lambda.invoke(json!(5)), killer);
        assert_eq!((ended, count), (Invocation::Died, 1));
        assert_eq!(lambda.invoke(json!(0)).await, answered(1));
        assert_eq!(lambda.started(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn invocations_over_the_limit_are_throttled() {
        let lambda = containers();
        let limit =
            FunctionSettings { concurrency: Some(1), ..FunctionSettings::with_timeout(TIMEOUT) };
        lambda.set(limit);
        let both = tokio::join!(lambda.invoke(json!(1)), lambda.invoke(json!(1)));
        assert_eq!(both, (answered(1), Invocation::Throttled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cold_start_takes_its_time_and_an_idle_container_ends() {
        let lambda = containers();
        lambda.set(FunctionSettings {
            cold_start: Duration::from_millis(300),
            idle: Some(Duration::from_mins(5)),
            ..FunctionSettings::with_timeout(TIMEOUT)
        });
        let began = tokio::time::Instant::now();
        lambda.invoke(json!(0)).await;
        lambda.invoke(json!(0)).await;
        assert_eq!((began.elapsed(), lambda.started()), (Duration::from_millis(300), 1));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(lambda.invoke(json!(0)).await, answered(1));
    }
}
