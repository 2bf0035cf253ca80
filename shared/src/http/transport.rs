//! The port to HTTP, [`Transport`], and its implementation over real connections, [`Network`].
//!
//! The AWS SDK and the clients of third parties share one HTTP client, with its connections and its
//! trusted roots. [`crate::http`] has a client of its own, built from the same parts.
//!
//! The roots are compiled in (webpki-roots), because parsing the system's bundle, once for the SDK
//! and once for reqwest, takes half of a small function's start-up time. The cryptography is ring:
//! its first handshake costs a fraction of a millisecond, whereas AWS-LC's jitter entropy costs
//! tens.

use std::{error::Error, future::Future, iter, sync::Arc, time::Duration};

use reqwest::{
    Client, ClientBuilder, Method, Response, StatusCode, Url,
    header::{CONTENT_ENCODING, HeaderMap},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::target::Refusal;

/// Longest time for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept. AWS closes idle connections after 20 seconds to a few
/// minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Causes of one error that are searched, or that a message includes. The client nests five.
const MAX_CAUSES: usize = 16;

/// The `User-Agent` of every request.
pub const USER_AGENT: &str = concat!("evenkeel/", env!("CARGO_PKG_VERSION"));

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct HttpRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    /// Longest body of the answer, in bytes, counted after decompression.
    pub max_bytes: usize,
    /// Whether to read the body of an unsuccessful answer too; if not, it counts as empty.
    pub reads_errors: bool,
}

/// A whole answer. Its body is decompressed. If the transport cannot decompress it, it is empty, and the
/// header `Content-Encoding` says how it was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct HttpResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why a request has no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// The resolver refused an address of the host.
    Refused(Refusal),
    /// The URL has a character that the `url` crate permits and HTTP does not.
    Unsendable,
    /// The body is longer than [`HttpRequest::max_bytes`].
    TooLarge,
    /// The connection failed, or the answer broke off.
    Broken {
        /// A stable code for grouping: `timeout`, `dns`, `connect` or `reset`.
        code: &'static str,
        /// The host and what happened, for operators. It does not contain the rest of the URL, whose
        /// query may hold a token.
        message: String,
    },
}

/// Sends one request and returns one bounded answer. Follows no redirect. The caller sets the time
/// limit.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and reads its answer.
    fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, TransportError>> + Send;
}

/// [`Transport`] over real connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Network(Client);

impl Network {
    /// Sends through this client, which decides about redirects, decompression and name resolution.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self(client)
    }
}

impl Transport for Network {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let HttpRequest { method, url, headers, body, max_bytes, reads_errors } = request;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut call = self.0.request(method, url).headers(headers);
        if let Some(body) = body {
            call = call.body(body);
        }
        let mut response = call.send().await.map_err(|error| failed(error, &host))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // Of gzip, the client has removed the header.
        let packed = headers.get(CONTENT_ENCODING);
        let is_packed = packed.is_some_and(|how| !how.as_bytes().eq_ignore_ascii_case(b"identity"));
        let body = if (status.is_success() || reads_errors) && !is_packed {
            read(&mut response, max_bytes, &host).await?
        } else {
            Vec::new()
        };
        Ok(HttpResponse { status, headers, body })
    }
}

/// The body, decompressed. The limit applies to the decompressed bytes, chunk by chunk, so a small
/// answer that decompresses to a huge one stops at the limit.
async fn read(
    response: &mut Response,
    max_bytes: usize,
    host: &str,
) -> Result<Vec<u8>, TransportError> {
    let declared = response.content_length().unwrap_or_default();
    if declared > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        return Err(TransportError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(error, host))? {
        if chunk.len() > max_bytes - body.len() {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error, host: &str) -> TransportError {
    if let Some(refusal) = causes(&error).find_map(|cause| cause.downcast_ref()) {
        return TransportError::Refused(Refusal::clone(refusal));
    }
    if error.is_builder() {
        return TransportError::Unsendable;
    }
    let (code, message) = trouble(&error.without_url());
    TransportError::Broken { code, message: format!("{host}: {message}") }
}

/// The errors that led to this one.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |&cause| cause.source()).take(MAX_CAUSES)
}

/// A client that follows no redirects, uses no proxy and decompresses nothing.
///
/// Fails only if the TLS configuration is contradictory, which no input can cause.
pub fn client() -> Result<Client, Box<dyn Error + Send + Sync>> {
    Ok(builder()?.build()?)
}

/// The settings that all clients share.
pub(crate) fn builder() -> Result<ClientBuilder, Box<dyn Error + Send + Sync>> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        // The SDK decompresses its own answers, and checks some of them before that.
        .no_gzip()
        .tls_backend_preconfigured(tls()?);
    Ok(builder)
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// What went wrong before or during an answer: a code for grouping, and the error with its causes.
fn trouble(error: &reqwest::Error) -> (&'static str, String) {
    let code = if error.is_timeout() {
        "timeout"
    } else if error.is_dns() {
        "dns"
    } else if error.is_connect() {
        "connect"
    } else {
        "reset"
    };
    let message = causes(error).fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    (code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_built_with_the_compiled_roots() {
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 50);
        assert!(tls().is_ok());
        assert!(client().is_ok());
    }

    #[tokio::test]
    async fn an_error_message_includes_its_causes_of_a_socket_that_nobody_opened() {
        // Nothing listens on port 9 of a machine that runs these tests.
        let error = client().unwrap().get("http://127.0.0.1:9/").send().await.unwrap_err();
        let (code, message) = trouble(&error);
        assert_eq!(code, "connect");
        assert!(message.starts_with(&format!("{error}: ")), "{message}");
    }
}
