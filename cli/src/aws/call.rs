//! Calls of the stack's functions.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use serde_json::Value;

use super::{AwsPorts, fault::fault};
use crate::ports::{Called, Fault};

impl AwsPorts {
    /// Calls a function once and waits for its answer.
    pub(super) async fn called(
        &self,
        function: &str,
        request: &Value,
        limit: Duration,
    ) -> Result<Called, Fault> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(limit)
            .operation_timeout(limit)
            .build();
        // A call whose answer was lost has perhaps been done.
        let once = aws_sdk_lambda::Config::builder()
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        let payload = aws_sdk_lambda::primitives::Blob::new(request.to_string());
        let call = self.lambda.invoke().function_name(function).payload(payload);
        let answer = call.customize().config_override(once).send().await;
        let answer = answer.map_err(|error| fault("lambda:InvokeFunction", &error))?;
        let text = answer.payload.map(aws_sdk_lambda::primitives::Blob::into_inner);
        let value: Value = serde_json::from_slice(&text.unwrap_or_default())
            .map_err(|error| Fault::Unreadable(format!("{function}: expected JSON: {error}")))?;
        if answer.function_error.is_none() {
            return Ok(Called::Answer(value));
        }
        let why = value["errorMessage"].as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(Called::Failed(why))
    }
}
