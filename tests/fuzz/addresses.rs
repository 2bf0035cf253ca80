//! Addresses that messages, feeds and redirects name.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Mutex,
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    http::{
        Hosts, Outbound, Reach, Request, retry_after,
        transport::{HttpRequest, HttpResponse, Transport, TransportError},
    },
    testing::TestClock,
};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
};
use url::{Host, Url};

use super::wait;

const LIMIT: Duration = Duration::from_secs(1);

/// Whether no public host can have this address: by the standard library, not by our own table.
fn is_inside(ip: IpAddr) -> bool {
    let is_inside_v4 = |ip: Ipv4Addr| {
        ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_unspecified()
            || ip.is_multicast()
            || ip.is_broadcast()
            || ip.is_documentation()
    };
    let embeds = |ip: Ipv6Addr| ip.to_ipv4().is_some() || ip.segments()[0] == 0x64;
    match ip {
        IpAddr::V4(ip) => is_inside_v4(ip),
        IpAddr::V6(ip) => embeds(ip) || ip.segments()[0] >> 13 != 1,
    }
}

/// A network that nothing hostile may reach. The first answer is a redirect to `location`, if there is one.
struct Watched {
    location: Mutex<Option<HeaderValue>>,
}

impl Transport for Watched {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        check(&request.url);
        let location = self.location.lock().unwrap().take();
        let status = if location.is_some() { StatusCode::FOUND } else { StatusCode::OK };
        let headers = location.into_iter().map(|location| (LOCATION, location)).collect();
        Ok(HttpResponse { status, headers, body: Vec::new() })
    }
}

/// Asserts that an address is one of a public web server.
fn check(url: &Url) {
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    assert!(matches!(url.port_or_known_default(), Some(80 | 443)), "{url}");
    match url.host() {
        Some(Host::Domain(name)) => {
            assert!(name != "localhost" && !name.ends_with(".localhost"), "{url}");
        }
        Some(Host::Ipv4(ip)) => assert!(!is_inside(ip.into()), "{url}"),
        Some(Host::Ipv6(ip)) => assert!(!is_inside(ip.into()), "{url}"),
        None => panic!("{url}: no host"),
    }
}

/// Whether `address` is called, on a network whose first answer is a redirect to `location`.
fn is_called(address: &str, location: Option<HeaderValue>) -> bool {
    wait(async {
        let network = Watched { location: Mutex::new(location) };
        let clock = TestClock::default();
        let outbound = Outbound::over(network, Reach::Public, Hosts::public(), clock);
        outbound.fetch(&Request::get("payload.url", address), LIMIT).await.is_ok()
    })
}

#[test]
fn outbound_address() {
    target!("outbound_address", |text: &str| is_called(text.trim_end(), None));
}

#[test]
fn outbound_redirect() {
    target!("outbound_redirect", |text: &str| {
        let location = HeaderValue::from_bytes(text.trim_end().as_bytes());
        location.is_ok_and(|location| is_called("https://www.acme.example/a/b", Some(location)))
    });
}

#[test]
fn retry_after_header() {
    const NOW: Time = Time::from_millis(1_800_000_000_000);
    target!("retry_after_header", |text: &str| {
        let Ok(value) = HeaderValue::from_str(text.trim_end()) else { return false };
        let asked = |name| {
            let headers: HeaderMap = [(name, value.clone())].into_iter().collect();
            retry_after(&headers, NOW)
        };
        let after = asked(RETRY_AFTER);
        if let Ok(seconds) = text.trim().parse() {
            assert_eq!(after, Some(Duration::from_secs(seconds)), "a number is seconds");
        }
        let reset = asked(HeaderName::from_static("x-ratelimit-reset"));
        after.is_some() || reset.is_some()
    });
}
