//! A server between the functions and AWS. It forwards every call, unless it is told to treat one otherwise: the local
//! AWS never fails by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use xtask::aws::client::plain_http;

use crate::upstream::{Upstream, passed_on};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// AWS gets it, and its answer goes back.
    Forward,
    /// AWS does not get it; this status and body go back.
    Refuse(StatusCode, &'static str),
    /// AWS gets it, and an error of the server goes back in place of the answer.
    LoseAnswer,
    /// Nothing happens until then. AWS gets it only if the caller still waits.
    HoldUntil(Instant),
}

/// Decides what happens to each call.
pub(crate) trait Treat: std::fmt::Debug + Send + Sync + 'static {
    /// What happens to the call with these headers.
    fn treat(&self, headers: &HeaderMap) -> Treatment;
}

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Forwarder {
    address: SocketAddr,
    forwards: Arc<Forwards>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Forwards {
    upstream: Upstream,
    treat: Arc<dyn Treat>,
}

impl Forwarder {
    /// Listens at a free port. Until [`forward_to`](Self::forward_to) it answers 502.
    pub(crate) async fn start(treat: Arc<dyn Treat>) -> Result<Self> {
        let forwards = Arc::new(Forwards { upstream: Upstream::new(plain_http()?), treat });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("expected a free port")?;
        let address = listener.local_addr()?;
        let routes = axum::Router::new().fallback(take).with_state(Arc::clone(&forwards));
        let server = tokio::spawn(async move {
            // It never fails: a connection that cannot be accepted is tried again.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, forwards, server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards to this server from now on.
    pub(crate) fn forward_to(&self, upstream: &str) {
        self.forwards.upstream.forward_to(upstream);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The operation that a call names, such as `DynamoDB_20120810.PutItem` or `AmazonSQS.SendMessage`; empty if it names
/// none.
pub(crate) fn operation(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default()
}

async fn take(
    State(forwards): State<Arc<Forwards>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let treatment = forwards.treat.treat(&headers);
    match treatment {
        Treatment::Refuse(status, body) => {
            return answer(status, Bytes::from_static(body.as_bytes()));
        }
        // If the caller goes meanwhile, this is dropped here.
        Treatment::HoldUntil(end) => sleep_until(end).await,
        Treatment::Forward | Treatment::LoseAnswer => {}
    }
    headers.remove(CONNECTION);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let sent = forwards.upstream.send(method, path, headers, body).await;
    if treatment == Treatment::LoseAnswer {
        return answer(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new());
    }
    match sent {
        Some((status, headers, body)) => passed_on(status, &headers, body),
        // The stack is just starting or ending.
        None => answer(StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}

fn answer(status: StatusCode, body: Bytes) -> Response<Body> {
    passed_on(status, &HeaderMap::new(), body)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::operation;

    #[test]
    fn a_call_names_its_operation() {
        let mut headers = HeaderMap::new();
        assert_eq!(operation(&headers), "");
        headers.insert("x-amz-target", "AmazonSQS.SendMessage".parse().expect("a header"));
        assert_eq!(operation(&headers), "AmazonSQS.SendMessage");
    }
}
