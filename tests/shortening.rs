//! Runs `url_shortening` in the whole engine against every behaviour of the service.

use std::time::Duration;

use evenkeel::{
    base::time::Clock,
    http::transport,
    message::{
        Purpose, Woken,
        wake::{self, OutgoingMessage},
    },
    ports::notes::{FINDING, Finding},
    record::{Phase, Record},
    testing::ARN,
};
use sandbox::{CannedAnswer, Fault, FaultKind, Method, Sandbox, Scope, SettingsChange, Target};
use url_shortening::job::{Shortened, Via};

use crate::scenario::{Scenario, message, open_sandbox, preload};

const VIN: &str = "1HGCM82633A004352";
const CAR: &str = "https://www.acme.example/new/car";

/// A scenario with one message sent, and a sandbox whose next `calls` calls have this fault.
async fn one_job(kind: FaultKind, calls: u64) -> (Sandbox, Scenario) {
    let sandbox = open_sandbox().await;
    let fault =
        Fault { kind, on: Target::default(), scope: Scope::calls(calls), after_work: false };
    sandbox.client().add_fault(&fault).await.unwrap();
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    scenario.queue.send(&message(VIN, CAR));
    (sandbox, scenario)
}

fn only(scenario: &Scenario) -> Record {
    let records = scenario.store.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap()
}

fn shortened(record: &Record) -> Shortened {
    match &record.phase {
        Phase::Succeeded { result, .. } => serde_json::from_str(result).unwrap(),
        other => panic!("{other:?}: {:?}", record.history),
    }
}

#[tokio::test]
async fn temporary_failures_spend_attempts_and_the_job_succeeds() {
    let page = CannedAnswer { status: 200, html: true, ..CannedAnswer::default() };
    let troubles = [
        (FaultKind::status(500), "http_500"),
        (FaultKind::status(503), "http_503"),
        (FaultKind::Html, "html"),
        (FaultKind::Status(page), "not_json"),
        (FaultKind::Reset, "reset"),
    ];
    for (kind, code) in troubles {
        let (sandbox, scenario) = one_job(kind, 2).await;
        scenario.drain().await;
        let record = only(&scenario);
        assert_eq!(shortened(&record).candidate, 1, "{code}");
        assert_eq!(record.counters.attempts, 3, "{code}");
        let codes: Vec<&str> = record.history.iter().map(|failed| failed.code.as_str()).collect();
        assert_eq!(codes, [code, code]);
        assert_eq!(scenario.links(&sandbox).await.len(), 1, "{code}");
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn a_call_that_hangs_is_cut_off_in_time() {
    let (sandbox, scenario) = one_job(FaultKind::Hang, 1).await;
    scenario.drain().await;
    let record = only(&scenario);
    assert_eq!(record.history[0].code, "timeout");
    assert_eq!(shortened(&record).via, Via::Created);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn the_delay_of_a_429_is_kept_and_spends_no_attempt() {
    for retry_after in [None, Some(40)] {
        let throttled = CannedAnswer { status: 429, retry_after, ..CannedAnswer::default() };
        let (sandbox, scenario) = one_job(FaultKind::Status(throttled), 3).await;
        let sent = scenario.clock.now();
        scenario.drain().await;
        let record = only(&scenario);
        shortened(&record);
        assert_eq!((record.counters.attempts, record.counters.defers), (1, 3));
        let waited = scenario.clock.now().since(sent);
        assert!(waited >= Duration::from_secs(3 * retry_after.unwrap_or(1)), "{waited:?}");
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn a_revoked_key_ends_no_job_and_a_new_key_is_used() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    scenario.keys.rotate("revoked");
    for car in 10..40 {
        scenario.queue.send(&message(&format!("1HGCM82633A0000{car}"), &format!("{CAR}/{car}")));
    }
    let revoked_at = scenario.clock.now();
    while scenario.clock.now().since(revoked_at) < Duration::from_mins(10) {
        assert!(scenario.wait());
        scenario.poll().await;
    }
    let records = scenario.store.records();
    assert_eq!(records.len(), 30);
    for record in &records {
        assert_eq!((record.phase.name(), record.counters.attempts), ("parked", 0), "{record:?}");
    }
    let unauthorised = sandbox.client().call_counts().await.unwrap().of("POST", Some(401));
    assert!(
        (11..=22).contains(&unauthorised),
        "{unauthorised} calls, expected one batch and then only probes"
    );
    scenario.keys.rotate("local-key");
    scenario.drain().await;
    for record in scenario.store.records() {
        assert_eq!((shortened(&record).via, record.counters.attempts), (Via::Created, 1));
    }
    assert_eq!(scenario.links(&sandbox).await.len(), 30);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_plan_limit_parks_the_job_with_the_reason() {
    let sandbox = open_sandbox().await;
    let full = SettingsChange { plan_limit: Some(0), ..SettingsChange::default() };
    sandbox.client().change_settings(&full).await.unwrap();
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    scenario.queue.send(&message(VIN, CAR));
    scenario.poll().await;
    let Phase::Parked { why, .. } = only(&scenario).phase else { panic!("expected a parked job") };
    assert!(why.starts_with("systemic (plan_limit)"), "{why}");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_car_listed_again_keeps_its_link() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    let body = message(VIN, CAR);
    scenario.queue.send(&body);
    scenario.drain().await;
    // The same car with another id and another spelling of the address.
    let again = body.replace("\"type\"", "\"id\":\"again\",\"type\"");
    scenario.queue.send(&again.replace("https://www.acme", "http://ACME"));
    scenario.drain().await;
    let results: Vec<_> = scenario.store.records().iter().map(shortened).collect();
    assert_eq!(results.len(), 2);
    assert_eq!(results[0].link_id, results[1].link_id);
    assert_eq!(scenario.links(&sandbox).await.len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn slashtags_of_other_links_are_skipped_in_order() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    let other = "https://other.example/";
    let taken = [
        preload(&scenario.domain, "ACME-004352", other),
        preload(&scenario.domain, "acme-3a004352", other),
    ];
    sandbox.client().preload(&taken).await.unwrap();
    scenario.queue.send(&message(VIN, CAR));
    scenario.drain().await;
    let result = shortened(&only(&scenario));
    assert_eq!((result.candidate, result.via), (3, Via::Created));
    assert!(result.slashtag.starts_with("acme-004352-"), "{result:?}");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_job_whose_slashtags_are_all_taken_is_dead_with_the_reason() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    let vin = inventory::vin::Vin::parse(VIN).unwrap();
    let chain = inventory::slashtag::candidates("acme", &vin, &CAR.parse().unwrap());
    let taken: Vec<_> =
        chain.iter().map(|tag| preload(&scenario.domain, tag, "https://other.example/")).collect();
    sandbox.client().preload(&taken).await.unwrap();
    scenario.queue.send(&message(VIN, CAR));
    scenario.drain().await;
    let Phase::Dead { why, .. } = only(&scenario).phase else { panic!("expected a dead job") };
    assert!(why.contains("9 slashtags are taken, from acme-004352"), "{why}");
    sandbox.shutdown().await;
}

/// The link was created, the answer was lost, and the service's reads lag behind its writes.
/// Trusting the read would create a second link for the same car.
#[tokio::test]
async fn a_lagging_read_leads_to_no_second_link() {
    let sandbox = open_sandbox().await;
    let lost = Fault {
        kind: FaultKind::status(502),
        on: Target { method: Some(Method::Post), ..Target::default() },
        scope: Scope::calls(1),
        after_work: true,
    };
    sandbox.client().add_fault(&lost).await.unwrap();
    let blind = SettingsChange { read_lag_ms: Some(3_600_000), ..SettingsChange::default() };
    sandbox.client().change_settings(&blind).await.unwrap();
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    scenario.queue.send(&message(VIN, CAR));
    for _ in 0..3 {
        assert!(scenario.wait());
        scenario.poll().await;
    }
    let record = only(&scenario);
    assert_eq!(record.history.last().unwrap().code, "holder_invisible", "{record:?}");
    let seen = SettingsChange { read_lag_ms: Some(0), ..SettingsChange::default() };
    sandbox.client().change_settings(&seen).await.unwrap();
    scenario.drain().await;
    let result = shortened(&only(&scenario));
    assert_eq!((result.candidate, result.via), (1, Via::Adopted));
    assert_eq!(scenario.links(&sandbox).await.len(), 1);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_slashtag_whose_holder_stays_invisible_is_skipped() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    let mut hidden = preload(&scenario.domain, "acme-004352", "https://other.example/");
    hidden.visible = false;
    sandbox.client().preload(&[hidden]).await.unwrap();
    let sent = scenario.clock.now();
    scenario.queue.send(&message(VIN, CAR));
    scenario.drain().await;
    let record = only(&scenario);
    assert_eq!(shortened(&record).candidate, 2);
    let waited = scenario.clock.now().since(sent);
    assert!(
        waited >= Duration::from_secs(20),
        "the read had too little time to catch up: {waited:?}"
    );
    sandbox.shutdown().await;
}

#[tokio::test]
async fn an_outage_of_a_minute_loses_nothing() {
    let sandbox = open_sandbox().await;
    let control = sandbox.client();
    let down = Fault {
        kind: FaultKind::status(503),
        on: Target::default(),
        scope: Scope::calls(1_000_000),
        after_work: false,
    };
    let down = control.add_fault(&down).await.unwrap();
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    for car in 10..40 {
        let vin = format!("1HGCM82633A0000{car}");
        scenario.queue.send(&message(&vin, &format!("{CAR}/{car}")));
    }
    let back = scenario.clock.now() + Duration::from_mins(1);
    while scenario.clock.now() < back {
        assert!(scenario.wait());
        scenario.poll().await;
    }
    control.remove_fault(down).await.unwrap();
    while scenario.wait() {
        scenario.poll().await;
    }
    let records = scenario.store.records();
    assert_eq!(records.len(), 30);
    for record in &records {
        assert_eq!(shortened(record).candidate, 1);
        let waited = record.counters.attempts + record.counters.defers;
        assert!(waited > 1, "the job ran before the outage: {record:?}");
    }
    assert!(scenario.queue.is_empty());
    assert_eq!(scenario.links(&sandbox).await.len(), 30);
    sandbox.shutdown().await;
}

/// Changes or deletes a link as an operator would by hand.
async fn by_hand(sandbox: &Sandbox, method: reqwest::Method, id: &str, body: &str) {
    let request = transport::client()
        .unwrap()
        .request(method, format!("{}/links/{id}", sandbox.api_url()))
        .header("apikey", "local-key")
        .header("content-type", "application/json")
        .body(body.to_owned());
    assert!(request.send().await.unwrap().status().is_success());
}

/// Asks the function to check the results of all jobs, as the audit does.
async fn check(scenario: &Scenario) {
    for record in scenario.store.records() {
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        let message = OutgoingMessage::new(wake::body(&record).unwrap(), Some(woken), None);
        scenario.queue.send_to(ARN, OutgoingMessage { purpose: Purpose::Check, ..message });
    }
    scenario.poll().await;
    assert!(scenario.queue.is_empty(), "the message of a check is acknowledged, whatever it finds");
}

fn findings(scenario: &Scenario) -> Vec<Finding> {
    let notes = scenario.store.all_notes(FINDING).into_iter();
    notes.map(|(_, text)| serde_json::from_str(&text).unwrap()).collect()
}

#[tokio::test]
async fn a_deleted_link_is_created_again_and_a_changed_one_is_reported() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    let vins = ["1HGCM82633A000001", "1HGCM82633A000002", "1HGCM82633A000003"];
    for vin in vins {
        scenario.queue.send(&message(vin, &format!("https://www.acme.example/{vin}")));
    }
    scenario.drain().await;
    let of = |vin: &str| {
        let records = scenario.store.records().into_iter();
        records.into_iter().find(|record| record.work.payload.contains(vin)).unwrap()
    };
    let gone = shortened(&of(vins[0]));
    by_hand(&sandbox, reqwest::Method::DELETE, &gone.link_id, "").await;
    let elsewhere = r#"{"title":"moved","destination":"https://elsewhere.example/"}"#;
    let moved = shortened(&of(vins[1])).link_id;
    by_hand(&sandbox, reqwest::Method::POST, &moved, elsewhere).await;

    check(&scenario).await;
    let found = findings(&scenario);
    assert_eq!(
        found.iter().filter(|finding| finding.repaired).count(),
        0,
        "results younger than an hour are not repaired"
    );
    scenario.clock.advance(Duration::from_hours(2));
    check(&scenario).await;
    let mut found: Vec<(String, bool)> =
        findings(&scenario).into_iter().map(|finding| (finding.what, finding.repaired)).collect();
    found.sort();
    let expected = [("result_changed".to_owned(), false), ("result_lost".to_owned(), true)];
    assert_eq!(found, expected, "the third result is sound");

    let record = of(vins[0]);
    scenario.queue.wake(&wake::body(&record).unwrap(), &record);
    scenario.drain().await;
    let again = shortened(&of(vins[0]));
    assert_ne!(again.slashtag, gone.slashtag, "the slashtag of a deleted link stays reserved");
    let links = scenario.links(&sandbox).await;
    assert!(links.iter().any(|link| link.id == again.link_id), "{links:?}");
    sandbox.shutdown().await;
}

/// The workspace was changed, so that no link is found any more. No link must be created a second
/// time for that reason.
#[tokio::test]
async fn missing_results_are_not_trusted_if_no_check_succeeds() {
    let sandbox = open_sandbox().await;
    let scenario = Scenario::new(&sandbox, &transport::client().unwrap());
    for n in 1..=8 {
        let vin = format!("1HGCM82633A00000{n}");
        scenario.queue.send(&message(&vin, &format!("https://www.acme.example/{n}")));
    }
    scenario.drain().await;
    for link in scenario.links(&sandbox).await {
        by_hand(&sandbox, reqwest::Method::DELETE, &link.id, "").await;
    }
    scenario.clock.advance(Duration::from_hours(2));
    check(&scenario).await;
    let found = findings(&scenario);
    assert_eq!(found.len(), 8);
    assert!(found.iter().all(|finding| finding.what == "result_lost" && !finding.repaired));
    assert!(scenario.store.records().iter().all(|record| record.phase.name() == "succeeded"));
    sandbox.shutdown().await;
}
