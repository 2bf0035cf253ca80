//! Maintenance access to the queues on SQS: their depth, and the messages of dead-letter queues.

use std::time::Duration;

use aws_sdk_sqs::{
    Config,
    types::{
        DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName as System,
        QueueAttributeName as Name,
    },
};

use super::{failure::port_error, queue::SqsQueue, timeouts};
use crate::{
    base::time::Time,
    message::{
        Purpose, ReceivedMessage, Woken,
        wake::{FENCE, JOB, PURPOSE, SENT_AT},
    },
    ports::{
        PortError,
        maintenance::{Depth, QueueMaintenance},
    },
    record::trace::{TRACEPARENT, Trace},
};

/// Maximum messages per receive (SQS's limit).
const AT_ONCE: i32 = 10;

/// Wait time of a receive, in seconds. Without one, SQS asks only some of its servers (short
/// polling) and may miss the messages of a short queue.
const WAIT: Duration = Duration::from_secs(1);

fn received(queue: &str, message: Message) -> ReceivedMessage {
    let system = |name: System| message.attributes.as_ref()?.get(&name).cloned();
    let own = |name: &str| message.message_attributes.as_ref()?.get(name)?.string_value.clone();
    let sent_at = own(SENT_AT).or_else(|| system(System::SentTimestamp));
    let sent_at = sent_at.and_then(|text| text.parse().ok());
    let (traceparent, header) = (own(TRACEPARENT), system(System::AwsTraceHeader));
    ReceivedMessage {
        queue: queue.to_owned(),
        receives: system(System::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        sent_at: Time::from_millis(sent_at.unwrap_or_default()),
        first_received_at: Time::from_millis(
            system(System::ApproximateFirstReceiveTimestamp)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        ),
        wakes: own(FENCE)
            .and_then(|fence| fence.parse().ok())
            .zip(own(JOB))
            .map(|(fence, key)| Woken { key, fence }),
        purpose: Purpose::of(own(PURPOSE).as_deref()),
        group: system(System::MessageGroupId),
        trace: Trace::of_message(traceparent.as_deref(), header.as_deref()),
        source: system(System::DeadLetterQueueSourceArn),
        message_id: message.message_id,
        receipt: message.receipt_handle,
        body: message.body,
    }
}

impl QueueMaintenance for SqsQueue {
    async fn depth(&self, queue: &str) -> Result<Depth, PortError> {
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let get = self.client.get_queue_attributes().queue_url(self.address(queue).await?);
        let get = get.set_attribute_names(Some(names.to_vec()));
        let answer = get.send().await.map_err(|error| port_error(&error))?;
        let [visible, in_flight, delayed] = names.map(|name| {
            let text = answer.attributes.as_ref().and_then(|all| all.get(&name));
            text.and_then(|text| text.parse().ok()).unwrap_or_default()
        });
        Ok(Depth { visible, in_flight, delayed })
    }

    async fn receive(
        &self,
        queue: &str,
        hidden: std::time::Duration,
    ) -> Result<Vec<ReceivedMessage>, PortError> {
        // While it waits for messages, the time-outs of other calls would end it.
        let patient = Config::builder().timeout_config(timeouts(WAIT));
        let answer = self
            .client
            .receive_message()
            .queue_url(self.address(queue).await?)
            .max_number_of_messages(AT_ONCE)
            .visibility_timeout(i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX))
            .wait_time_seconds(i32::try_from(WAIT.as_secs()).unwrap_or_default())
            .message_attribute_names("All")
            .message_system_attribute_names(System::All)
            .customize()
            .config_override(patient)
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(|message| received(queue, message))
            .collect())
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), PortError> {
        let entries = receipts.iter().enumerate().map(|(place, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            let entry = entry.receipt_handle(receipt).build();
            entry.map_err(|error| PortError::Broken(error.to_string()))
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let delete = self.client.delete_message_batch().queue_url(self.address(queue).await?);
        let answer = delete.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| port_error(&error))?;
        match answer.failed.first() {
            None => Ok(()),
            // The message is received again, and handling it again is harmless.
            Some(failed) => Err(PortError::Unavailable(format!(
                "{} of {} messages: {}",
                answer.failed.len(),
                receipts.len(),
                failed.code
            ))),
        }
    }
}
