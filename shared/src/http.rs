//! The outbound client for addresses that come from outside: a dealer's site, a page of it.
//!
//! ```text
//!  address ─ target ─► resolve ─► connect, send ─┬─ redirect: back to target, at most five times
//!            text       every IP                 │
//!            checked    checked                  └─ answer: status, then the body up to its limit
//!  └──────────────────────── one deadline around it all ───────────────────────────────────────┘
//! ```
//!
//! It has a connection pool of its own, because its resolver is not the one that the services of
//! our own choice are reached by; the rest of its settings is [`crate::http::transport`]'s. Nothing else
//! may call an address that a message, a feed or a page has named.

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
    base::{config::Reader, time::Clock},
    http::transport::USER_AGENT,
};
use resolve::Guard;
use target::Rules;

/// Longest body that is read where a request names no other limit, in bytes: the largest pages seen
/// have a few million. It is in memory as a whole.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Connections that are kept to one site: a run asks for one thing after the other, and a container
/// meets many sites.
const MAX_IDLE_PER_SITE: usize = 2;

/// Longest contact, in bytes: it is sent with every request.
const MAX_CONTACT_BYTES: usize = 200;

/// Opens our own machine to the client. For tests and the local stack; no template sets it.
const ALLOW_LOOPBACK: &str = "OUTBOUND_ALLOW_LOOPBACK";

/// What a deployment says of itself.
const CONTACT: &str = "OUTBOUND_CONTACT";

/// How far the client reaches, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `OUTBOUND_ALLOW_LOOPBACK`: `true` or `false`.
    pub reach: Reach,
    /// `OUTBOUND_CONTACT`: where somebody whose site we read can turn to, an address of the web or
    /// of mail. It stands in the User-Agent.
    pub contact: Option<String>,
}

impl Settings {
    /// Reads the settings; problems stay with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let reach = match reader.optional(ALLOW_LOOPBACK).as_deref() {
            None | Some("false") => Reach::Public,
            Some("true") => Reach::WithLoopback,
            Some(_) => {
                reader.problem(ALLOW_LOOPBACK, "is neither true nor false");
                Reach::Public
            }
        };
        let contact = reader.optional(CONTACT);
        if contact.as_deref().is_some_and(|contact| !is_comment(contact)) {
            reader.problem(CONTACT, "is not plain text without brackets of at most 200 characters");
        }
        Self { reach, contact }
    }

    fn user_agent(&self) -> String {
        match &self.contact {
            Some(contact) => format!("{USER_AGENT} (+{contact})"),
            None => USER_AGENT.to_owned(),
        }
    }
}

/// Whether a text can stand in a comment of a header (RFC 9110, section 5.6.5).
fn is_comment(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'(' | b')' | b'\\');
    text.len() <= MAX_CONTACT_BYTES && text.bytes().all(plain)
}

/// What to ask for.
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
    /// Asks for what is at an address. Failures name `field`, where the address came from, such as
    /// `payload.url`.
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

    /// Posts JSON to an address, otherwise like [`Request::get`].
    #[must_use]
    pub fn post(field: &'a str, address: &'a str, json: impl Into<String>) -> Self {
        Self { body: Some(json.into()), ..Self::get(field, address) }
    }

    /// Says which media types are welcome.
    #[must_use]
    pub fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Adds a header for this host alone: no other scheme, host or port that a redirect leads to is
    /// sent it, nor is the same host after a detour.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Asks for what has changed since these validators were given. Only the very address that gave
    /// them is sent them, wherever on the way it is met.
    #[must_use]
    pub fn changed_since(mut self, known: Option<&'a Validators>) -> Self {
        self.known = known;
        self
    }

    /// Reads no more than so many bytes, unpacked.
    #[must_use]
    pub fn at_most(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

/// A client for addresses that come from outside.
#[derive(Clone, Debug)]
pub struct Outbound<C> {
    client: reqwest::Client,
    rules: Rules,
    clock: C,
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

    /// The same with another resolver, whose answers are checked all the same.
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
        Ok(Self { client, rules: Rules { hosts, reach }, clock })
    }

    /// Fetches within `limit`, all redirects and the whole body included.
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
