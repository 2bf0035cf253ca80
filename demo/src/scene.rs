//! The stack as the demo uses it: the queues, the tables and the sandbox.

pub(crate) mod clock;
pub(crate) mod record;

use anyhow::{Context as _, Result};
use sandbox::rebrandly::Link;
use sandbox::{CallCounts, FaultReport};
use serde_json::json;
use xtask::aws::{Client, dynamodb, sqs};
use xtask::local::Stack;

use crate::incident::job::Kind;
use clock::Clock;
use record::{Breaker, Record, Vehicle};

/// A running stack, and the clock of the demo.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) sandbox: sandbox::Client,
    pub(crate) clock: Clock,
    queues: Vec<Queues<'a>>,
    jobs_table: &'a str,
    vehicles_table: &'a str,
    control_table: &'a str,
}

/// The queues of a job type.
#[derive(Debug)]
struct Queues<'a> {
    kind: Kind,
    normal: &'a str,
    high: &'a str,
    dead_letters: &'a str,
}

/// The state of the stack at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) records: Vec<Record>,
    pub(crate) vehicles: Vec<Vehicle>,
    pub(crate) links: Vec<Link>,
    pub(crate) calls: CallCounts,
    pub(crate) faults: Vec<FaultReport>,
    /// Messages in the queues, including those in flight and those that are delayed.
    pub(crate) queued: u64,
    /// Messages in the dead-letter queues.
    pub(crate) dead_letters: u64,
    /// The breaker that must have opened. It is read only at the end.
    pub(crate) breaker: Option<Breaker>,
}

impl<'a> Queues<'a> {
    fn of(stack: &'a Stack, kind: Kind) -> Result<Self> {
        let url = |which: &str| stack.output(&format!("{}{which}QueueUrl", kind.output()));
        let (normal, high, dead_letters) = (url("")?, url("High")?, url("DeadLetter")?);
        Ok(Self { kind, normal, high, dead_letters })
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Result<Self> {
        let queues = Kind::ALL.into_iter().map(|kind| Queues::of(stack, kind));
        Ok(Self {
            stack,
            sandbox: sandbox::Client::new(stack.sandbox_url()),
            clock: Clock::start(),
            queues: queues.collect::<Result<_>>()?,
            jobs_table: stack.output("JobsTableName")?,
            vehicles_table: stack.output("VehiclesTableName")?,
            control_table: stack.output("ControlTableName")?,
        })
    }

    /// Sends messages to the queue of a type in one call.
    pub(crate) async fn send(&self, kind: Kind, messages: &[sqs::Outgoing]) -> Result<()> {
        let queues = self.queues.iter().find(|queues| queues.kind == kind);
        let queue = queues.with_context(|| format!("{}: no such queue", kind.name()))?.normal;
        sqs::send_batch(self.aws(), queue, messages).await.map(drop)
    }

    /// How many messages the queues of all types hold, in whatever state.
    pub(crate) async fn queued(&self) -> Result<u64> {
        let mut queued = 0;
        for queues in &self.queues {
            queued += total(self.aws(), queues.normal).await?;
            queued += total(self.aws(), queues.high).await?;
        }
        Ok(queued)
    }

    /// Takes a snapshot.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        // The queues first: a message that is deleted by then has a record already.
        let queued = self.queued().await?;
        let mut dead_letters = 0;
        for queues in &self.queues {
            dead_letters += total(self.aws(), queues.dead_letters).await?;
        }
        let records = dynamodb::scan(self.aws(), self.jobs_table).await?;
        let records = records.into_iter().map(Record::read).collect::<Result<_>>()?;
        let vehicles = dynamodb::scan(self.aws(), self.vehicles_table).await?;
        let vehicles = vehicles.into_iter().map(Vehicle::read).collect::<Result<_>>()?;
        let links = self.sandbox.links().await.context("the sandbox's links")?;
        let calls = self.sandbox.call_counts().await.context("the sandbox's calls")?;
        let faults = self.sandbox.faults().await.context("the sandbox's faults")?;
        let breaker = None;
        Ok(Snapshot { records, vehicles, links, calls, faults, queued, dead_letters, breaker })
    }

    /// The breaker of a dependency; `None` if it has never opened.
    pub(crate) async fn breaker(&self, dependency: &str) -> Result<Option<Breaker>> {
        let key = json!({ "pk": format!("breaker#{dependency}"), "sk": "state" });
        let item = dynamodb::get(self.aws(), self.control_table, &key).await?;
        item.map(Breaker::read).transpose()
    }

    fn aws(&self) -> &Client {
        self.stack.client()
    }
}

async fn total(aws: &Client, queue: &str) -> Result<u64> {
    let sqs::Depth { visible, in_flight, delayed } = sqs::depth(aws, queue).await?;
    Ok(visible + in_flight + delayed)
}
