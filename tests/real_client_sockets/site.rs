//! A server on the loopback interface. The path of a request says how it answers.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, request::Parts},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};

pub(super) const TEXT: &str = "A car, new and hardly driven. ";

/// A request as the server received it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server whose response is determined by the path of the request.
pub(super) struct Site {
    pub(super) port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Site {
    pub(super) async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&calls));
        // The server ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, calls }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the calls since the last call of this function.
    pub(super) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

async fn answer(
    State(calls): State<Arc<Mutex<Vec<Call>>>>,
    parts: Parts,
    body: Bytes,
) -> Response<Body> {
    let reply = reply(&parts);
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    calls.lock().unwrap().push(Call { method, path, headers: parts.headers, body });
    reply
}

fn reply(parts: &Parts) -> Response<Body> {
    let query = parts.uri.query().unwrap_or_default();
    let path = parts.uri.path().trim_start_matches('/');
    let (what, how) = path.split_once('/').unwrap_or((path, ""));
    let code = || how.parse::<u16>().unwrap();
    let times = || how.parse::<usize>().unwrap();
    match what {
        "page" => whole(&[("content-type", "Text/HTML; charset=UTF-8")], TEXT),
        "hops" if times() == 0 => whole(&[], TEXT),
        "hops" => status(302, &[("location", &format!("/hops/{}", times() - 1))]),
        "redirect" => status(code(), &[("location", query)]),
        "status" => status(code(), &[]),
        "packed" => whole(&[("content-encoding", "gzip")], packed(times())),
        "torn" => {
            let body = packed(times());
            whole(&[("content-encoding", "gzip")], body[..body.len() / 2].to_vec())
        }
        "otherwise" => whole(&[("content-encoding", "br")], TEXT.repeat(times())),
        "whole" => whole(&[], TEXT.repeat(times())),
        "stream" => {
            let pieces = vec![TEXT; times()];
            streamed(stream::iter(pieces).map(Ok))
        }
        "endless" => streamed(stream::iter([Ok(TEXT)]).chain(stream::pending())),
        "broken" => streamed(stream::iter([Ok(TEXT), Err(io::Error::other("broken"))])),
        "known" if parts.headers.contains_key("if-none-match") => status(304, &[]),
        "known" => {
            whole(&[("etag", "\"v1\""), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")], TEXT)
        }
        "closing" => whole(&[("connection", "close")], TEXT),
        _ => status(404, &[]),
    }
}

fn status(status: u16, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = whole(headers, "");
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn whole(headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut builder = Response::builder();
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

fn streamed<S>(pieces: S) -> Response<Body>
where
    S: stream::Stream<Item = Result<&'static str, io::Error>> + Send + 'static,
{
    Response::new(Body::from_stream(pieces))
}

/// `TEXT` repeated `times` times, compressed with gzip.
pub(super) fn packed(times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(TEXT.repeat(times).as_bytes()).unwrap();
    encoder.finish().unwrap()
}
