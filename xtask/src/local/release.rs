//! Wakes parked jobs on a local stack, until the sweeper does: a stand-in, to be removed with it.
//!
//! Every second it looks whom it may wake: nobody while the breaker is open, a few that can close it
//! when its wait is over, and at the limiter's rate when it is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::aws::sqs::{self, Outgoing};
use crate::aws::{Client, dynamodb};

const EVERY: Duration = Duration::from_secs(1);

/// Jobs woken in a second while the breaker is closed: the rate of the limiter.
const RATE: usize = 8;

/// Jobs woken in a second while the breaker is half-open: as many as close it.
const PROBES: usize = 3;

/// When somebody should look again, in case the message is lost.
const LOOK_AGAIN_MS: u64 = 300_000;

/// Shards of the index, as `shared/src/record.rs` has them.
const SHARDS: u32 = 4;

/// Woken jobs of one dependency looked at in a second.
const MOST_LOOKED_AT: usize = 40;

/// What it needs to know of the stack.
#[derive(Debug)]
pub(super) struct Release {
    client: Client,
    jobs: String,
    control: String,
    queues: Vec<String>,
}

impl Release {
    /// Fails if the stack has no tables.
    pub(super) fn of(client: Client, outputs: &BTreeMap<String, String>) -> Result<Self> {
        let output = |name: &str| outputs.get(name).cloned().with_context(|| format!("no {name}"));
        let queues = outputs.iter().filter(|(name, _)| name.ends_with("QueueUrl"));
        let queues = queues.map(|(_, url)| url.clone()).collect();
        let (jobs, control) = (output("JobsTableName")?, output("ControlTableName")?);
        Ok(Self { client, jobs, control, queues })
    }

    /// Looks every second, for ever. What fails is tried again with the next look.
    pub(super) async fn run(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _ = self.look().await;
        }
    }

    async fn look(&self) -> Result<()> {
        for dependency in self.dependencies().await? {
            self.look_at(&dependency).await?;
        }
        Ok(())
    }

    /// Every dependency that has a pulse: whoever was parked had one.
    async fn dependencies(&self) -> Result<BTreeSet<String>> {
        let items = dynamodb::scan(&self.client, &self.control).await?;
        let keys = items.iter().filter_map(|item| item["pk"].as_str());
        let names = keys.filter_map(|pk| match pk.split_once('#')? {
            ("breaker" | "limiter", name) => Some(name),
            ("pulse", name) => name.rsplit_once('#').map(|(name, _)| name),
            _ => None,
        });
        Ok(names.filter(|name| !name.starts_with("type:")).map(str::to_owned).collect())
    }

    async fn look_at(&self, dependency: &str) -> Result<()> {
        let now = now_ms();
        let parked = self.parked(dependency).await?;
        if parked.is_empty() {
            return Ok(());
        }
        let key = json!({ "pk": format!("breaker#{dependency}"), "sk": "state" });
        let breaker = dynamodb::get(&self.client, &self.control, &key).await?.unwrap_or_default();
        let waits = breaker["retry_at"].as_u64().is_some_and(|at| at > now);
        let (most, all) = match breaker["state"].as_str() {
            Some("open") if waits => (0, false),
            Some("forced_open") => (0, false),
            Some("open" | "half_open") => (PROBES, true),
            _ => (RATE, false),
        };
        // At its deadline a job is woken in any case: its fallback is due.
        let over = |record: &&Value| {
            let deadline = record["deadline"].as_u64().is_some_and(|at| at <= now);
            deadline && record.get("provisional").is_none()
        };
        for record in parked.iter().filter(over) {
            let _ = self.wake(record, now).await;
        }
        let turned_away = |record: &Value| {
            let why = record["why"].as_str().unwrap_or_default();
            ["deferred (breaker_open)", "systemic"].iter().any(|start| why.starts_with(start))
        };
        // Who was woken has its look in the future, and no longer waits.
        let waiting = |record: &&Value| record["run_after"].as_u64().is_some_and(|at| at > now);
        let due = |record: &&Value| {
            let is_due = record["due_at"].as_u64().is_some_and(|at| at <= now);
            is_due || (waiting(record) && (all || turned_away(record)))
        };
        for record in parked.iter().filter(due).take(most) {
            // Another look may have been faster.
            let _ = self.wake(record, now).await;
        }
        Ok(())
    }

    /// The parked jobs of a dependency that have waited longest.
    async fn parked(&self, dependency: &str) -> Result<Vec<Value>> {
        let mut parked = Vec::new();
        for shard in 0..SHARDS {
            let partition = format!("parked#{dependency}#{shard}");
            let query = json!({
                "TableName": self.jobs,
                "IndexName": "look",
                "KeyConditionExpression": "look = :look",
                "ExpressionAttributeValues": { ":look": { "S": partition } },
                "Limit": MOST_LOOKED_AT,
            });
            let page = dynamodb::call(&self.client, "Query", &query).await?;
            for item in page["Items"].as_array().into_iter().flatten() {
                let due_at = item["due_at"]["N"].as_str().and_then(|text| text.parse::<u64>().ok());
                parked.push((due_at, item["pk"]["S"].clone()));
            }
        }
        parked.sort_by_key(|(due_at, _)| *due_at);
        parked.truncate(MOST_LOOKED_AT);
        let mut records = Vec::new();
        for (_, pk) in &parked {
            let key = json!({ "pk": pk });
            let record = dynamodb::get(&self.client, &self.jobs, &key).await?;
            records.extend(record.filter(|record| record["state"] == "parked"));
        }
        Ok(records)
    }

    /// The record first, then the message.
    async fn wake(&self, record: &Value, now: u64) -> Result<()> {
        let update = json!({
            "TableName": self.jobs,
            "Key": { "pk": { "S": record["pk"] } },
            "UpdateExpression": "SET run_after = :now, due_at = :later",
            "ConditionExpression": "#state = :parked AND fence = :fence",
            "ExpressionAttributeNames": { "#state": "state" },
            "ExpressionAttributeValues": {
                ":now": { "N": now.to_string() },
                ":later": { "N": (now + LOOK_AGAIN_MS).to_string() },
                ":parked": { "S": "parked" },
                ":fence": { "N": record["fence"].to_string() },
            },
        });
        dynamodb::call(&self.client, "UpdateItem", &update).await?;
        let message = Outgoing {
            attributes: vec![("fence".into(), record["fence"].to_string())],
            ..Outgoing::new(body(record)?)
        };
        let name = record["queue"].as_str().and_then(|arn| arn.rsplit(':').next());
        let name = name.context("a record without a queue")?;
        let queue = self.queues.iter().find(|url| url.rsplit('/').next() == Some(name));
        let queue = queue.with_context(|| format!("{name}: no such queue"))?;
        sqs::send_batch(&self.client, queue, &[message]).await.map(|_| ())
    }
}

/// The message that leads to this record again.
fn body(record: &Value) -> Result<String> {
    let key = record["pk"].as_str().context("a record without a key")?;
    let (kind, id) = key.split_once('#').context("a key without a type")?;
    let payload = record["payload"].as_str().context("a record without a payload")?;
    let payload: Value = serde_json::from_str(payload)?;
    let mut body = json!({ "version": 1, "type": kind, "payload": payload });
    if let Some(given) = id.strip_prefix("g:") {
        body["id"] = given.into();
    }
    Ok(body.to_string())
}

#[expect(clippy::disallowed_methods, reason = "the records' times are the real ones")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::body;

    #[test]
    fn a_body_leads_to_its_record() {
        let record = json!({ "pk": "a#g:x#1", "payload": "{\"n\":1}" });
        let expected = json!({ "version": 1, "type": "a", "id": "x#1", "payload": { "n": 1 } });
        assert_eq!(body(&record).expect("a body"), expected.to_string());
        let derived = json!({ "pk": "a#d:00", "payload": "{}" });
        assert!(!body(&derived).expect("a body").contains("id\""));
    }
}
