//! Decoders of outside input, each of some input and of one that is twice as long: the command fails if that takes over
//! 2.3 times the instructions.

use std::{hint::black_box, time::Duration};

use evenkeel::{
    aws::{item::decode, measured::item},
    base::config::{Environment, Reader, Tables},
    http::transport::{HttpRequest, HttpResponse, Transport, TransportError},
    job::{credential::Credential, robots},
    ports::{PortError, SecretSource},
    testing::TestClock,
};
use evenkeel_cli::count_rows;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::json;
use sweeper::config::Config;
use url::Url;
use url_shortening::rebrandly::{Rebrandly, Settings};

use crate::{
    case::Case,
    decisions::ended,
    work::{decoded, event, shortening},
};

/// What the name of a case ends with whose input is twice as long as that of the case of the same name.
const TWICE: &str = ", twice";

/// How long a call of Rebrandly may take.
const LIMIT: Duration = Duration::from_secs(3);

pub(crate) fn cases() -> Vec<Case> {
    let pairs = [
        pair("linear: robots.txt", 20, |times| {
            let text = robots_txt(1_000 * times);
            let url: Url = "https://www.acme.example/new/car.htm".parse().expect("an address");
            move || robots::read(text.as_bytes(), &url).1
        }),
        pair("linear: CSV of submit", 5, |times| {
            let text = csv(500 * times);
            move || {
                let [good, ..] = count_rows(&text, "csv", url_shortening::TYPE).expect("a head");
                assert_eq!(good, 500 * times as u64, "every row is read");
                good
            }
        }),
        pair("linear: event of Lambda", 50, |times| {
            let event = event(10 * times, shortening).to_string();
            move || decoded(&event).len()
        }),
        pair("linear: item of the jobs table", 500, |times| {
            let mut record = ended(1);
            record.work.payload = json!({ "title": "x".repeat(20_000 * times) }).to_string();
            let item = item(&record);
            move || decode(&item).expect("an item of ours")
        }),
        pair("linear: configuration", 50, |times| {
            let environment = configuration(20 * times);
            move || {
                let mut reader = Reader::new(&environment);
                let read = (Tables::read(&mut reader), Config::read(&mut reader));
                reader.finish(read).expect("a configuration").1.types.len()
            }
        }),
        [1, 2].map(|times| {
            Case::of_future(
                &name("linear: answer of Rebrandly", times),
                "text",
                20,
                move |rounds| answers(500 * times, rounds),
            )
        }),
    ];
    pairs.into_iter().flatten().collect()
}

fn name(of: &str, times: usize) -> String {
    format!("{of}{}", if times == 2 { TWICE } else { "" })
}

/// A case, and the one whose input is twice as long. `set_up` is told how many times as long the input is.
fn pair<T, W: FnMut() -> T>(
    of: &str,
    rounds: u32,
    set_up: impl Fn(usize) -> W + Copy + 'static,
) -> [Case; 2] {
    [1, 2].map(|times| Case::pure(&name(of, times), "text", rounds, move || set_up(times)))
}

/// A robots.txt with so many groups of rules, the last of which is for us.
fn robots_txt(groups: usize) -> String {
    let of =
        |n: usize| format!("User-agent: robot-{n}\nDisallow: /private/{n}/*?page=\nAllow: /\n\n");
    let others: String = (0..groups).map(of).collect();
    format!("{others}User-agent: *\nDisallow: /cart/\n")
}

fn csv(rows: usize) -> String {
    let row = |n: usize| {
        format!("{n},\"https://www.acme.example/new/{n}?a=b,c\",acme,1HGCM82633A{n:06},acme\n")
    };
    let rows: String = (0..rows).map(row).collect();
    format!("id,destination,dealer_slug,vin,group\n{rows}")
}

/// The variables of a sweeper of so many job types.
fn configuration(types: usize) -> Environment {
    let types: Vec<_> = (0..types)
        .map(|n| json!({ "type": format!("errand_{n}"), "concurrency": [4, 2] }))
        .collect();
    let variables = [
        ("JOBS_TABLE", "jobs".to_owned()),
        ("CONTROL_TABLE", "control".to_owned()),
        ("AUXILIARY_TABLE", "vehicles".to_owned()),
        ("AUXILIARY_TABLE_KEYS", "dealer vin".to_owned()),
        ("QUEUE_ARN_PREFIX", "arn:aws:sqs:eu-west-1:123456789012:s-".to_owned()),
        ("JOB_TYPES", json!(types).to_string()),
        ("BALANCE", "off".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

struct Key;

impl SecretSource for Key {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok("key".to_owned())
    }
}

/// Gives each call the same answer.
struct Answer(HttpResponse);

impl Transport for Answer {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
        Ok(self.0.clone())
    }
}

/// Reads a list of so many links, so many times.
async fn answers(links: usize, times: u32) {
    let link = |n: usize| {
        json!({
            "id": format!("{n:032x}"), "slashtag": format!("acme-{n}"), "title": "2026 Honda Accord",
            "destination": format!("https://www.acme.example/new/{n}"),
            "shortUrl": format!("go.example/acme-{n}"), "createdAt": "2026-11-29T00:00:00.000Z",
        })
    };
    let body = json!((0..links).map(link).collect::<Vec<_>>()).to_string().into_bytes();
    let answer = Answer(HttpResponse { status: StatusCode::OK, headers: HeaderMap::new(), body });
    let domain = [("REBRANDLY_DOMAIN".to_owned(), "go.example".to_owned())];
    let environment: Environment = domain.into_iter().collect();
    let settings = Settings::read(&mut Reader::new(&environment));
    let clock = TestClock::default();
    let rebrandly = Rebrandly::new(answer, settings, Credential::new(Key, clock), clock);
    for _ in 0..times {
        let read = rebrandly.list(None, LIMIT).await;
        let Ok(read) = read else { panic!("a list is read") };
        assert_eq!(read.len(), links, "every link is read");
        black_box(read);
    }
}
