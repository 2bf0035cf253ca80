//! A local AWS for the conformance suites: a given endpoint, dummy credentials, the two tables, and
//! queues.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::{
    Client,
    config::Credentials,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
    },
};

use aws_sdk_sqs::types::QueueAttributeName;

use super::{
    Config,
    http::SharedClient,
    item::{self, DUE_PROJECTION},
    jobs::DynamoStore,
};
use crate::{base::config::Tables, record::Record};

/// Records that one call writes: as many as DynamoDB takes.
const WRITTEN_AT_ONCE: usize = 25;

/// The configuration for a service at `endpoint` that checks no signatures.
pub async fn config(client: reqwest::Client, endpoint: &str) -> Config {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(SharedClient::new(client))
        .timeout_config(super::timeouts(std::time::Duration::ZERO))
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "local"))
        .load()
        .await
}

/// Creates the two tables as template.yaml describes them, and returns a store on them.
///
/// # Panics
/// If a table cannot be created.
pub async fn store(config: &Config, tables: Tables) -> DynamoStore {
    let client = Client::new(config);
    let jobs = client
        .create_table()
        .table_name(&tables.jobs)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("due", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_at", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .global_secondary_indexes(due_index());
    let control = client
        .create_table()
        .table_name(&tables.control)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range));
    jobs.send().await.expect("the job table can be created");
    control.send().await.expect("the control table can be created");
    DynamoStore::new(config, tables)
}

/// Writes records as the engine encodes them, whatever is there. Quicker than [`Store`](crate::ports::Store), for tests
/// that need many.
///
/// # Panics
/// If a record was not written.
pub async fn fill(config: &Config, table: &str, records: &[Record]) {
    let client = Client::new(config);
    let put = |record: &Record| {
        let put = PutRequest::builder().set_item(Some(item::owned(item::encode(record))));
        WriteRequest::builder().put_request(put.build().expect("an item")).build()
    };
    for chunk in records.chunks(WRITTEN_AT_ONCE) {
        let write = client.batch_write_item();
        let write = write.request_items(table, chunk.iter().map(put).collect());
        let answer = write.send().await.expect("records can be written");
        let left = answer.unprocessed_items.unwrap_or_default();
        assert!(left.is_empty(), "every record was written");
    }
}

/// Creates a queue and returns its ARN. `dead` is the ARN of its dead-letter queue, and after how many
/// receives the next one moves a message there.
///
/// # Panics
/// If the queue cannot be created.
pub async fn queue(config: &Config, name: &str, dead: Option<(&str, u32)>) -> String {
    let client = aws_sdk_sqs::Client::new(config);
    let redrive = dead.map(|(arn, receives)| {
        serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": receives }).to_string()
    });
    let mut create = client.create_queue().queue_name(name);
    if let Some(redrive) = redrive {
        create = create.attributes(QueueAttributeName::RedrivePolicy, redrive);
    }
    let created = create.send().await.expect("the queue can be created");
    let asked = client
        .get_queue_attributes()
        .queue_url(created.queue_url.expect("its address"))
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .expect("the queue has attributes");
    let mut attributes = asked.attributes.expect("the attributes that were asked for");
    attributes.remove(&QueueAttributeName::QueueArn).expect("an ARN")
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
    definition.build().expect("a name and a type")
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
    element.build().expect("a name and a type")
}

fn due_index() -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("due", KeyType::Hash))
        .key_schema(key("due_at", KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .set_non_key_attributes(Some(DUE_PROJECTION.map(str::to_owned).to_vec()))
                .build(),
        )
        .build()
        .expect("a name and keys")
}
