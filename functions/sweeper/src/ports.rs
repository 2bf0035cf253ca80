//! What the sweeper needs from outside: one trait for all ports, and the sweeper built on it.

use evenkeel::{
    aws::{DynamoStore, Mappings, SqsQueue},
    base::{
        config::{ConfigError, Reader},
        random::{Random, SystemRandom},
        time::{Clock, SystemClock},
    },
    lambda::Start,
    ports::maintenance::{MappingMaintenance, QueueMaintenance, TableMaintenance},
};

use crate::config::Config;

/// The implementations that a sweeper runs on: those on AWS, or doubles in tests.
pub trait Ports {
    /// The tables of jobs and control items, and the auxiliary table.
    type Store: TableMaintenance;
    /// Every queue of every job type, dead-letter queues included.
    type Queue: QueueMaintenance;
    /// The event source mappings between the queues and the functions.
    type Mappings: MappingMaintenance;
    /// The clock from which every decision takes the time.
    type Clock: Clock;
    /// Owner tokens, and where a random sample begins.
    type Random: Random;
}

/// The ports of a deployed sweeper.
#[derive(Clone, Copy, Debug)]
pub struct Deployed;

impl Ports for Deployed {
    type Store = DynamoStore;
    type Queue = SqsQueue;
    type Mappings = Mappings;
    type Clock = SystemClock;
    type Random = SystemRandom;
}

/// The sweeper: its ports and its configuration. It keeps no state between calls; see
/// [`crate::memory`].
#[allow(missing_docs, reason = "each field is the port of its name; `Ports` describes them")]
pub struct Sweep<P: Ports> {
    pub store: P::Store,
    pub queue: P::Queue,
    pub mappings: P::Mappings,
    pub clock: P::Clock,
    pub random: P::Random,
    pub config: Config,
}

impl Sweep<Deployed> {
    /// Builds the sweeper from the environment. The error names every variable that is missing or
    /// wrong.
    pub async fn start(start: Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let parameter = reader.required("MAPPINGS_PARAMETER");
        let (config, tables, auxiliary) = Config::read(&mut reader);
        let config = reader.finish(config)?;
        let store = DynamoStore::new(&start.aws, tables).with_auxiliary(auxiliary);
        store.warm().await;
        let (queue, mappings) = (SqsQueue::new(&start.aws), Mappings::new(&start.aws, parameter));
        Ok(Self { store, queue, mappings, clock: SystemClock, random: SystemRandom, config })
    }
}
