//! Hiding messages on SQS.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_config::SdkConfig;
use aws_sdk_sqs::{Client, types::ChangeMessageVisibilityBatchRequestEntry};

use super::failure::port_error;
use crate::ports::{Hide, PortError, Queue};

/// [`Queue`] on SQS. Queue addresses are asked for once and kept.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    addresses: Mutex<HashMap<String, String>>,
}

impl SqsQueue {
    /// A port for every queue that the function may receive from.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), addresses: Mutex::default() }
    }

    async fn address(&self, arn: &str) -> Result<String, PortError> {
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

impl Queue for SqsQueue {
    async fn hide(&self, queue: &str, messages: &[Hide]) -> Result<(), PortError> {
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
