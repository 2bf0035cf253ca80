//! Runs `url_shortening` in the whole engine against every behaviour of the service.

mod unknown_refusals;

use std::time::Duration;

use evenkeel::{
    dependency::limiter::Rates,
    record::{Counters, Phase, Record},
};
use sandbox::{CannedAnswer, Fault, FaultKind, Method, Scope, SettingsChange, Target};
use url_shortening::{
    POLICY,
    result::{Shortened, Via},
};

use crate::bench::{
    Bench, Kind,
    run::MINUTE,
    third_parties::{preload, shortening},
};

const VIN: &str = "1HGCM82633A004352";
const CAR: &str = "https://www.acme.example/new/car";

/// A bench with one message sent, whose next `calls` calls to the service have this fault.
async fn one_job(kind: FaultKind, calls: u64) -> Bench {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let fault =
        Fault { kind, on: Target::default(), scope: Scope::calls(calls), after_work: false };
    bench.control().add_fault(&fault).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    bench
}

fn shortened(record: &Record) -> Shortened {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_are_retried_and_the_job_succeeds() {
    let page = CannedAnswer { status: 200, html: true, ..CannedAnswer::default() };
    let troubles = [
        (FaultKind::status(500), "http_500"),
        (FaultKind::status(503), "http_503"),
        (FaultKind::Html, "html"),
        (FaultKind::Status(page), "not_json"),
        (FaultKind::Reset, "reset"),
    ];
    for (kind, code) in troubles {
        let bench = one_job(kind, 2).await;
        bench.drain().await;
        let record = bench.only();
        assert_eq!(shortened(&record).candidate, Some(1), "{code}");
        // The second failure was no attempt: no other job had shown that the service works.
        let Counters { claims, attempts, defers, .. } = record.counters;
        assert_eq!((claims, attempts, defers), (3, 2, 1), "{code}");
        let codes: Vec<&str> = record.history.iter().map(|failed| failed.code.as_str()).collect();
        assert_eq!(codes, [code]);
        assert_eq!(bench.links().await.len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_cut_off_in_time() {
    let bench = one_job(FaultKind::Hang, 1).await;
    bench.drain().await;
    let record = bench.only();
    assert_eq!(record.history[0].code, "timeout");
    assert_eq!(shortened(&record).via, Via::Created);
}

#[tokio::test(start_paused = true)]
async fn the_delay_of_a_429_is_kept_and_spends_no_attempt() {
    for retry_after in [None, Some(40)] {
        let throttled = CannedAnswer { status: 429, retry_after, ..CannedAnswer::default() };
        let bench = one_job(FaultKind::Status(throttled), 3).await;
        let sent = bench.now();
        bench.drain().await;
        let record = bench.only();
        shortened(&record);
        assert_eq!((record.counters.attempts, record.counters.defers), (1, 3));
        let waited = bench.now().since(sent);
        assert!(waited >= Duration::from_secs(3 * retry_after.unwrap_or(1)), "{waited:?}");
    }
}

/// Thirty jobs meet a revoked key. `first` is how many calls there are before any has an answer; all
/// other calls are probes.
async fn revoked_key(first: u64, begin: impl AsyncFn(&Bench)) {
    let bench = Bench::of(&[Kind::SHORTENING]);
    bench.keys.rotate("revoked");
    for car in 10..40 {
        bench.send(&shortening(&format!("1HGCM82633A0000{car}"), &format!("{CAR}/{car}")));
    }
    begin(&bench).await;
    bench.run_for(MINUTE * 10).await;
    let records = bench.store.records();
    assert_eq!(records.len(), 30);
    for record in &records {
        assert_eq!((record.phase.name(), record.counters.attempts), ("parked", 0), "{record:?}");
    }
    let unauthorised = bench.control().call_counts().await.unwrap().of("POST", Some(401));
    let probes = unauthorised - first;
    assert!((1..=12).contains(&probes), "{unauthorised} calls, {first} of them before any answer");
    bench.keys.rotate("local-key");
    bench.drain().await;
    for record in bench.store.records() {
        assert_eq!((shortened(&record).via, record.counters.attempts), (Via::Created, 1));
    }
    assert_eq!(bench.links().await.len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_ends_no_job_and_a_new_key_is_used() {
    // One batch meets it first.
    revoked_key(10, async |bench| drop(bench.poll().await)).await;
    // Three containers receive a batch each at the same time.
    revoked_key(30, async |_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_limit_parks_the_job_with_the_reason() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let full = SettingsChange { plan_limit: Some(0), ..SettingsChange::default() };
    bench.control().change_settings(&full).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    bench.poll().await;
    let Phase::Parked { why, .. } = bench.only().phase else { panic!("expected a parked job") };
    assert!(why.starts_with("systemic (plan_limit)"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_car_listed_again_keeps_its_link() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let body = shortening(VIN, CAR);
    bench.send(&body);
    bench.drain().await;
    // The same car with another id and another spelling of the address.
    let again = body.replace("\"type\"", "\"id\":\"again\",\"type\"");
    bench.send(&again.replace("https://www.acme", "http://ACME"));
    bench.drain().await;
    let results: Vec<_> = bench.store.records().iter().map(shortened).collect();
    assert_eq!(results.len(), 2);
    assert_eq!(results[0].link_id, results[1].link_id);
    assert_eq!(bench.links().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn slashtags_of_other_links_are_skipped_in_order() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let other = "https://other.example/";
    let taken = [preload("ACME-004352", other), preload("acme-3a004352", other)];
    bench.control().preload(&taken).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    bench.drain().await;
    let result = shortened(&bench.only());
    assert_eq!((result.candidate, result.via), (Some(3), Via::Created));
    assert!(result.slashtag.starts_with("acme-004352-"), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_slashtags_are_all_taken_is_dead_with_the_reason() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let vin = inventory::vin::Vin::parse(VIN).unwrap();
    let destination = CAR.parse().unwrap();
    let chain: Vec<String> = inventory::slashtag::candidates("acme", &vin, &destination).collect();
    let taken: Vec<_> = chain.iter().map(|tag| preload(tag, "https://other.example/")).collect();
    bench.control().preload(&taken).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    bench.drain().await;
    let Phase::Dead { why, .. } = bench.only().phase else { panic!("expected a dead job") };
    assert!(why.contains("9 slashtags are taken, from acme-004352"), "{why}");
}

/// The calls of one run are more than its time has slots for.
#[tokio::test(start_paused = true)]
async fn a_long_chain_goes_on_where_the_last_run_stopped() {
    let slow = Rates::each_second(1, 3_600);
    let bench = Bench::of(&[Kind::Shortening(slow)]);
    let vin = inventory::vin::Vin::parse(VIN).unwrap();
    let destination = CAR.parse().unwrap();
    let chain: Vec<String> = inventory::slashtag::candidates("acme", &vin, &destination).collect();
    let (last, others) = chain.split_last().unwrap();
    let taken: Vec<_> = others.iter().map(|tag| preload(tag, "https://other.example/")).collect();
    bench.control().preload(&taken).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    for car in 10..19 {
        bench.send(&shortening(&format!("1HGCM82633A0000{car}"), &format!("{CAR}/{car}")));
    }
    bench.drain().await;
    let records = bench.store.records();
    let record = records.iter().find(|record| record.work.payload.contains(VIN)).unwrap();
    let result = shortened(record);
    assert_eq!((&result.slashtag, result.candidate), (last, Some(chain.len())));
    assert!(record.counters.claims >= 2 && record.counters.attempts == 1, "{record:?}");
    let calls = bench.control().calls().await.unwrap();
    assert_eq!(calls.len(), 9 + 2 * others.len() + 1, "no call is made twice");
}

/// The link was created, the answer was lost, and the service's reads lag behind its writes.
/// Trusting the read would create a second link for the same car.
#[tokio::test(start_paused = true)]
async fn a_lagging_read_leads_to_no_second_link() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let lost = Fault {
        kind: FaultKind::status(502),
        on: Target { method: Some(Method::Post), ..Target::default() },
        scope: Scope::calls(1),
        after_work: true,
    };
    bench.control().add_fault(&lost).await.unwrap();
    let blind = SettingsChange { read_lag_ms: Some(3_600_000), ..SettingsChange::default() };
    bench.control().change_settings(&blind).await.unwrap();
    bench.send(&shortening(VIN, CAR));
    for _ in 0..3 {
        bench.next().await.unwrap();
    }
    let record = bench.only();
    assert_eq!(record.history.last().unwrap().code, "holder_invisible", "{record:?}");
    let seen = SettingsChange { read_lag_ms: Some(0), ..SettingsChange::default() };
    bench.control().change_settings(&seen).await.unwrap();
    bench.drain().await;
    let result = shortened(&bench.only());
    assert_eq!((result.candidate, result.via), (Some(1), Via::Adopted));
    assert_eq!(bench.links().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slashtag_whose_holder_stays_invisible_is_skipped() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let mut hidden = preload("acme-004352", "https://other.example/");
    hidden.visible = false;
    bench.control().preload(&[hidden]).await.unwrap();
    let sent = bench.now();
    bench.send(&shortening(VIN, CAR));
    bench.drain().await;
    let record = bench.only();
    assert_eq!(shortened(&record).candidate, Some(2));
    let waited = bench.now().since(sent);
    assert!(
        waited >= Duration::from_secs(20),
        "the read had too little time to catch up: {waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_minute_loses_nothing() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let control = bench.control();
    let down = Fault {
        kind: FaultKind::status(503),
        on: Target::default(),
        scope: Scope::calls(1_000_000),
        after_work: false,
    };
    let down = control.add_fault(&down).await.unwrap();
    for car in 10..40 {
        let vin = format!("1HGCM82633A0000{car}");
        bench.send(&shortening(&vin, &format!("{CAR}/{car}")));
    }
    bench.run_for(MINUTE).await;
    control.remove_fault(down).await.unwrap();
    bench.drain().await;
    let records = bench.store.records();
    assert_eq!(records.len(), 30);
    for record in &records {
        assert_eq!(shortened(record).candidate, Some(1));
        let waited = record.counters.attempts + record.counters.defers;
        assert!(waited > 1, "the job ran before the outage: {record:?}");
    }
    assert!(bench.sqs.is_empty());
    assert_eq!(bench.links().await.len(), 30);
}

/// The service is down for a day: it refuses, cuts connections, or does not answer. It costs no job its attempts, however
/// few or many there are.
#[tokio::test(start_paused = true)]
async fn a_day_without_the_service_ends_no_job() {
    let days = [(FaultKind::Reset, 1), (FaultKind::Hang, 3), (FaultKind::status(503), 300)];
    for (kind, jobs) in days {
        let bench = Bench::of(&[Kind::SHORTENING]);
        bench.unmetered();
        let how = kind.name();
        let down =
            Fault { kind, on: Target::default(), scope: Scope::share(1.0, 0), after_work: false };
        bench.control().add_fault(&down).await.unwrap();
        for n in 0..jobs {
            bench.send(&shortening(&format!("{n:017}"), &format!("{CAR}/{n}")));
        }
        bench.run_for(Duration::from_hours(24)).await;
        let calls = bench.control().call_counts().await.unwrap().total;
        bench.control().clear_faults().await.unwrap();
        let recovered = bench.now();
        bench.drain().await;
        let records = bench.store.records();
        assert_eq!(records.len(), jobs);
        for record in &records {
            assert_eq!(record.phase.name(), "succeeded", "{how}: {record:?}");
        }
        let took = bench.now().since(recovered);
        assert!(took <= Duration::from_mins(20), "{how}, {jobs} jobs: {took:?} after the outage");
        assert!(calls < 1_000, "{how}, {jobs} jobs: {calls} calls in vain");
    }
}

/// It never comes back: each job ends when its time is over, and not before.
#[tokio::test(start_paused = true)]
async fn a_job_is_given_up_when_its_time_is_over() {
    let bench = one_job(FaultKind::status(503), u64::MAX).await;
    bench.unmetered();
    let began = bench.now();
    let ended = |bench: &Bench| bench.store.all(|record| record.phase.ended_at().is_some());
    bench.run_for(POLICY.give_up_after / 2).await;
    assert!(!ended(&bench), "{:?}", bench.only());
    bench.run_for(POLICY.give_up_after / 2 + Duration::from_hours(1)).await;
    let record = bench.only();
    let Phase::Dead { at, why } = &record.phase else { panic!("{record:?}") };
    let expected = "gave up: deferred (breaker_open): open: a probe failed: transient (http_503): ";
    assert!(why.starts_with(expected), "{why}");
    assert!(at.since(began) >= POLICY.give_up_after);
}

/// A key is revoked in the middle of good work. What worked just before must not be taken for a sign that it works
/// now: then jobs would spend their attempts on the revoked key.
#[tokio::test(start_paused = true)]
async fn a_revoked_key_spends_no_attempt_although_calls_worked_just_before() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    let send = |n: usize| bench.send(&shortening(&format!("{n:017}"), &format!("{CAR}/{n}")));
    (0..20).for_each(send);
    bench.run_for(Duration::from_secs(3)).await;
    let revoked = Fault {
        kind: FaultKind::status(401),
        on: Target::default(),
        scope: Scope::share(1.0, 0),
        after_work: false,
    };
    bench.control().add_fault(&revoked).await.unwrap();
    (20..30).for_each(send);
    bench.run_for(Duration::from_mins(30)).await;
    bench.control().clear_faults().await.unwrap();
    bench.drain().await;
    let records = bench.store.records();
    assert_eq!(records.len(), 30);
    for record in records {
        let seen = (record.phase.name(), record.counters.attempts);
        assert_eq!(seen, ("succeeded", 1), "{record:?}");
    }
}
