//! The sandbox without sockets, for tests in virtual time: a paused clock jumps ahead while a socket
//! waits, but not while these calls are in progress.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use tower::ServiceExt;

use crate::connection::Connection;
use crate::routes::router;
use crate::settings::Settings;
use crate::world::World;

/// The host and port that its URLs name. Nothing listens there.
const AUTHORITY: &str = "127.0.0.1:1";

/// Longest answer, in bytes. The largest is the record of calls.
const MAX_ANSWER_BYTES: usize = 1 << 30;

/// A sandbox in the process of its caller. Clones share it.
#[derive(Clone, Debug)]
pub struct InProcess {
    router: Router,
}

/// A call that a fault ended without an answer, as a reset of its connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionReset;

/// A call: the parts of an HTTP request.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct IncomingCall<'a> {
    pub method: &'a str,
    /// Its host decides which dealer site it goes to.
    pub url: &'a str,
    pub headers: &'a HeaderMap,
    pub body: Vec<u8>,
}

impl InProcess {
    /// A sandbox whose clock starts at `started_ms` (epoch milliseconds) and advances with tokio's.
    #[must_use]
    pub fn start(settings: Settings, started_ms: u64) -> Self {
        Self { router: router(Arc::new(World::starting_at(settings, started_ms))) }
    }

    /// Its base address, which leads to it and nowhere else.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{AUTHORITY}")
    }

    /// The base address of the Rebrandly API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// Makes a call. Fails if a fault resets its connection. If the returned future is dropped, the
    /// client has left, as with a closed connection.
    pub async fn call(&self, call: IncomingCall<'_>) -> Result<Response<Bytes>, ConnectionReset> {
        let (connection, reset) = Connection::in_process();
        let (Ok(uri), Ok(method)) = (call.url.parse::<Uri>(), call.method.parse::<Method>()) else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        let host = uri.authority().map_or(AUTHORITY, |authority| authority.as_str());
        let Ok(host) = HeaderValue::from_str(host) else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        let mut request = Request::new(Body::from(call.body));
        // As over a connection, where the target is a path and the host a header.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().unwrap_or_default();
        *request.method_mut() = method;
        request.headers_mut().clone_from(call.headers);
        request.headers_mut().entry(HOST).or_insert(host);
        request.extensions_mut().insert(connection);
        tokio::select! {
            biased;
            answered = self.router.clone().oneshot(request) => {
                let (parts, body) = match answered {
                    Ok(response) => response.into_parts(),
                    Err(never) => match never {},
                };
                let body = to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|_| ConnectionReset)?;
                Ok(Response::from_parts(parts, body))
            }
            () = reset.notified() => Err(ConnectionReset),
        }
    }
}

fn status(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::faults::{Fault, FaultKind, Scope, Target};
    use crate::settings::SettingsChange;

    /// The time at which the tests' clock starts.
    const STARTED_MS: u64 = 1_767_225_600_000;

    fn sandbox() -> InProcess {
        InProcess::start(Settings::default(), STARTED_MS)
    }

    async fn create(
        sandbox: &InProcess,
        slashtag: &str,
    ) -> Result<Response<Bytes>, ConnectionReset> {
        let headers: HeaderMap =
            [("apikey".parse().unwrap(), HeaderValue::from_static("local-key"))]
                .into_iter()
                .collect();
        let body = format!(r#"{{"slashtag":"{slashtag}","destination":"https://dealer.test/1"}}"#);
        let url = format!("{}/links", sandbox.api_url());
        let call = IncomingCall { method: "POST", url: &url, headers: &headers, body: body.into() };
        sandbox.call(call).await
    }

    async fn fault(sandbox: &InProcess, kind: FaultKind) {
        let on = Target { slashtag: Some("a".into()), ..Target::default() };
        let fault = Fault { kind, on, scope: Scope::calls(1), after_work: false };
        sandbox.client().add_fault(&fault).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_no_time_and_begin_at_the_given_one() {
        let (sandbox, began) = (sandbox(), Instant::now());
        create(&sandbox, "a").await.unwrap();
        assert_eq!(sandbox.client().links().await.unwrap()[0].created_at_ms, STARTED_MS);
        assert_eq!(sandbox.client().calls().await.unwrap()[0].at_ms, STARTED_MS);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn latency_passes_on_the_paused_clock() {
        let (sandbox, began) = (sandbox(), Instant::now());
        let slow = SettingsChange { latency_ms: Some(700), ..SettingsChange::default() };
        sandbox.client().change_settings(&slow).await.unwrap();
        create(&sandbox, "a").await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(700));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_ends_the_call_without_an_answer() {
        let sandbox = sandbox();
        fault(&sandbox, FaultKind::Reset).await;
        assert_eq!(create(&sandbox, "a").await.unwrap_err(), ConnectionReset);
        assert_eq!(create(&sandbox, "a").await.unwrap().status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_is_no_longer_held() {
        let sandbox = sandbox();
        fault(&sandbox, FaultKind::Hang).await;
        let limit = Duration::from_secs(3);
        assert!(tokio::time::timeout(limit, create(&sandbox, "a")).await.is_err());
        assert_eq!(sandbox.client().held().await.unwrap(), []);
        assert_eq!(sandbox.client().links().await.unwrap(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_host_of_a_url_names_the_site() {
        let sandbox = sandbox();
        sandbox
            .client()
            .put_site("lakeside", &crate::dealers::SiteSettings::default())
            .await
            .unwrap();
        let headers = HeaderMap::new();
        let url = format!("{}/", sandbox.client().site_origin("lakeside"));
        let call = IncomingCall { method: "GET", url: &url, headers: &headers, body: Vec::new() };
        assert_eq!(sandbox.call(call).await.unwrap().status(), StatusCode::OK);
        let visits = sandbox.client().calls().await.unwrap();
        assert_eq!(visits[0].visit.as_ref().map(|visit| visit.site.as_str()), Some("lakeside"));
    }
}
