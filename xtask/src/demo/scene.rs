//! The stack as the demo sees it: where to send, where to look.

use anyhow::{Context as _, Result};
use sandbox::CallCounts;
use sandbox::rebrandly::Link;

use super::clock::Clock;
use super::record::Record;
use crate::aws::{Client, dynamodb, sqs};
use crate::local::Stack;

/// A running stack, and the clock that all times are read from.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) stack: &'a Stack,
    pub(super) sandbox: sandbox::Client,
    pub(super) clock: Clock,
    queue: &'a str,
    dead_letter_queue: &'a str,
    table: &'a str,
}

/// What there is at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) records: Vec<Record>,
    pub(super) links: Vec<Link>,
    pub(super) calls: CallCounts,
    /// Messages that have not been acknowledged.
    pub(super) queued: u64,
    /// Messages that no function could acknowledge.
    pub(super) dead_letters: u64,
}

impl<'a> Scene<'a> {
    pub(super) fn of(stack: &'a Stack) -> Result<Self> {
        Ok(Self {
            stack,
            sandbox: sandbox::Client::new(stack.sandbox_url()),
            clock: Clock::start(),
            queue: stack.output("UrlShorteningQueueUrl")?,
            dead_letter_queue: stack.output("UrlShorteningDeadLetterQueueUrl")?,
            table: stack.output("JobsTableName")?,
        })
    }

    /// Sends messages in one call.
    pub(super) async fn send(&self, messages: &[sqs::Outgoing]) -> Result<()> {
        sqs::send_batch(self.aws(), self.queue, messages).await.map(drop)
    }

    /// How many messages the queue holds, in whatever state.
    pub(super) async fn queued(&self) -> Result<u64> {
        total(self.aws(), self.queue).await
    }

    /// Looks at everything.
    pub(super) async fn look(&self) -> Result<Snapshot> {
        // The queue first: a message that is gone by then has left its record behind.
        let queued = self.queued().await?;
        let dead_letters = total(self.aws(), self.dead_letter_queue).await?;
        let items = dynamodb::scan(self.aws(), self.table).await?;
        let records = items.into_iter().map(Record::read).collect::<Result<_>>()?;
        let links = self.sandbox.links().await.context("the sandbox's links")?;
        let calls = self.sandbox.call_counts().await.context("the sandbox's calls")?;
        Ok(Snapshot { records, links, calls, queued, dead_letters })
    }

    fn aws(&self) -> &Client {
        self.stack.client()
    }
}

async fn total(aws: &Client, queue: &str) -> Result<u64> {
    let sqs::Depth { visible, in_flight, delayed } = sqs::depth(aws, queue).await?;
    Ok(visible + in_flight + delayed)
}
