//! How the processes of a simulated system differ: by their clocks and their random numbers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use evenkeel::{
    base::time::{Clock as _, Time, millis},
    testing::{Draw, Faults, SeededRandom, TestClock, containers::Function},
};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Kind, Shared};

/// What is added to the numbers of the sweeper's processes, so that no function's has the same.
pub(crate) const SWEEPER: u64 = 1 << 32;

/// How processes differ. At first they do not: all have the right time, and share one sequence of random numbers.
#[derive(Clone, Default)]
pub(crate) struct Processes {
    differing: Arc<Mutex<Option<Differing>>>,
    is_deployed: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
struct Differing {
    draw: Draw,
    right: TestClock,
    most_skew: Duration,
}

impl Processes {
    /// From now on each process that starts has random numbers of its own, and a clock that is wrong by at most
    /// `most_skew`, both drawn by its number. `right` is the right time.
    pub(crate) fn differ(&self, draw: Draw, most_skew: Duration, right: TestClock) {
        *self.differing.lock().unwrap() = Some(Differing { draw, right, most_skew });
    }

    fn differing(&self) -> Option<Differing> {
        *self.differing.lock().unwrap()
    }

    /// From now on each process that starts has the newer version of its function, if there are two.
    pub(crate) fn deploy(&self) {
        self.is_deployed.store(true, Relaxed);
    }

    /// Whether a process that starts now has the newer version.
    pub(super) fn is_deployed(&self) -> bool {
        self.is_deployed.load(Relaxed)
    }

    /// The right time, for a process whose own clock is `own`.
    pub(crate) fn right(&self, own: TestClock) -> TestClock {
        self.differing().map_or(own, |differing| differing.right)
    }
}

impl Differing {
    fn clock(&self, process: u64) -> TestClock {
        let most = millis(self.most_skew);
        let drawn = self.draw.below(2 * most + 1, "skew", process, "", 0);
        if drawn >= most {
            self.right.ahead(Duration::from_millis(drawn - most))
        } else {
            self.right.behind(Duration::from_millis(most - drawn))
        }
    }
}

/// What the process with this number has: what all share, with its own clock and its own random numbers.
pub(super) fn own(shared: &Shared, process: u64) -> Shared {
    let Some(differing) = shared.processes.differing() else { return shared.clone() };
    let random = SeededRandom::new(differing.draw.bits("random", process, "", 0));
    Shared { clock: differing.clock(process), random, ..shared.clone() }
}

/// Starts a process of a function.
pub(super) fn start(kind: Kind, shared: &Shared, faults: &Faults) -> Box<dyn Function> {
    let own = own(shared, faults.number());
    let function = kind.start(&own, faults);
    Box::new(ByItsClock { function, right: shared.clock, own: own.clock })
}

/// A function whose invocations end by the clock of its process, which is also that of the machine below it.
struct ByItsClock {
    function: Box<dyn Function>,
    right: TestClock,
    own: TestClock,
}

impl Function for ByItsClock {
    fn invoke(&self, event: Value, deadline: Time) -> BoxFuture<'_, Result<Value, String>> {
        let left = deadline.since(self.right.now());
        self.function.invoke(event, self.own.now() + left)
    }
}
