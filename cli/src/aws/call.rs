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

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::Instant};

    use super::*;
    use crate::{
        aws::{CALL_TIMEOUT, connect},
        ports::Ports as _,
        stack::Target,
    };

    /// A paused clock jumps ahead while a socket waits, so the time-outs take no time here.
    #[tokio::test(start_paused = true)]
    async fn over_a_socket_a_service_that_hangs_ends_every_call() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let region = Some("us-east-1".to_owned());
        let target = Target { endpoint: Some(endpoint), region, ..Target::default() };
        let ports = connect(&target).await.unwrap();
        let began = Instant::now();
        let fault = ports.caller().await.unwrap_err();
        assert!(matches!(&fault, Fault::Unavailable(why) if why.contains("sts:")), "{fault:?}");
        assert!(began.elapsed() < CALL_TIMEOUT + Duration::from_secs(1), "{:?}", began.elapsed());
        let limit = Duration::from_secs(3);
        let began = Instant::now();
        let fault = ports.called("f", &Value::Null, limit).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unavailable(_)), "{fault:?}");
        assert!(began.elapsed() < limit + Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
