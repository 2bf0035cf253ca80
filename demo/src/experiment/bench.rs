//! The stack as an experiment sees it.
#![expect(clippy::print_stdout, reason = "a command's progress")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use xtask::aws::sqs::Outgoing;
use xtask::aws::{Client, dynamodb, sqs};
use xtask::local::Stack;

/// A running stack with what experiments ask of it.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(super) stack: &'a Stack,
    pub(super) sandbox: sandbox::Client,
    queue: &'a str,
    jobs: &'a str,
    control: &'a str,
    began: Instant,
}

/// Most calls of a site in a minute: its limit of 120, the burst of two, and one whose slot was used late.
pub(super) const MOST_A_MINUTE: usize = 123;

const MINUTE_MS: u64 = 60_000;

/// The jobs by state.
pub(super) type States = BTreeMap<String, usize>;

impl<'a> Bench<'a> {
    pub(crate) fn of(stack: &'a Stack) -> Result<Self> {
        Ok(Self {
            stack,
            sandbox: sandbox::Client::new(stack.sandbox_url()),
            queue: stack.output("UrlShorteningQueueUrl")?,
            jobs: stack.output("JobsTableName")?,
            control: stack.output("ControlTableName")?,
            began: Instant::now(),
        })
    }

    pub(super) fn aws(&self) -> &Client {
        self.stack.client()
    }

    /// Since the experiment began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A line of progress, with the time.
    pub(crate) fn say(&self, news: &str) {
        println!("{:>5} s  {news}", self.elapsed().as_secs());
    }

    /// Sends shortening jobs with these numbers.
    pub(crate) async fn send(&self, numbers: impl IntoIterator<Item = u32>) -> Result<()> {
        let messages: Vec<_> = numbers.into_iter().map(|n| Outgoing::new(body(n))).collect();
        sqs::send_batch(self.aws(), self.queue, &messages).await.map(drop)
    }

    /// Sends these bodies to the queue that this output of the template names.
    pub(super) async fn send_to(&self, output: &str, bodies: &[String]) -> Result<()> {
        let messages: Vec<_> = bodies.iter().map(Outgoing::new).collect();
        let queue = self.stack.output(output)?;
        sqs::send_batch(self.aws(), queue, &messages).await.map(drop)
    }

    /// Writes an item of the job table, over whatever was there.
    pub(super) async fn put(&self, item: &Value) -> Result<()> {
        dynamodb::put(self.aws(), self.jobs, item).await
    }

    /// Writes an item of the control table, over whatever was there.
    pub(super) async fn put_control(&self, item: &Value) -> Result<()> {
        dynamodb::put(self.aws(), self.control, item).await
    }

    /// Every item of the control table.
    pub(super) async fn control_items(&self) -> Result<Vec<Value>> {
        dynamodb::scan(self.aws(), self.control).await
    }

    /// The record with this key.
    pub(super) async fn record(&self, key: &str) -> Result<Option<Value>> {
        dynamodb::get(self.aws(), self.jobs, &json!({ "pk": key })).await
    }

    /// How many jobs there are of each type.
    pub(super) async fn kinds(&self) -> Result<States> {
        let mut kinds = States::new();
        for record in self.records().await? {
            let kind =
                record["pk"].as_str().and_then(|pk| pk.split('#').next()).unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        Ok(kinds)
    }

    /// The jobs of a type by state.
    pub(super) async fn states_of(&self, kind: &str) -> Result<States> {
        let of = |record: &Value| {
            let key = record["pk"].as_str().and_then(|pk| pk.split('#').next());
            key == Some(kind)
        };
        Ok(states(&self.records().await?.into_iter().filter(of).collect::<Vec<_>>()))
    }

    /// Looks every second until something holds; fails if it does not within that time.
    pub(super) async fn until(
        &self,
        what: &str,
        within: Duration,
        holds: impl AsyncFn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        while !holds(self).await? {
            if Instant::now() >= deadline {
                bail!("{what}: not within {within:?}: {:?}", states(&self.records().await?));
            }
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Every record of a job.
    pub(super) async fn records(&self) -> Result<Vec<Value>> {
        dynamodb::scan(self.aws(), self.jobs).await
    }

    /// The dependency's breaker, as the table has it: closed if it has none.
    pub(super) async fn breaker(&self) -> Result<String> {
        let key = json!({ "pk": "breaker#rebrandly", "sk": "state" });
        let item = dynamodb::get(self.aws(), self.control, &key).await?;
        Ok(item
            .and_then(|item| item["state"].as_str().map(str::to_owned))
            .unwrap_or("closed".into()))
    }

    /// API calls so far.
    pub(super) async fn calls(&self) -> Result<u64> {
        Ok(self.sandbox.call_counts().await.context("the sandbox's calls")?.total)
    }

    /// Looks every second until `jobs` records have succeeded, telling each look to `watch`.
    pub(super) async fn until_done(
        &self,
        jobs: usize,
        within: Duration,
        mut watch: impl FnMut(&States),
    ) -> Result<Vec<Value>> {
        let deadline = Instant::now() + within;
        loop {
            let records = self.records().await?;
            let states = states(&records);
            watch(&states);
            if states.get("succeeded") == Some(&jobs) {
                return Ok(records);
            }
            if Instant::now() >= deadline {
                bail!("{states:?}: expected {jobs} to succeed within {within:?}");
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Links by destination that more than one link leads to.
    pub(super) async fn doubled(&self) -> Result<usize> {
        let links = self.sandbox.links().await.context("the sandbox's links")?;
        let mut by_destination: BTreeMap<String, usize> = BTreeMap::new();
        for link in links {
            *by_destination.entry(link.destination).or_default() += 1;
        }
        Ok(by_destination.values().filter(|links| **links > 1).count())
    }
}

/// How many records are in each state.
pub(super) fn states(records: &[Value]) -> States {
    let mut states = States::new();
    for record in records {
        *states.entry(record["state"].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    states
}

/// A count in a record; absent is zero.
pub(super) fn count(record: &Value, name: &str) -> u64 {
    record[name].as_u64().unwrap_or_default()
}

fn body(number: u32) -> String {
    let payload = json!({
        "destination": format!("https://www.acme.example/new/{number}"),
        "dealer_slug": "acme",
        "vin": format!("1HGCM82633A{number:06}"),
    });
    let id = format!("job-{number}");
    json!({ "version": 1, "type": "url_shortening", "id": id, "payload": payload }).to_string()
}

impl Bench<'_> {
    /// The most calls of a site within any minute.
    pub(super) async fn busiest_minute(&self, site: &str) -> Result<usize> {
        let calls = self.sandbox.calls().await.context("the calls")?;
        let of_site =
            calls.iter().filter(|call| call.visit.as_ref().is_some_and(|v| v.site == site));
        let mut at: Vec<u64> = of_site.map(|call| call.at_ms).collect();
        at.sort_unstable();
        let within =
            |first: &u64| at.iter().filter(|at| (*first..first + MINUTE_MS).contains(at)).count();
        Ok(at.iter().map(within).max().unwrap_or_default())
    }
}
