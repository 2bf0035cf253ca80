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
