use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::*;
use crate::{
    base::config::Environment,
    failure::{Class, Classified, Failure},
    testing::TestClock,
};

/// A resolver that gives one answer for every name and counts the lookups.
struct Resolving {
    answer: Answer,
    asked: Arc<AtomicUsize>,
}

enum Answer {
    Address(IpAddr),
    Failure,
    Silence,
}

impl Resolving {
    fn to(answer: Answer) -> Self {
        Self { answer, asked: Arc::default() }
    }
}

impl Resolver for Resolving {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Relaxed);
        match self.answer {
            Answer::Address(ip) => Ok(vec![ip]),
            Answer::Failure => Err(io::Error::other("no such name")),
            Answer::Silence => std::future::pending().await,
        }
    }
}

fn client(hosts: Hosts, resolver: Resolving) -> Outbound<TestClock> {
    let clock = TestClock::default();
    Outbound::with_resolver(&Settings::default(), hosts, clock, resolver).unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    let environment: Environment =
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut reader = Reader::new(&environment);
    let settings = Settings::read(&mut reader);
    reader.finish(settings).map_err(|error| error.to_string())
}

#[test]
fn every_spelling_of_a_host_has_one_limiter() {
    for url in ["https://WWW.acme.example/a", "http://www.acme.example.:8080/"] {
        assert_eq!(host_limiter(url.parse().ok().as_ref()), "host/www.acme.example", "{url}");
    }
}

const PAGE: &str = "https://www.example.com/bots";

#[test]
fn only_the_value_true_allows_loopback() {
    let reach = |value| {
        let settings = read(&[(ALLOW_LOOPBACK, value), (CONTACT, PAGE)]);
        settings.map(|settings| settings.reach)
    };
    assert_eq!(reach(""), Ok(Reach::Public));
    assert_eq!(reach("false"), Ok(Reach::Public));
    assert_eq!(reach("true"), Ok(Reach::WithLoopback));
    for typo in ["TRUE", "1", "yes", "truee"] {
        let problem = "configuration: OUTBOUND_ALLOW_LOOPBACK is neither true nor false";
        assert_eq!(reach(typo), Err(problem.into()), "{typo}");
    }
}

#[test]
fn the_contact_is_a_page_or_a_mail_address_and_a_comment_of_the_user_agent() {
    let agent = |value: &str| read(&[(CONTACT, value)]).map(|settings| settings.user_agent());
    for contact in [PAGE, "http://example.com", "web@example.com"] {
        assert_eq!(agent(contact), Ok(format!("{USER_AGENT} (+{contact})")));
    }
    assert!(USER_AGENT.ends_with(env!("CARGO_PKG_VERSION")));
    let long = format!("{PAGE}/{}", "x".repeat(MAX_CONTACT_BYTES));
    for bad in [
        "",
        "me",
        "a@b",
        "@example.com",
        "a b@example.com",
        "ftp://example.com",
        "https://",
        "https://example.com/a) b",
        "https://example.com/a(b",
        "a\\@example.com",
        "büro@example.com",
        long.as_str(),
    ] {
        assert!(agent(bad).unwrap_err().contains(CONTACT), "{bad}");
    }
    assert!(read(&[]).unwrap_err().contains("OUTBOUND_CONTACT"), "a deployment has one");
}

#[tokio::test]
async fn a_name_with_a_refused_address_is_never_connected_to() {
    for scheme in ["http", "https"] {
        for ip in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"] {
            let resolver = Resolving::to(Answer::Address(ip.parse().unwrap()));
            let address = format!("{scheme}://www.example.com/");
            let request = Request::get("payload.url", &address);
            let client = client(Hosts::public(), resolver);
            let error = client.fetch(&request, Duration::from_secs(10)).await.unwrap_err();
            assert!(
                matches!(
                    &error,
                    FetchError::Refused { redirects: 0, refusal: Refusal::Resolved { .. }, .. }
                ),
                "{error:?}"
            );
            let failure = Failure::from(error);
            assert_eq!((failure.class(), failure.code()), (Class::Permanent, "address_refused"));
            let beginning = format!("payload.url: \"www.example.com\" leads to {ip}, which is ");
            assert!(failure.message().starts_with(&beginning), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_url_that_its_text_refuses_is_never_resolved() {
    let resolver = Resolving::to(Answer::Failure);
    let asked = Arc::clone(&resolver.asked);
    let client = client(Hosts::under(["example.com"]), resolver);
    let refused = ["http://127.0.0.1/", "http://localhost/", "ftp://a/", "https://example.org/"];
    for address in refused {
        let request = Request::get("payload.url", address);
        let error = client.fetch(&request, Duration::from_secs(10)).await.unwrap_err();
        assert_eq!(Failure::from(error).code(), "address_refused", "{address}");
    }
    assert_eq!(asked.load(Relaxed), 0);
    let request = Request::get("payload.url", "https://www.example.com/?token=1");
    let error = client.fetch(&request, Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(asked.load(Relaxed), 1);
    let failure = Failure::from(error);
    assert_eq!((failure.class(), failure.code()), (Class::Transient, "dns"));
    assert!(failure.message().contains("no such name"), "{failure}");
    assert!(!failure.message().contains("token"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_times_out() {
    let client = client(Hosts::public(), Resolving::to(Answer::Silence));
    let request = Request::get("payload.url", "https://www.example.com/");
    for limit in [Duration::from_millis(700), Duration::from_secs(30)] {
        let started = tokio::time::Instant::now();
        let error = client.fetch(&request, limit).await.unwrap_err();
        assert_eq!(error.class(), Class::Transient);
        assert_eq!(Failure::from(error).code(), "timeout");
        let waited = started.elapsed();
        // The client's own limit for a connection is 2 s.
        assert!(waited < limit.min(Duration::from_secs(2)) + Duration::from_millis(100));
    }
}

/// The runtime moves jobs between threads.
#[test]
fn a_fetch_can_move_between_threads() {
    fn is_send(_: &impl Send) {}
    let client = client(Hosts::public(), Resolving::to(Answer::Silence));
    let request = Request::get("payload.url", "https://www.example.com/");
    is_send(&client.fetch(&request, Duration::from_secs(1)));
}
