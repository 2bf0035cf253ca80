//! A refusal with a code that nobody knows.

use evenkeel::testing::LogLines;

use super::*;

/// If it were taken for the jobs' own fault, each job of a feed would die of it.
#[tokio::test(start_paused = true)]
async fn a_403_with_an_unknown_code_parks_all_jobs_with_one_alarm_and_ends_none() {
    let lines = LogLines::default();
    let _collecting = lines.collect();
    let bench = Bench::of(&[Kind::SHORTENING]);
    let body = r#"{"code":"Forbidden","message":"not today"}"#.to_owned();
    let refused = CannedAnswer { status: 403, body: Some(body), ..CannedAnswer::default() };
    let fault = Fault {
        kind: FaultKind::Status(refused),
        on: Target::default(),
        scope: Scope::share(1.0, 0),
        after_work: false,
    };
    bench.control().add_fault(&fault).await.unwrap();
    for n in 0..20 {
        bench.send(&shortening(&format!("{n:017}"), &format!("{CAR}/{n}")));
    }
    bench.run_for(MINUTE * 10).await;
    let records = bench.store.records();
    assert_eq!(records.len(), 20);
    for record in &records {
        assert_eq!((record.phase.name(), record.counters.attempts), ("parked", 0), "{record:?}");
    }
    let text = lines.text();
    let alarms: Vec<&str> =
        text.lines().filter(|line| line.contains(r#""outcome":"alarm""#)).collect();
    let [alarm] = alarms[..] else { panic!("{alarms:#?}") };
    assert!(alarm.contains(r#""code":"systemic""#) && alarm.contains("http_403"), "{alarm}");
    bench.control().clear_faults().await.unwrap();
    bench.drain().await;
    let done = bench.store.all(|record| record.phase.name() == "succeeded");
    assert!(done, "{:?}", bench.store.records());
}
