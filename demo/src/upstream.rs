//! Sends calls of functions on to AWS, for the servers that stand before it: `forwarder`, and the recorder of the
//! end-to-end tests.

use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Response, StatusCode};

/// The server that calls go to. The one before it listens first, so it is told later where that is.
#[derive(Debug)]
pub struct Upstream {
    url: OnceLock<String>,
    http: reqwest::Client,
}

impl Upstream {
    /// Without an address, until [`forward_to`](Self::forward_to) gives one.
    #[must_use]
    pub const fn new(http: reqwest::Client) -> Self {
        Self { url: OnceLock::new(), http }
    }

    /// Sends to this server from now on. A second address has no effect.
    pub fn forward_to(&self, url: &str) {
        self.url.get_or_init(|| url.to_owned());
    }

    /// Sends a call, and returns the answer. `None` without an address or without an answer.
    ///
    /// The headers go as they are: the signature covers the host that the function has called.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Option<(StatusCode, HeaderMap, Bytes)> {
        let request = self.http.request(method, format!("{}{path}", self.url.get()?));
        let answer = request.headers(headers).body(body).send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Some((status, headers, answer.bytes().await.ok()?))
    }
}

/// The function that calls: the local stack lets each name itself to AWS as an application.
#[must_use]
pub fn application(headers: &HeaderMap) -> Option<&str> {
    let agents = ["user-agent", "x-amz-user-agent"].map(|name| headers.get(name));
    let agents = agents.into_iter().flatten().filter_map(|agent| agent.to_str().ok());
    let mut words = agents.flat_map(str::split_whitespace);
    words.find_map(|word| word.strip_prefix("app/"))
}

/// The answer to the function. The headers that belong to one connection are left out.
#[must_use]
pub fn passed_on(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let own = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
    for (name, value) in headers.iter().filter(|(name, _)| !own.contains(name)) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::application;

    #[test]
    fn a_call_names_its_function() {
        let mut headers = HeaderMap::new();
        assert_eq!(application(&headers), None);
        headers.insert("user-agent", "aws-sdk-rust/1 os/linux".parse().expect("a header"));
        headers.insert("x-amz-user-agent", "lang/rust app/Feed".parse().expect("a header"));
        assert_eq!(application(&headers), Some("Feed"));
    }
}
