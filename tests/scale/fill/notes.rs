//! What containers and the sweeper have written beside the jobs: sums of minutes, calls of the shared dependency, days,
//! observations, error patterns, the logs, and rejected messages.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    aws::DynamoStore,
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        stats::{
            BUCKET, Bucket, BucketKey, ContainerCounts, Day, DayKind, TYPE_BUCKET, bucket_start,
            date,
        },
    },
    message::{Flaw, RejectedMessage, Rejection},
    ports::{
        Control as _, PortError, Store as _,
        notes::{DEAD_LETTER_RETENTION, DeadLetter, Limits, NoteKey},
    },
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::scale::stack::{HOSTS, QUEUE_PREFIX, SOURCES, TYPES};

/// Writes side by side.
const AT_ONCE: usize = 8;

/// Counters of a minute and of a day, besides the bins of two histograms.
const COUNTERS: [&str; 8] =
    ["jobs", "succeeded", "retried", "deferred", "parked", "dead", "busy_ms", "attempts"];

/// Bins that have entries, of each of the two.
const BINS: usize = 12;

/// Error patterns of a type.
const PATTERNS: u64 = 50;

/// Entries of the operations log, and of the dead letters of a type.
const LOGGED: u64 = 100;

const REJECTED: u64 = 50;

/// Writes all of it. Minutes and observations go back for so many minutes.
pub(super) async fn write(store: &DynamoStore, minutes: u64, now: Time) {
    let counts = minute_sums(minutes, now).chain(calls(now));
    let counts: Vec<ContainerCounts> = counts.collect();
    all(counts.iter().map(|counts| store.put_counts(counts))).await;
    let mut notes = vec![(NoteKey::new("observe", "now"), observation(now))];
    notes.extend(history(minutes, now));
    notes.extend(watched(now));
    notes.extend(days(now));
    notes.extend(patterns(now));
    notes.extend((0..LOGGED).map(|number| operation_note(number, now)));
    notes.extend(dead_letters(now));
    let until = now + DEAD_LETTER_RETENTION;
    all(notes.iter().map(|(key, text)| store.put_note(key, text, until))).await;
    let rejected: Vec<RejectedMessage> = (0..REJECTED).map(|n| rejected(n, now)).collect();
    all(rejected.iter().map(|message| store.reject(message))).await;
}

/// Waits for all writes.
async fn all(writes: impl Iterator<Item = impl Future<Output = Result<(), PortError>>>) {
    let written: Vec<Result<(), PortError>> =
        stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
}

/// The counters of a minute, with some of each.
fn counters() -> BTreeMap<String, u64> {
    let bins = (0..BINS).flat_map(|bin| [format!("t{bin}"), format!("w{bin}")]);
    let names = COUNTERS.map(str::to_owned).into_iter().chain(bins);
    names.zip(20..).collect()
}

fn sum(subject: String, start: Time, bucket: Bucket) -> ContainerCounts {
    let key = BucketKey { subject, start, generation: 0, shard: 0 };
    let expires_at = start + Duration::from_hours(192);
    ContainerCounts { key, bucket, expires_at, exists: false, changes: 0 }
}

/// The sweeper's sums of the last minutes, with the newest successes of each.
fn minute_sums(minutes: u64, now: Time) -> impl Iterator<Item = ContainerCounts> {
    (0..minutes).flat_map(move |ago| {
        let start =
            bucket_start(now, TYPE_BUCKET).before(TYPE_BUCKET * u32::try_from(ago).unwrap());
        TYPES.map(|kind| {
            let success = |n: u64| (start + Duration::from_secs(n), format!("{kind}#g:{ago}-{n}"));
            let latest = (0..10).map(success).collect();
            let bucket = Bucket { counts: counters(), latest, ..Bucket::default() };
            sum(format!("type:{kind}"), start, bucket)
        })
    })
}

/// Calls of the shared dependency in the last hour.
fn calls(now: Time) -> impl Iterator<Item = ContainerCounts> {
    let names = ["ok", "failed", "slow", "throttled", "first", "retries", "writes", "l4", "l9"];
    let counts: BTreeMap<String, u64> = names.map(str::to_owned).into_iter().zip(5..).collect();
    (0..360).map(move |ago| {
        let start = bucket_start(now, BUCKET).before(BUCKET * ago);
        let bucket = Bucket { counts: counts.clone(), ..Bucket::default() };
        sum("rebrandly".to_owned(), start, bucket)
    })
}

/// What the sweeper has seen at this time.
fn observation(at: Time) -> String {
    let queue = |name: &&str| {
        let seen = json!({ "visible": 120, "in_flight": 16, "delayed": 4, "concurrency": 8 });
        (format!("scale-{name}"), seen)
    };
    let queues: BTreeMap<String, Value> = SOURCES.iter().map(queue).collect();
    let kind = |name: &str| {
        let seen = json!({
            "succeeded": 65, "retried": 4, "deferred": 2, "parked": 9, "dead": 1, "p50_s": 4.5,
            "p95_s": 41.0, "oldest_s": 75, "states": { "queued": 100, "waiting": 100, "dead": 100 },
            "more": true,
        });
        (name.to_owned(), seen)
    };
    let dependency = |name: String| {
        let seen =
            json!({ "breaker": "closed", "parked": 20, "calls": 64, "failed": 3, "p95_ms": 900 });
        (name, seen)
    };
    let types: BTreeMap<String, Value> = TYPES.into_iter().map(kind).collect();
    let mut dependencies: BTreeMap<String, Value> = hosts().map(dependency).collect();
    let open =
        json!({ "breaker": "open", "parked": 3_000, "more": true, "calls": 12, "failed": 12 });
    dependencies.insert("rebrandly".to_owned(), open);
    json!({
        "at": at.as_millis(), "queues": queues, "types": types, "dependencies": dependencies,
        "running": 40, "stuck": 0, "states_at": at.as_millis(),
        "states": { "succeeded": 94_000, "parked": 4_000, "dead": 1_000 },
        "forecasts": [{ "what": "grows", "about": "scale-url-shortening", "evidence": "120, 90" }],
    })
    .to_string()
}

/// An observation of each minute.
fn history(minutes: u64, now: Time) -> impl Iterator<Item = (NoteKey, String)> {
    (0..minutes).map(move |ago| {
        let at = now.before(Duration::from_mins(ago));
        (NoteKey::new("history", format!("{:015}", at.as_millis())), observation(at))
    })
}

fn hosts() -> impl Iterator<Item = String> {
    (0..HOSTS).map(|host| format!("page/www.dealer-{host}.example"))
}

/// The dependencies that functions have noted.
fn watched(now: Time) -> impl Iterator<Item = (NoteKey, String)> {
    let limits = Limits { closes_with: 2, noted_at: now.as_millis(), ..Limits::default() };
    let text = serde_json::to_string(&limits).unwrap();
    hosts().chain(["rebrandly".to_owned()]).map(move |name| (NoteKey::watched(&name), text.clone()))
}

/// Yesterday and today of each type, of the shared dependency, and of the worst hosts.
fn days(now: Time) -> Vec<(NoteKey, String)> {
    let mut day = Day { hours: 24, ..Day::default() };
    for (name, count) in counters() {
        (0..24).for_each(|hour| day.add(&name, hour, count * 60));
    }
    day.patterns = (0..PATTERNS).map(|number| (fingerprint(number), 7)).collect();
    let whole = serde_json::to_string(&day).unwrap();
    let mut host = Day { hours: 24, ..Day::default() };
    for name in ["calls", "failed", "throttled"] {
        (0..24).for_each(|hour| host.add(name, hour, 9));
    }
    let host = serde_json::to_string(&host).unwrap();
    let mut notes = Vec::new();
    for start in [now, now.before(Duration::from_hours(24))] {
        let mut note = |kind: DayKind, subject: &str, text: &String| {
            let name = format!("{}#{subject}", date(start));
            notes.push((NoteKey::new(kind.note(), name), text.clone()));
        };
        for kind in TYPES {
            note(DayKind::Type, kind, &whole);
        }
        note(DayKind::Dependency, "rebrandly", &whole);
        hosts().for_each(|name| note(DayKind::Host, &name, &host));
    }
    notes
}

fn fingerprint(number: u64) -> String {
    format!("{number:08x}")
}

fn patterns(now: Time) -> impl Iterator<Item = (NoteKey, String)> {
    let sample = "upstream http_503: GET # answered 503: the service is not available";
    let text = json!({ "first_at": now.as_millis(), "last_at": now.as_millis(), "sample": sample });
    let text = text.to_string();
    TYPES.into_iter().flat_map(move |kind| {
        let text = text.clone();
        (0..PATTERNS).map(move |number| {
            let name = format!("{kind}#{}", fingerprint(number));
            (NoteKey::new("pattern", name), text.clone())
        })
    })
}

/// The id of an entry of the operations log.
pub(super) fn operation(number: u64) -> String {
    format!("998199999{number:06}-1f3a5c")
}

fn operation_note(number: u64, now: Time) -> (NoteKey, String) {
    let entry = json!({
        "id": operation(number), "at": now.as_millis(), "state": "done",
        "by": "arn:aws:iam::000000000000:user/operator", "reason": "the service is back",
        "act": { "do": "retry", "on": { "jobs": ["url_shortening#g:dead-1"], "as_of": 0 } },
        "counts": { "done": 1 },
    });
    (NoteKey::new("ops", operation(number)), entry.to_string())
}

fn dead_letters(now: Time) -> impl Iterator<Item = (NoteKey, String)> {
    TYPES.into_iter().flat_map(move |kind| {
        (0..LOGGED).map(move |number| {
            let letter = DeadLetter {
                at: now.as_millis(),
                kind: kind.to_owned(),
                message_id: format!("00000000-0000-4000-8000-{number:012x}"),
                job: Some(format!("{kind}#g:{number}")),
                queue: format!("{QUEUE_PREFIX}{}", kind.replace('_', "-")),
                sent_at: now.before(Duration::from_hours(1)).as_millis(),
                receives: 26,
                outcome: "sent_back".to_owned(),
                reason: "the job has not ended, and has no message".to_owned(),
                rejected: None,
            };
            (DeadLetter::note_key(kind, number), serde_json::to_string(&letter).unwrap())
        })
    })
}

fn rejected(number: u64, now: Time) -> RejectedMessage {
    let queue = format!("{QUEUE_PREFIX}url-shortening");
    let body = format!("not a message, number {number}");
    let rejection = Rejection::new(Flaw::Malformed, "body: expected JSON");
    RejectedMessage::new("url_shortening", &queue, "message", &body, &rejection, now)
}

/// A breaker that refuses calls for the next hours.
pub(super) fn open_breaker(now: Time) -> Breaker {
    let retry_at = now + Duration::from_hours(4);
    let state = State::Open { retry_at, wait: Duration::from_mins(1) };
    let since = now.before(Duration::from_mins(10));
    let why = "52 of 60 calls failed within a minute".to_owned();
    Breaker { generation: 1, state, since, why, down_since: since, ..Breaker::default() }
}
