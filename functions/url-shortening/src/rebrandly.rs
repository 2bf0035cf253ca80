//! A client for the calls of Rebrandly's API v1 that the job needs: create, find, change, read and list
//! links.
//!
//! Reference: Rebrandly's developer documentation of `/v1/links`.

use std::{fmt, time::Duration};

use evenkeel::{
    base::{
        config::Reader,
        secret::Secret,
        time::{Clock, LATEST_MONTH_BEGIN},
    },
    dependency::{limiter::Rates, quota::Quota},
    failure::{Class, Failure},
    http::transport::{HttpRequest, HttpResponse, Network, Transport, TransportError},
    job::credential::Credential,
    ports::{PortError, SecretSource},
};
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize};

use crate::answer::{RebrandlyError, classify, read_json, trouble};

/// Rebrandly's production API, without a slash at the end.
pub const BASE_URL: &str = "https://api.rebrandly.com/v1";

/// Delay of a job whose API key cannot be read at the moment.
const KEY_PAUSE: Duration = Duration::from_secs(10);

/// Longest response body that is read, in bytes; a link is about one kilobyte.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Most links of a page (Rebrandly's limit).
const PAGE: &str = "25";

/// Default call rates. Rebrandly allows 10 calls a second and 20,000 an hour; the difference is
/// left for people who use its web pages.
const RATE_PER_SECOND: u32 = 8;
const RATE_PER_HOUR: u32 = 18_000;

/// Most links of a month that can be configured.
const MOST_LINKS: u32 = 10_000_000;

/// What the quota counts; the jobs that wait for it are parked under `rebrandly/creations`.
const CREATIONS: &str = "creations";

/// Domain, workspace, call rates and allowance of one account, read from the environment.
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
    /// `REBRANDLY_LINKS_PER_MONTH` and `REBRANDLY_MONTH_BEGINS`: how many links may be created in a month; `None` if
    /// that is not limited here.
    pub links: Option<Quota>,
}

impl Settings {
    /// Reads the settings. `reader` collects the problems.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.url("REBRANDLY_BASE_URL", BASE_URL),
            domain: reader.required("REBRANDLY_DOMAIN"),
            workspace: reader.optional("REBRANDLY_WORKSPACE"),
            rates: Rates::each_second(
                reader.count("REBRANDLY_RATE_PER_SECOND", RATE_PER_SECOND),
                reader.count("REBRANDLY_RATE_PER_HOUR", RATE_PER_HOUR),
            ),
            links: links(reader),
        }
    }
}

/// The monthly allowance for links.
fn links(reader: &mut Reader<'_>) -> Option<Quota> {
    let most = reader.number("REBRANDLY_LINKS_PER_MONTH", 0, 0..=MOST_LINKS);
    let day = reader.number("REBRANDLY_MONTH_BEGINS", 1, 1..=LATEST_MONTH_BEGIN.into());
    let month_begins = u8::try_from(day).unwrap_or(1);
    (most > 0).then_some(Quota { what: CREATIONS, most, month_begins })
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

/// New values of a link.
#[derive(Serialize)]
struct UpdateLink<'a> {
    destination: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
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
    /// When it was created, as RFC 3339.
    pub created_at: Option<String>,
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
pub struct Rebrandly<S, C, T = Network> {
    transport: T,
    settings: Settings,
    /// The address of the account's links.
    links: Result<Url, url::ParseError>,
    key: Credential<S, C>,
    clock: C,
}

impl<S, C, T> fmt::Debug for Rebrandly<S, C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebrandly").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<S: SecretSource, C: Clock, T: Transport> Rebrandly<S, C, T> {
    /// Creates a client that sends through `transport`.
    pub fn new(transport: T, settings: Settings, key: Credential<S, C>, clock: C) -> Self {
        let links = format!("{}/links", settings.base_url).parse();
        Self { transport, settings, links, key, clock }
    }

    /// The rates at which jobs may call the account.
    pub const fn rates(&self) -> Rates {
        self.settings.rates
    }

    /// How many links jobs may create in a month.
    pub const fn links(&self) -> Option<Quota> {
        self.settings.links
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
        let answer = self.call(limit, Method::POST, self.links_url()?, Some(body)).await?;
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
        let mut url = self.links_url()?;
        url.query_pairs_mut()
            .append_pair("domain.fullName", &self.settings.domain)
            .append_pair("slashtag", slashtag);
        let answer = self.call(limit, Method::GET, url, None).await?;
        let links: Vec<Link> = read_json(&answer)?;
        Ok(links.into_iter().find(|link| link.is_named(slashtag)))
    }

    /// Changes where a link leads: `POST /links/{id}`, with the time-out `limit`. Fails with
    /// [`RebrandlyError::Gone`] if the link was deleted.
    pub async fn update(
        &self,
        id: &str,
        destination: &str,
        title: Option<&str>,
        limit: Duration,
    ) -> Result<Link, RebrandlyError> {
        let body = serde_json::to_vec(&UpdateLink { destination, title })
            .map_err(|error| RebrandlyError::Refused(format!("no JSON: {error}")))?;
        let answer = self.call(limit, Method::POST, self.link_url(id)?, Some(body)).await;
        read_json(&answer.map_err(RebrandlyError::of_one_link)?)
    }

    /// Reads a link: `GET /links/{id}`, with the time-out `limit`. Fails with [`RebrandlyError::Gone`] if the link was
    /// deleted.
    pub async fn get(&self, id: &str, limit: Duration) -> Result<Link, RebrandlyError> {
        let answer = self.call(limit, Method::GET, self.link_url(id)?, None).await;
        read_json(&answer.map_err(RebrandlyError::of_one_link)?)
    }

    /// A page of the links on our domain, newest first: `GET /links?last=ID`, with the time-out `limit`. `last` is the
    /// last link of the page before. An empty page is the end.
    pub async fn list(
        &self,
        last: Option<&str>,
        limit: Duration,
    ) -> Result<Vec<Link>, RebrandlyError> {
        let mut url = self.links_url()?;
        url.query_pairs_mut()
            .append_pair("domain.fullName", &self.settings.domain)
            .append_pair("orderBy", "createdAt")
            .append_pair("orderDir", "desc")
            .append_pair("limit", PAGE);
        if let Some(last) = last {
            url.query_pairs_mut().append_pair("last", last);
        }
        read_json(&self.call(limit, Method::GET, url, None).await?)
    }

    fn link_url(&self, id: &str) -> Result<Url, RebrandlyError> {
        let mut url = self.links_url()?;
        let no_base = || bad_base_url(&"it cannot have a path");
        url.path_segments_mut().map_err(|()| no_base())?.push(id);
        Ok(url)
    }

    fn links_url(&self) -> Result<Url, RebrandlyError> {
        self.links.clone().map_err(|error| bad_base_url(&error))
    }

    /// Makes one call. A refused key may have been rotated, so it is read again; if it has changed,
    /// the call is repeated once.
    async fn call(
        &self,
        limit: Duration,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, RebrandlyError> {
        let mut headers = HeaderMap::new();
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (max_bytes, reads_errors) = (MAX_ANSWER_BYTES, true);
        let request = HttpRequest { method, url, headers, body, max_bytes, reads_errors };
        let key = self.key.get().await.map_err(no_key)?;
        match self.send(request.clone(), &key, limit).await {
            Err(error @ RebrandlyError::Account { code: "http_401" | "bad_key", .. }) => {
                match self.key.after_refusal(&key).await.map_err(no_key)? {
                    Some(fresh) => self.send(request, &fresh, limit).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        mut request: HttpRequest,
        key: &Secret,
        limit: Duration,
    ) -> Result<Vec<u8>, RebrandlyError> {
        let mut apikey = HeaderValue::from_str(key.expose()).map_err(|_| bad_header())?;
        apikey.set_sensitive(true);
        request.headers.insert("apikey", apikey);
        if let Some(workspace) = &self.settings.workspace {
            let workspace = HeaderValue::from_str(workspace).map_err(|_| bad_header())?;
            request.headers.insert("workspace", workspace);
        }
        let Ok(answer) = tokio::time::timeout(limit, self.transport.send(request)).await else {
            return Err(trouble("timeout", format!("no whole answer within {limit:?}")));
        };
        let HttpResponse { status, headers, body } = answer.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(classify(status, &headers, &body, self.clock.now()).without(key))
    }
}

/// The base URL is wrong, and no job can succeed until it is corrected.
fn bad_base_url(why: &dyn fmt::Display) -> RebrandlyError {
    RebrandlyError::Account { code: "bad_base_url", message: format!("base URL: {why}") }
}

/// The key or the workspace is not a valid header value.
fn bad_header() -> RebrandlyError {
    let message = "the key or the workspace has a character that no header may have".into();
    RebrandlyError::Account { code: "bad_key", message }
}

fn no_key(error: PortError) -> RebrandlyError {
    match error {
        PortError::Broken(message)
        | PortError::Unreadable(message)
        | PortError::Invalid(message) => RebrandlyError::Account { code: "no_key", message },
        PortError::Unavailable(message) => {
            // The service was not called, so this must not count against its breaker.
            let failure = Failure::new(Class::Unstarted, "key_unavailable", message);
            RebrandlyError::NotCalled(failure.with_retry_after(Some(KEY_PAUSE)))
        }
    }
}

/// The failure of a call without a whole answer.
fn unreachable(error: TransportError) -> RebrandlyError {
    match error {
        TransportError::TooLarge => {
            trouble("answer_too_long", format!("over {MAX_ANSWER_BYTES} bytes"))
        }
        TransportError::Unsendable => bad_base_url(&"no request can be made of it"),
        TransportError::Refused(refusal) => trouble("connect", refusal.to_string()),
        TransportError::Broken { code, message } => trouble(code, message),
    }
}
