//! Scenarios of the whole system: job types, the sweeper and the third parties, with what is sent and
//! what fails laid out in time. Each is played twice, the second time on another thread, and must take
//! the same course.

use std::{collections::BTreeMap, thread, time::Duration};

use evenkeel::{
    dependency::limiter::Rates,
    message::OutgoingMessage,
    testing::{
        EntryOutcome, Fault, PartitionLimits, TableHabits, containers::FunctionSettings,
        mapping::MappingSettings, sqs::Habits,
    },
};
use sandbox::{FaultKind, Scope, Service, SettingsChange, Target};
use serde_json::json;

use crate::bench::{
    Bench, Kind,
    errands::{errand, key},
    jobs::shortening_queue,
    run::MINUTE,
    scenario::{Happens, Must, Outcome, Scenario},
    third_parties::shortening,
};

/// The rates that the function keeps, and those that the service enforces.
const RATES: Rates = Rates::each_second(8, 18_000);
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

/// Calls to the third parties take this long.
fn slow_calls(ms: u64) -> SettingsChange {
    SettingsChange { latency_ms: Some(ms), ..SettingsChange::default() }
}

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
        (second(898), Happens::ThirdPartyChanges(slow_calls(3_000))),
        (second(901), Happens::ProcessesDie),
        (second(902), Happens::ThirdPartyChanges(slow_calls(30))),
    ]);
    Scenario { happens, most: SENT_OVER + MINUTE * 10, must: MUST.to_vec() }
}

/// Plays what `play` plays here and on another thread, and compares the two outcomes.
async fn played_twice(play: impl AsyncFn() -> Outcome + Copy + Send + 'static) -> Outcome {
    let outcome = play().await;
    let other = thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(play())
    });
    let again = other.join().unwrap();
    for (one, other) in outcome.trace.iter().zip(&again.trace) {
        let differ = one.iter().zip(other).find(|(one, other)| one != other);
        assert_eq!(differ, None, "the first port calls that differ");
    }
    assert!(outcome == again, "{outcome:?}, and then {again:?}");
    outcome
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_survive_twenty_bad_minutes() {
    let outcome = played_twice(async || {
        let bench = Bench::of(&[Kind::Shortening(RATES), Kind::Feeds, Kind::Pages]);
        bench.play(&twenty_minutes()).await
    });
    let outcome = outcome.await;
    assert_eq!(outcome.records.len(), usize::try_from(JOBS).unwrap());
    assert!(outcome.took + second(2) >= SENT_OVER, "{outcome:?}");
    let crashes: u32 = outcome.records.iter().map(|record| record.counters.crashes).sum();
    let failed = outcome.calls.iter().filter(|call| call.status == Some(503)).count();
    assert!(failed > 0 && crashes >= 2, "{failed} calls failed, {crashes} crashes: {outcome:?}");
    assert!(outcome.units.writes > 2_000, "{outcome:?}");
}

/// A small account, badly served: few containers that start slowly, throttled partitions, batches
/// whose entries fail one by one, expired items removed at once, and a sweeper whose calls fail.
#[tokio::test(start_paused = true)]
async fn a_small_account_with_throttles_everywhere_loses_nothing() {
    use EntryOutcome::{Applied, InDoubt, Refused, Throttled};
    fn slow(mapping: &mut MappingSettings) {
        mapping.scales_up = true;
        mapping.window = Duration::from_secs(2);
    }
    fn few(settings: FunctionSettings) -> FunctionSettings {
        let cold_start = Duration::from_millis(400);
        FunctionSettings { concurrency: Some(2), cold_start, idle: Some(MINUTE), ..settings }
    }
    let outcome = played_twice(async || {
        let mut happens: Vec<(Duration, Happens)> =
            (0..300).map(|n| (second(u64::from(n) / 2), send(n, n % 5))).collect();
        let expires = Some(Duration::ZERO);
        let habits = TableHabits { removes_expired_after: expires, ..TableHabits::default() };
        let limits = PartitionLimits { writes: 2, reads: 6 };
        let each = [Applied, InDoubt, Throttled, Applied, InDoubt].repeat(6);
        happens.extend([
            (second(0), Happens::FunctionsChange(few)),
            (second(0), Happens::TablesBehave(habits)),
            (second(20), Happens::EntriesEnd("insert", each.clone())),
            (second(20), Happens::EntriesEnd("settle", each)),
            (second(40), Happens::EntriesEnd("settle", vec![Refused; 3])),
            (second(60), Happens::PartitionsAreLimited(Some(limits))),
            (second(180), Happens::PartitionsAreLimited(None)),
            (second(60), Happens::SweeperPortFails("replace", Fault::AnswerLost)),
            (second(200), Happens::SweeperPortsRecover),
        ]);
        let must = vec![every_job_succeeded, no_message_is_left, each_destination_has_one_link];
        let scenario = Scenario { happens, most: MINUTE * 30, must };
        Bench::with_mappings(&[Kind::Shortening(RATES)], slow).play(&scenario).await
    });
    let outcome = outcome.await;
    assert_eq!(outcome.records.len(), 300);
}

/// One dealer sends 600 slow jobs, and then twenty others send one each.
#[tokio::test(start_paused = true)]
async fn in_a_fair_queue_a_flood_of_one_group_delays_no_other() {
    /// How many of the flood's jobs ended before the last of the others.
    async fn overtaken(is_fair: bool) -> usize {
        let bench = Bench::errands();
        bench.sqs.behave(Habits { is_fair, ..Habits::default() }, 1);
        let send = |name: String, group: String| {
            let message = OutgoingMessage::new(errand(&name, 2_000, &[]), None, Some(group));
            bench.sqs.send_to(bench.queue(), message);
        };
        (0..600).for_each(|n| send(format!("flood-{n}"), "loud".into()));
        bench.run_for(second(1)).await;
        (0..20).for_each(|n| send(format!("other-{n}"), format!("quiet-{n}")));
        bench.drain().await;
        let ended = |name: String| {
            let record = bench.store.record(&key(&name)).unwrap();
            record.phase.ended_at().unwrap()
        };
        let last = (0..20).map(|n| ended(format!("other-{n}"))).max().unwrap();
        (0..600).filter(|n| ended(format!("flood-{n}")) < last).count()
    }
    let (fair, unfair) = (overtaken(true).await, overtaken(false).await);
    assert!(fair <= 200 && unfair >= 550, "{fair} of the flood came first, {unfair} otherwise");
}

/// A key that is revoked and rotated an hour later, and a plan that is full for a while.
#[tokio::test(start_paused = true)]
async fn a_revoked_key_and_a_full_plan_cost_time_and_no_job() {
    let outcome = played_twice(async || {
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
        let scenario = Scenario { happens, most: MINUTE * 120, must: MUST.to_vec() };
        Bench::of(&[Kind::SHORTENING]).play(&scenario).await
    });
    let outcome = outcome.await;
    let attempts: u32 = outcome.records.iter().map(|record| record.counters.attempts).sum();
    assert_eq!((outcome.records.len(), attempts), (60, 60), "neither spends an attempt");
}

/// A feed creates pages and links, and their functions run beside its own.
#[tokio::test(start_paused = true)]
async fn a_feed_its_pages_and_its_links_are_done_by_their_own_functions() {
    let outcome = played_twice(async || {
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
        bench.play(&Scenario { happens, most: MINUTE * 10, must }).await
    });
    let outcome = outcome.await;
    let of = |kind: &str| outcome.records.iter().filter(|record| record.kind() == kind).count();
    let kinds = ["dealer_com_feed", "product_detail_scraping", "url_shortening"].map(of);
    assert_eq!((kinds, outcome.links.len()), ([1, 60, 60], 60));
}
