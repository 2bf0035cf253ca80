//! What third parties answer.

use std::time::Duration;

use evenkeel::{
    base::{
        config::{Environment, Reader},
        time::Time,
    },
    failure::{Classified as _, Failure},
    http::transport::{HttpRequest, HttpResponse, Transport, TransportError},
    job::{credential::Credential, robots},
    ports::{PortError, SecretSource},
    testing::TestClock,
};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use url::Url;
use url_shortening::rebrandly::{NewLink, Rebrandly, Settings};

use super::{FEW, wait};

/// The key of the account, which answers may repeat.
const KEY: &str = "planted-key";

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Most bytes of a robots.txt's rules that are kept.
const MAX_RULES_BYTES: usize = 8 * 1024;

struct Planted;

impl SecretSource for Planted {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok(KEY.to_owned())
    }
}

/// Gives each call the same answer.
struct Answer(HttpResponse);

impl Transport for Answer {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
        Ok(self.0.clone())
    }
}

/// An answer from its text: the status, header lines, an empty line and the body.
fn response(text: &str) -> Option<HttpResponse> {
    let (head, body) = text.split_once("\n\n")?;
    let (status, lines) = head.split_once('\n').unwrap_or((head, ""));
    let status = StatusCode::from_u16(status.trim().parse().ok()?).ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let value = HeaderValue::from_str(value.trim()).ok()?;
        Some((name.parse::<HeaderName>().ok()?, value))
    };
    let headers: HeaderMap = lines.lines().filter_map(header).collect();
    Some(HttpResponse { status, headers, body: body.as_bytes().to_vec() })
}

fn settings() -> Settings {
    let domain = [("REBRANDLY_DOMAIN".to_owned(), "go.example".to_owned())];
    let environment: Environment = domain.into_iter().collect();
    Settings::read(&mut Reader::new(&environment))
}

#[test]
fn rebrandly_answer() {
    let settings = settings();
    target!("rebrandly_answer", FEW, |text: &str| {
        let Some(response) = response(text) else { return false };
        wait(async {
            let clock = TestClock::default();
            let key = Credential::new(Planted, clock);
            let rebrandly = Rebrandly::new(Answer(response), settings.clone(), key, clock);
            let link = NewLink { destination: "https://a.example/", slashtag: "a-b", title: None };
            let errors = [
                rebrandly.create(&link, LIMIT).await.err(),
                rebrandly.find("a-b", LIMIT).await.err(),
                rebrandly.update("1", "https://b.example/", None, LIMIT).await.err(),
                rebrandly.get("1", LIMIT).await.err(),
                rebrandly.list(None, LIMIT).await.err(),
            ];
            let accepted = errors.iter().any(Option::is_none);
            for error in errors.into_iter().flatten() {
                let why = error.why();
                assert!(!why.contains(KEY), "{why}");
                let failure = Failure::from(error);
                assert!(!failure.message().contains(KEY) && !failure.code().contains(KEY));
            }
            accepted
        })
    });
}

#[test]
fn robots_txt() {
    let url: Url = "https://www.acme.example/new/car.htm".parse().unwrap();
    target!("robots_txt", |text: &str| {
        let (allows, kept) = robots::read(text.as_bytes(), &url);
        assert!(kept <= MAX_RULES_BYTES, "{kept} bytes");
        !allows
    });
}

#[test]
fn dates() {
    target!("dates", |text: &str| {
        let text = text.trim_end();
        let read = Time::parse_rfc3339(text);
        if let Ok(time) = read {
            assert_eq!(Time::parse_rfc3339(&time.to_string()), Ok(time), "{text}");
        }
        read.is_ok() || Time::parse_http_date(text).is_some()
    });
}
