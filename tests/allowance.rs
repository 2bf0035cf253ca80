//! The monthly allowance for links: `url_shortening` in the whole engine, with several containers, lost answers, and
//! the turn of the month.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::{
        quota::{Quota, TURN, Usage},
        stats::{COUNT_SHARDS, ContainerCounts},
    },
    ports::{Control as _, Swapped},
    record::{Phase, Record, outcomes::QUOTA_WARNED},
    testing::Fault as PortFault,
};
use sandbox::{Fault, FaultKind, Method, Scope, SettingsChange, Target};
use serde_json::{Value, json};
use url_shortening::{
    POLICY, TYPE,
    result::{Shortened, Via},
};

use crate::bench::{Bench, Kind, run::MINUTE, third_parties::preload};

const DAY: Duration = Duration::from_hours(24);
const CAR: &str = "https://www.acme.example/new/car";

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

async fn go_to(bench: &Bench, time: Time) {
    tokio::time::advance(time.since(bench.now())).await;
}

/// A bench in the month that began on this day, in which so many links of the allowance are used.
async fn in_month(begin: Time, quota: Quota, used: u32) -> Bench {
    let bench = Bench::of(&[Kind::ShorteningWithin(quota)]);
    go_to(&bench, begin + DAY).await;
    let usage = Usage { month: begin, used, ..Usage::default() };
    let written = bench.store.swap_quota(POLICY.dependency, quota.what, &usage, 0).await;
    assert_eq!(written, Ok(Swapped::Yes));
    bench
}

/// From now on, the account refuses more links than so many, which opens the breaker: a wire that must not be touched.
async fn plan(bench: &Bench, links: u64) {
    let plan = SettingsChange { plan_limit: Some(links), ..SettingsChange::default() };
    bench.control().change_settings(&plan).await.unwrap();
}

const fn links(most: u32) -> Quota {
    Quota { what: "creations", most, month_begins: 1 }
}

async fn in_january(most: u32, used: u32) -> Bench {
    in_month(at("2026-01-01T00:00:00Z"), links(most), used).await
}

/// Sends a message about a car, with these fields in the payload besides.
fn ask(bench: &Bench, car: u32, destination: &str, more: &Value) {
    let vin = format!("1HGCM82633A{car:06}");
    let mut payload = json!({"destination": destination, "dealer_slug": "acme", "vin": vin});
    for (name, value) in more.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    bench.send(&json!({"version": 1, "type": TYPE, "payload": payload}).to_string());
}

fn address(car: u32) -> String {
    format!("{CAR}/{car}")
}

fn ask_for(bench: &Bench, cars: std::ops::Range<u32>) {
    cars.for_each(|car| ask(bench, car, &address(car), &json!({})));
}

fn record(bench: &Bench, destination: &str) -> Record {
    let of = |record: &Record| record.work.payload.contains(&format!("\"{destination}\""));
    bench.store.records().into_iter().find(of).unwrap()
}

fn via(bench: &Bench, destination: &str) -> Via {
    let record = record(bench, destination);
    let Phase::Succeeded { result, .. } = &record.phase else { panic!("{record:?}") };
    serde_json::from_str::<Shortened>(result).unwrap().via
}

fn count(bench: &Bench, state: &str) -> usize {
    bench.store.records().iter().filter(|record| record.phase.name() == state).count()
}

async fn usage(bench: &Bench) -> Usage {
    bench.store.quota(POLICY.dependency, "creations").await.unwrap().value
}

/// The warnings of the whole fleet.
async fn warnings(bench: &Bench) -> u64 {
    let subject = ContainerCounts::subject(TYPE);
    let counts = bench.store.buckets(&subject, COUNT_SHARDS, Time::default()).await.unwrap();
    counts.iter().map(|(_, bucket)| bucket.count(QUOTA_WARNED)).sum()
}

#[tokio::test(start_paused = true)]
async fn at_four_fifths_there_is_one_warning() {
    let bench = in_january(100, 60).await;
    plan(&bench, 40).await;
    ask_for(&bench, 0..19);
    bench.drain().await;
    assert_eq!((usage(&bench).await.used, warnings(&bench).await), (79, 0));
    ask_for(&bench, 19..20);
    bench.drain().await;
    assert_eq!((usage(&bench).await.used, warnings(&bench).await), (80, 1));
    ask_for(&bench, 20..40);
    bench.drain().await;
    assert_eq!((usage(&bench).await.used, warnings(&bench).await), (100, 1));
    assert_eq!((bench.links().await.len(), count(&bench, "succeeded")), (40, 40));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_the_allowance_only_creations_wait() {
    let bench = in_january(100, 90).await;
    bench.control().preload(&[preload("acme-000500", &address(500))]).await.unwrap();
    plan(&bench, 11).await;
    ask_for(&bench, 0..1);
    bench.drain().await;
    ask_for(&bench, 1..40);
    bench.run_for(MINUTE * 2).await;
    assert_eq!((usage(&bench).await.used, count(&bench, "parked")), (100, 30));
    assert_eq!(bench.links().await.len(), 11);
    for record in bench.store.records().iter().filter(|record| record.phase.name() == "parked") {
        assert_eq!(record.work.dependency, "rebrandly/creations");
        assert_eq!(record.due_entry().unwrap().partition, "parked#rebrandly/creations#0");
    }

    let posts = async || {
        let calls = bench.control().calls().await.unwrap();
        calls.iter().filter(|call| call.method == "POST").count()
    };
    let before = posts().await;
    ask_for(&bench, 500..501);
    ask(&bench, 0, CAR, &json!({"as_of": bench.now().as_millis()}));
    bench.run_for(MINUTE).await;
    assert_eq!(via(&bench, &address(500)), Via::Adopted);
    assert_eq!(via(&bench, CAR), Via::Updated);
    assert_eq!(posts().await - before, 1, "only the update");
    assert_eq!(usage(&bench).await.used, 100);
}

/// Containers reserve blocks and give back what they do not use. What one has reserved while another looked, the jobs
/// find at their next look, a day later.
#[tokio::test(start_paused = true)]
async fn several_containers_make_no_more_than_the_allowance_and_lose_nothing_of_it() {
    let bench = in_january(2_000, 1_700).await;
    plan(&bench, 300).await;
    ask_for(&bench, 0..400);
    bench.run_for(MINUTE * 5).await;
    let made = bench.links().await.len();
    assert!((280..=300).contains(&made), "{made}");
    assert_eq!(usage(&bench).await.used, 1_700 + u32::try_from(made).unwrap());
    tokio::time::advance(DAY).await;
    bench.run_for(MINUTE * 10).await;
    assert_eq!(bench.links().await.len(), 300);
    assert_eq!((usage(&bench).await.used, count(&bench, "parked")), (2_000, 100));
    assert!(bench.store.breaker(POLICY.dependency).await.unwrap().value.generation == 0);
}

/// Lets the next `POST` fail like this.
async fn fail(bench: &Bench, status: u16, after_work: bool) {
    let on = Target { method: Some(Method::Post), ..Target::default() };
    let (kind, scope) = (FaultKind::status(status), Scope::calls(1));
    bench.control().add_fault(&Fault { kind, on, scope, after_work }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_counts_once_the_link_is_found_and_a_refusal_does_not_count() {
    // The link was made: the second try finds it, and gives back its own unit.
    for (status, after_work, made, used) in
        [(502, true, Via::Adopted, 1), (429, false, Via::Created, 1)]
    {
        let bench = in_january(100, 0).await;
        fail(&bench, status, after_work).await;
        ask_for(&bench, 0..1);
        bench.drain().await;
        assert_eq!((via(&bench, &address(0)), usage(&bench).await.used), (made, used), "{status}");
        assert_eq!(bench.links().await.len(), 1);
    }
    // Nobody knows that nothing was made.
    let bench = in_january(100, 0).await;
    fail(&bench, 503, false).await;
    ask_for(&bench, 0..1);
    bench.drain().await;
    assert_eq!((via(&bench, &address(0)), usage(&bench).await.used), (Via::Created, 2));
}

#[tokio::test(start_paused = true)]
async fn no_fault_of_a_port_makes_more_than_is_counted() {
    let scene = async |fault: Option<(usize, PortFault)>| {
        let bench = in_january(100, 99).await;
        let before = bench.faults.calls().len();
        if let Some((number, fault)) = fault {
            bench.faults.at(before + number, before + number, fault);
        }
        ask_for(&bench, 0..2);
        bench.run_for(MINUTE * 10).await;
        let made = u32::try_from(bench.links().await.len()).unwrap();
        let used = usage(&bench).await.used;
        assert!(99 + made <= used && used <= 100, "{fault:?}: {made} made, {used} used");
        // A process that dies loses its block; a write of unknown outcome is looked at again.
        let may_lose = [PortFault::DieBefore, PortFault::DieAfter, PortFault::Hang];
        let loses = fault.is_some_and(|(_, fault)| may_lose.contains(&fault));
        assert!(made == 1 || loses, "{fault:?}");
        bench.faults.calls().split_off(before)
    };
    let calls = scene(None).await;
    for call in ["quota", "swap_quota"] {
        assert!(calls.contains(&call), "{calls:?}");
    }
    for number in 0..calls.len() {
        for fault in PortFault::ALL {
            scene(Some((number, fault))).await;
        }
    }
}

/// The time of the jobs stands still: they wait for longer than they would be tried otherwise.
#[tokio::test(start_paused = true)]
async fn at_the_turn_of_the_month_what_has_waited_is_made() {
    for (day, begin, end) in [
        (1, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        (15, "2026-01-15T00:00:00Z", "2026-02-15T00:00:00Z"),
        (1, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
    ] {
        let (begin, end) = (at(begin), at(end));
        let bench = in_month(begin, Quota { month_begins: day, ..links(100) }, 100).await;
        ask_for(&bench, 0..30);
        bench.run_for(MINUTE * 2).await;
        assert_eq!((count(&bench, "parked"), bench.links().await.len()), (30, 0), "{end}");
        assert!(end.since(bench.now()) > POLICY.give_up_after);
        go_to(&bench, end.before(MINUTE * 5)).await;
        bench.run_for(MINUTE * 5).await;
        assert_eq!((count(&bench, "dead"), bench.links().await.len()), (0, 0), "{end}");
        // The service is down at that very time, for longer than a job's failures would be borne if it was old.
        let down = Fault {
            kind: FaultKind::status(401),
            on: Target::default(),
            scope: Scope::share(1.0, 0),
            after_work: false,
        };
        bench.control().add_fault(&down).await.unwrap();
        bench.run_for(Duration::from_hours(1)).await;
        bench.control().clear_faults().await.unwrap();
        bench.drain().await;
        let made = bench.links().await;
        assert_eq!((made.len(), count(&bench, "succeeded")), (30, 30), "{end}");
        let first = made.iter().map(|link| link.created_at_ms).min().unwrap();
        assert!(Time::from_millis(first) >= end + TURN, "{end}");
        let usage = usage(&bench).await;
        assert_eq!((usage.month, usage.used, usage.warned), (end, 30, false));
        for record in bench.store.records() {
            assert_eq!(record.work.dependency, POLICY.dependency);
            let paused = Duration::from_millis(record.counters.paused_ms);
            let waited = end.since(record.work.created_at);
            assert!(paused + MINUTE >= waited && paused <= waited + MINUTE * 5, "{paused:?}");
        }
    }
}

/// Nobody waits for the next month without an address.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_first_gets_the_long_address_and_the_link_later() {
    let bench = in_january(100, 100).await;
    let deadline = bench.now() + Duration::from_hours(2);
    let payload = json!({"destination": CAR, "dealer_slug": "acme", "vin": "1HGCM82633A004352"});
    let body = json!({
        "version": 1, "type": TYPE, "payload": payload, "deadline": deadline.to_string(),
    });
    bench.send(&body.to_string());
    bench.run_for(Duration::from_hours(3)).await;
    let record = bench.only();
    assert_eq!((record.phase.name(), record.provisional.is_some()), ("parked", true), "{record:?}");
    go_to(&bench, at("2026-02-01T00:00:00Z")).await;
    bench.drain().await;
    assert_eq!(via(&bench, CAR), Via::Created);
}
