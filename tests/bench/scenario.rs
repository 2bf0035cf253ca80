//! A scenario: what is sent when, what fails when, and what must be true in the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use evenkeel::{
    message::OutgoingMessage,
    record::Record,
    testing::{
        EntryOutcome, Fault, PartitionLimits, TableHabits, TracedCall, Units,
        containers::FunctionSettings,
        sqs::{Habits, SimulatedMessage},
    },
};
use sandbox::{Call, SettingsChange, rebrandly::Link};

use super::Bench;

/// Something that happens to a system.
#[derive(Clone, Debug)]
pub(crate) enum Happens {
    /// A message is sent to the queue with this ARN.
    Send(String, OutgoingMessage),
    /// A third party begins to fail.
    ThirdPartyFails(sandbox::Fault),
    /// The third parties work again.
    ThirdPartiesRecover,
    /// The third parties change their settings.
    ThirdPartyChanges(SettingsChange),
    /// Every port call of the functions with this name fails.
    PortFails(&'static str, Fault),
    /// The functions' ports work again.
    PortsRecover,
    /// Every port call of the sweeper with this name fails.
    SweeperPortFails(&'static str, Fault),
    /// The sweeper's ports work again.
    SweeperPortsRecover,
    /// Every process of the functions that is at work dies. There must be one.
    ProcessesDie,
    /// Lambda runs every function like this from now on.
    FunctionsChange(fn(FunctionSettings) -> FunctionSettings),
    /// The next entries of batches of this call end like this.
    EntriesEnd(&'static str, Vec<EntryOutcome>),
    /// Each partition of the tables serves no more than this in a second.
    PartitionsAreLimited(Option<PartitionLimits>),
    /// The API key is rotated.
    KeyRotates(String),
    /// The queues change their habits; the number is the seed.
    QueuesBehave(Habits, u64),
    /// The tables change their habits.
    TablesBehave(TableHabits),
}

/// What must be true of the end; an error says what is not.
pub(crate) type Must = fn(&Outcome) -> Result<(), String>;

/// What happens to a system, and what must be true of it in the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scenario {
    /// What happens, and how long after the beginning.
    pub(crate) happens: Vec<(Duration, Happens)>,
    /// How long after the beginning everything must be done.
    pub(crate) most: Duration,
    pub(crate) must: Vec<Must>,
}

/// The end of a scenario, as values.
#[derive(Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<Record>,
    /// The messages that are left in each queue.
    pub(crate) messages: BTreeMap<String, Vec<SimulatedMessage>>,
    pub(crate) links: Vec<Link>,
    /// The calls to third parties.
    pub(crate) calls: Vec<Call>,
    /// The capacity units of the tables.
    pub(crate) units: Units,
    /// The port calls of the functions, then those of the sweeper.
    pub(crate) trace: [Vec<TracedCall>; 2],
    pub(crate) took: Duration,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, messages, links, calls, units, trace, took } = self;
        let left: usize = messages.values().map(Vec::len).sum();
        let trace = trace.each_ref().map(Vec::len);
        f.debug_struct("Outcome")
            .field("records", &records.len())
            .field("messages", &left)
            .field("links", &links.len())
            .field("calls", &calls.len())
            .field("units", units)
            .field("port calls", &trace)
            .field("took", took)
            .finish()
    }
}

impl Bench {
    /// Plays a scenario to its end and checks what must be true of it.
    ///
    /// # Panics
    /// If it does not end in time, or something is not true.
    pub(crate) async fn play(&self, scenario: &Scenario) -> Outcome {
        let began = self.now();
        let mut happens = scenario.happens.clone();
        happens.sort_by_key(|(at, _)| *at);
        let story = async {
            for (at, what) in happens {
                tokio::time::sleep((began + at).since(self.now())).await;
                self.happen(what).await;
            }
            self.quiet((began + scenario.most).since(self.now())).await;
        };
        self.run_while(story).await;
        let outcome = self.outcome(self.now().since(began)).await;
        let broken: Vec<String> =
            scenario.must.iter().filter_map(|must| must(&outcome).err()).collect();
        assert!(broken.is_empty(), "{broken:#?} in {outcome:?}");
        outcome
    }

    /// Lets this happen now.
    pub(crate) async fn happen(&self, what: Happens) {
        let control = self.control();
        match what {
            Happens::Send(queue, message) => drop(self.sqs.send_to(&queue, message)),
            Happens::ThirdPartyFails(fault) => drop(control.add_fault(&fault).await.unwrap()),
            Happens::ThirdPartiesRecover => drop(control.clear_faults().await.unwrap()),
            Happens::ThirdPartyChanges(change) => {
                drop(control.change_settings(&change).await.unwrap());
            }
            Happens::PortFails(call, fault) => self.faults.on(call, fault),
            Happens::PortsRecover => self.faults.clear(),
            Happens::SweeperPortFails(call, fault) => self.sweeper_faults.on(call, fault),
            Happens::SweeperPortsRecover => self.sweeper_faults.clear(),
            Happens::ProcessesDie => {
                let functions = self.functions.iter();
                let killed: usize = functions.map(|function| function.containers.kill()).sum();
                assert!(killed > 0, "no process is at work at {}", self.now());
            }
            Happens::FunctionsChange(change) => {
                for function in &self.functions {
                    function.containers.set(change(function.containers.settings()));
                }
            }
            Happens::EntriesEnd(call, outcomes) => self.store.plan_entries(call, outcomes),
            Happens::PartitionsAreLimited(limits) => self.store.limit(limits),
            Happens::KeyRotates(key) => self.keys.rotate(&key),
            Happens::QueuesBehave(habits, seed) => self.sqs.behave(habits, seed),
            Happens::TablesBehave(habits) => self.store.behave(habits),
        }
    }

    async fn outcome(&self, took: Duration) -> Outcome {
        let queues = self.sqs.queues().into_iter();
        Outcome {
            records: self.store.records(),
            messages: queues.map(|queue| (queue.clone(), self.sqs.messages(&queue))).collect(),
            links: self.links().await,
            calls: self.control().calls().await.unwrap(),
            units: self.store.units(),
            trace: [self.faults.trace(), self.sweeper_faults.trace()],
            took,
        }
    }
}
