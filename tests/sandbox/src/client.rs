//! A client of the control endpoint.

use std::fmt;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::calls::{Call, CallCounts};
use crate::dealers::{self, Car, SiteChange, SiteReport, SiteSettings};
use crate::faults::{Fault, FaultReport};
use crate::held::HeldCall;
use crate::rebrandly::{Link, Preload};
use crate::settings::{Settings, SettingsChange};

/// Controls a sandbox over HTTP. Cheap to clone.
///
/// Every request opens a new connection. An idle connection would become stale when the sandbox
/// stops, and its timer would advance a test's paused clock.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    http: reqwest::Client,
}

/// Why a request to the control endpoint failed.
#[derive(Debug)]
pub enum ClientError {
    /// The sandbox could not be reached, or its answer could not be read.
    Transport(reqwest::Error),
    /// The sandbox rejected the request.
    Refused {
        /// The HTTP status: 400 or 404.
        status: u16,
        /// The body of the answer. With status 400 it names the field at fault.
        body: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "the sandbox cannot be reached: {error}"),
            Self::Refused { status, body } => write!(f, "the sandbox answers {status}: {body}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Refused { .. } => None,
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

#[derive(Deserialize)]
struct Added {
    id: u64,
}

#[derive(Deserialize)]
struct Released {
    released: u64,
}

impl Client {
    /// A client of the sandbox at this address: see [`crate::Sandbox::url`].
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into().trim_end_matches('/').to_owned();
        Self { base_url, http: plain_http() }
    }

    /// Succeeds if the sandbox is up.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.send(Method::GET, "health", &()).await.map(drop)
    }

    /// The current settings.
    pub async fn settings(&self) -> Result<Settings, ClientError> {
        self.fetch(Method::GET, "settings", &()).await
    }

    /// Changes the fields that are set, and returns the resulting settings.
    pub async fn change_settings(&self, change: &SettingsChange) -> Result<Settings, ClientError> {
        self.fetch(Method::PUT, "settings", change).await
    }

    /// Adds links: all of them, or none on an error.
    pub async fn preload(&self, links: &[Preload]) -> Result<Vec<Link>, ClientError> {
        self.fetch(Method::POST, "links", links).await
    }

    /// Every link, including deleted ones, oldest first.
    pub async fn links(&self) -> Result<Vec<Link>, ClientError> {
        self.fetch(Method::GET, "links", &()).await
    }

    /// The address of a dealer site on its own host, `http://SLUG.localhost:PORT`. Jobs get this
    /// address, because their circuit breakers are kept by host. Not every resolver knows such
    /// names.
    #[must_use]
    pub fn site_origin(&self, slug: &str) -> String {
        self.base_url.replace("127.0.0.1", &format!("{slug}.localhost"))
    }

    /// The address of a dealer site, whether or not the site exists (yet).
    #[must_use]
    pub fn site_url(&self, slug: &str) -> String {
        format!("{}{}", self.base_url, dealers::site_path(slug))
    }

    /// Creates a dealer site, or replaces the one with this slug.
    pub async fn put_site(
        &self,
        slug: &str,
        settings: &SiteSettings,
    ) -> Result<SiteReport, ClientError> {
        self.fetch(Method::PUT, &format!("sites/{slug}"), settings).await
    }

    /// Changes the fields that are set: all of them, or none on an error.
    pub async fn change_site(
        &self,
        slug: &str,
        change: &SiteChange,
    ) -> Result<SiteReport, ClientError> {
        self.fetch(Method::PATCH, &format!("sites/{slug}"), change).await
    }

    /// All dealer sites, sorted by slug.
    pub async fn sites(&self) -> Result<Vec<SiteReport>, ClientError> {
        self.fetch(Method::GET, "sites", &()).await
    }

    /// The cars that a dealer site has now, with their true values, whatever shapes the site shows.
    pub async fn cars(&self, slug: &str) -> Result<Vec<Car>, ClientError> {
        self.fetch(Method::GET, &format!("sites/{slug}/cars"), &()).await
    }

    /// Every call to a third party since the record was last cleared, in order of arrival.
    pub async fn calls(&self) -> Result<Vec<Call>, ClientError> {
        self.fetch(Method::GET, "calls", &()).await
    }

    /// The number of calls, by what they asked for and how they were answered.
    pub async fn call_counts(&self) -> Result<CallCounts, ClientError> {
        self.fetch(Method::GET, "calls/count", &()).await
    }

    /// Clears the record of calls.
    pub async fn clear_calls(&self) -> Result<(), ClientError> {
        self.send(Method::DELETE, "calls", &()).await.map(drop)
    }

    /// Adds a fault, and returns its number.
    pub async fn add_fault(&self, fault: &Fault) -> Result<u64, ClientError> {
        let added: Added = self.fetch(Method::POST, "faults", fault).await?;
        Ok(added.id)
    }

    /// The active faults, oldest first.
    pub async fn faults(&self) -> Result<Vec<FaultReport>, ClientError> {
        self.fetch(Method::GET, "faults", &()).await
    }

    /// Removes a fault. Calls that it holds stay held. Refused with 404 if there is no such fault.
    pub async fn remove_fault(&self, id: u64) -> Result<(), ClientError> {
        self.send(Method::DELETE, &format!("faults/{id}"), &()).await.map(drop)
    }

    /// Removes all faults, releases the calls that they held, and returns how many those were.
    pub async fn clear_faults(&self) -> Result<u64, ClientError> {
        let released: Released = self.fetch(Method::DELETE, "faults", &()).await?;
        Ok(released.released)
    }

    /// The calls that wait now because a `hang` or `hold` fault struck them.
    pub async fn held(&self) -> Result<Vec<HeldCall>, ClientError> {
        self.fetch(Method::GET, "held", &()).await
    }

    /// Releases the waiting calls, and returns how many there were.
    pub async fn release_held(&self) -> Result<u64, ClientError> {
        let released: Released = self.fetch(Method::POST, "held/release", &()).await?;
        Ok(released.released)
    }

    async fn fetch<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, ClientError> {
        Ok(self.send(method, path, body).await?.json().await?)
    }

    /// Sends a body with every request: the endpoint ignores it where it expects none.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<reqwest::Response, ClientError> {
        let url = format!("{}/control/{path}", self.base_url);
        let response = self.http.request(method, url).json(body).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(ClientError::Refused { status: status.as_u16(), body: response.text().await? })
    }
}

/// A client for plain HTTP to this machine, without a proxy or idle connections. It has a TLS
/// configuration without root certificates, because reqwest as built in this workspace requires a
/// TLS provider.
#[expect(clippy::expect_used, reason = "the configuration is fixed and tested: it cannot fail")]
pub(crate) fn plain_http() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .expect("reqwest takes rustls")
}
