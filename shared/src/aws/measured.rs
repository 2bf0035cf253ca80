//! What benchmarks measure in this folder and cannot reach otherwise, without a socket.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::{config::Credentials, types::BatchStatementRequest};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::HttpRequest,
        runtime_components::RuntimeComponents,
    },
    http::{Response, StatusCode},
};
use aws_smithy_types::body::SdkBody;

use super::{
    Config,
    item::{self, Item},
    jobs::{claim_statements, settle_statements},
    timeouts,
};
use crate::{
    base::config::Tables,
    record::{Record, lease::Lease},
};

/// Answers every request at once with 200 and the same body.
#[derive(Clone, Debug)]
struct Canned {
    body: String,
    calls: Option<Calls>,
}

/// The calls that were made, in their order.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, request: &HttpRequest) {
        // Such as `DynamoDB_20120810.GetItem`.
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let name = target.rsplit('.').next().unwrap_or_default().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }

    /// Their names, such as `GetItem`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpClient for Canned {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Some(calls) = &self.calls {
            calls.note(&request);
        }
        let status = StatusCode::from(reqwest::StatusCode::OK);
        let answer = Response::new(status, SdkBody::from(self.body.clone()));
        HttpConnectorFuture::new(async move { Ok(answer) })
    }
}

/// A configuration with which every call is built, signed and answered with `body`, and nothing is sent.
pub async fn answering(body: String) -> Config {
    config(Canned { body, calls: None }).await
}

/// The same, with the calls that will have been made.
pub async fn answering_each(body: String) -> (Config, Calls) {
    let calls = Calls::default();
    (config(Canned { body, calls: Some(calls.clone()) }).await, calls)
}

async fn config(client: Canned) -> Config {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .timeout_config(timeouts(Duration::ZERO))
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "canned"))
        .load()
        .await
}

/// The answer to a batch of so many statements, all of which were executed.
#[must_use]
pub fn answer_to_statements(count: usize) -> String {
    format!(r#"{{"Responses":[{}]}}"#, vec!["{}"; count].join(","))
}

/// Builds the statements that claim these jobs. Returns the length of their texts, in bytes.
#[must_use]
pub fn build_claims(tables: &Tables, records: &[Record], lease: &Lease) -> usize {
    length(&claim_statements(tables, records, lease))
}

/// Builds the statements that settle these jobs and end the lease of their batch. Returns the length of their texts,
/// in bytes.
#[must_use]
pub fn build_settles(tables: &Tables, records: &[Record], lease: &Lease) -> usize {
    length(&settle_statements(tables, records, &[], Some(lease), None))
}

fn length(statements: &[BatchStatementRequest]) -> usize {
    statements.iter().map(|statement| statement.statement().len()).sum()
}

/// A record as an item of the table.
#[must_use]
pub fn item(record: &Record) -> Item {
    item::owned(item::encode(record))
}
