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

/// Gives a sandbox its orders. Cheap to clone.
///
/// Every call opens a connection of its own: nothing idles that would go stale with the sandbox, or
/// keep a timer that moves a test's paused clock.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    http: reqwest::Client,
}

/// Why an order was not carried out.
#[derive(Debug)]
pub enum ClientError {
    /// The sandbox could not be reached, or did not answer as it should.
    Transport(reqwest::Error),
    /// The sandbox refused.
    Refused {
        /// The HTTP status: 400 or 404.
        status: u16,
        /// The answer's body, which names the field at fault.
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
    /// A client of the sandbox at this address, which is that of [`crate::Sandbox::url`].
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into().trim_end_matches('/').to_owned();
        Self { base_url, http: plain_http() }
    }

    /// Whether the sandbox is up.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.send(Method::GET, "health", &()).await.map(drop)
    }

    /// The present settings.
    pub async fn settings(&self) -> Result<Settings, ClientError> {
        self.fetch(Method::GET, "settings", &()).await
    }

    /// Changes what the change names, and answers the settings that result.
    pub async fn change_settings(&self, change: &SettingsChange) -> Result<Settings, ClientError> {
        self.fetch(Method::PUT, "settings", change).await
    }

    /// Puts links in place, all or none.
    pub async fn preload(&self, links: &[Preload]) -> Result<Vec<Link>, ClientError> {
        self.fetch(Method::POST, "links", links).await
    }

    /// Every link there is or was, oldest first.
    pub async fn links(&self) -> Result<Vec<Link>, ClientError> {
        self.fetch(Method::GET, "links", &()).await
    }

    /// The address of a dealer site under a host of its own, `http://SLUG.localhost:PORT`: what a
    /// job is given, whose breakers go by host. Not every resolver knows such names.
    #[must_use]
    pub fn site_origin(&self, slug: &str) -> String {
        self.base_url.replace("127.0.0.1", &format!("{slug}.localhost"))
    }

    /// The address of a dealer site, whether or not there is such a site (yet).
    #[must_use]
    pub fn site_url(&self, slug: &str) -> String {
        format!("{}{}", self.base_url, dealers::site_path(slug))
    }

    /// Creates a dealer site, in place of the one with this slug if there is one.
    pub async fn put_site(
        &self,
        slug: &str,
        settings: &SiteSettings,
    ) -> Result<SiteReport, ClientError> {
        self.fetch(Method::PUT, &format!("sites/{slug}"), settings).await
    }

    /// Changes what the change names, all or nothing.
    pub async fn change_site(
        &self,
        slug: &str,
        change: &SiteChange,
    ) -> Result<SiteReport, ClientError> {
        self.fetch(Method::PATCH, &format!("sites/{slug}"), change).await
    }

    /// All dealer sites, by slug.
    pub async fn sites(&self) -> Result<Vec<SiteReport>, ClientError> {
        self.fetch(Method::GET, "sites", &()).await
    }

    /// The cars that a dealer site has now, as they truly are, whatever shape it shows them in.
    pub async fn cars(&self, slug: &str) -> Result<Vec<Car>, ClientError> {
        self.fetch(Method::GET, &format!("sites/{slug}/cars"), &()).await
    }

    /// Every call of a third party since the record was last cleared, in order of arrival.
    pub async fn calls(&self) -> Result<Vec<Call>, ClientError> {
        self.fetch(Method::GET, "calls", &()).await
    }

    /// How many calls there were, by what they asked for and what was answered.
    pub async fn call_counts(&self) -> Result<CallCounts, ClientError> {
        self.fetch(Method::GET, "calls/count", &()).await
    }

    /// Clears the record of calls.
    pub async fn clear_calls(&self) -> Result<(), ClientError> {
        self.send(Method::DELETE, "calls", &()).await.map(drop)
    }

    /// Puts a fault in place and answers its number.
    pub async fn add_fault(&self, fault: &Fault) -> Result<u64, ClientError> {
        let added: Added = self.fetch(Method::POST, "faults", fault).await?;
        Ok(added.id)
    }

    /// The faults in place, oldest first.
    pub async fn faults(&self) -> Result<Vec<FaultReport>, ClientError> {
        self.fetch(Method::GET, "faults", &()).await
    }

    /// Removes a fault. What it holds it goes on holding. Refused with 404 if it is not there.
    pub async fn remove_fault(&self, id: u64) -> Result<(), ClientError> {
        self.send(Method::DELETE, &format!("faults/{id}"), &()).await.map(drop)
    }

    /// Removes all faults, releases what they held, and answers how many calls that were.
    pub async fn clear_faults(&self) -> Result<u64, ClientError> {
        let released: Released = self.fetch(Method::DELETE, "faults", &()).await?;
        Ok(released.released)
    }

    /// The calls that are hanging or held now.
    pub async fn held(&self) -> Result<Vec<HeldCall>, ClientError> {
        self.fetch(Method::GET, "held", &()).await
    }

    /// Releases the calls that are hanging or held, and answers how many they were.
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

    /// The endpoint does not look at a body where it wants none.
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

/// A client for plain HTTP to this machine: no proxy, no idle connections, and a TLS that trusts
/// nobody. It is there because reqwest, built as this workspace builds it, insists on a provider.
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
