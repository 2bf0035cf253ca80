//! Runs the guarded outbound client against a server on the loopback interface, which
//! `Reach::WithLoopback` permits.

mod site;

use std::{collections::VecDeque, io, net::IpAddr, sync::Mutex, time::Duration};

use evenkeel::{
    failure::{Class, Failure},
    http::{
        Content, FetchError, Fetched, Hosts, MAX_BODY_BYTES, Outbound, Reach, Refusal, Request,
        Resolver, Settings, transport,
    },
    testing::TestClock,
};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use self::site::{Site, TEXT, packed};

/// Time-out of calls that are expected to succeed. No test waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);

const CONTACT: &str = "mailto:web@example.com";

fn settings(reach: Reach) -> Settings {
    Settings { reach, contact: Some(CONTACT.into()), ..Settings::default() }
}

fn client() -> Outbound<TestClock> {
    let settings = settings(Reach::WithLoopback);
    Outbound::new(&settings, Hosts::public(), TestClock::default()).unwrap()
}

async fn fetch(request: &Request<'_>) -> Result<Fetched, FetchError> {
    client().fetch(request, PATIENCE).await
}

async fn get(address: &str) -> Result<Fetched, FetchError> {
    fetch(&Request::get("url", address)).await
}

fn content(fetched: Result<Fetched, FetchError>) -> Content {
    match fetched {
        Ok(Fetched::Content(content)) => *content,
        other => panic!("expected content: {other:?}"),
    }
}

fn failure(fetched: Result<Fetched, FetchError>) -> Failure {
    fetched.unwrap_err().into()
}

#[tokio::test]
async fn a_page_is_returned_whole_and_the_request_names_its_sender() {
    let site = Site::open().await;
    let address = site.url("/page?x=1#part");
    let request = Request::get("url", &address).accepting("text/html");
    let content = content(fetch(&request).await);
    assert_eq!(content.body, TEXT.as_bytes());
    assert_eq!(content.url.as_str(), site.url("/page?x=1"));
    assert_eq!(content.media_type.as_deref(), Some("text/html"));
    assert_eq!(content.charset.as_deref(), Some("utf-8"));
    assert_eq!(content.validators, None);
    let calls = site.calls();
    let [call] = calls.as_slice() else { panic!("expected one call") };
    assert_eq!(call.method, "GET");
    let agent = format!("{} (+{CONTACT})", transport::USER_AGENT);
    assert_eq!(call.header("user-agent"), Some(agent.as_str()));
    assert_eq!(call.header("accept"), Some("text/html"));
    assert_eq!(call.header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn loopback_addresses_are_refused_by_default() {
    let site = Site::open().await;
    let settings = settings(Reach::Public);
    let client = Outbound::new(&settings, Hosts::public(), TestClock::default()).unwrap();
    for host in ["127.0.0.1", "2130706433", "localhost", "site.localhost", "[::1]"] {
        let address = format!("http://{host}:{}/page", site.port);
        let fetched = client.fetch(&Request::get("url", &address), PATIENCE).await;
        assert_eq!(failure(fetched).code(), "address_refused", "{host}");
    }
    assert!(site.calls().is_empty());
}

#[tokio::test]
async fn names_under_localhost_resolve_to_loopback() {
    let site = Site::open().await;
    let host = format!("lakeside.localhost:{}", site.port);
    content(get(&format!("http://{host}/page")).await);
    assert_eq!(site.calls()[0].header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn five_redirects_are_followed_and_six_are_not() {
    let site = Site::open().await;
    let content = content(get(&site.url("/hops/5")).await);
    assert_eq!(content.url.as_str(), site.url("/hops/0"));
    assert_eq!(site.calls().len(), 6);
    let failure = failure(get(&site.url("/hops/6")).await);
    assert_eq!((failure.class(), failure.code()), (Class::Permanent, "too_many_redirects"));
    let calls = site.calls();
    assert_eq!(calls.len(), 6);
    assert_eq!(calls[5].path, "/hops/1");
}

/// Targets of redirects that must be refused, even if loopback addresses are permitted.
const HOSTILE: [&str; 26] = [
    "http://10.0.0.1/",
    "//10.0.0.1/",
    "http://192.168.0.1/admin",
    "http://172.16.0.1:8080/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "//169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.170.2/v2/credentials",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://user:secret@127.0.0.1/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://intranet/",
    "file:///etc/passwd",
    "ftp://www.example.com/",
    "gopher://127.0.0.1:70/x",
    "javascript:alert(1)",
    "http://",
];

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_not_followed() {
    let site = Site::open().await;
    let client = client();
    for location in HOSTILE {
        for status in [301, 302, 303, 307, 308] {
            let address = site.url(&format!("/redirect/{status}?{location}"));
            let request = Request::get("payload.url", &address);
            let error = client.fetch(&request, PATIENCE).await.unwrap_err();
            let refused = matches!(error, FetchError::Refused { redirects: 1, .. });
            assert!(refused, "{status} {location}: {error:?}");
            let failure = Failure::from(error);
            assert_eq!((failure.class(), failure.code()), (Class::Permanent, "address_refused"));
            assert!(failure.message().starts_with("payload.url: "), "{failure}");
            assert_eq!(site.calls().len(), 1, "{status} {location}");
        }
    }
    let address = site.url("/redirect/302?/redirect/302?http://10.0.0.1/");
    let error = client.fetch(&Request::get("url", &address), PATIENCE).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { redirects: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirected_post_is_repeated_or_becomes_a_get_as_in_browsers() {
    let site = Site::open().await;
    let json = r#"{"start":["0"]}"#;
    let cases = [(301, false), (302, false), (303, false), (307, true), (308, true)];
    for (status, repeats) in cases {
        let address = site.url(&format!("/redirect/{status}?/page"));
        content(fetch(&Request::post("url", &address, json)).await);
        let calls = site.calls();
        let [first, second] = calls.as_slice() else { panic!("expected two calls") };
        assert_eq!((first.method.as_str(), &first.body[..]), ("POST", json.as_bytes()));
        assert_eq!(first.header("content-type"), Some("application/json"));
        if repeats {
            assert_eq!((second.method.as_str(), &second.body[..]), ("POST", json.as_bytes()));
            assert_eq!(second.header("content-type"), Some("application/json"), "{status}");
        } else {
            assert_eq!((second.method.as_str(), second.body.len()), ("GET", 0), "{status}");
            assert_eq!(second.header("content-type"), None, "{status}");
        }
    }
}

#[tokio::test]
async fn headers_meant_for_one_host_are_sent_to_no_other() {
    let (home, away) = (Site::open().await, Site::open().await);
    let back = away.url(&format!("/redirect/307?{}", home.url("/page")));
    let address = home.url(&format!("/redirect/302?/redirect/307?{back}"));
    let request = Request::get("url", &address)
        .accepting("text/html")
        .with_header(AUTHORIZATION, HeaderValue::from_static("Bearer secret"))
        .with_header(HeaderName::from_static("x-key"), HeaderValue::from_static("secret"));
    content(fetch(&request).await);
    let at_home = home.calls();
    let keys: Vec<_> = at_home.iter().map(|call| call.header("x-key")).collect();
    assert_eq!(
        keys,
        [Some("secret"), Some("secret"), None],
        "the header is dropped for good after a redirect to another host"
    );
    let calls = away.calls();
    let [call] = calls.as_slice() else { panic!("expected one call") };
    assert_eq!((call.header("x-key"), call.header("authorization")), (None, None));
    assert_eq!(call.header("accept"), Some("text/html"));
}

#[tokio::test]
async fn the_body_limit_counts_decompressed_bytes() {
    let site = Site::open().await;
    let bytes = TEXT.len() * 1000;
    for path in ["/whole/1000", "/stream/1000", "/packed/1000"] {
        let address = site.url(path);
        let request = Request::get("url", &address);
        let content = content(fetch(&request.clone().at_most(bytes)).await);
        assert_eq!(content.body, TEXT.repeat(1000).as_bytes(), "{path}");
        let error = fetch(&request.at_most(bytes - 1)).await.unwrap_err();
        let too_large = FetchError::TooLarge { host: "127.0.0.1".into(), limit: bytes - 1 };
        assert_eq!(error, too_large, "{path}");
    }
}

#[tokio::test]
async fn a_decompression_bomb_is_stopped_at_the_limit() {
    let site = Site::open().await;
    let (limit, times) = (64 * 1024, 50_000);
    assert!(packed(times).len() < limit, "the compressed body is below the limit");
    assert!(TEXT.len() * times > 20 * limit);
    let address = site.url(&format!("/packed/{times}"));
    let failure = failure(fetch(&Request::get("url", &address).at_most(limit)).await);
    assert_eq!((failure.class(), failure.code()), (Class::Permanent, "too_large"));
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_temporary_trouble_however_long_it_is() {
    let site = Site::open().await;
    let address = site.url("/otherwise/1000");
    let failure = failure(fetch(&Request::get("url", &address).at_most(100)).await);
    assert_eq!((failure.class(), failure.code()), (Class::Transient, "content_encoding"));
}

#[tokio::test]
async fn a_request_without_a_limit_has_the_default_one() {
    let site = Site::open().await;
    let most = MAX_BODY_BYTES / TEXT.len();
    assert!(get(&site.url(&format!("/whole/{most}"))).await.is_ok());
    let error = get(&site.url(&format!("/whole/{}", most + 1))).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: MAX_BODY_BYTES, .. }), "{error:?}");
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_the_time_limit() {
    let site = Site::open().await;
    let limit = Duration::from_millis(300);
    for path in ["/endless", "/redirect/302?/endless"] {
        let address = site.url(path);
        let fetched = client().fetch(&Request::get("url", &address), limit).await;
        let failure = failure(fetched);
        assert_eq!((failure.class(), failure.code()), (Class::Transient, "timeout"), "{path}");
    }
}

#[tokio::test]
async fn an_unchanged_page_is_answered_with_not_modified() {
    let site = Site::open().await;
    let first = content(get(&site.url("/known")).await);
    let known = first.validators.unwrap();
    assert_eq!(site.calls()[0].header("if-none-match"), None);
    for path in ["/known", "/redirect/302?/known"] {
        let address = site.url(path);
        let request = Request::get("url", &address).changed_since(Some(&known));
        assert_eq!(fetch(&request).await, Ok(Fetched::NotModified), "{path}");
        let calls = site.calls();
        let (last, before) = calls.split_last().unwrap();
        assert_eq!(last.header("if-none-match"), Some("\"v1\""), "{path}");
        let since = last.header("if-modified-since");
        assert_eq!(since, Some("Thu, 01 Jan 2026 00:00:00 GMT"), "{path}");
        assert!(before.iter().all(|call| call.header("if-none-match").is_none()), "{path}");
    }
    // Validators of another address are not sent, and a POST sends none.
    let (other, same) = (site.url("/page"), site.url("/known"));
    content(fetch(&Request::get("url", &other).changed_since(Some(&known))).await);
    content(fetch(&Request::post("url", &same, "{}").changed_since(Some(&known))).await);
    assert!(site.calls().iter().all(|call| call.header("if-none-match").is_none()));
    let unasked = failure(get(&site.url("/status/304")).await);
    assert_eq!((unasked.class(), unasked.code()), (Class::Transient, "http_304"));
}

#[tokio::test]
async fn each_outcome_has_its_class_and_code() {
    let site = Site::open().await;
    let cases = [
        ("/status/401", Class::Permanent, "bot_wall"),
        ("/status/403", Class::Permanent, "bot_wall"),
        ("/status/404", Class::Permanent, "http_404"),
        ("/status/410", Class::Permanent, "http_410"),
        ("/status/429", Class::Throttled, "http_429"),
        ("/status/500", Class::Transient, "http_500"),
        ("/status/302", Class::Transient, "http_302"),
        ("/otherwise/1", Class::Transient, "content_encoding"),
        ("/broken", Class::Transient, "reset"),
        ("/torn/1000", Class::Transient, "reset"),
    ];
    for (path, class, code) in cases {
        let failure = failure(get(&site.url(path)).await);
        assert_eq!((failure.class(), failure.code()), (class, code), "{path}: {failure}");
    }
    let closed = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let failure = failure(get(&format!("http://127.0.0.1:{port}/")).await);
    assert_eq!((failure.class(), failure.code()), (Class::Transient, "connect"), "{failure}");
}

/// A resolver that returns the next address at each lookup.
struct Turning(Mutex<VecDeque<IpAddr>>);

impl Resolver for Turning {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let next = self.0.lock().unwrap().pop_front();
        Ok(next.into_iter().collect())
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_later_is_refused_at_connect() {
    let site = Site::open().await;
    let answers = ["127.0.0.1", "10.0.0.1", "127.0.0.1", "169.254.169.254"];
    let resolver = Turning(Mutex::new(answers.iter().map(|ip| ip.parse().unwrap()).collect()));
    let (settings, clock) = (settings(Reach::WithLoopback), TestClock::default());
    let client = Outbound::with_resolver(&settings, Hosts::public(), clock, resolver).unwrap();
    let direct = format!("http://www.example.com:{}/closing", site.port);
    content(client.fetch(&Request::get("url", &direct), PATIENCE).await);
    let error = client.fetch(&Request::get("url", &direct), PATIENCE).await.unwrap_err();
    let met = |error: &FetchError| match error {
        FetchError::Refused { redirects, refusal: Refusal::Resolved { ip, .. }, .. } => {
            (*redirects, ip.to_string())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(met(&error), (0, "10.0.0.1".into()));
    assert_eq!(site.calls().len(), 1);
    // The same between a redirect and its target, which has another port and so needs another
    // connection.
    let other = Site::open().await;
    let there = format!("http://www.example.com:{}/page", other.port);
    let address = format!("http://www.example.com:{}/redirect/302?{there}", site.port);
    let error = client.fetch(&Request::get("url", &address), PATIENCE).await.unwrap_err();
    assert_eq!(met(&error), (1, "169.254.169.254".into()));
    assert!(other.calls().is_empty());
}
