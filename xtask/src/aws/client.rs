//! One HTTP client for all services of an endpoint.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::REGION;

/// Longest wait for an answer. MiniStack answers within milliseconds, an invoked function later.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Calls the services of one endpoint.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
}

/// What a service answered when it refused a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// The service's name for the error, without its name space: `ResourceNotFoundException`.
    pub code: String,
    /// The service's message, or its whole answer.
    pub message: String,
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with {} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for ServiceError {}

impl Client {
    /// A client of the endpoint, which is an address without a slash at its end.
    pub fn new(endpoint: &str) -> Result<Self> {
        Ok(Self { http: plain_http()?, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    /// The address that all calls go to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A call of a service that speaks JSON: `target` is `TableService.Operation`.
    pub async fn json(&self, service: &str, target: &str, body: &Value) -> Result<Value> {
        let request = self
            .request(service, Method::POST, "/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .body(body.to_string());
        parse(&answered(request).await.with_context(|| target.to_owned())?)
    }

    /// A call of a service whose operations are methods and paths.
    pub(super) async fn rest(
        &self,
        service: &str,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<String> {
        let called = format!("{service}: {method} {path}");
        answered(self.request(service, method, path).body(body)).await.context(called)
    }

    /// What a LocalStack-compatible endpoint says about itself. Fails while it does not answer.
    pub async fn health(&self) -> Result<Value> {
        let health = self.http.get(format!("{}/_localstack/health", self.endpoint));
        parse(&answered(health).await?)
    }

    /// The endpoint does not check the signature, but reads the name of the service from its scope.
    fn request(&self, service: &str, method: Method, path: &str) -> RequestBuilder {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=test/20250101/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        self.http
            .request(method, format!("{}{path}", self.endpoint))
            .header("authorization", signature)
            .header("x-amz-date", "20250101T000000Z")
    }
}

/// An HTTP client for servers of this machine, which are called directly.
pub fn plain_http() -> Result<reqwest::Client> {
    // In a test, other code may have installed a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build();
    http.context("the HTTP client cannot be made")
}

/// Reads a JSON answer; an empty one is `null`.
pub(super) fn parse(body: &str) -> Result<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body).context("expected an answer in JSON")
}

async fn answered(request: RequestBuilder) -> Result<String> {
    let answer: Response = request.send().await.context("no answer")?;
    let status = answer.status();
    let body = answer.text().await.context("the answer broke off")?;
    if status.is_success() { Ok(body) } else { Err(refusal(status.as_u16(), &body).into()) }
}

/// A service names the error in `__type`, after a `#`.
fn refusal(status: u16, body: &str) -> ServiceError {
    let json = serde_json::from_str::<Value>(body).unwrap_or_default();
    let code = json["__type"].as_str().and_then(|name| name.rsplit('#').next());
    let message = json["message"].as_str().or_else(|| json["Message"].as_str());
    ServiceError {
        status,
        code: code.unwrap_or("unnamed").to_owned(),
        message: message.unwrap_or(body).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    fn read(body: &str) -> (String, String) {
        let refused = refusal(400, body);
        (refused.code, refused.message)
    }

    #[test]
    fn an_error_is_read_or_else_quoted() {
        let json = r#"{"__type":"com.amazonaws.dynamodb#ResourceInUse","message":"no"}"#;
        assert_eq!(read(json), ("ResourceInUse".into(), "no".into()));
        assert_eq!(read("Bad Gateway"), ("unnamed".into(), "Bad Gateway".into()));
    }
}
