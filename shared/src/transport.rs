//! One HTTP client for everything: the AWS SDK and the third parties share its connections and
//! its set of trusted roots.
//!
//! The roots are compiled in (webpki-roots), because parsing the system's bundle, once for the SDK
//! and once for reqwest, is half of a small function's start-up. The cryptography is ring: a first
//! handshake costs it a fraction of a millisecond, where AWS-LC's jitter entropy costs tens.

use std::{error::Error, sync::Arc, time::Duration};

use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Longest time to make a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept. AWS closes idle ones after some 20 s to minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Who we say we are.
pub const USER_AGENT: &str = concat!("evenkeel/", env!("CARGO_PKG_VERSION"));

/// A client that follows no redirect and uses no proxy.
///
/// Fails only if the TLS configuration is contradictory, which no input can cause.
pub fn client() -> Result<Client, Box<dyn Error + Send + Sync>> {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        .tls_backend_preconfigured(tls()?)
        .build()?;
    Ok(client)
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
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
}
