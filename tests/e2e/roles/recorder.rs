//! A server between the functions and AWS that records every call, by function.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header::CONNECTION},
};
use demo::upstream::{Upstream, application, passed_on};
use evenkeel::http::transport;
use tokio::net::TcpListener;

/// A call, as its function has sent it. Its signature is the function's, so it can be sent again.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Name of the function in the template, from its user agent; empty if it names none.
    pub(super) function: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What AWS has answered.
    pub(super) answer: String,
    pub(super) status: StatusCode,
}

/// Listens from its start on, and forwards once it knows where to.
pub(super) struct Recorder {
    address: SocketAddr,
    forwards: Arc<Forwards>,
}

struct Forwards {
    upstream: Upstream,
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    pub(super) async fn start() -> Self {
        let upstream = Upstream::new(transport::client().unwrap());
        let forwards = Arc::new(Forwards { upstream, calls: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = axum::Router::new().fallback(take).with_state(forwards.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, forwards }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards to this server from now on.
    pub(super) fn forward_to(&self, upstream: &str) {
        self.forwards.upstream.forward_to(upstream);
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.forwards.calls.lock().unwrap().clone()
    }

    /// Sends a recorded call once more. Returns what AWS answers.
    pub(super) async fn again(&self, call: &Call) -> (StatusCode, String) {
        let (method, headers) = (call.method.clone(), call.headers.clone());
        let sent =
            self.forwards.upstream.send(method, &call.path, headers, call.body.clone()).await;
        let (status, _, body) = sent.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

async fn take(
    State(forwards): State<Arc<Forwards>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    headers.remove(CONNECTION);
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let sent = forwards.upstream.send(method.clone(), &path, headers.clone(), body.clone()).await;
    let Some((status, answered, answer)) = sent else {
        // The stack begins, or ends.
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    let function = application(&headers).unwrap_or_default().to_owned();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let call = Call { function, method, path, headers, body, answer: text, status };
    forwards.calls.lock().unwrap().push(call);
    passed_on(status, &answered, answer)
}
