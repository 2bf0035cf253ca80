//! The common set-up of HTTP: the AWS SDK and the clients of third parties share one client, with
//! its connections and its trusted roots. [`crate::http`] has a client of its own, built from the
//! same parts.
//!
//! The roots are compiled in (webpki-roots), because parsing the system's bundle, once for the SDK
//! and once for reqwest, takes half of a small function's start-up time. The cryptography is ring:
//! its first handshake costs a fraction of a millisecond, whereas AWS-LC's jitter entropy costs
//! tens.

use std::{error::Error, iter, sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Longest time for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept. AWS closes idle connections after 20 seconds to a few
/// minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Causes of one error that a message includes. The client nests five.
const MAX_CAUSES: usize = 16;

/// The `User-Agent` of every request.
pub const USER_AGENT: &str = concat!("evenkeel/", env!("CARGO_PKG_VERSION"));

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
/// The text may contain the URL; if that is secret, call `without_url` on the error first.
#[must_use]
pub fn trouble(error: &reqwest::Error) -> (&'static str, String) {
    let code = if error.is_timeout() {
        "timeout"
    } else if error.is_dns() {
        "dns"
    } else if error.is_connect() {
        "connect"
    } else {
        "reset"
    };
    let causes = iter::successors(error.source(), |&cause| cause.source()).take(MAX_CAUSES);
    let message = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
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
    async fn an_error_message_includes_its_causes() {
        // Nothing listens on port 9 of a machine that runs these tests.
        let error = client().unwrap().get("http://127.0.0.1:9/").send().await.unwrap_err();
        let (code, message) = trouble(&error);
        assert_eq!(code, "connect");
        assert!(message.starts_with(&format!("{error}: ")), "{message}");
    }
}
