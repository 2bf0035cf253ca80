//! Scenarios of the whole system: every job type, the sweeper and the third parties, with what is sent
//! and what fails laid out in time.

use std::{collections::BTreeMap, thread, time::Duration};

use evenkeel::{
    dependency::limiter::Rates,
    message::OutgoingMessage,
    testing::{Fault, TableHabits, sqs::Habits},
};
use sandbox::{FaultKind, Scope, Service, SettingsChange, Target};
use serde_json::json;

use crate::bench::{
    Bench, Kind,
    jobs::shortening_queue,
    run::MINUTE,
    scenario::{Happens, Must, Outcome, Scenario},
    third_parties::shortening,
};

/// The rates that the function keeps, and those that the service enforces.
const RATES: Rates = Rates { per_second: 8, per_hour: 18_000 };
const ENFORCED: [u32; 2] = [10, 20_000];

/// Messages that the scenario sends, and the time over which it sends them.
const JOBS: u32 = 1_000;
const SENT_OVER: Duration = Duration::from_mins(20);

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn body(n: u32) -> String {
    shortening(&format!("1HGCM82633A{n:06}"), &format!("https://www.acme.example/car/{n}"))
}

fn send(n: u32, dealer: u32) -> Happens {
    let group = Some(format!("dealer-{dealer}"));
    Happens::Send(shortening_queue(), OutgoingMessage::new(body(n), None, group))
}

fn every_job_succeeded(outcome: &Outcome) -> Result<(), String> {
    let others = outcome.records.iter().filter(|record| record.phase.name() != "succeeded");
    let others: Vec<_> = others.map(|record| (&record.key, &record.phase)).take(5).collect();
    if others.is_empty() { Ok(()) } else { Err(format!("not succeeded: {others:?}")) }
}

fn no_message_is_left(outcome: &Outcome) -> Result<(), String> {
    let left: usize = outcome.messages.values().map(Vec::len).sum();
    if left == 0 { Ok(()) } else { Err(format!("{left} messages are left")) }
}

fn each_destination_has_one_link(outcome: &Outcome) -> Result<(), String> {
    let mut links = BTreeMap::<&str, u32>::new();
    for link in &outcome.links {
        *links.entry(&link.destination).or_default() += 1;
    }
    let twice: Vec<_> = links.iter().filter(|(_, count)| **count > 1).collect();
    match (links.len(), twice.is_empty()) {
        (found, true) if found == outcome.records.len() => Ok(()),
        (found, _) => Err(format!("{found} destinations have links, more than one: {twice:?}")),
    }
}

fn the_service_throttles_nobody(outcome: &Outcome) -> Result<(), String> {
    let throttled = outcome.calls.iter().filter(|call| call.status == Some(429)).count();
    if throttled == 0 { Ok(()) } else { Err(format!("{throttled} calls were throttled")) }
}

const MUST: [Must; 4] = [
    every_job_succeeded,
    no_message_is_left,
    each_destination_has_one_link,
    the_service_throttles_nobody,
];

/// A thousand jobs over twenty minutes, while everything around them misbehaves: the queues shuffle,
/// repeat and refuse, the index lags, the service goes down for three minutes, reads lag behind
/// writes, processes die, and the control table fails for a while.
fn twenty_minutes() -> Scenario {
    let mut happens: Vec<(Duration, Happens)> =
        (0..JOBS).map(|n| (SENT_OVER * n / JOBS, send(n, n % 7))).collect();
    let down = sandbox::Fault {
        kind: FaultKind::status(503),
        on: Target { service: Some(Service::Rebrandly), ..Target::default() },
        scope: Scope::calls(1_000_000),
        after_work: false,
    };
    let habits = Habits {
        shuffles: true,
        is_fair: true,
        delivers_twice: 0.02,
        comes_again: 0.01,
        refuses: 0.01,
    };
    let lag = TableHabits { index_lag: second(2), ..TableHabits::default() };
    let slow_reads = SettingsChange {
        rate_per_second: Some(ENFORCED[0]),
        rate_per_hour: Some(ENFORCED[1]),
        read_lag_ms: Some(1_500),
        ..SettingsChange::default()
    };
    happens.extend([
        (second(0), Happens::QueuesBehave(habits, 7)),
        (second(0), Happens::TablesBehave(lag)),
        (second(0), Happens::ThirdPartyChanges(slow_reads)),
        (second(120), Happens::PortFails("settle", Fault::DieBefore)),
        (second(240), Happens::ThirdPartyFails(down)),
        (second(420), Happens::ThirdPartiesRecover),
        (second(600), Happens::PortFails("swap_limiter", Fault::AnswerLost)),
        (second(620), Happens::PortsRecover),
        (second(700), Happens::PortFails("settle", Fault::DieAfter)),
        (second(800), Happens::PortFails("insert", Fault::DieAfter)),
        (second(900), Happens::ProcessesDie),
    ]);
    Scenario { happens, most: SENT_OVER + MINUTE * 10, must: MUST.to_vec() }
}

async fn play() -> Outcome {
    let bench = Bench::of(&[Kind::Shortening(RATES), Kind::Feeds, Kind::Pages]);
    bench.play(&twenty_minutes()).await
}

/// Runs the scenario on a thread and a runtime of its own.
fn played_on_another_thread() -> Outcome {
    let played = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play())
    });
    played.join().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_survive_twenty_bad_minutes_in_the_same_way_each_time() {
    let outcome = play().await;
    assert_eq!(outcome.records.len(), usize::try_from(JOBS).unwrap());
    assert!(outcome.took + second(2) >= SENT_OVER, "{outcome:?}");
    let crashes: u32 = outcome.records.iter().map(|record| record.counters.crashes).sum();
    let failed = outcome.calls.iter().filter(|call| call.status == Some(503)).count();
    assert!(failed > 0 && crashes >= 2, "{failed} calls failed, {crashes} crashes: {outcome:?}");
    assert!(outcome.units.writes > 2_000, "{outcome:?}");
    let again = played_on_another_thread();
    let [first, second] = [&outcome, &again].map(|outcome| &outcome.trace);
    let differs = first[0].iter().zip(&second[0]).position(|(one, other)| one != other);
    assert_eq!(differs, None, "the calls of the functions differ");
    assert!(outcome == again, "{outcome:?}, and then {again:?}");
}

/// A key that is revoked and rotated an hour later, and a plan that is full for a while.
#[tokio::test(start_paused = true)]
async fn a_revoked_key_and_a_full_plan_cost_time_and_no_job() {
    let full = SettingsChange { plan_limit: Some(20), ..SettingsChange::default() };
    let enough = SettingsChange { plan_limit: Some(10_000), ..SettingsChange::default() };
    let mut happens: Vec<(Duration, Happens)> =
        (0..60).map(|n| (second(u64::from(n) * 10), send(n, n))).collect();
    happens.extend([
        (second(30), Happens::ThirdPartyChanges(full)),
        (second(400), Happens::KeyRotates("revoked".into())),
        (second(900), Happens::ThirdPartyChanges(enough)),
        (second(3_600), Happens::KeyRotates("local-key".into())),
    ]);
    let must = MUST.to_vec();
    let scenario = Scenario { happens, most: MINUTE * 120, must };
    let bench = Bench::of(&[Kind::SHORTENING]);
    let outcome = bench.play(&scenario).await;
    let attempts: u32 = outcome.records.iter().map(|record| record.counters.attempts).sum();
    assert_eq!((outcome.records.len(), attempts), (60, 60), "neither spends an attempt");
}

/// A feed creates pages and links, and their functions run beside its own.
#[tokio::test(start_paused = true)]
async fn a_feed_its_pages_and_its_links_are_done_by_their_own_functions() {
    let bench = Bench::of(&[Kind::Feeds, Kind::Pages, Kind::Shortening(RATES)]);
    let site = sandbox::dealers::SiteSettings { cars: 60, ..Default::default() };
    bench.control().put_site("mesa-motors", &site).await.unwrap();
    let payload = json!({
        "dealer_slug": "mesa-motors",
        "site_url": bench.control().site_origin("mesa-motors"),
        "fan_out": { "scrape": true, "shorten": true },
    });
    let feed = json!({"version": 1, "type": "dealer_com_feed", "id": "f", "payload": payload});
    let message = OutgoingMessage::new(feed.to_string(), None, None);
    let happens = vec![(second(1), Happens::Send(bench.queue().to_owned(), message))];
    let must: Vec<Must> = vec![every_job_succeeded, no_message_is_left];
    let outcome = bench.play(&Scenario { happens, most: MINUTE * 10, must }).await;
    let of = |kind: &str| outcome.records.iter().filter(|record| record.kind() == kind).count();
    let kinds = ["dealer_com_feed", "product_detail_scraping", "url_shortening"].map(of);
    assert_eq!((kinds, outcome.links.len()), ([1, 60, 60], 60));
}
