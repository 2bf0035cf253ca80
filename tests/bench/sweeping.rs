//! The sweeper on the simulated services.

use evenkeel::testing::{
    Faulty, MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock,
};
use serde_json::Value;
use sweeper::{Ports, Sweep, call, tick::Report};

use super::{Bench, run::SWEEPER_TIMEOUT};

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
        let sweep = Sweep {
            store: faults.wrap(self.store.clone()),
            queue: faults.wrap(self.sqs.clone()),
            mappings: faults.wrap(self.mappings.clone()),
            clock: self.clock,
            random: self.random.clone(),
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
        let deadline = self.now() + SWEEPER_TIMEOUT;
        tokio::select! {
            biased;
            () = faults.death() => None,
            report = call::tick(&sweep, deadline, end) => report.ok(),
            () = tokio::time::sleep(SWEEPER_TIMEOUT) => None,
        }
    }

    /// Runs an operator's command.
    pub(crate) async fn command(&self, command: &Value) -> Result<Value, String> {
        let (sweep, _) = self.sweeper();
        call::answer(&sweep, command, self.now() + SWEEPER_TIMEOUT).await
    }
}
