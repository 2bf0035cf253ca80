//! A server between the functions and AWS. It forwards every call, unless the tables are to throttle a function's
//! writes: the local AWS never does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use xtask::aws::client::plain_http;

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

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    address: SocketAddr,
    forwards: Arc<Forwards>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Forwards {
    upstream: OnceLock<String>,
    http: reqwest::Client,
    throttle: Mutex<Option<Throttle>>,
}

#[derive(Debug)]
struct Throttle {
    /// Name of the function in the template.
    function: &'static str,
    refused_at: Instant,
}

impl Gate {
    /// Listens at a free port. Until [`forward_to`](Self::forward_to) it answers 502.
    pub(super) async fn start() -> Result<Self> {
        let forwards = Arc::new(Forwards {
            upstream: OnceLock::new(),
            http: plain_http()?,
            throttle: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("expected a free port")?;
        let address = listener.local_addr()?;
        let routes = axum::Router::new().fallback(take).with_state(Arc::clone(&forwards));
        let server = tokio::spawn(async move {
            // It never fails: a connection that cannot be accepted is tried again.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, forwards, server })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards to this server from now on.
    pub(super) fn forward_to(&self, upstream: &str) {
        self.forwards.upstream.get_or_init(|| upstream.to_owned());
    }

    /// Refuses the writes of a function to tables, until it has made none for [`SPLIT_AFTER`].
    pub(super) fn throttle(&self, function: &'static str) {
        *self.forwards.throttle() = Some(Throttle { function, refused_at: Instant::now() });
    }

    /// Whether writes are still refused.
    pub(super) fn throttles(&self) -> bool {
        let throttle = self.forwards.throttle();
        throttle.as_ref().is_some_and(|throttle| throttle.refused_at.elapsed() < SPLIT_AFTER)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Forwards {
    fn throttle(&self) -> std::sync::MutexGuard<'_, Option<Throttle>> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to refuse this call. Notes when it did so last.
    fn refuses(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let target = text("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        if !target.starts_with("DynamoDB_") || !WRITES.contains(&operation) {
            return false;
        }
        // The local stack lets each function name itself to AWS as an application.
        let agents = [text("user-agent"), text("x-amz-user-agent")];
        let mut words = agents.into_iter().flatten().flat_map(str::split_whitespace);
        let application = words.find_map(|word| word.strip_prefix("app/"));
        let mut throttle = self.throttle();
        let Some(found) = throttle.as_mut() else { return false };
        if Some(found.function) != application {
            return false;
        }
        if found.refused_at.elapsed() >= SPLIT_AFTER {
            *throttle = None;
            return false;
        }
        found.refused_at = Instant::now();
        true
    }

    /// The headers go as they are: the signature covers the host that the function has called.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap, Bytes)> {
        let request = self.http.request(method, format!("{}{path}", self.upstream.get()?));
        let answer = request.headers(headers).body(body).send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Some((status, headers, answer.bytes().await.ok()?))
    }
}

async fn take(
    State(forwards): State<Arc<Forwards>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if forwards.refuses(&headers) {
        return answer(StatusCode::BAD_REQUEST, Bytes::from_static(THROTTLED.as_bytes()));
    }
    headers.remove(CONNECTION);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let sent = forwards.send(method, path, headers, body).await;
    // Without an answer the stack is just starting or ending.
    let Some((status, answered, body)) = sent else {
        return answer(StatusCode::BAD_GATEWAY, Bytes::new());
    };
    let mut response = answer(status, body);
    let own = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
    for (name, value) in answered.iter().filter(|(name, _)| !own.contains(name)) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

fn answer(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
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
        let http = plain_http().expect("a client");
        let (upstream, throttle) = (OnceLock::new(), Mutex::default());
        let forwards = Forwards { upstream, http, throttle };
        assert!(!forwards.refuses(&call("PutItem", "Feed")), "nothing is throttled at first");
        let hot = Throttle { function: "Feed", refused_at: Instant::now() };
        *forwards.throttle() = Some(hot);
        assert!(!forwards.refuses(&call("GetItem", "Feed")), "a read");
        assert!(!forwards.refuses(&call("PutItem", "Sweeper")), "another function");
        for _ in 0..3 {
            tokio::time::advance(SPLIT_AFTER / 2).await;
            assert!(forwards.refuses(&call("BatchExecuteStatement", "Feed")));
        }
        tokio::time::advance(SPLIT_AFTER).await;
        assert!(!forwards.refuses(&call("PutItem", "Feed")), "it was quiet");
        assert!(forwards.throttle().is_none());
    }
}
