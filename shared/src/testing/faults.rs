//! Fault injection at port calls, chosen by number or name: the call fails before or after its
//! effect, or the process dies at that point.

mod maintenance;
mod ports;
mod process;
mod wire;

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::TestClock;
use crate::{
    base::time::{Clock, Time},
    ports::PortError,
};
use process::Process;
use wire::Effect;

/// What goes wrong at a port call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails without effect.
    Before,
    /// The call takes effect, and the caller gets an error.
    AnswerLost,
    /// The process dies before the call takes effect.
    DieBefore,
    /// The process dies after the call took effect.
    DieAfter,
    /// The call works, and each of its entries is refused, as by throttling. Calls without entries
    /// fail.
    Throttled,
    /// The call takes as long as the SDK's time-out allows, and fails.
    Hang,
    /// Access is denied: a retry cannot succeed.
    Broken,
    /// The item is not in the format that this code writes.
    Unreadable,
    /// The call takes effect, and its answer comes this much later.
    Late(Duration),
    /// The whole process is frozen for this long before the call takes effect.
    Freeze(Duration),
    /// The call fails, and takes effect this much later. A call that cannot be made later has no effect.
    Delayed(Duration),
    /// The process dies, and the call takes effect this much later, as far as it can be made later.
    Outlives(Duration),
    /// The call works, and takes effect once more this much later, as far as it can be made later.
    Twice(Duration),
}

impl Fault {
    /// Every temporary fault.
    pub const ALL: [Self; 6] = [
        Self::Before,
        Self::AnswerLost,
        Self::DieBefore,
        Self::DieAfter,
        Self::Throttled,
        Self::Hang,
    ];
}

/// The planned faults and the calls so far, shared by the ports of all processes of a function. Each
/// process has a life of its own.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    process: Arc<Process>,
    clock: TestClock,
}

/// A port call, as it began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct TracedCall {
    pub at: Time,
    pub name: &'static str,
    /// The keys, the queue or the dependency that it concerns.
    pub about: String,
}

/// A port call that is about to be made, by what tells it from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct CallSite {
    pub at: Time,
    /// [`Faults::number`] of its process.
    pub process: u64,
    pub name: &'static str,
    /// How many calls of this name the process has made before.
    pub nth: u64,
}

type Decide = dyn Fn(&CallSite) -> Option<Fault> + Send + Sync;

/// What decides about each call.
#[derive(Clone)]
struct Decider(Arc<Decide>);

impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decider").finish_non_exhaustive()
    }
}

/// The calls that a fault affects.
#[derive(Clone, Copy, Debug)]
enum Struck {
    Numbers(usize, usize),
    Name(&'static str),
}

impl Struck {
    fn is(self, number: usize, call: &str) -> bool {
        match self {
            Self::Numbers(first, last) => (first..=last).contains(&number),
            Self::Name(name) => name == call,
        }
    }
}

#[derive(Debug, Default)]
struct Plan {
    /// How many calls there were.
    count: usize,
    calls: Vec<TracedCall>,
    /// What takes the place of `calls`, if only a hash of them is kept.
    hasher: Option<DefaultHasher>,
    faults: Vec<(Struck, Fault)>,
    spared: Vec<&'static str>,
    latency: Duration,
    processes: u64,
    /// The number of calls of each process by name.
    made: BTreeMap<(u64, &'static str), u64>,
    decider: Option<Decider>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the calls `first` to `last` fail, both inclusive, counted from 0 in the order in which
    /// they are made.
    pub fn at(&self, first: usize, last: usize, fault: Fault) {
        self.lock().faults.push((Struck::Numbers(first, last), fault));
    }

    /// Makes every call with this name fail.
    pub fn on(&self, call: &'static str, fault: Fault) {
        self.lock().faults.push((Struck::Name(call), fault));
    }

    /// Lets no fault strike calls with this name.
    pub fn spare(&self, call: &'static str) {
        self.lock().spared.push(call);
    }

    /// Asks `decide` about each call that no planned fault strikes.
    pub fn decide(&self, decide: impl Fn(&CallSite) -> Option<Fault> + Send + Sync + 'static) {
        self.lock().decider = Some(Decider(Arc::new(decide)));
    }

    /// Makes every call take `latency` longer.
    pub fn slow(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// The names of the calls so far. The index of a call is its number for [`Faults::at`].
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.lock().calls.iter().map(|call| call.name).collect()
    }

    /// The calls so far, with their times.
    #[must_use]
    pub fn trace(&self) -> Vec<TracedCall> {
        self.lock().calls.clone()
    }

    /// From now on no call is kept, only a hash of all: many simulations are compared, and few are looked at.
    pub fn keep_only_a_hash(&self) {
        self.lock().hasher.get_or_insert_default();
    }

    /// How many calls there were, and a hash of the time, the name and the subject of each since
    /// [`Faults::keep_only_a_hash`].
    #[must_use]
    pub fn count_and_hash(&self) -> (usize, u64) {
        let plan = self.lock();
        (plan.count, plan.hasher.as_ref().map_or(0, DefaultHasher::finish))
    }

    /// A new process, with the same planned faults and the same count of calls.
    #[must_use]
    pub fn process(&self) -> Self {
        let number = {
            let mut plan = self.lock();
            plan.processes += 1;
            plan.processes
        };
        Self { process: Arc::new(Process::numbered(number)), ..self.clone() }
    }

    /// Clears the planned faults.
    pub fn clear(&self) {
        self.lock().faults.clear();
    }

    /// Wraps a port, so that its calls go through the planned faults.
    pub fn wrap<T>(&self, port: T) -> Faulty<T> {
        Faulty { port, faults: self.clone() }
    }

    fn next(&self, name: &'static str, about: String) -> Option<Fault> {
        let mut plan = self.lock();
        let number = plan.count;
        plan.count += 1;
        let (at, process) = (self.clock.now(), self.process.number);
        if let Some(hasher) = &mut plan.hasher {
            (at, name, about).hash(hasher);
        } else {
            plan.calls.push(TracedCall { at, name, about });
        }
        let made = plan.made.entry((process, name)).or_default();
        let nth = *made;
        *made += 1;
        if plan.spared.contains(&name) {
            return None;
        }
        let planned = plan.faults.iter().position(|(struck, _)| struck.is(number, name));
        let Some(place) = planned else {
            let decider = plan.decider.clone()?;
            drop(plan);
            return (decider.0)(&CallSite { at, process, name, nth });
        };
        match plan.faults[place].1 {
            // A fault that kills strikes one process.
            fault @ (Fault::DieBefore | Fault::DieAfter) => {
                plan.faults.remove(place);
                Some(fault)
            }
            fault => Some(fault),
        }
    }

    async fn die<T>(&self) -> T {
        self.kill();
        std::future::pending().await
    }

    /// Makes one call through the planned faults; `turned_away` is its result if every entry is
    /// throttled.
    async fn call<T>(
        &self,
        name: &'static str,
        about: String,
        work: impl Future<Output = Result<T, PortError>>,
        turned_away: Option<T>,
    ) -> Result<T, PortError> {
        self.call_or_later(name, about, work, turned_away, || None).await
    }

    /// The same for a call that can be made later, whatever has become of its process then: `later` makes it.
    async fn call_or_later<T>(
        &self,
        name: &'static str,
        about: String,
        work: impl Future<Output = Result<T, PortError>>,
        turned_away: Option<T>,
        later: impl FnOnce() -> Option<Effect>,
    ) -> Result<T, PortError> {
        if self.process.is_dead() {
            return std::future::pending().await;
        }
        let latency = self.lock().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let failed = |how: &str| Err(PortError::Unavailable(format!("{name} {how}")));
        match self.next(name, about) {
            None => work.await,
            Some(Fault::Before) => failed("was cut off"),
            Some(Fault::Throttled) => turned_away.map_or_else(|| failed("was throttled"), Ok),
            Some(Fault::Broken) => Err(PortError::Broken(format!("{name}: access denied"))),
            Some(Fault::Unreadable) => Err(PortError::Unreadable(format!("{name}: no such state"))),
            Some(Fault::Hang) => {
                tokio::time::sleep(HANG).await;
                failed("timed out")
            }
            Some(Fault::Late(span)) => {
                let answer = work.await;
                tokio::time::sleep(span).await;
                answer
            }
            Some(Fault::Freeze(span)) => {
                self.process.freeze(span);
                // The process is frozen once this poll is over, and goes on here when it thaws.
                tokio::task::yield_now().await;
                work.await
            }
            Some(Fault::AnswerLost) => {
                let _ = work.await;
                failed("lost its answer")
            }
            Some(Fault::Delayed(span)) => {
                wire::later(span, later());
                failed("timed out")
            }
            Some(Fault::Outlives(span)) => {
                wire::later(span, later());
                self.die().await
            }
            Some(Fault::Twice(span)) => {
                let answer = work.await;
                wire::later(span, later());
                answer
            }
            Some(Fault::DieBefore) => self.die().await,
            Some(Fault::DieAfter) => {
                let _ = work.await;
                self.die().await
            }
        }
    }
}

/// How long a call hangs before the SDK gives up.
const HANG: Duration = Duration::from_millis(2500);

/// A port whose calls go through the planned faults.
#[derive(Clone, Debug)]
pub struct Faulty<T> {
    port: T,
    faults: Faults,
}

impl<T> Faulty<T> {
    /// The wrapped port, for traits that are defined outside the engine.
    pub fn port(&self) -> &T {
        &self.port
    }

    /// Makes a call of such a trait, named `name`, through the planned faults.
    pub async fn call<O>(
        &self,
        name: &'static str,
        about: impl Into<String>,
        work: impl Future<Output = Result<O, PortError>>,
    ) -> Result<O, PortError> {
        self.faults.call(name, about.into(), work, None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of calls with these subjects.
    fn hash(subjects: [&str; 2]) -> (usize, u64) {
        let faults = Faults::default();
        faults.keep_only_a_hash();
        for subject in subjects {
            faults.next("read", subject.to_owned());
        }
        assert!(faults.trace().is_empty());
        faults.count_and_hash()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hash_stands_for_all_calls_in_their_order() {
        assert_eq!(hash(["a", "b"]), hash(["a", "b"]));
        assert_ne!(hash(["a", "b"]), hash(["b", "a"]));
        assert_eq!(hash(["a", "b"]).0, 2);
    }
}
