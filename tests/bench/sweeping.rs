//! The sweeper and the operator on the simulated services.

use std::time::Duration;

use evenkeel::{
    base::time::Clock as _,
    testing::{Faulty, MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock},
};
use serde_json::Value;
use sweeper::{Ports, Sweep, call, operator, tick::Report};

use super::{Bench, Shared, processes, run::SWEEPER_TIMEOUT};

/// Time-out of the operator.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(15);

/// The sweeper's ports, with fault injection.
pub(crate) struct Simulated;

impl Ports for Simulated {
    type Store = Faulty<MemoryStore>;
    type Queue = Faulty<SimulatedSqs<TestClock>>;
    type Mappings = Faulty<MemoryMappings>;
    type Clock = TestClock;
    type Random = SeededRandom;
}

impl Bench {
    /// A process of the sweeper. It keeps nothing between its calls.
    fn sweeper(&self) -> (Sweep<Simulated>, evenkeel::testing::Faults) {
        let faults = self.sweeper_faults.process();
        let Shared { clock, random, .. } =
            processes::own(&self.shared, processes::SWEEPER + faults.number());
        let sweep = Sweep {
            store: faults.wrap(self.store.clone()),
            queue: faults.wrap(self.sqs.clone()),
            mappings: faults.wrap(self.mappings.clone()),
            clock,
            random,
            config: self.config.borrow().clone(),
        };
        (sweep, faults)
    }

    /// Runs one tick that does not stay awake; `None` if it failed, or if the sweeper died in it.
    pub(crate) async fn tick(&self) -> Option<Report> {
        self.awake(std::future::ready(())).await
    }

    /// Runs one tick, which may stay awake until `end`.
    pub(crate) async fn awake(&self, end: impl Future<Output = ()>) -> Option<Report> {
        let (sweep, faults) = self.sweeper();
        let deadline = sweep.clock.now() + SWEEPER_TIMEOUT;
        tokio::select! {
            biased;
            () = faults.death() => None,
            report = faults.hold(call::tick(&sweep, deadline, end)) => {
                let report = report.ok()?;
                self.told.borrow_mut().extend(report.told.iter().cloned());
                Some(report)
            }
            () = faults.time_out(SWEEPER_TIMEOUT) => None,
        }
    }

    /// Calls the operator; the error is a sentence. It fails as well if the process dies.
    pub(crate) async fn operate(&self, request: &Value) -> Result<Value, String> {
        let (sweep, faults) = self.sweeper();
        let deadline = self.now() + OPERATOR_TIMEOUT;
        tokio::select! {
            biased;
            () = faults.death() => Err("the process died".to_owned()),
            answer = faults.hold(operator::answer(&sweep, request, deadline)) => answer,
        }
    }

    /// Runs a command of the sweeper.
    pub(crate) async fn command(&self, command: &Value) -> Result<Value, String> {
        let (sweep, _) = self.sweeper();
        call::answer(&sweep, command, self.now() + SWEEPER_TIMEOUT).await
    }
}
