//! What a request must have before any page is made, and what every answer has.
//!
//! The server listens on loopback, but any page in the same browser can send requests to it. So a request must name
//! this server as its host (against DNS rebinding), must not come from another site, and can only read.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

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
        (REFERRER_POLICY, "no-referrer"),
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

fn check(hosts: Hosts, request: &Request) -> Result<(), Refusal> {
    let foreign =
        (StatusCode::MISDIRECTED_REQUEST, "host: expected 127.0.0.1 or localhost with the port");
    let host = one(request.headers(), HOST).ok().flatten();
    if !host.is_some_and(|host| hosts.allows(host)) {
        return Err(foreign);
    }
    // A target that names a host goes before the header.
    if request.uri().authority().is_some_and(|authority| !hosts.allows(authority.as_str())) {
        return Err(foreign);
    }
    let site = one(request.headers(), HeaderName::from_static("sec-fetch-site"));
    if !matches!(site, Ok(None | Some("same-origin" | "none"))) {
        let why = "this request comes from another site: open the address in a tab of its own";
        return Err((StatusCode::FORBIDDEN, why));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "this page is read-only: expected GET"));
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MOST_TARGET {
        return Err((StatusCode::URI_TOO_LONG, "the address is too long"));
    }
    Ok(())
}

/// Refuses what must not reach a page, and adds the headers of every answer.
pub(super) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match check(hosts, &request) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => (status, why).into_response(),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
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
}
