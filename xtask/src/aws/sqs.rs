//! SQS: sends, counts and receives messages.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Client;

/// The most entries that one call takes.
pub const MOST_IN_A_BATCH: usize = 10;

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The JSON text that a function reads.
    pub body: String,
    /// The dealer, for fair queues.
    pub group: Option<String>,
    /// Its text attributes, names and values.
    pub attributes: Vec<(String, String)>,
}

impl Outgoing {
    /// A message of nothing but a body.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    fn entry(&self, id: usize) -> Value {
        let mut entry = json!({ "Id": id.to_string(), "MessageBody": self.body });
        if let Some(group) = &self.group {
            entry["MessageGroupId"] = group.as_str().into();
        }
        for (name, value) in &self.attributes {
            entry["MessageAttributes"][name] =
                json!({ "DataType": "String", "StringValue": value });
        }
        entry
    }
}

/// A message that was received and is now invisible to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The queue's id of the message.
    pub id: String,
    /// What [`delete`] takes.
    pub receipt_handle: String,
    /// The JSON text as it was sent.
    pub body: String,
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be received.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Not to be received yet.
    pub delayed: u64,
}

impl Depth {
    /// Whether nothing is left, in whatever state.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.visible + self.in_flight + self.delayed == 0
    }
}

/// Sends any number of messages, ten a call, and returns their ids in the same order. Fails if
/// any entry was refused.
pub async fn send_batch(
    client: &Client,
    queue_url: &str,
    messages: &[Outgoing],
) -> Result<Vec<String>> {
    let mut ids = vec![String::new(); messages.len()];
    for (number, chunk) in messages.chunks(MOST_IN_A_BATCH).enumerate() {
        let first = number * MOST_IN_A_BATCH;
        let entries: Vec<Value> =
            chunk.iter().enumerate().map(|(n, message)| message.entry(first + n)).collect();
        let body = json!({ "QueueUrl": queue_url, "Entries": entries });
        let answer = call(client, "SendMessageBatch", &body).await?;
        let failed = answer["Failed"].as_array().map_or(0, Vec::len);
        ensure!(failed == 0, "SendMessageBatch: {failed} entries refused: {}", answer["Failed"]);
        for sent in list(&answer, "Successful") {
            let place = sent["Id"].as_str().and_then(|id| id.parse::<usize>().ok());
            let place = place.and_then(|place| ids.get_mut(place));
            *place.context("SendMessageBatch: expected one of our ids")? = text(sent, "MessageId")?;
        }
    }
    Ok(ids)
}

/// Receives up to ten messages, invisible to others for a number of seconds. Does not wait.
pub async fn receive(client: &Client, queue_url: &str, invisible_s: u32) -> Result<Vec<Received>> {
    let body = json!({
        "QueueUrl": queue_url,
        "MaxNumberOfMessages": MOST_IN_A_BATCH,
        "VisibilityTimeout": invisible_s,
        "WaitTimeSeconds": 0,
    });
    let answer = call(client, "ReceiveMessage", &body).await?;
    let received = list(&answer, "Messages").iter().map(|message| {
        Ok(Received {
            id: text(message, "MessageId")?,
            receipt_handle: text(message, "ReceiptHandle")?,
            body: text(message, "Body")?,
        })
    });
    received.collect()
}

/// Deletes a message that was received.
pub async fn delete(client: &Client, queue_url: &str, receipt_handle: &str) -> Result<()> {
    let body = json!({ "QueueUrl": queue_url, "ReceiptHandle": receipt_handle });
    call(client, "DeleteMessage", &body).await.map(|_| ())
}

/// Deletes every message of a queue, including those in flight.
pub async fn purge(client: &Client, queue_url: &str) -> Result<()> {
    call(client, "PurgeQueue", &json!({ "QueueUrl": queue_url })).await.map(|_| ())
}

/// How many messages a queue holds now.
pub async fn depth(client: &Client, queue_url: &str) -> Result<Depth> {
    let body = json!({ "QueueUrl": queue_url, "AttributeNames": ["All"] });
    let answer = call(client, "GetQueueAttributes", &body).await?;
    let count = |name: &str| {
        let count = answer["Attributes"][name].as_str().and_then(|count| count.parse().ok());
        count.with_context(|| format!("GetQueueAttributes: expected {name}"))
    };
    Ok(Depth {
        visible: count("ApproximateNumberOfMessages")?,
        in_flight: count("ApproximateNumberOfMessagesNotVisible")?,
        delayed: count("ApproximateNumberOfMessagesDelayed")?,
    })
}

async fn call(client: &Client, operation: &str, body: &Value) -> Result<Value> {
    client.json("sqs", &format!("AmazonSQS.{operation}"), body).await
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("SQS: expected {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Outgoing;

    #[test]
    fn an_entry_holds_what_the_message_has() {
        assert_eq!(Outgoing::new("b").entry(3), json!({ "Id": "3", "MessageBody": "b" }));
        let full = Outgoing {
            body: "b".into(),
            group: Some("dealer".into()),
            attributes: vec![("fence".into(), "1".into())],
        };
        let attributes = json!({ "fence": { "DataType": "String", "StringValue": "1" } });
        assert_eq!(full.entry(0)["MessageAttributes"], attributes);
        assert_eq!(full.entry(0)["MessageGroupId"], "dealer");
    }
}
