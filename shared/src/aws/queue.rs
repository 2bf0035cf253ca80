//! The queues on SQS: hiding received messages, and sending messages.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    error::BuildError,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue,
        MessageSystemAttributeNameForSends as System, MessageSystemAttributeValue,
        SendMessageBatchRequestEntry,
    },
};

use super::failure::port_error;
use crate::{
    message::{
        Woken,
        wake::{FENCE, JOB, OutgoingMessage, PURPOSE, SENT_AT},
    },
    ports::{ExtendVisibility, PortError, Queue},
};

/// [`Queue`] on SQS. Queue URLs are requested once and cached.
#[derive(Debug)]
pub struct SqsQueue {
    pub(super) client: Client,
    addresses: Mutex<HashMap<String, String>>,
}

impl SqsQueue {
    /// A port to every queue that the function has permissions for.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), addresses: Mutex::default() }
    }

    pub(super) async fn address(&self, arn: &str) -> Result<String, PortError> {
        let known = self.addresses().get(arn).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let name = arn.rsplit(':').next().unwrap_or_default();
        let answer = self
            .client
            .get_queue_url()
            .queue_name(name)
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        let address = answer.queue_url.unwrap_or_default();
        self.addresses().insert(arn.to_owned(), address.clone());
        Ok(address)
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attribute(kind: &str, value: String) -> Result<MessageAttributeValue, PortError> {
    let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
    value.build().map_err(|error: BuildError| PortError::Broken(error.to_string()))
}

fn entry(
    (place, wake): (usize, &OutgoingMessage),
) -> Result<SendMessageBatchRequestEntry, PortError> {
    let delay = i32::try_from(wake.delay.as_secs()).unwrap_or(i32::MAX);
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_body(&wake.body)
        .delay_seconds(delay)
        .set_message_group_id(wake.group.clone());
    if let Some(Woken { key, fence }) = &wake.wakes {
        entry = entry
            .message_attributes(FENCE, attribute("Number", fence.to_string())?)
            .message_attributes(JOB, attribute("String", key.clone())?);
    }
    if let Some(name) = wake.purpose.name() {
        entry = entry.message_attributes(PURPOSE, attribute("String", name.to_owned())?);
    }
    if let Some(sent_at) = wake.sent_at {
        let sent_at = attribute("Number", sent_at.as_millis().to_string())?;
        entry = entry.message_attributes(SENT_AT, sent_at);
    }
    if let Some(trace) = &wake.trace {
        // It takes precedence over the header that the SDK adds to the whole call, which is that of this invocation.
        let header = MessageSystemAttributeValue::builder().data_type("String");
        let header = header.string_value(trace.to_string()).build();
        let header = header.map_err(|error| PortError::Broken(error.to_string()))?;
        entry = entry.message_system_attributes(System::AwsTraceHeader, header);
    }
    entry.build().map_err(|error| PortError::Broken(error.to_string()))
}

impl Queue for SqsQueue {
    async fn send(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> Result<Vec<bool>, PortError> {
        let address = self.address(queue).await?;
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let send = self.client.send_message_batch().queue_url(address).set_entries(Some(entries));
        let answer = send.send().await.map_err(|error| port_error(&error))?;
        let mut taken = vec![false; messages.len()];
        for sent in &answer.successful {
            let place = sent.id.parse().ok().and_then(|place: usize| taken.get_mut(place));
            if let Some(taken) = place {
                *taken = true;
            }
        }
        Ok(taken)
    }

    async fn extend_visibility(
        &self,
        queue: &str,
        messages: &[ExtendVisibility],
    ) -> Result<(), PortError> {
        let address = self.address(queue).await?;
        let entries = messages
            .iter()
            .enumerate()
            .map(|(index, message)| {
                let seconds = message.span.as_millis().div_ceil(1000);
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(&message.receipt)
                    .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
                    .build()
                    .map_err(|error| PortError::Broken(error.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let answer = self
            .client
            .change_message_visibility_batch()
            .queue_url(address)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => Err(PortError::Unavailable(format!(
                "{} of {} messages: {}: {}",
                answer.failed.len(),
                messages.len(),
                failed.code,
                failed.message.as_deref().unwrap_or_default()
            ))),
        }
    }
}
