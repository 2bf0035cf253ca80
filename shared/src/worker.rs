//! The worker handles one SQS event, from its messages to the response.
//!
//! ```text
//! messages ─ decode ─┬─ jobs ─ claim ─┬─ run concurrently ─ settle ─┬─ answer
//!                    │  (one ticket   ├─ run isolated ───── settle ─┤
//!                    │  per job)      └─ nothing to run ────────────┤
//!                    ├─ rejected messages ──────────────────────────┤
//!                    └─ checks of results ──────────────────────────┘
//! ```
//!
//! Read `worker/event.rs` first: its `handle` names the steps in order. Each step is a function over
//! `&Worker` in the module of its name. A record is always written before its message is
//! acknowledged: SQS may delete a message only after a confirmed write. `worker/request.rs` answers what operators ask of
//! the function itself.

mod batch;
mod check_history;
pub(crate) mod claim;
pub(crate) mod disposition;
mod event;
pub mod execute;
mod gather;
mod reject;
mod request;
mod run;
mod schedule;
pub(crate) mod settle;
mod slots;
mod verify;

use std::{sync::Mutex, time::Duration};

pub use event::{BatchError, handle};
pub use request::answer_request;

use crate::{
    gates::{Gates, Rules},
    job::Job,
    ports::Ports,
};
use check_history::CheckHistory;

/// A job type and the ports that the engine uses for it.
#[allow(missing_docs, reason = "the names say it")]
pub struct Worker<J, P: Ports> {
    pub job: J,
    /// The job table and the control table.
    pub store: P::Store,
    pub queue: P::Queue,
    pub clock: P::Clock,
    pub random: P::Random,
    /// The gates between the jobs and their dependencies.
    gates: Gates<P>,
    /// Counts of the latest checks of results.
    checks: Mutex<CheckHistory>,
}

impl<J: Job, P: Ports> Worker<J, P> {
    /// A worker that has not handled any event.
    pub fn new(
        job: J,
        store: P::Store,
        queue: P::Queue,
        clock: P::Clock,
        random: P::Random,
    ) -> Self {
        let policy = &J::POLICY;
        let rules = Rules { kind: J::TYPE, policy, breaker: policy.breaker };
        let gates = Gates::new(rules, store.clone(), clock.clone(), random.clone());
        Self { job, store, queue, clock, random, gates, checks: Mutex::default() }
    }

    /// The same worker with another upper limit on how long a breaker stays open, but at least the
    /// breaker's first wait.
    #[must_use]
    pub fn with_longest_wait(mut self, longest_wait: Duration) -> Self {
        let breaker = &mut self.gates.rules.breaker;
        breaker.longest_wait = longest_wait.max(breaker.open_wait);
        self
    }
}
