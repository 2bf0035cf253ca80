//! The job table and the leases on DynamoDB.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput},
    types::{
        AttributeValue, BatchStatementRequest, BatchStatementResponse,
        ReturnValuesOnConditionCheckFailure,
    },
};

use super::{
    conditional::{applied, updated},
    control_item::{bucket_key, encode_counts},
    failure::{port_error, statement_error},
    item::{self, Attribute, Item},
    rejected_item::encode_rejected,
    statement, table_item,
};
use crate::{
    base::config::Tables,
    dependency::stats::ContainerCounts,
    message::RejectedMessage,
    ports::{PortError, Replacement, Store, Written},
    record::item::{Condition, TableItem},
    record::{Guard, Record, lease::Lease},
};

/// A table that belongs to one job type. The sweeper removes its expired items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct AuxiliaryTable {
    pub name: String,
    /// The names of its partition key and its sort key, both of type string.
    pub key: [String; 2],
}

/// [`Store`](crate::ports::Store) and [`Control`](crate::ports::Control) on two DynamoDB tables.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    pub(super) client: Client,
    pub(super) tables: Tables,
    /// A further table, which only scans use.
    pub(super) auxiliary: Option<AuxiliaryTable>,
}

impl DynamoStore {
    /// A store on these tables.
    #[must_use]
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        Self { client: Client::new(config), tables, auxiliary: None }
    }

    /// Opens the connection during start-up, when Lambda gives the process a whole CPU. Errors are
    /// ignored: they show at the first real call.
    pub async fn warm(&self) {
        let nothing = self.client.get_item().table_name(&self.tables.jobs);
        let _ = nothing.key("pk", AttributeValue::S("warm".into())).send().await;
    }

    /// Executes statements in one batch and returns their responses in the same order.
    pub(super) async fn run(
        &self,
        statements: Vec<BatchStatementRequest>,
    ) -> Result<Vec<BatchStatementResponse>, PortError> {
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
        Ok(responses)
    }
}

/// Translates the response to one statement. HTTP 200 says nothing about it: each statement
/// succeeds or fails on its own.
pub(super) fn written(response: BatchStatementResponse) -> Result<Written, PortError> {
    let Some(error) = response.error else { return Ok(Written::Yes) };
    let code = error.code.as_ref().map_or("unknown", |code| code.as_str());
    match code {
        "ConditionalCheckFailed" | "DuplicateItem" => {
            // A conflicting record that cannot be decoded is left out: the next read of that record
            // reports the error.
            Ok(Written::No(error.item.as_ref().and_then(|item| decode(item).ok())))
        }
        code => match statement_error(code, error.message.as_deref().unwrap_or_default()) {
            PortError::Unavailable(why) => Ok(Written::Unknown(why)),
            error => Err(error),
        },
    }
}

/// Decodes a record. A record that cannot be decoded must not be overwritten: an operator has to
/// inspect it.
pub(super) fn decode(item: &Item) -> Result<Box<Record>, PortError> {
    item::decode(item).map(Box::new).map_err(PortError::Unreadable)
}

/// What a conditional update of a record has done.
fn replaced(
    answer: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Written, PortError> {
    match updated(answer)? {
        Ok(()) => Ok(Written::Yes),
        Err(current) => Ok(Written::No(current.as_ref().map(decode).transpose()?)),
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// The statement that writes what a container has counted.
fn count(table: &str, counts: &ContainerCounts) -> BatchStatementRequest {
    let key = bucket_key(&counts.key);
    let attributes = encode_counts(counts);
    if counts.exists {
        return statement::update(table, attributes, &[], key);
    }
    let key = key.into_iter().map(|(name, value)| (name.to_owned(), value));
    statement::insert(table, key.chain(attributes).collect())
}

fn running(record: &Record) -> Vec<Attribute> {
    vec![
        ("pk", text(&record.key)),
        ("fence", AttributeValue::N(record.fence.to_string())),
        ("state", text("running")),
    ]
}

/// The statements that claim new jobs: one a record, then the lease of the batch.
pub(super) fn claim_statements(
    tables: &Tables,
    records: &[Record],
    lease: &Lease,
) -> Vec<BatchStatementRequest> {
    let insert = |record| statement::insert(&tables.jobs, item::encode(record));
    let lease = statement::insert(&tables.control, item::encode_lease(lease));
    records.iter().map(insert).chain([lease]).collect()
}

/// The statements that end runs: one a record, then the items of the job type, the end of the lease, and the counts.
pub(super) fn settle_statements(
    tables: &Tables,
    records: &[Record],
    items: &[&TableItem],
    closing: Option<&Lease>,
    counts: Option<&ContainerCounts>,
) -> Vec<BatchStatementRequest> {
    let Tables { jobs, control } = tables;
    let settle = |record| {
        let progress = item::encode_progress(record);
        statement::update(jobs, progress, &item::TRANSIENT, running(record))
    };
    let close = |lease| statement::delete(control, item::lease_key(lease));
    let count = |counts| count(control, counts);
    let of_types = items.iter().map(|item| table_item::with_end(item));
    let ends = records.iter().map(settle).chain(of_types).chain(closing.map(close));
    ends.chain(counts.map(count)).collect()
}

impl Store for DynamoStore {
    async fn insert(&self, records: &[Record], lease: &Lease) -> Result<Vec<Written>, PortError> {
        let statements = claim_statements(&self.tables, records, lease);
        let mut answers = self.run(statements).await?;
        let lease = answers.pop().map(written);
        let mut written = answers.into_iter().map(written).collect::<Result<Vec<_>, _>>()?;
        // A failure to write the lease must not keep the claimed jobs from running.
        let unknown = || Written::Unknown("the lease".into());
        written.push(lease.and_then(Result::ok).unwrap_or_else(unknown));
        Ok(written)
    }

    async fn enqueue(&self, records: &[Record]) -> Result<Vec<Written>, PortError> {
        let insert = |record| statement::insert(&self.tables.jobs, item::encode(record));
        let answers = self.run(records.iter().map(insert).collect()).await?;
        answers.into_iter().map(written).collect()
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

    async fn read_all(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Record>, PortError>>, PortError> {
        self.read_records(keys).await
    }

    async fn replace(&self, record: &Record, guard: Option<&Guard>) -> Result<Written, PortError> {
        // An update, and no put: what another version has written besides must survive.
        let attributes: Vec<_> =
            item::encode(record).into_iter().filter(|(name, _)| *name != "pk").collect();
        let is_set = |name: &str| attributes.iter().any(|(set, _)| *set == name);
        let optional = item::TRANSIENT.into_iter().chain(item::OPTIONAL);
        let removed: Vec<&str> = optional.filter(|name| !is_set(name)).collect();
        let mut update = self.client.update_item().table_name(&self.tables.jobs);
        update = update
            .key("pk", text(&record.key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (mut sets, mut gone) = (Vec::new(), Vec::new());
        // Attributes have names such as `state`, which DynamoDB reserves.
        for (index, (name, value)) in attributes.iter().enumerate() {
            sets.push(format!("#s{index} = :s{index}"));
            update = update
                .expression_attribute_names(format!("#s{index}"), *name)
                .expression_attribute_values(format!(":s{index}"), value.clone());
        }
        for (index, name) in removed.into_iter().enumerate() {
            gone.push(format!("#r{index}"));
            update = update.expression_attribute_names(format!("#r{index}"), name);
        }
        let remove = if gone.is_empty() { String::new() } else { " REMOVE ".to_owned() };
        update =
            update.update_expression(format!("SET {}{remove}{}", sets.join(", "), gone.join(", ")));
        let update = match guard {
            None => update.condition_expression("attribute_not_exists(pk)"),
            Some(guard) => update
                .condition_expression("#state = :state AND fence = :fence")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":state", text(guard.state))
                .expression_attribute_values(":fence", AttributeValue::N(guard.fence.to_string())),
        };
        replaced(update.send().await)
    }

    async fn replace_all(
        &self,
        writes: &[Replacement],
    ) -> Result<Vec<Result<Written, PortError>>, PortError> {
        self.replace_records(writes).await
    }

    async fn settle(
        &self,
        records: &[Record],
        items: &[&TableItem],
        closing: Option<&Lease>,
        counts: Option<&ContainerCounts>,
    ) -> Result<Vec<Written>, PortError> {
        let statements = settle_statements(&self.tables, records, items, closing, counts);
        let mut answers = self.run(statements).await?;
        let counted = counts.and_then(|_| answers.pop()).map(written);
        let ends = answers.into_iter().take(records.len() + items.len()).map(written);
        // A failure to write counts must not keep the ends from being confirmed.
        let unknown = || Written::Unknown("the counts".into());
        let counted = counted.map(|counted| Ok(counted.unwrap_or_else(|_| unknown())));
        ends.chain(counted).collect()
    }

    async fn put_item(&self, item: &TableItem) -> Result<Written, PortError> {
        match &item.condition {
            Condition::Always => {
                let put = self.client.put_item().table_name(&item.table);
                let put = put.set_item(Some(table_item::whole(item))).send().await;
                put.map(|_| Written::Yes).map_err(|error| port_error(&error))
            }
            Condition::Latest { by, .. } => {
                let update = self.client.update_item().table_name(&item.table);
                match table_item::latest(update, item, by)?.send().await {
                    Ok(_) => Ok(Written::Yes),
                    Err(error) => match error.as_service_error() {
                        Some(refused) if refused.is_conditional_check_failed_exception() => {
                            Ok(Written::No(None))
                        }
                        _ => Err(port_error(&error)),
                    },
                }
            }
            Condition::Absent | Condition::Unchanged(_) => {
                let answer = self.run(vec![table_item::with_end(item)]).await?.pop();
                answer.map_or_else(|| Ok(Written::Unknown("no answer".into())), written)
            }
        }
    }

    async fn index_lease_expiry(&self, record: &Record) -> Result<Written, PortError> {
        let Some(entry) = record.with_lease_expiry_indexed().due_entry() else {
            return Ok(Written::No(None));
        };
        let [due, due_at, kind, priority] =
            item::encode_due(record, &entry).map(|(_, value)| value);
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.jobs)
            .key("pk", text(&record.key))
            .update_expression(
                "SET due = :due, due_at = :due_at, #type = :type, priority = :priority",
            )
            .condition_expression("#state = :running AND fence = :fence")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#type", "type")
            .expression_attribute_values(":due", due)
            .expression_attribute_values(":due_at", due_at)
            .expression_attribute_values(":type", kind)
            .expression_attribute_values(":priority", priority)
            .expression_attribute_values(":running", text("running"))
            .expression_attribute_values(":fence", AttributeValue::N(record.fence.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        replaced(update.send().await)
    }

    async fn reject(&self, body: &RejectedMessage) -> Result<(), PortError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.jobs)
            .set_item(Some(item::owned(encode_rejected(body))))
            .condition_expression("attribute_not_exists(pk) OR ended_at < :long_ago")
            .expression_attribute_values(
                ":long_ago",
                AttributeValue::N(body.replaces_older_than().as_millis().to_string()),
            );
        applied(put.send().await)?;
        Ok(())
    }

    async fn lease(&self, lease: &Lease) -> Result<(), PortError> {
        self.client
            .put_item()
            .table_name(&self.tables.control)
            .set_item(Some(item::owned(item::encode_lease(lease))))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(())
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&self.tables.control)
            .set_key(Some(item::owned(Vec::from(item::lease_key(lease)))))
            .send()
            .await
            .map_err(|error| port_error(&error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{BatchStatementError, BatchStatementErrorCodeEnum as Code};

    use super::*;

    fn answer(code: Code, item: Option<Item>) -> BatchStatementResponse {
        let error = BatchStatementError::builder().code(code).set_item(item).build();
        BatchStatementResponse::builder().error(error).build()
    }

    #[test]
    fn each_statement_has_its_own_result() {
        let yes = BatchStatementResponse::builder().build();
        assert_eq!(written(yes), Ok(Written::Yes));
        for code in [Code::DuplicateItem, Code::ConditionalCheckFailed] {
            assert_eq!(written(answer(code, None)), Ok(Written::No(None)));
        }
        let unreadable = Item::from([("pk".to_owned(), text("x"))]);
        let refused = answer(Code::ConditionalCheckFailed, Some(unreadable));
        assert_eq!(
            written(refused),
            Ok(Written::No(None)),
            "the other statements are not affected"
        );
        for code in [
            Code::ThrottlingError,
            Code::ProvisionedThroughputExceeded,
            Code::RequestLimitExceeded,
            Code::TransactionConflict,
            Code::InternalServerError,
            // Of the item: the caller writes it again alone, and learns whether it is refused for good.
            Code::ValidationError,
        ] {
            assert!(matches!(written(answer(code, None)), Ok(Written::Unknown(_))));
        }
        for code in [Code::AccessDenied, Code::ResourceNotFound] {
            assert!(matches!(written(answer(code, None)), Err(PortError::Broken(_))));
        }
    }
}
