//! Rebrandly's API v1, as far as a link needs it, with every answer read into the taxonomy.
//!
//! Reference: Rebrandly's developer documentation of `/v1/links`. Where it is silent, as on the
//! shape of a conflict, this accepts what public clients report (ARCHITECTURE.md, "Rebrandly").

use std::{fmt, time::Duration};

use evenkeel::{
    config::Reader,
    error::{Class, Failure},
    ports::{PortError, SecretSource},
    secret::{Credential, Secret},
    time::{Clock, Time},
};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The service itself.
pub const BASE_URL: &str = "https://api.rebrandly.com/v1";

/// Longest wait for one call. A job makes a few.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest answer that is read, in bytes; a link is about one kilobyte.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Delay after a 429 that does not name one: the documented limit is by the second.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// Which account, workspace and domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `REBRANDLY_BASE_URL`, without a slash at the end.
    pub base_url: String,
    /// `REBRANDLY_DOMAIN`: the branded domain's full name.
    pub domain: String,
    /// `REBRANDLY_WORKSPACE`, if not the account's own.
    pub workspace: Option<String>,
}

impl Settings {
    /// Reads the settings; problems stay with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.url("REBRANDLY_BASE_URL", BASE_URL),
            domain: reader.required("REBRANDLY_DOMAIN"),
            workspace: reader.optional("REBRANDLY_WORKSPACE"),
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
    fn is_named(&self, slashtag: &str) -> bool {
        let last = self.short_url.rsplit('/').next();
        let name = self.slashtag.as_deref().or(last);
        name.is_some_and(|name| name.eq_ignore_ascii_case(slashtag))
    }
}

/// Why the service did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebrandlyError {
    /// The slashtag exists, whoever has it.
    SlashtagTaken,
    /// The service refuses the request for good.
    Refused(String),
    /// The account may not: a bad key, a plan's limit.
    Account {
        /// A code for grouping.
        code: &'static str,
        /// What the service said.
        message: String,
    },
    /// Too many calls; wait for as long as it said.
    Throttled(Duration),
    /// The service is in trouble, or not there.
    Trouble {
        /// A code for grouping.
        code: String,
        /// What was seen.
        message: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
}

impl RebrandlyError {
    /// The same, if the service quotes the key that it refuses.
    fn without(mut self, key: &Secret) -> Self {
        if let Self::Refused(message)
        | Self::Account { message, .. }
        | Self::Trouble { message, .. } = &mut self
        {
            *message = message.replace(key.expose(), "[redacted]");
        }
        self
    }
}

impl From<RebrandlyError> for Failure {
    fn from(error: RebrandlyError) -> Self {
        match error {
            RebrandlyError::SlashtagTaken => {
                Self::new(Class::Conflict, "slashtag_taken", "the slashtag is taken")
            }
            RebrandlyError::Refused(why) => Self::new(Class::Permanent, "refused", why),
            RebrandlyError::Account { code, message } => Self::new(Class::Systemic, code, message),
            RebrandlyError::Throttled(after) => {
                Self::new(Class::Throttled, "http_429", "too many requests")
                    .with_retry_after(Some(after))
            }
            RebrandlyError::Trouble { code, message, retry_after } => {
                Self::new(Class::Transient, code, message).with_retry_after(retry_after)
            }
        }
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

    /// Makes a link: `POST /links`.
    pub async fn create(&self, link: &NewLink<'_>) -> Result<Link, RebrandlyError> {
        let body = CreateLink {
            destination: link.destination,
            slashtag: link.slashtag,
            domain: Domain { full_name: &self.settings.domain },
            title: link.title,
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| RebrandlyError::Refused(format!("no JSON: {error}")))?;
        let answer = self
            .call(|| {
                self.http
                    .post(format!("{}/links", self.settings.base_url))
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.clone())
            })
            .await?;
        read_json(&answer)
    }

    /// The link with this slashtag on our domain, if we may see one:
    /// `GET /links?domain.fullName=…&slashtag=…`.
    pub async fn find(&self, slashtag: &str) -> Result<Option<Link>, RebrandlyError> {
        let mut url: reqwest::Url = format!("{}/links", self.settings.base_url)
            .parse()
            .map_err(|error| RebrandlyError::Refused(format!("base URL: {error}")))?;
        url.query_pairs_mut()
            .append_pair("domain.fullName", &self.settings.domain)
            .append_pair("slashtag", slashtag);
        let answer = self.call(|| self.http.get(url.clone())).await?;
        let links: Vec<Link> = read_json(&answer)?;
        Ok(links.into_iter().find(|link| link.is_named(slashtag)))
    }

    /// One call; a refused key is read again once, in case it was rotated.
    async fn call(&self, request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>, RebrandlyError> {
        let key = self.key.get().await.map_err(no_key)?;
        match self.send(request(), &key).await {
            Err(error @ RebrandlyError::Account { code: "http_401", .. }) => {
                match self.key.after_refusal(&key).await.map_err(no_key)? {
                    Some(fresh) => self.send(request(), &fresh).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn send(&self, request: RequestBuilder, key: &Secret) -> Result<Vec<u8>, RebrandlyError> {
        let mut request = request.header("apikey", key.expose()).timeout(CALL_TIMEOUT);
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
            RebrandlyError::Account { code: "key_unavailable", message }
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
    let code = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else {
        "reset"
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
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

fn trouble(code: impl Into<String>, message: impl Into<String>) -> RebrandlyError {
    RebrandlyError::Trouble { code: code.into(), message: message.into(), retry_after: None }
}

/// A 200 that is no JSON of ours, such as a firewall's page, is no success.
fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RebrandlyError> {
    serde_json::from_slice(body)
        .map_err(|error| trouble("not_json", format!("an answer that is no link: {error}")))
}

/// An error answer: an object with `code`, `property` and `message`, and more of them in `errors`.
/// What is missing or of another kind is passed over, for its shape is not documented.
struct Problem<'a>(&'a Value);

impl<'a> Problem<'a> {
    fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).and_then(Value::as_str)
    }

    /// This problem and those nested in it, two levels deep.
    fn all(&self) -> Vec<Problem<'a>> {
        let nested = |value: &'a Value| match value.get("errors") {
            Some(Value::Array(errors)) => errors.iter().map(Problem).collect(),
            Some(error @ Value::Object(_)) => vec![Problem(error)],
            _ => Vec::new(),
        };
        let inner = nested(self.0);
        let innermost: Vec<_> = inner.iter().flat_map(|problem| nested(problem.0)).collect();
        [Problem(self.0)].into_iter().chain(inner).chain(innermost).collect()
    }

    /// The code `AlreadyExists` for the property `slashtag`; never a substring of a text.
    fn is_conflict(&self) -> bool {
        self.text("code") == Some("AlreadyExists") && self.text("property") == Some("slashtag")
    }

    /// Whether the code speaks of a limit of the plan.
    fn is_plan_limit(&self) -> bool {
        self.text("code").is_some_and(|code| {
            let code = code.to_ascii_lowercase();
            ["limit", "quota", "payment"].iter().any(|word| code.contains(word))
        })
    }

    /// Whether it is about what we are configured with and not about the job.
    fn is_configuration(&self) -> bool {
        self.text("property").is_some_and(|property| {
            let first = property.split('.').next().unwrap_or_default();
            matches!(first, "domain" | "workspace" | "apikey")
        })
    }

    /// Whether it is about something that the job asked for.
    fn is_about_the_job(&self) -> bool {
        self.text("property").is_some() && !self.is_configuration()
    }

    fn says(&self) -> String {
        let parts = ["code", "property", "message"].map(|field| self.text(field));
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What an error answer means, at `now`.
fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Time) -> RebrandlyError {
    let retry_after = retry_after(headers, now);
    let code = format!("http_{}", status.as_u16());
    if status == StatusCode::TOO_MANY_REQUESTS {
        return RebrandlyError::Throttled(retry_after.unwrap_or(THROTTLE_PAUSE));
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        let message = format!("the service answered {status}");
        return RebrandlyError::Trouble { code, message, retry_after };
    }
    if is_html(headers, body) {
        // A firewall or a maintenance page: it says nothing about the request, and it passes.
        let message = format!("a page instead of an answer, with {status}");
        return RebrandlyError::Trouble { code: "html".into(), message, retry_after };
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let problems = Problem(&body).all();
    let ours = problems.iter().any(Problem::is_configuration)
        && !problems.iter().any(Problem::is_about_the_job);
    let says: Vec<String> = problems.iter().map(Problem::says).collect();
    let message = format!("{status}: {}", says.join("; "));
    match status {
        StatusCode::UNAUTHORIZED => RebrandlyError::Account { code: "http_401", message },
        StatusCode::PAYMENT_REQUIRED => RebrandlyError::Account { code: "http_402", message },
        _ if problems.iter().any(Problem::is_conflict) => RebrandlyError::SlashtagTaken,
        StatusCode::FORBIDDEN if problems.iter().any(Problem::is_plan_limit) => {
            RebrandlyError::Account { code: "plan_limit", message }
        }
        // No payload could mend a collection that is not there, or a domain that is not ours.
        StatusCode::NOT_FOUND => RebrandlyError::Account { code: "configuration", message },
        _ if ours => RebrandlyError::Account { code: "configuration", message },
        // Without a code it is not about a field: the account itself is refused.
        StatusCode::FORBIDDEN if problems.iter().all(|problem| problem.text("code").is_none()) => {
            RebrandlyError::Account { code: "http_403", message }
        }
        status if status.is_client_error() => RebrandlyError::Refused(message),
        // A redirect or anything else that this API never answers.
        _ => RebrandlyError::Trouble { code, message, retry_after },
    }
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || body.trim_ascii_start().starts_with(b"<")
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3), or `X-RateLimit-Reset` as
/// seconds from now or since the epoch: which of them the service sends is not documented.
fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    /// Numbers above this are moments, not spans: 2001 in seconds since the epoch.
    const MOMENT: u64 = 1_000_000_000;
    /// And above this they are in milliseconds: 1973 in those, 5138 in seconds.
    const MILLISECONDS: u64 = 100_000_000_000;
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |moment: Time| moment.since(now);
    if let Some(value) = text(RETRY_AFTER.as_str()) {
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        if let Some(date) = Time::parse_http_date(value) {
            return Some(until(date));
        }
    }
    let reset: u64 = text("x-ratelimit-reset")?.parse().ok()?;
    Some(match reset {
        MILLISECONDS.. => until(Time::from_millis(reset)),
        MOMENT.. => until(Time::from_millis(reset * 1000)),
        span => Duration::from_secs(span),
    })
}

#[cfg(test)]
#[path = "rebrandly_tests.rs"]
mod tests;
