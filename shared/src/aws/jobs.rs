//! The job table and the leases on DynamoDB.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::{
        AttributeValue, BatchStatementRequest, BatchStatementResponse,
        ReturnValuesOnConditionCheckFailure,
    },
};

use super::{
    failure::{is_terminal, port_error},
    item::{self, Attribute, Item},
    statement,
};
use crate::{
    config::Tables,
    ports::{PortError, Quarantined, Store, Written},
    record::{Guard, Lease, Record},
    time::Time,
};

/// [`Store`] on two DynamoDB tables.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    client: Client,
    tables: Tables,
}

impl DynamoStore {
    /// A store on these tables.
    #[must_use]
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        Self { client: Client::new(config), tables }
    }

    /// Makes the connection, while start-up has a whole CPU to itself. What goes wrong here shows
    /// at the first real call.
    pub async fn warm(&self) {
        let nothing = self.client.get_item().table_name(&self.tables.jobs);
        let _ = nothing.key("pk", AttributeValue::S("warm".into())).send().await;
    }

    async fn run(&self, statements: Vec<BatchStatementRequest>) -> Result<Vec<Written>, PortError> {
        let expected = statements.len();
        let answer = self
            .client
            .batch_execute_statement()
            .set_statements(Some(statements))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        let responses = answer.responses.unwrap_or_default();
        if responses.len() != expected {
            let text = format!("{} answers for {expected} statements", responses.len());
            return Err(PortError::Unavailable(text));
        }
        responses.into_iter().map(written).collect()
    }
}

/// HTTP 200 says nothing: each statement succeeded or failed alone.
fn written(response: BatchStatementResponse) -> Result<Written, PortError> {
    let Some(error) = response.error else { return Ok(Written::Yes) };
    let code = error.code.as_ref().map_or("unknown", |code| code.as_str());
    match code {
        "ConditionalCheckFailed" | "DuplicateItem" => {
            let item = error.item.filter(|item| !item.is_empty());
            Ok(Written::No(item.as_ref().map(decode).transpose()?))
        }
        // A code for a statement lacks the "Exception" that the same code has for a call.
        terminal if is_terminal(terminal) || is_terminal(&format!("{terminal}Exception")) => {
            Err(PortError::Broken(format!("{code}: {}", error.message.unwrap_or_default())))
        }
        code => Ok(Written::Unknown(format!("{code}: {}", error.message.unwrap_or_default()))),
    }
}

/// A record that cannot be read is nobody's to overwrite: somebody must look.
fn decode(item: &Item) -> Result<Box<Record>, PortError> {
    item::decode(item)
        .map(Box::new)
        .map_err(|problem| PortError::Broken(format!("a record that cannot be read: {problem}")))
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn running(record: &Record) -> Vec<Attribute> {
    vec![
        ("pk", text(&record.key)),
        ("fence", AttributeValue::N(record.fence.to_string())),
        ("state", text("running")),
    ]
}

fn owned(attributes: Vec<Attribute>) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Store for DynamoStore {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let Tables { jobs, control } = &self.tables;
        let mut statements: Vec<_> =
            records.iter().map(|record| statement::insert(jobs, item::encode(record))).collect();
        statements.push(statement::insert(control, item::encode_lease(lease)));
        self.run(statements).await
    }

    async fn read(&self, key: &str) -> Result<Option<Record>, PortError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.jobs)
            .key("pk", text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(answer.item.as_ref().map(decode).transpose()?.map(|record| *record))
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.jobs)
            .set_item(Some(owned(item::encode(record))))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match guard {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(guard) => put
                .condition_expression("#state = :state AND fence = :fence")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":state", text(guard.state))
                .expression_attribute_values(":fence", AttributeValue::N(guard.fence.to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::No(refused.item.as_ref().map(decode).transpose()?))
                }
                _ => Err(port_error(&error)),
            },
        }
    }

    async fn settle(
        &self,
        records: &[Record],
        closing: Option<&Lease>,
    ) -> Result<Vec<Written>, PortError> {
        let Tables { jobs, control } = &self.tables;
        let settle = |record| {
            let progress = item::encode_progress(record);
            statement::update(jobs, progress, &item::TRANSIENT, running(record))
        };
        let close = |lease| statement::delete(control, item::lease_key(lease));
        let statements = records.iter().map(settle).chain(closing.map(close));
        let mut written = self.run(statements.collect()).await?;
        written.truncate(records.len());
        Ok(written)
    }

    async fn arm(&self, record: &Record, due_at: Time) -> Result<Written, PortError> {
        let mut armed = record.clone();
        if let crate::record::Phase::Running { armed, .. } = &mut armed.phase {
            *armed = true;
        }
        let Some(look) = armed.look() else { return Ok(Written::No(None)) };
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.jobs)
            .key("pk", text(&record.key))
            .update_expression("SET look = :look, due_at = :due_at")
            .condition_expression("#state = :running AND fence = :fence")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":look", text(&look.partition))
            .expression_attribute_values(
                ":due_at",
                AttributeValue::N(due_at.as_millis().to_string()),
            )
            .expression_attribute_values(":running", text("running"))
            .expression_attribute_values(":fence", AttributeValue::N(record.fence.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::No(refused.item.as_ref().map(decode).transpose()?))
                }
                _ => Err(port_error(&error)),
            },
        }
    }

    async fn quarantine(&self, body: &Quarantined) -> Result<(), PortError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.jobs)
            .set_item(Some(owned(item::encode_quarantined(body))))
            .condition_expression("attribute_not_exists(pk)");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(port_error(&error)),
            },
        }
    }

    async fn lease(&self, lease: &Lease) -> Result<(), PortError> {
        self.client
            .put_item()
            .table_name(&self.tables.control)
            .set_item(Some(owned(item::encode_lease(lease))))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&self.tables.control)
            .set_key(Some(owned(Vec::from(item::lease_key(lease)))))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(())
    }
}
