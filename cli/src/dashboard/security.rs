//! What a request must have before any page is made, and what every answer has.
//!
//! The server listens on loopback, but any page in the same browser can send requests to it. So a request must name
//! this server as its host (against DNS rebinding) and must not come from another site. One that changes something must
//! come from a page of this server, which carries a token of this process; if the server is read-only, there is none.

use std::{hint::black_box, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::exit::{Exit, Failure};

/// Bytes of a request's target.
const MOST_TARGET: usize = 16_384;

/// Only files of this server, and nothing within a page: no inline script or style, no frame, no other host.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer.
fn headers() -> [(HeaderName, &'static str); 7] {
    [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, browsers would send `Origin: null` with our own forms.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ]
}

/// The names under which a browser on this machine reaches the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosts {
    port: u16,
}

impl Hosts {
    pub(super) const fn at(port: u16) -> Self {
        Self { port }
    }

    fn allows(self, host: &str) -> bool {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        host.rsplit_once(':').is_some_and(|(name, port)| {
            names.iter().any(|own| name.eq_ignore_ascii_case(own)) && port == self.port.to_string()
        })
    }
}

/// What a request is checked against.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    hosts: Hosts,
    /// The token of this process; `None` if the server is read-only.
    token: Option<Arc<str>>,
}

impl Guard {
    /// The guard of a server on this port. Without a token it is read-only.
    pub(super) fn new(port: u16, token: Option<&str>) -> Self {
        Self { hosts: Hosts::at(port), token: token.map(Arc::from) }
    }

    /// The token that forms carry; `None` if the server is read-only.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Fails if the server is read-only.
    pub(super) fn permits_writes(&self) -> Result<&str, Failure> {
        self.token().ok_or_else(|| Failure::new(Exit::Unreachable, FORBIDDEN, READ_ONLY))
    }

    /// Fails unless a form carries the token of this process.
    pub(super) fn check_token(&self, given: &str) -> Result<(), Failure> {
        if is_same(given, self.permits_writes()?) {
            return Ok(());
        }
        let message = "token: expected the one of a page of this dashboard";
        Err(Failure::new(Exit::Unreachable, FORBIDDEN, message)
            .hint("go back and load the page again: the dashboard was started anew"))
    }
}

/// The code of the failure of a request that may not change anything.
pub(super) const FORBIDDEN: &str = "forbidden";

const READ_ONLY: &str = "read-only: this dashboard changes nothing; start it without --read-only";

/// Compares two texts in a time that depends on their lengths alone.
fn is_same(given: &str, own: &str) -> bool {
    let pairs = given.bytes().zip(own.bytes());
    let differences = pairs.fold(0, |found, (one, other)| black_box(found | (one ^ other)));
    given.len() == own.len() && differences == 0
}

/// Why a request is refused: status, and what was expected.
type Refusal = (StatusCode, &'static str);

/// The only value of a header. Fails if there are several, or if it is no text.
fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn check(guard: &Guard, request: &Request) -> Result<(), Refusal> {
    let hosts = guard.hosts;
    let foreign =
        (StatusCode::MISDIRECTED_REQUEST, "host: expected 127.0.0.1 or localhost with the port");
    let host = one(request.headers(), HOST).ok().flatten();
    let host = host.filter(|host| hosts.allows(host)).ok_or(foreign)?;
    // A target that names a host goes before the header.
    if request.uri().authority().is_some_and(|authority| !hosts.allows(authority.as_str())) {
        return Err(foreign);
    }
    if !is_own_site(request, host) {
        let why = "this request comes from another site: open the address in a tab of its own";
        return Err((StatusCode::FORBIDDEN, why));
    }
    match *request.method() {
        Method::POST if guard.token().is_none() => {
            return Err((StatusCode::FORBIDDEN, READ_ONLY));
        }
        Method::GET | Method::HEAD | Method::POST => {}
        _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "expected GET or POST")),
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MOST_TARGET {
        return Err((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    Ok(())
}

/// Whether a request comes from this server's own pages or, if it only reads, from nowhere. Browsers say so in
/// `Sec-Fetch-Site`; what changes something must say so, or at least name its origin.
fn is_own_site(request: &Request, host: &str) -> bool {
    let site = one(request.headers(), HeaderName::from_static("sec-fetch-site"));
    if request.method() != Method::POST {
        return matches!(site, Ok(None | Some("same-origin" | "none")));
    }
    let own = format!("http://{host}");
    match (site, one(request.headers(), ORIGIN)) {
        (Ok(Some("same-origin")), Ok(None)) => true,
        (Ok(Some("same-origin") | None), Ok(Some(origin))) => origin.eq_ignore_ascii_case(&own),
        _ => false,
    }
}

/// Refuses what must not reach a page, and adds the headers of every answer.
pub(super) async fn check_first(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match check(&guard, &request) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => (status, why).into_response(),
    };
    let is_unknown = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    if is_unknown && !response.headers().contains_key(ALLOW) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    for (name, value) in headers() {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_names_with_the_own_port_are_allowed() {
        let hosts = Hosts::at(8_770);
        for own in ["127.0.0.1:8770", "localhost:8770", "LOCALHOST:8770", "[::1]:8770"] {
            assert!(hosts.allows(own), "{own}");
        }
        for other in [
            "",
            "127.0.0.1",
            "localhost:80",
            "evil.example:8770",
            "127.0.0.1.evil.example:8770",
            "u@127.0.0.1:8770",
            "127.0.0.1:8770:8770",
            "127.0.0.1: 8770",
            "127.0.0.1:08770",
        ] {
            assert!(!hosts.allows(other), "{other}");
        }
    }

    #[test]
    fn a_token_is_compared_as_a_whole() {
        assert!(is_same("0a1b", "0a1b") && is_same("", ""));
        for other in ["", "0a1", "0a1b2", "1a1b", "0a1c"] {
            assert!(!is_same(other, "0a1b"), "{other}");
        }
        let guard = Guard::new(1, Some("0a1b"));
        assert_eq!(guard.check_token("0a1b"), Ok(()));
        assert_eq!(guard.check_token("0a1c").unwrap_err().code, FORBIDDEN);
        let read_only = Guard::new(1, None);
        assert!(read_only.check_token("").unwrap_err().message.starts_with("read-only"));
    }
}
