//! An HTTP client of a sandbox in the same process, for its tests.

use reqwest::{Method, Response};
use serde::Serialize;

use crate::client::plain_http;
use crate::in_process::{ConnectionReset, InProcess, IncomingCall};

/// Sends requests to a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct TestHttp(pub(crate) InProcess);

/// A request that is being built.
#[derive(Debug)]
pub(crate) struct TestCall {
    sandbox: InProcess,
    request: reqwest::RequestBuilder,
}

impl TestHttp {
    pub(crate) fn request(&self, method: Method, url: impl reqwest::IntoUrl) -> TestCall {
        TestCall { sandbox: self.0.clone(), request: plain_http().request(method, url) }
    }

    pub(crate) fn get(&self, url: impl reqwest::IntoUrl) -> TestCall {
        self.request(Method::GET, url)
    }

    pub(crate) fn post(&self, url: impl reqwest::IntoUrl) -> TestCall {
        self.request(Method::POST, url)
    }
}

impl TestCall {
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self { request: self.request.header(name, value.as_ref()), ..self }
    }

    pub(crate) fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    pub(crate) async fn send(self) -> Result<Response, ConnectionReset> {
        let request = self.request.build().unwrap();
        let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default().to_vec();
        let (method, url) = (request.method().as_str(), request.url().as_str());
        let call = IncomingCall { method, url, headers: request.headers(), body };
        let (parts, body) = self.sandbox.call(call).await?.into_parts();
        Ok(Response::from(axum::http::Response::from_parts(parts, body)))
    }
}
