//! The outbound client for URLs that come from outside: from a message, a feed or a page.
//!
//! ```text
//!  address ─ target ─► resolve ─► connect, send ─┬─ redirect: back to target, at most five times
//!            text       every IP                 │
//!            checked    checked                  └─ answer: status, then the body up to its limit
//!  └──────────────────────── one deadline for all steps ───────────────────────────────────────┘
//! ```
//!
//! It has its own connection pool, because its resolver differs from that of the services that the
//! deployment chooses. Its other settings are those of [`crate::http::transport`]. Only this client
//! may call a URL that a message, a feed or a page names.

mod address;
mod content;
mod failure;
mod fetch;
mod resolve;
mod retry_after;
mod target;
pub mod transport;

use std::{error::Error, time::Duration};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

pub use address::{Reach, Special};
pub use content::{Content, Fetched, Validators};
pub use failure::FetchError;
pub use resolve::{Resolver, SystemResolver};
pub use retry_after::retry_after;
pub use target::{Hosts, Refusal};

use crate::{
    base::{
        config::Reader,
        time::{Clock, Time},
    },
    dependency::limiter::Rates,
    http::transport::{Network, Transport, USER_AGENT},
};
use resolve::Guard;
use target::Rules;

/// Longest body, in bytes, unless a request sets another limit. The largest pages seen have a few
/// million bytes. The whole body is held in memory.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Idle connections kept for each site. A run sends one request after the other, and a container
/// meets many sites.
const MAX_IDLE_PER_SITE: usize = 2;

/// The name of the limiter of a host, which all job types share.
#[must_use]
pub fn host_limiter(url: Option<&url::Url>) -> String {
    let host = url.and_then(url::Url::host_str).unwrap_or_default();
    // A final dot names the same host (RFC 1034, section 3.1).
    format!("host/{}", host.trim_end_matches('.'))
}

/// Longest contact, in bytes, because every request carries it.
const MAX_CONTACT_BYTES: usize = 200;

/// Lets the client call the local machine. For tests and the local stack; no template sets it.
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

/// How often a host may be called.
const RATE: &str = "OUTBOUND_RATE_PER_MINUTE";

/// Default calls a minute to one host, and how many of them at once: less than a visitor with a browser makes.
const CALLS_A_MINUTE: u32 = 120;
const BURST: u32 = 2;

/// How to reach the operator of a deployment.
const CONTACT: &str = "OUTBOUND_CONTACT";

/// Which hosts the client may reach, and how it identifies itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `OUTBOUND_ALLOW_LOOPBACK`: `true` or `false`.
    pub reach: Reach,
    /// `OUTBOUND_CONTACT`: a web or mail address at which the owner of a site can reach the
    /// operator. The User-Agent contains it. A deployed function has one; tests may go without.
    pub contact: Option<String>,
    /// `OUTBOUND_RATE_PER_MINUTE`: how often one host may be called.
    pub rates: Rates,
}

impl Default for Settings {
    fn default() -> Self {
        let rates = Rates::each_minute(CALLS_A_MINUTE, BURST);
        Self { reach: Reach::default(), contact: None, rates }
    }
}

impl Settings {
    /// Reads the settings. The reader records the problems.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let reach = match reader.optional(ALLOW_LOOPBACK).as_deref() {
            None | Some("false") => Reach::Public,
            Some("true") => Reach::WithLoopback,
            Some(_) => {
                reader.problem(ALLOW_LOOPBACK, "is neither true nor false");
                Reach::Public
            }
        };
        let contact = reader.required(CONTACT);
        if !contact.is_empty() && !is_contact(&contact) {
            let expected = "is no http or https address and no mail address, or has brackets or over 200 \
                            characters";
            reader.problem(CONTACT, expected);
        }
        let rates = Rates::each_minute(reader.count(RATE, CALLS_A_MINUTE), BURST);
        Self { reach, contact: Some(contact).filter(|contact| !contact.is_empty()), rates }
    }

    fn user_agent(&self) -> String {
        match &self.contact {
            Some(contact) => format!("{USER_AGENT} (+{contact})"),
            None => USER_AGENT.to_owned(),
        }
    }
}

/// Whether a text is a web page or a mail address, and can stand in the User-Agent.
fn is_contact(text: &str) -> bool {
    let is_page = text
        .parse::<url::Url>()
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let is_mail = text.split_once('@').is_some_and(|(name, domain)| {
        let is_plain = |part: &str| !part.is_empty() && !part.contains([' ', '@', '/', ':']);
        is_plain(name) && is_plain(domain) && domain.contains('.')
    });
    (is_page || is_mail) && is_comment(text)
}

/// Whether a text can stand in a comment of a header (RFC 9110, section 5.6.5).
fn is_comment(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'(' | b')' | b'\\');
    text.len() <= MAX_CONTACT_BYTES && text.bytes().all(plain)
}

/// What to request, and which answers to accept.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    field: &'a str,
    address: &'a str,
    body: Option<String>,
    accept: &'static str,
    headers: HeaderMap,
    known: Option<&'a Validators>,
    max_bytes: usize,
}

impl<'a> Request<'a> {
    /// A GET of a URL. Failures name `field`, the source of the URL, such as `payload.url`.
    #[must_use]
    pub fn get(field: &'a str, address: &'a str) -> Self {
        Self {
            field,
            address,
            body: None,
            accept: "*/*",
            headers: HeaderMap::new(),
            known: None,
            max_bytes: MAX_BODY_BYTES,
        }
    }

    /// A POST of JSON to a URL, otherwise like [`Request::get`].
    #[must_use]
    pub fn post(field: &'a str, address: &'a str, json: impl Into<String>) -> Self {
        Self { body: Some(json.into()), ..Self::get(field, address) }
    }

    /// Sets the media types of the `Accept` header; the default is `*/*`.
    #[must_use]
    pub fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Adds a header for the origin of this URL only: its scheme, host and port. A redirect to
    /// another origin drops the header, even if a later one leads back.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks only for what has changed since these validators were received. They are sent only to
    /// the URL that gave them, wherever it stands in a chain of redirects.
    #[must_use]
    pub fn changed_since(mut self, known: Option<&'a Validators>) -> Self {
        self.known = known;
        self
    }

    /// Limits the body to `max_bytes`, counted after decompression.
    #[must_use]
    pub fn at_most(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

/// A client for URLs that come from outside.
#[derive(Clone, Debug)]
pub struct Outbound<C, T = Network> {
    transport: T,
    rules: Rules,
    clock: C,
    rates: Rates,
}

impl<C: Clock> Outbound<C> {
    /// A client for these hosts.
    ///
    /// Fails only if the TLS configuration is contradictory, or if the contact is not one that
    /// [`Settings::read`] accepts.
    pub fn new(
        settings: &Settings,
        hosts: Hosts,
        clock: C,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::with_resolver(settings, hosts, clock, SystemResolver)
    }

    /// The same with another resolver, whose answers are checked in the same way.
    pub fn with_resolver(
        settings: &Settings,
        hosts: Hosts,
        clock: C,
        resolver: impl Resolver,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let reach = settings.reach;
        let client = transport::builder()?
            .user_agent(settings.user_agent())
            .gzip(true)
            .pool_max_idle_per_host(MAX_IDLE_PER_SITE)
            .dns_resolver(Guard::new(resolver, reach))
            .build()?;
        let (transport, rules) = (Network::new(client), Rules { hosts, reach });
        Ok(Self { transport, rules, clock, rates: settings.rates })
    }
}

impl<C: Clock, T: Transport> Outbound<C, T> {
    /// A client over another transport, for tests. Only the text of URLs is checked: the guard against
    /// private addresses is in the resolver of [`Outbound::new`].
    #[cfg(any(test, feature = "testing"))]
    pub const fn over(transport: T, reach: Reach, hosts: Hosts, clock: C) -> Self {
        let rates = Rates::each_minute(CALLS_A_MINUTE, BURST);
        Self { transport, rules: Rules { hosts, reach }, clock, rates }
    }

    /// The time by its clock.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// How often one host may be called, by all job types together.
    #[must_use]
    pub const fn rates(&self) -> Rates {
        self.rates
    }

    /// Fetches within `limit`, which includes all redirects and the whole body.
    pub async fn fetch(
        &self,
        request: &Request<'_>,
        limit: Duration,
    ) -> Result<Fetched, FetchError> {
        if let Ok(fetched) = tokio::time::timeout(limit, self.follow(request)).await {
            return fetched;
        }
        let message = format!("{}: no whole answer within {limit:?}", request.field);
        Err(FetchError::trouble("timeout", message))
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
