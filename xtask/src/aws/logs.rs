//! CloudWatch Logs: what the functions printed.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Client;

/// Every line of a log group, in the order of time, the platform's `START` and `REPORT` lines
/// among them. MiniStack stores a function's lines when its invocation has ended.
pub async fn lines(client: &Client, group: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut body = json!({ "logGroupName": group });
    loop {
        let page = client.json("logs", "Logs_20140328.FilterLogEvents", &body).await?;
        let events = page["events"].as_array().context("FilterLogEvents: expected events")?;
        lines
            .extend(events.iter().filter_map(|event| event["message"].as_str()).map(str::to_owned));
        match page["nextToken"].as_str() {
            Some(token) => body["nextToken"] = token.into(),
            None => return Ok(lines),
        }
    }
}
