//! A client of the control endpoint.

use std::fmt;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::calls::{Call, CallCounts};
use crate::dealers::{self, Car, SiteChange, SiteReport, SiteSettings};
use crate::faults::{Fault, FaultReport};
use crate::held::HeldCall;
use crate::in_process::{InProcess, IncomingCall};
use crate::rebrandly::{Link, Preload};
use crate::settings::{Settings, SettingsChange};

/// Controls a sandbox over HTTP, or one in its own process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    wire: Wire,
}

/// How requests reach the sandbox.
#[derive(Clone, Debug)]
enum Wire {
    /// Every request opens a new connection. An idle connection would become stale when the sandbox
    /// stops, and its timer would advance a test's paused clock.
    Sockets(reqwest::Client),
    InProcess(InProcess),
}

/// Why a request to the control endpoint failed.
#[derive(Debug)]
pub enum ClientError {
    /// The sandbox could not be reached.
    Transport(reqwest::Error),
    /// The answer of the sandbox is not what was asked for.
    Unreadable(serde_json::Error),
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
            Self::Unreadable(error) => write!(f, "the sandbox's answer: {error}"),
            Self::Refused { status, body } => write!(f, "the sandbox answers {status}: {body}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Unreadable(error) => Some(error),
            Self::Refused { .. } => None,
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<serde_json::Error> for ClientError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error)
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

impl InProcess {
    /// A client of its control endpoint.
    #[must_use]
    pub fn client(&self) -> Client {
        Client { base_url: self.url(), wire: Wire::InProcess(self.clone()) }
    }
}

impl Client {
    /// A client of the sandbox at this address: see [`crate::Sandbox::url`].
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into().trim_end_matches('/').to_owned();
        Self { base_url, wire: Wire::Sockets(plain_http()) }
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
        Ok(serde_json::from_slice(&self.send(method, path, body).await?)?)
    }

    /// Sends a body with every request: the endpoint ignores it where it expects none.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}/control/{path}", self.base_url);
        let body = serde_json::to_vec(body)?;
        let (status, answer) = match &self.wire {
            Wire::Sockets(http) => {
                let request = http.request(method, url).header(CONTENT_TYPE, "application/json");
                let response = request.body(body).send().await?;
                (response.status().as_u16(), response.bytes().await?.to_vec())
            }
            Wire::InProcess(sandbox) => {
                let headers = HeaderMap::new();
                let call =
                    IncomingCall { method: method.as_str(), url: &url, headers: &headers, body };
                // Faults strike third parties only, so the control endpoint always answers.
                sandbox.call(call).await.map_or_else(
                    |_| (0, Vec::new()),
                    |response| (response.status().as_u16(), response.body().to_vec()),
                )
            }
        };
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        Err(ClientError::Refused { status, body: String::from_utf8_lossy(&answer).into_owned() })
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
