//! Rebrandly's API v1, as far as a link needs it: two calls.
//!
//! Reference: Rebrandly's developer documentation of `/v1/links`.

use std::{fmt, time::Duration};

use evenkeel::{
    base::{config::Reader, secret::Secret, time::Clock},
    dependency::limiter::Rates,
    failure::{Class, Failure},
    http::transport,
    job::credential::Credential,
    ports::{PortError, SecretSource},
};
use reqwest::{RequestBuilder, Response, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use crate::answer::{RebrandlyError, classify, read_json, trouble};

/// The service itself.
pub const BASE_URL: &str = "https://api.rebrandly.com/v1";

/// How long a key that cannot be read just now is left alone.
const KEY_PAUSE: Duration = Duration::from_secs(10);

/// Longest answer that is read, in bytes; a link is about one kilobyte.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Rebrandly allows 10 calls a second and 20,000 an hour: what is left is for people at its pages.
const RATES: Rates = Rates { per_second: 8, per_hour: 18_000 };

/// Which account, workspace and domain, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `REBRANDLY_BASE_URL`, without a slash at the end.
    pub base_url: String,
    /// `REBRANDLY_DOMAIN`: the branded domain's full name.
    pub domain: String,
    /// `REBRANDLY_WORKSPACE`, if not the account's own.
    pub workspace: Option<String>,
    /// `REBRANDLY_RATE_PER_SECOND` and `REBRANDLY_RATE_PER_HOUR`.
    pub rates: Rates,
}

impl Settings {
    /// Reads the settings; problems stay with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.url("REBRANDLY_BASE_URL", BASE_URL),
            domain: reader.required("REBRANDLY_DOMAIN"),
            workspace: reader.optional("REBRANDLY_WORKSPACE"),
            rates: Rates {
                per_second: reader.count("REBRANDLY_RATE_PER_SECOND", RATES.per_second),
                per_hour: reader.count("REBRANDLY_RATE_PER_HOUR", RATES.per_hour),
            },
        }
    }
}

/// A link to make.
#[derive(Clone, Copy, Debug)]
pub struct NewLink<'a> {
    /// Where it leads.
    pub destination: &'a str,
    /// Its name.
    pub slashtag: &'a str,
    /// What it is called.
    pub title: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateLink<'a> {
    destination: &'a str,
    slashtag: &'a str,
    domain: Domain<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Domain<'a> {
    full_name: &'a str,
}

/// A link as the service shows it. Only `id` and `shortUrl` are relied on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The service's id.
    pub id: String,
    /// The short address, without a scheme.
    pub short_url: String,
    /// Where it leads.
    pub destination: Option<String>,
    /// Its name.
    pub slashtag: Option<String>,
}

impl Link {
    /// Whether this is the link of that name. The filter is the service's; the name is compared all
    /// the same, as it would be taken: without regard to case.
    pub(crate) fn is_named(&self, slashtag: &str) -> bool {
        let last = self.short_url.rsplit('/').next();
        let name = self.slashtag.as_deref().or(last);
        name.is_some_and(|name| name.eq_ignore_ascii_case(slashtag))
    }
}

/// A client of one account.
pub struct Rebrandly<S, C> {
    http: reqwest::Client,
    settings: Settings,
    key: Credential<S, C>,
    clock: C,
}

impl<S, C> fmt::Debug for Rebrandly<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebrandly").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<S: SecretSource, C: Clock> Rebrandly<S, C> {
    /// A client over the process's HTTP client.
    pub const fn new(
        http: reqwest::Client,
        settings: Settings,
        key: Credential<S, C>,
        clock: C,
    ) -> Self {
        Self { http, settings, key, clock }
    }

    /// How fast the account may be used.
    pub const fn rates(&self) -> Rates {
        self.settings.rates
    }

    /// Makes a link: `POST /links`, within `limit`.
    pub async fn create(
        &self,
        link: &NewLink<'_>,
        limit: Duration,
    ) -> Result<Link, RebrandlyError> {
        let body = CreateLink {
            destination: link.destination,
            slashtag: link.slashtag,
            domain: Domain { full_name: &self.settings.domain },
            title: link.title,
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| RebrandlyError::Refused(format!("no JSON: {error}")))?;
        let answer = self
            .call(limit, || {
                self.http
                    .post(format!("{}/links", self.settings.base_url))
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.clone())
            })
            .await?;
        read_json(&answer)
    }

    /// The link with this slashtag on our domain, if we may see one:
    /// `GET /links?domain.fullName=…&slashtag=…`, within `limit`.
    pub async fn find(
        &self,
        slashtag: &str,
        limit: Duration,
    ) -> Result<Option<Link>, RebrandlyError> {
        let mut url: reqwest::Url = format!("{}/links", self.settings.base_url)
            .parse()
            .map_err(|error| RebrandlyError::Refused(format!("base URL: {error}")))?;
        url.query_pairs_mut()
            .append_pair("domain.fullName", &self.settings.domain)
            .append_pair("slashtag", slashtag);
        let answer = self.call(limit, || self.http.get(url.clone())).await?;
        let links: Vec<Link> = read_json(&answer)?;
        Ok(links.into_iter().find(|link| link.is_named(slashtag)))
    }

    /// One call; a refused key is read again once, in case it was rotated.
    async fn call(
        &self,
        limit: Duration,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, RebrandlyError> {
        let key = self.key.get().await.map_err(no_key)?;
        match self.send(request().timeout(limit), &key).await {
            Err(error @ RebrandlyError::Account { code: "http_401" | "bad_key", .. }) => {
                match self.key.after_refusal(&key).await.map_err(no_key)? {
                    Some(fresh) => self.send(request().timeout(limit), &fresh).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn send(&self, request: RequestBuilder, key: &Secret) -> Result<Vec<u8>, RebrandlyError> {
        let mut request = request.header("apikey", key.expose());
        if let Some(workspace) = &self.settings.workspace {
            request = request.header("workspace", workspace);
        }
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let body = read_body(&mut response).await?;
        if response.status().is_success() {
            return Ok(body);
        }
        let error = classify(response.status(), response.headers(), &body, self.clock.now());
        Err(error.without(key))
    }
}

fn no_key(error: PortError) -> RebrandlyError {
    match error {
        PortError::Broken(message) | PortError::Unreadable(message) => {
            RebrandlyError::Account { code: "no_key", message }
        }
        PortError::Unavailable(message) => {
            // Nothing is known of the service: it was not called.
            let failure = Failure::new(Class::Unstarted, "key_unavailable", message);
            RebrandlyError::NotCalled(failure.with_retry_after(Some(KEY_PAUSE)))
        }
    }
}

/// The error's own text holds the address and nothing secret: the key travels in a header.
fn unreachable(error: &reqwest::Error) -> RebrandlyError {
    if error.is_builder() {
        // The key or the workspace cannot be a header: no service has been asked yet.
        let message = "the key or the workspace has a character that no header may have".into();
        return RebrandlyError::Account { code: "bad_key", message };
    }
    let (code, message) = transport::trouble(error);
    RebrandlyError::Trouble { code: code.into(), message, retry_after: None }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, RebrandlyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(trouble("answer_too_long", format!("over {MAX_ANSWER_BYTES} bytes")));
        }
    }
    Ok(body)
}
