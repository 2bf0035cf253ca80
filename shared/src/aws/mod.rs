//! The ports on AWS: the only folder that names the AWS SDK.

mod control;
pub mod failure;
mod http;
pub mod item;
mod jobs;
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, reason = "a test that cannot set up ends")]
pub mod local;
mod maintenance;
#[cfg(feature = "parameters")]
mod parameter;
mod queue;
mod queue_maintenance;
mod scaling;
mod secrets;
mod statement;

use std::time::Duration;

use aws_config::{BehaviorVersion, retry::RetryConfig, timeout::TimeoutConfig};

pub use aws_config::SdkConfig as Config;
pub use jobs::{AuxiliaryTable, DynamoStore};
#[cfg(feature = "parameters")]
pub use parameter::parameter;
pub use queue::SqsQueue;
pub use scaling::Mappings;
pub use secrets::KeySource;

/// Longest time for one try of a call. A healthy DynamoDB answers in milliseconds, and a job's
/// message comes again anyway.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1000);

/// Longest time for a call with its retries.
const CALL_TIMEOUT: Duration = Duration::from_millis(2500);

/// Tries of one call.
const ATTEMPTS: u32 = 3;

/// The configuration that every AWS client shares: region, credentials and endpoint as the SDK finds
/// them, and the one HTTP client of the process.
pub async fn load(client: reqwest::Client) -> Config {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(50));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::SharedClient::new(client))
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}
