//! The one set-up for HTTP: the AWS SDK and the third parties share a client, with its connections
//! and its set of trusted roots. [`crate::http`] has a client of its own, made of the same parts.
//!
//! The roots are compiled in (webpki-roots), because parsing the system's bundle, once for the SDK
//! and once for reqwest, is half of a small function's start-up. The cryptography is ring: a first
//! handshake costs it a fraction of a millisecond, where AWS-LC's jitter entropy costs tens.

use std::{error::Error, iter, sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Longest time to make a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept. AWS closes idle ones after some 20 s to minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Causes of one error that are told; the client nests them five deep.
const MAX_CAUSES: usize = 16;

/// Who we say we are.
pub const USER_AGENT: &str = concat!("evenkeel/", env!("CARGO_PKG_VERSION"));

/// A client that follows no redirect, uses no proxy and unpacks nothing.
///
/// Fails only if the TLS configuration is contradictory, which no input can cause.
pub fn client() -> Result<Client, Box<dyn Error + Send + Sync>> {
    Ok(builder()?.build()?)
}

/// The settings that every client has.
pub(crate) fn builder() -> Result<ClientBuilder, Box<dyn Error + Send + Sync>> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        // The SDK sees to the packing of its own answers, and checks some as they came.
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

/// What went wrong on the way to an answer or while it came: a code for grouping, and the error
/// with its causes. The text may hold the address; take it off with `without_url` where it is
/// secret.
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
    fn the_roots_are_there_and_the_client_is_made_of_them() {
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 50);
        assert!(tls().is_ok());
        assert!(client().is_ok());
    }

    #[tokio::test]
    async fn an_error_is_told_with_its_causes() {
        // Nothing listens on port 9 of a machine that runs these tests.
        let error = client().unwrap().get("http://127.0.0.1:9/").send().await.unwrap_err();
        let (code, message) = trouble(&error);
        assert_eq!(code, "connect");
        assert!(message.starts_with(&format!("{error}: ")), "{message}");
    }
}
