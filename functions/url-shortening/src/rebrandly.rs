//! A client for the two calls of Rebrandly's API v1 that the job needs: create a link, find a link.
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

/// Rebrandly's production API, without a slash at the end.
pub const BASE_URL: &str = "https://api.rebrandly.com/v1";

/// Delay of a job whose API key cannot be read at the moment.
const KEY_PAUSE: Duration = Duration::from_secs(10);

/// Longest response body that is read, in bytes; a link is about one kilobyte.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Default call rates. Rebrandly allows 10 calls a second and 20,000 an hour; the difference is
/// left for people who use its web pages.
const RATES: Rates = Rates { per_second: 8, per_hour: 18_000 };

/// Domain, workspace and call rates of one account, read from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `REBRANDLY_BASE_URL`, without a slash at the end.
    pub base_url: String,
    /// `REBRANDLY_DOMAIN`: the branded domain's full name.
    pub domain: String,
    /// `REBRANDLY_WORKSPACE`; `None` means the account's default workspace.
    pub workspace: Option<String>,
    /// `REBRANDLY_RATE_PER_SECOND` and `REBRANDLY_RATE_PER_HOUR`.
    pub rates: Rates,
}

impl Settings {
    /// Reads the settings. `reader` collects the problems.
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

/// A link to create.
#[derive(Clone, Copy, Debug)]
pub struct NewLink<'a> {
    /// The address that the link leads to.
    pub destination: &'a str,
    /// The part of the short address after the domain.
    pub slashtag: &'a str,
    /// The title shown in Rebrandly, 3 to 255 characters.
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

/// A link as Rebrandly returns it. Only `id` and `shortUrl` are required.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// Rebrandly's id of the link.
    pub id: String,
    /// The short address, without a scheme.
    pub short_url: String,
    /// The address that the link leads to.
    pub destination: Option<String>,
    /// The part of the short address after the domain.
    pub slashtag: Option<String>,
}

impl Link {
    /// Whether the link has this slashtag. Compared here as well, in case Rebrandly ignores the
    /// filter of the request. Case is ignored, because slashtags that differ only in case conflict.
    pub(crate) fn is_named(&self, slashtag: &str) -> bool {
        let last = self.short_url.rsplit('/').next();
        let name = self.slashtag.as_deref().or(last);
        name.is_some_and(|name| name.eq_ignore_ascii_case(slashtag))
    }
}

/// A client for one account.
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
    /// Creates a client that sends through `http`.
    pub const fn new(
        http: reqwest::Client,
        settings: Settings,
        key: Credential<S, C>,
        clock: C,
    ) -> Self {
        Self { http, settings, key, clock }
    }

    /// The rates at which jobs may call the account.
    pub const fn rates(&self) -> Rates {
        self.settings.rates
    }

    /// Creates a link: `POST /links`, with the time-out `limit`.
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

    /// Finds the link with this slashtag on our domain:
    /// `GET /links?domain.fullName=…&slashtag=…`, with the time-out `limit`.
    ///
    /// `None` if there is none, or if the account may not see it.
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

    /// Makes one call. A refused key may have been rotated, so it is read again; if it has changed,
    /// the call is repeated once.
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
            // The service was not called, so this must not count against its breaker.
            let failure = Failure::new(Class::Unstarted, "key_unavailable", message);
            RebrandlyError::NotCalled(failure.with_retry_after(Some(KEY_PAUSE)))
        }
    }
}

/// The failure of a call without a response. The text of `error` may name the address, which holds
/// no secret: the key is sent in a header.
fn unreachable(error: &reqwest::Error) -> RebrandlyError {
    if error.is_builder() {
        // The request could not be built: the key or the workspace is not a valid header value.
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
