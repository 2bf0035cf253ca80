//! A server between the functions and AWS. It forwards every call, unless it is told to treat one otherwise: the local
//! AWS never fails by itself.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use xtask::aws::client::plain_http;

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
    upstream: OnceLock<String>,
    http: reqwest::Client,
    treat: Arc<dyn Treat>,
}

impl Forwarder {
    /// Listens at a free port. Until [`forward_to`](Self::forward_to) it answers 502.
    pub(crate) async fn start(treat: Arc<dyn Treat>) -> Result<Self> {
        let forwards = Arc::new(Forwards { upstream: OnceLock::new(), http: plain_http()?, treat });
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
        self.forwards.upstream.get_or_init(|| upstream.to_owned());
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
    text(headers, "x-amz-target").unwrap_or_default()
}

/// The function that calls: the local stack lets each name itself to AWS as an application.
pub(crate) fn application(headers: &HeaderMap) -> Option<&str> {
    let agents = ["user-agent", "x-amz-user-agent"].map(|name| text(headers, name));
    let mut words = agents.into_iter().flatten().flat_map(str::split_whitespace);
    words.find_map(|word| word.strip_prefix("app/"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Forwards {
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
    let sent = forwards.send(method, path, headers, body).await;
    if treatment == Treatment::LoseAnswer {
        return answer(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new());
    }
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
    use axum::http::HeaderMap;

    use super::{application, operation};

    #[test]
    fn a_call_names_its_operation_and_its_function() {
        let mut headers = HeaderMap::new();
        assert_eq!((operation(&headers), application(&headers)), ("", None));
        headers.insert("x-amz-target", "AmazonSQS.SendMessage".parse().expect("a header"));
        headers.insert("user-agent", "aws-sdk-rust/1 os/linux".parse().expect("a header"));
        headers.insert("x-amz-user-agent", "lang/rust app/Feed".parse().expect("a header"));
        assert_eq!(operation(&headers), "AmazonSQS.SendMessage");
        assert_eq!(application(&headers), Some("Feed"));
    }
}
