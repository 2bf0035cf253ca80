//! Jobs in each state, as varied as those of a busy day.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    record::{Counters, FailedAttempt, LastFailure, Parking, Phase, Record, Work},
};
use serde_json::json;

use crate::scale::stack::{HOSTS, QUEUE_PREFIX};

const DAY: Duration = Duration::from_hours(24);

/// What has become of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Succeeded,
    /// Queued, running or waiting.
    Open,
    Parked,
    Dead,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Open => "open",
            Self::Parked => "parked",
            Self::Dead => "dead",
        }
    }
}

/// The type of the job with this number: of ten, six pages, three links and a feed.
fn job_type(number: u64) -> &'static str {
    match number % 10 {
        0..=5 => "product_detail_scraping",
        6..=8 => "url_shortening",
        _ => "dealer_com_feed",
    }
}

/// The type of a parked job: links wait for the shared dependency, and some pages for their hosts.
fn parked_type(number: u64) -> &'static str {
    if number.is_multiple_of(4) { "product_detail_scraping" } else { "url_shortening" }
}

fn type_of(kind: Kind, number: u64) -> &'static str {
    match kind {
        Kind::Parked => parked_type(number),
        _ => job_type(number),
    }
}

/// The key of the job with this number.
pub(super) fn key(kind: Kind, number: u64) -> String {
    format!("{}#g:{}-{number}", type_of(kind, number), kind.name())
}

/// What a job of this type depends on.
fn dependency(job_type: &str, number: u64) -> String {
    let host = number % HOSTS;
    match job_type {
        "url_shortening" => "rebrandly".to_owned(),
        "dealer_com_feed" => format!("dealer.com/www.dealer-{host}.example"),
        _ => format!("page/www.dealer-{host}.example"),
    }
}

/// The record of the job with this number, of `count` of its kind.
pub(super) fn record(kind: Kind, number: u64, count: u64, now: Time) -> Record {
    let job_type = type_of(kind, number);
    let ago = DAY.mul_f64(part(number, count));
    let at = now.before(ago);
    let phase = phase(kind, number, at, now);
    let has_failed = !matches!(kind, Kind::Succeeded) || number.is_multiple_of(20);
    let dependency = dependency(job_type, number);
    Record {
        key: key(kind, number),
        fence: 3,
        owner: format!("{number:032x}"),
        message_id: format!("00000000-0000-4000-8000-{number:012x}"),
        counters: Counters { receives: 3, claims: 3, attempts: 3, ..Counters::default() },
        work: Work {
            payload: payload(number),
            queue: format!("{QUEUE_PREFIX}{}", job_type.replace('_', "-")),
            dependency,
            retention: Duration::from_hours(30 * 24),
            created_at: at.before(Duration::from_mins(2)),
            first_created_at: None,
            deadline: None,
            group: Some(format!("dealer-{}", number % HOSTS)),
            trace: None,
        },
        cursor: None,
        provisional: None,
        parking: matches!(phase, Phase::Parked { .. }).then(|| Parking {
            since: at,
            gated: true,
            ends_at: Some(at + 2 * DAY),
            paused_since: None,
        }),
        phase,
        last_failure: has_failed.then(|| LastFailure {
            class: "upstream".into(),
            fingerprint: format!("{:08x}", number % 20),
            at,
        }),
        history: if has_failed { history(at) } else { Vec::new() },
        journal: Vec::new(),
    }
}

/// Where a number lies within `count`, from 0 to 1.
fn part(number: u64, count: u64) -> f64 {
    let millionths = u32::try_from(number * 1_000_000 / count.max(1)).unwrap();
    f64::from(millionths) / 1_000_000.0
}

fn phase(kind: Kind, number: u64, at: Time, now: Time) -> Phase {
    let soon = now + Duration::from_secs(60 + number % 600);
    let why = "http_503: the service is not available".to_owned();
    match (kind, number % 3) {
        (Kind::Succeeded, _) => Phase::Succeeded { at, result: result(number) },
        (Kind::Open, 0) => Phase::Queued { due_at: soon },
        (Kind::Open, 1) => Phase::Running { lease_until: soon, lease_expiry_indexed: true },
        (Kind::Open, _) => Phase::Waiting { run_after: soon, due_at: soon, why },
        (Kind::Parked, _) => Phase::Parked { run_after: at, why: "the breaker is open".into() },
        (Kind::Dead, _) => Phase::Dead { at, why },
    }
}

fn payload(number: u64) -> String {
    let host = number % HOSTS;
    json!({
        "dealer_slug": format!("dealer-{host}"),
        "destination": format!("https://www.dealer-{host}.example/used/Honda/{number}.htm"),
        "vin": format!("1HGCM82633A{:06}", number % 1_000_000),
    })
    .to_string()
}

fn result(number: u64) -> String {
    json!({
        "id": format!("{number:032x}"),
        "short_url": format!("https://rebrand.ly/dealer-{number}"),
        "title": "2019 Honda Accord Sport 1.5T, one owner, with its service history",
    })
    .to_string()
}

fn history(at: Time) -> Vec<FailedAttempt> {
    let failed = |minutes| FailedAttempt {
        at: at.before(Duration::from_mins(minutes)).as_millis(),
        class: "upstream".into(),
        code: "http_503".into(),
        message: "http_503: the service is not available; try again later".into(),
    };
    [3, 2, 1].map(failed).to_vec()
}
