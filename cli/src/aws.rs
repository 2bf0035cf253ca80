//! The port on AWS: the only file of this crate, with those in its folder, that names the SDK.

mod account;
mod call;
mod fault;
mod item;
mod notes;
mod schedules;
mod statistics;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    config::Credentials,
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use evenkeel::{
    aws::{
        breaker_key, decode_breaker, decode_limiter, http_client,
        item::{Item, Reader, n, owned, s},
        limiter_key,
    },
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter, stats::Calls},
    http::transport,
    ports::maintenance::Depth,
};
use serde_json::Value;

use self::{
    fault::{code, fault},
    item::{attributes, due_item, kept},
};
use crate::{
    exit::{Exit, Failure},
    ports::{
        Called, DueItem, DuePage, Fault, FunctionFacts, ItemPage, Kept, MappingFacts, Note,
        Outgoing, Ports, Read,
    },
    stack::Target,
};

/// Time-out of one attempt of a call, over an operator's network.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time-out of a call with its retries.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// [`Ports`] on AWS, or on a local service that stands in for it.
#[derive(Clone, Debug)]
pub struct AwsPorts {
    dynamo: aws_sdk_dynamodb::Client,
    lambda: aws_sdk_lambda::Client,
    scheduler: aws_sdk_scheduler::Client,
    sqs: aws_sdk_sqs::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
}

/// Ports with the credentials of the operator, as the AWS CLI finds them; those of a local stack are fixed. Nothing is
/// called yet. Fails if TLS cannot be set up.
pub async fn connect(target: &Target) -> Result<AwsPorts, Failure> {
    let client = transport::client()
        .map_err(|error| Failure::new(Exit::Failed, "tls", error.to_string()))?;
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(client))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard());
    if let Some(region) = &target.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &target.endpoint {
        loader = loader
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "local"));
    }
    Ok(AwsPorts::new(&loader.load().await))
}

impl AwsPorts {
    /// Ports with this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            dynamo: aws_sdk_dynamodb::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            scheduler: aws_sdk_scheduler::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
        }
    }

    /// An item of the table `Control`.
    async fn control_item(&self, table: &str, key: Item) -> Result<Read<Option<Item>>, Fault> {
        let get = self.dynamo.get_item().table_name(table).set_key(Some(key));
        let get = get.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = get.send().await.map_err(|error| fault("dynamodb:GetItem", &error))?;
        Ok(Read { units: units(answer.consumed_capacity.as_ref()), value: answer.item })
    }

    async fn queue_url(&self, arn: &str) -> Result<String, Fault> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        let answer = self.sqs.get_queue_url().queue_name(name).send().await;
        let answer = answer.map_err(|error| fault("sqs:GetQueueUrl", &error))?;
        answer.queue_url.ok_or_else(|| Fault::Missing(format!("{name}: the queue has no address")))
    }
}

/// Read units that a call has used.
fn units(capacity: Option<&ConsumedCapacity>) -> f64 {
    capacity.and_then(|capacity| capacity.capacity_units).unwrap_or_default()
}

fn limit(most: usize) -> i32 {
    i32::try_from(most.clamp(1, 1_000)).unwrap_or(1)
}

/// Whether the commands can show an item. For fuzz targets.
#[cfg(any(test, feature = "testing"))]
#[must_use]
pub fn is_readable(item: &Item) -> bool {
    let shown = attributes(item).len() <= item.len();
    let is_entry = due_item(item).is_some();
    shown && (is_entry || !matches!(kept(item), Kept::Unreadable(_)))
}

impl Ports for AwsPorts {
    async fn sweepers(&self) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        let mut functions = self.lambda.list_functions().into_paginator().items().send();
        while let Some(found) = functions.next().await {
            let found = found.map_err(|error| fault("lambda:ListFunctions", &error))?;
            names.extend(found.function_name.filter(|name| name.ends_with("-sweeper")));
        }
        Ok(names)
    }

    async fn function(&self, name: &str) -> Result<Option<FunctionFacts>, Fault> {
        let answer = self.lambda.get_function_configuration().function_name(name).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(fault("lambda:GetFunctionConfiguration", &error)),
        };
        let variables = answer.environment.and_then(|environment| environment.variables);
        Ok(Some(FunctionFacts {
            arn: answer.function_arn.unwrap_or_default(),
            variables: variables.unwrap_or_default().into_iter().collect(),
            last_modified: answer.last_modified,
            code_sha256: answer.code_sha256,
            state: answer.state.map(|state| state.as_str().to_owned()),
        }))
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.ssm.get_parameter().name(name).send().await {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
            Err(error) if code(&error) == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(fault("ssm:GetParameter", &error)),
        }
    }

    async fn caller(&self) -> Result<String, Fault> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| fault("sts:GetCallerIdentity", &error))?;
        Ok(answer.arn.unwrap_or_default())
    }

    async fn item(&self, table: &str, key: &str) -> Result<Read<Option<Kept>>, Fault> {
        let get = self.dynamo.get_item().table_name(table).key("pk", s(key)).consistent_read(true);
        let get = get.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = get.send().await.map_err(|error| fault("dynamodb:GetItem", &error))?;
        let units = units(answer.consumed_capacity.as_ref());
        Ok(Read { value: answer.item.as_ref().map(kept), units })
    }

    async fn due(
        &self,
        table: &str,
        partition: &str,
        span: [Time; 2],
        after: Option<&DueItem>,
        most: usize,
    ) -> Result<Read<DuePage>, Fault> {
        let start = after.map(|after| {
            owned(vec![
                ("pk", s(&after.key)),
                ("due", s(&after.partition)),
                ("due_at", n(after.due_at.as_millis())),
            ])
        });
        let query = self
            .dynamo
            .query()
            .table_name(table)
            .index_name("due")
            .key_condition_expression("due = :due AND due_at BETWEEN :from AND :until")
            .expression_attribute_values(":due", s(partition))
            .expression_attribute_values(":from", n(span[0].as_millis()))
            .expression_attribute_values(":until", n(span[1].as_millis()))
            .set_exclusive_start_key(start)
            .limit(limit(most))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
        let items = answer.items().iter().filter_map(due_item).collect();
        let page = DuePage { items, more: answer.last_evaluated_key.is_some() };
        Ok(Read { value: page, units: units(answer.consumed_capacity.as_ref()) })
    }

    async fn breaker(&self, table: &str, dependency: &str) -> Result<Read<Option<Breaker>>, Fault> {
        let read = self.control_item(table, owned(breaker_key(dependency))).await?;
        let value = read.value.as_ref().map(decode_breaker).transpose();
        let value =
            value.map_err(|why| Fault::Unreadable(format!("breaker {dependency}: {why}")))?;
        Ok(Read { value, units: read.units })
    }

    async fn limiter(&self, table: &str, name: &str) -> Result<Read<Option<Limiter>>, Fault> {
        let read = self.control_item(table, owned(limiter_key(name))).await?;
        let value = read.value.as_ref().map(decode_limiter).transpose();
        let value = value.map_err(|why| Fault::Unreadable(format!("limiter {name}: {why}")))?;
        Ok(Read { value, units: read.units })
    }

    async fn notes(&self, table: &str, kind: &str, most: usize) -> Result<Read<Vec<Note>>, Fault> {
        self.first_notes(table, kind, most).await
    }

    async fn note(
        &self,
        table: &str,
        kind: &str,
        name: &str,
    ) -> Result<Read<Option<String>>, Fault> {
        let key = owned(vec![("pk", s(format!("note#{kind}"))), ("sk", s(name))]);
        let read = self.control_item(table, key).await?;
        let text = read.value.as_ref().and_then(|item| Reader(item).text("text").ok());
        Ok(Read { value: text, units: read.units })
    }

    async fn invoke(
        &self,
        function: &str,
        request: &Value,
        limit: Duration,
    ) -> Result<Called, Fault> {
        self.called(function, request, limit).await
    }

    async fn notes_between(
        &self,
        table: &str,
        kind: &str,
        names: &[String; 2],
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        self.notes_of_span(table, kind, names, most).await
    }

    async fn notes_after(
        &self,
        table: &str,
        kind: &str,
        after: &str,
        most: usize,
    ) -> Result<Read<Vec<Note>>, Fault> {
        self.notes_behind(table, kind, after, most).await
    }

    async fn calls(
        &self,
        table: &str,
        dependency: &str,
        from: Time,
    ) -> Result<Read<Vec<(Time, Calls)>>, Fault> {
        statistics::calls(&self.dynamo, table, dependency, from).await
    }

    async fn succeeded(
        &self,
        table: &str,
        kind: &str,
        most: usize,
    ) -> Result<Read<Vec<(Time, String)>>, Fault> {
        statistics::succeeded(&self.dynamo, table, kind, most).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Fault> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let get = self.sqs.get_queue_attributes().queue_url(self.queue_url(queue).await?);
        let get = get.set_attribute_names(Some(names.to_vec()));
        let answer = get.send().await.map_err(|error| fault("sqs:GetQueueAttributes", &error))?;
        let number = |name: &QueueAttributeName| {
            let text = answer.attributes.as_ref().and_then(|all| all.get(name));
            text.and_then(|text| text.parse().ok()).ok_or_else(|| {
                Fault::Unreadable(format!("{queue}: expected a number as {}", name.as_str()))
            })
        };
        let [visible, in_flight, delayed] = &names;
        Ok(Depth {
            visible: number(visible)?,
            in_flight: number(in_flight)?,
            delayed: number(delayed)?,
        })
    }

    async fn mapping(&self, id: &str) -> Result<Option<MappingFacts>, Fault> {
        match self.lambda.get_event_source_mapping().uuid(id).send().await {
            Ok(answer) => {
                let most = answer.scaling_config.and_then(|scaling| scaling.maximum_concurrency);
                Ok(Some(MappingFacts {
                    state: answer.state.unwrap_or_default(),
                    concurrency: most.and_then(|most| u32::try_from(most).ok()),
                }))
            }
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(fault("lambda:GetEventSourceMapping", &error)),
        }
    }

    async fn send(
        &self,
        queue: &str,
        messages: &[Outgoing],
    ) -> Result<Vec<Result<(), String>>, Fault> {
        let entry = |(place, message): (usize, &Outgoing)| {
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string());
            let entry =
                entry.message_body(&message.body).set_message_group_id(message.group.clone());
            entry.build().map_err(|error| Fault::Unavailable(error.to_string()))
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let send = self.sqs.send_message_batch().queue_url(self.queue_url(queue).await?);
        let answer = send.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| fault("sqs:SendMessage", &error))?;
        let mut results =
            vec![Err("the queue did not say what became of it".to_owned()); messages.len()];
        let successful = answer.successful.iter().map(|sent| (&sent.id, Ok(())));
        let failed = answer.failed.iter().map(|failed| {
            let why = format!("{}: {}", failed.code, failed.message.as_deref().unwrap_or_default());
            (&failed.id, Err(why))
        });
        for (id, result) in successful.chain(failed) {
            let place = id.parse::<usize>().ok().and_then(|place| results.get_mut(place));
            if let Some(place) = place {
                *place = result;
            }
        }
        Ok(results)
    }

    async fn items(
        &self,
        table: &str,
        keys: &[String; 2],
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Read<ItemPage>, Fault> {
        let [partition_key, sort_key] = keys;
        let start = after.map(|after| {
            Item::from([(partition_key.clone(), s(partition)), (sort_key.clone(), s(after))])
        });
        let query = self
            .dynamo
            .query()
            .table_name(table)
            .key_condition_expression("#p = :p AND begins_with(#s, :s)")
            .expression_attribute_names("#p", partition_key)
            .expression_attribute_names("#s", sort_key)
            .expression_attribute_values(":p", s(partition))
            .expression_attribute_values(":s", s(prefix))
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .limit(limit(most))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = query.send().await.map_err(|error| fault("dynamodb:Query", &error))?;
        let items = answer.items().iter().map(attributes).collect();
        let page = ItemPage { items, more: answer.last_evaluated_key.is_some() };
        Ok(Read { value: page, units: units(answer.consumed_capacity.as_ref()) })
    }
}
