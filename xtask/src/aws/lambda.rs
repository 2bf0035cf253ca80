//! Lambda: the event source mappings, by which a test or an operator pauses a queue, and updates of functions.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Client;
use super::client::parse;

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

/// Time between two looks at an update, and the most looks: half a minute. It takes half a second.
const POLL_EVERY: Duration = Duration::from_millis(100);
const MOST_POLLS: u32 = 300;

/// An event source mapping, which delivers messages of a queue to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The mapping's id in Lambda's API.
    pub uuid: String,
    /// The queue's ARN, which ends with the queue's name.
    pub queue_arn: String,
    /// Whether it delivers messages.
    pub enabled: bool,
    /// Its `MaximumConcurrency`: how many batches it may deliver at once, if that is limited.
    pub most_at_once: Option<u16>,
}

/// The mappings of a function.
pub async fn mappings(client: &Client, function: &str) -> Result<Vec<Mapping>> {
    let path = format!("{MAPPINGS}/?FunctionName={function}");
    let answer = parse(&client.rest("lambda", Method::GET, &path, Vec::new()).await?)?;
    let found = answer["EventSourceMappings"].as_array();
    let found = found.context("ListEventSourceMappings: expected a list")?;
    found
        .iter()
        .map(|mapping| {
            let text = |name: &str| {
                let text = mapping[name].as_str().map(str::to_owned);
                text.with_context(|| format!("ListEventSourceMappings: expected {name}"))
            };
            Ok(Mapping {
                uuid: text("UUID")?,
                queue_arn: text("EventSourceArn")?,
                enabled: matches!(mapping["State"].as_str(), Some("Enabled" | "Enabling")),
                most_at_once: count(&mapping["ScalingConfig"]["MaximumConcurrency"]),
            })
        })
        .collect()
}

/// The ARN of a function's role.
pub async fn role(client: &Client, function: &str) -> Result<String> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let answer = parse(&client.rest("lambda", Method::GET, &path, Vec::new()).await?)?;
    answer["Role"].as_str().map(str::to_owned).context("GetFunctionConfiguration: expected a Role")
}

/// Sets a mapping's `MaximumConcurrency`, at least 2.
pub async fn set_concurrency(client: &Client, mapping: &Mapping, most: u16) -> Result<()> {
    update(client, &mapping.uuid, &json!({ "ScalingConfig": { "MaximumConcurrency": most } })).await
}

/// Lets a mapping deliver messages, or stops it.
pub async fn set_enabled(client: &Client, mapping: &Mapping, enabled: bool) -> Result<()> {
    update(client, &mapping.uuid, &json!({ "Enabled": enabled })).await
}

/// Replaces the environment variables of a function.
pub async fn set_environment(
    client: &Client,
    function: &str,
    variables: &BTreeMap<String, String>,
) -> Result<()> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let body = json!({ "Environment": { "Variables": variables } }).to_string().into_bytes();
    client.rest("lambda", Method::PUT, &path, body).await.map(drop)
}

/// Replaces the code of a function by a package in S3, and waits until the function has taken it.
pub async fn set_code(client: &Client, function: &str, bucket: &str, key: &str) -> Result<()> {
    let path = format!("/2015-03-31/functions/{function}/code");
    let body = json!({ "S3Bucket": bucket, "S3Key": key }).to_string().into_bytes();
    client.rest("lambda", Method::PUT, &path, body).await?;
    updated(client, function).await
}

/// Replaces the description of a function, and waits until the function has taken it.
pub async fn set_description(client: &Client, function: &str, text: &str) -> Result<()> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let body = json!({ "Description": text }).to_string().into_bytes();
    client.rest("lambda", Method::PUT, &path, body).await?;
    updated(client, function).await
}

/// Lambda refuses a second update before the first is done.
async fn updated(client: &Client, function: &str) -> Result<()> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    for _ in 0..MOST_POLLS {
        let answer = parse(&client.rest("lambda", Method::GET, &path, Vec::new()).await?)?;
        if answer["LastUpdateStatus"] != "InProgress" {
            return Ok(());
        }
        sleep(POLL_EVERY).await;
    }
    bail!("{function}: its update is not done after {:?}", POLL_EVERY * MOST_POLLS)
}

/// Invokes a function and waits for its answer, which may be an error of the function.
pub async fn invoke(client: &Client, function: &str, event: &Value) -> Result<Value> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let event = event.to_string().into_bytes();
    parse(&client.rest("lambda", Method::POST, &path, event).await?)
}

/// The environment variables that the template gives a function: what a test needs to run the
/// function's binary as a process of its own, beyond MiniStack's time-outs.
pub async fn environment(client: &Client, function: &str) -> Result<BTreeMap<String, String>> {
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let answer = parse(&client.rest("lambda", Method::GET, &path, Vec::new()).await?)?;
    serde_json::from_value(answer["Environment"]["Variables"].clone())
        .context("GetFunctionConfiguration: expected variables")
}

/// A number, or a number as text: MiniStack keeps it so if it comes from a template's parameter.
fn count(value: &Value) -> Option<u16> {
    value
        .as_u64()
        .and_then(|number| number.try_into().ok())
        .or_else(|| value.as_str()?.parse().ok())
}

async fn update(client: &Client, uuid: &str, body: &Value) -> Result<()> {
    let path = format!("{MAPPINGS}/{uuid}");
    client.rest("lambda", Method::PUT, &path, body.to_string().into_bytes()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::count;

    #[test]
    fn a_count_may_be_text() {
        assert_eq!(count(&json!(4)), Some(4));
        assert_eq!(count(&json!("10")), Some(10));
        assert_eq!(count(&Value::Null), None);
    }
}
