//! Schedules, as `EventBridge` Scheduler lists them.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::Value;

use super::Client;
use super::client::parse;

/// A schedule of the default group, as `GetSchedule` describes it. Fails if there is none of that name.
pub async fn schedule(client: &Client, name: &str) -> Result<Value> {
    let path = format!("/schedules/{name}");
    parse(&client.rest("scheduler", Method::GET, &path, Vec::new()).await?).context("GetSchedule")
}

/// Switches a schedule of the default group on or off. Fails if there is none of that name.
pub async fn set_enabled(client: &Client, name: &str, enabled: bool) -> Result<()> {
    let mut body = schedule(client, name).await?;
    let fields = body.as_object_mut().context("GetSchedule: expected an object")?;
    // An update takes all that a creation does, and nothing else.
    fields.retain(|field, _| !["Arn", "CreationDate", "LastModificationDate"].contains(&&**field));
    fields.insert("State".into(), if enabled { "ENABLED" } else { "DISABLED" }.into());
    let path = format!("/schedules/{name}");
    let body = body.to_string().into_bytes();
    client.rest("scheduler", Method::PUT, &path, body).await.map(drop).context("UpdateSchedule")
}
