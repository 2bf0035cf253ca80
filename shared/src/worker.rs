//! A function at work: one SQS event from its messages to the answer.
//!
//! ```text
//! messages ─ decode ─┬─ jobs ─ claim ─┬─ run side by side ─ settle ─┬─ answer
//!                    │  (folded)      ├─ run alone ──────── settle ─┤
//!                    ├─ rejected      └─ nothing to run ────────────┤
//!                    └─ checks of results ──────────────────────────┘
//! ```
//!
//! Read [`event`] first: its `handle` names the steps in order, and each step is a function over
//! `&Worker` in the module of its name. Records are written before messages are acknowledged, always:
//! SQS may delete a message only after a confirmed write stands behind it.

mod batch;
mod check_history;
mod claim;
mod disposition;
mod event;
pub mod execute;
mod reject;
mod run;
mod schedule;
mod settle;
mod verify;

use std::{sync::Mutex, time::Duration};

pub use event::{BatchError, handle};

use crate::{
    gates::{Gates, Rules},
    job::Job,
    ports::Ports,
};
use check_history::CheckHistory;

/// What a function is made of: the job type and the ports that the engine uses for it.
pub struct Worker<J, P: Ports> {
    /// The job type.
    pub job: J,
    /// The job table and the control table.
    pub store: P::Store,
    /// The queues.
    pub queue: P::Queue,
    /// The clock.
    pub clock: P::Clock,
    /// The source of random numbers.
    pub random: P::Random,
    /// What stands between the jobs and their dependencies.
    gates: Gates<P>,
    /// What the latest checks of results came to.
    checks: Mutex<CheckHistory>,
}

impl<J: Job, P: Ports> Worker<J, P> {
    /// A function that has handled nothing yet.
    pub fn new(
        job: J,
        store: P::Store,
        queue: P::Queue,
        clock: P::Clock,
        random: P::Random,
    ) -> Self {
        let (policy, rates) = (&J::POLICY, job.rates());
        let rules = Rules { kind: J::TYPE, policy, breaker: policy.breaker, rates };
        let gates = Gates::new(rules, store.clone(), clock.clone(), random.clone());
        Self { job, store, queue, clock, random, gates, checks: Mutex::default() }
    }

    /// The same with another cap on how long a breaker stays open, at least its first wait.
    #[must_use]
    pub fn with_longest_wait(mut self, longest_wait: Duration) -> Self {
        let breaker = &mut self.gates.rules.breaker;
        breaker.longest_wait = longest_wait.max(breaker.open_wait);
        self
    }
}

#[cfg(test)]
#[path = "worker/event_tests.rs"]
mod tests;
