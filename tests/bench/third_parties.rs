//! The third parties: the sandbox in process, and a key that a test can rotate.

use std::sync::{Arc, Mutex};

use evenkeel::{
    dependency::limiter::Rates,
    http::transport::{HttpRequest, HttpResponse, Transport, TransportError},
    ports::{PortError, SecretSource},
};
use reqwest::header::{HeaderMap, HeaderValue};
use sandbox::{ConnectionReset, InProcess, IncomingCall, Settings, rebrandly::Preload};
use serde_json::json;

use super::Bench;

/// Our branded domain.
pub(crate) const DOMAIN: &str = "go.example";

/// Rates that no test reaches.
pub(crate) const UNLIMITED: Rates = Rates::each_second(1_000_000, 1_000_000);

/// How long a third party takes for each call: without it, no two calls would be in progress at once.
const LATENCY_MS: u64 = 30;

/// A sandbox without effective rate limits.
pub(super) fn unlimited() -> Settings {
    Settings {
        rate_per_second: 100_000,
        rate_per_hour: 10_000_000,
        latency_ms: LATENCY_MS,
        ..Settings::default()
    }
}

/// Sends requests to the sandbox, whichever host they are for.
#[derive(Clone)]
pub(crate) struct SandboxTransport(pub(crate) InProcess);

impl Transport for SandboxTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let HttpRequest { method, url, headers, body, max_bytes, reads_errors } = request;
        let (method, body) = (method.as_str(), body.unwrap_or_default());
        let call = IncomingCall { method, url: url.as_str(), headers: &headers, body };
        let response = self.0.call(call).await.map_err(|ConnectionReset| {
            let host = url.host_str().unwrap_or_default();
            TransportError::Broken { code: "reset", message: format!("{host}: reset by peer") }
        })?;
        let (parts, body) = response.into_parts();
        let is_read = parts.status.is_success() || reads_errors;
        if is_read && body.len() > max_bytes {
            return Err(TransportError::TooLarge);
        }
        let body = if is_read { body.to_vec() } else { Vec::new() };
        Ok(HttpResponse { status: parts.status, headers: parts.headers, body })
    }
}

/// A secret that a test can rotate.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Mutex<String>>);

impl Default for Keys {
    fn default() -> Self {
        Self(Arc::new(Mutex::new("local-key".into())))
    }
}

impl Keys {
    pub(crate) fn rotate(&self, key: &str) {
        key.clone_into(&mut self.0.lock().unwrap());
    }
}

impl SecretSource for Keys {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// The body of a `url_shortening` message.
pub(crate) fn shortening(vin: &str, destination: &str) -> String {
    let payload = json!({"destination": destination, "dealer_slug": "acme", "vin": vin});
    json!({"version": 1, "type": "url_shortening", "payload": payload}).to_string()
}

/// A link that exists already on our domain.
pub(crate) fn preload(slashtag: &str, destination: &str) -> Preload {
    let link = json!({"slashtag": slashtag, "destination": destination, "domain": DOMAIN});
    serde_json::from_value(link).unwrap()
}

impl Bench {
    /// Changes or deletes a link as an operator would by hand.
    pub(crate) async fn by_hand(&self, method: &str, id: &str, body: &str) {
        let url = format!("{}/links/{id}", self.sandbox.api_url());
        let key = ("apikey".parse().unwrap(), HeaderValue::from_static("local-key"));
        let headers: HeaderMap = [key].into_iter().collect();
        let call = IncomingCall { method, url: &url, headers: &headers, body: body.into() };
        let response = self.sandbox.call(call).await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
    }
}
