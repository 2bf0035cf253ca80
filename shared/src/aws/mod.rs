//! The ports on AWS: the only folder of the engine that names the AWS SDK.

mod change;
mod conditional;
mod control;
mod control_item;
pub mod failure;
mod http;
pub mod item;
mod jobs;
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, reason = "a test that cannot set up ends")]
pub mod local;
mod maintenance;
#[cfg(any(test, feature = "testing"))]
pub mod measured;
#[cfg(any(test, feature = "testing"))]
pub mod plain_item;
mod queue;
mod queue_maintenance;
mod quota_item;
mod records;
pub mod rejected_item;
pub mod rounds;
#[cfg(feature = "mappings")]
mod scaling;
mod secrets;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod size;
mod statement;
mod swap;
mod table_item;

use std::time::Duration;

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::http::HttpClient;

pub use aws_config::SdkConfig as Config;
pub use control_item::{
    breaker_key, bucket_partition, bucket_sort, decode_breaker, decode_bucket, decode_key,
    decode_limiter, limiter_key,
};
pub use jobs::{AuxiliaryTable, DynamoStore};
pub use queue::SqsQueue;
#[cfg(feature = "mappings")]
pub use scaling::Mappings;
pub use secrets::KeySource;

/// Time-out of one attempt of a call. A healthy DynamoDB answers in milliseconds, and SQS delivers
/// the message of an unfinished job again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

/// Time-out of a call with its retries.
const CALL_TIMEOUT: Duration = Duration::from_millis(2500);

/// Maximum attempts of one call.
const ATTEMPTS: u32 = 3;

/// The HTTP client of AWS clients whose settings are their own, such as those of an operator's tool. It corrects the
/// clock like all others.
#[must_use]
pub fn http_client(client: reqwest::Client) -> impl HttpClient + 'static {
    http::SharedClient::new(client)
}

/// The configuration that every AWS client shares: region, credentials and endpoint as the SDK
/// finds them, and the one HTTP client of the process.
pub async fn load(client: reqwest::Client) -> Config {
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(50));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::SharedClient::new(client))
        .timeout_config(timeouts(Duration::ZERO))
        .retry_config(retries)
        .load()
        .await
}

/// The time-outs of a call for which the service itself waits this long.
fn timeouts(wait: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(wait + ATTEMPT_TIMEOUT)
        .operation_timeout(wait + CALL_TIMEOUT)
        .build()
}
