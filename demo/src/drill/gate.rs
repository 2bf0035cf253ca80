//! What stands between the functions and AWS in a drill: it lets the tables throttle a function's writes, which the
//! local AWS never does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::forwarder::{Forwarder, Treat, Treatment, operation};
use crate::upstream::application;

/// A partition without writes for this long has been split, and throttles no more.
const SPLIT_AFTER: Duration = Duration::from_secs(30);

/// The operations that write to a table.
const WRITES: [&str; 6] = [
    "BatchExecuteStatement",
    "BatchWriteItem",
    "ExecuteStatement",
    "PutItem",
    "TransactWriteItems",
    "UpdateItem",
];

/// What DynamoDB answers while a partition is hot.
const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded"}"#;

/// The server with what it refuses. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    forwarder: Forwarder,
    throttled: Arc<Throttled>,
}

/// The function whose writes are refused, if there is one.
#[derive(Debug, Default)]
struct Throttled(Mutex<Option<Throttle>>);

#[derive(Debug)]
struct Throttle {
    /// Name of the function in the template.
    function: &'static str,
    refused_at: Instant,
}

impl Gate {
    /// Listens at a free port.
    pub(super) async fn start() -> Result<Self> {
        let throttled = Arc::new(Throttled::default());
        let treat: Arc<dyn Treat> = throttled.clone();
        Ok(Self { forwarder: Forwarder::start(treat).await?, throttled })
    }

    pub(super) fn url(&self) -> String {
        self.forwarder.url()
    }

    /// Forwards to this server from now on.
    pub(super) fn forward_to(&self, upstream: &str) {
        self.forwarder.forward_to(upstream);
    }

    /// Refuses the writes of a function to tables, until it has made none for [`SPLIT_AFTER`].
    pub(super) fn throttle(&self, function: &'static str) {
        *self.throttled.lock() = Some(Throttle { function, refused_at: Instant::now() });
    }

    /// Whether writes are still refused.
    pub(super) fn throttles(&self) -> bool {
        let throttle = self.throttled.lock();
        throttle.as_ref().is_some_and(|throttle| throttle.refused_at.elapsed() < SPLIT_AFTER)
    }
}

impl Throttled {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Throttle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to refuse this call. Notes when it did so last.
    fn refuses(&self, headers: &HeaderMap) -> bool {
        let Some((service, operation)) = operation(headers).rsplit_once('.') else { return false };
        if !service.starts_with("DynamoDB_") || !WRITES.contains(&operation) {
            return false;
        }
        let mut throttle = self.lock();
        let Some(found) = throttle.as_mut() else { return false };
        if Some(found.function) != application(headers) {
            return false;
        }
        if found.refused_at.elapsed() >= SPLIT_AFTER {
            *throttle = None;
            return false;
        }
        found.refused_at = Instant::now();
        true
    }
}

impl Treat for Throttled {
    fn treat(&self, headers: &HeaderMap) -> Treatment {
        if self.refuses(headers) {
            return Treatment::Refuse(StatusCode::BAD_REQUEST, THROTTLED);
        }
        Treatment::Forward
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn call(operation: &str, function: &str) -> HeaderMap {
        let text = |text: String| HeaderValue::from_str(&text).expect("a header");
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", text(format!("DynamoDB_20120810.{operation}")));
        headers.insert("user-agent", text(format!("aws-sdk-rust/1 app/{function} os/linux")));
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn writes_of_one_function_are_refused_until_it_was_quiet_for_a_while() {
        let throttled = Throttled::default();
        assert!(!throttled.refuses(&call("PutItem", "Feed")), "nothing is throttled at first");
        let hot = Throttle { function: "Feed", refused_at: Instant::now() };
        *throttled.lock() = Some(hot);
        assert!(!throttled.refuses(&call("GetItem", "Feed")), "a read");
        assert!(!throttled.refuses(&call("PutItem", "Sweeper")), "another function");
        for _ in 0..3 {
            tokio::time::advance(SPLIT_AFTER / 2).await;
            assert!(throttled.refuses(&call("BatchExecuteStatement", "Feed")));
        }
        tokio::time::advance(SPLIT_AFTER).await;
        assert!(!throttled.refuses(&call("PutItem", "Feed")), "it was quiet");
        assert!(throttled.lock().is_none());
    }
}
