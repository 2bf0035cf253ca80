//! The clean-up after an incident: stuck jobs are reset, failed ones are retried with the corrected
//! code, and expired ones are removed.

use std::time::Duration;

use evenkeel::{base::time::Time, record::Phase};
use serde_json::json;

use super::settle_by_minutes;
use crate::bench::{Bench, errands::key};

#[tokio::test(start_paused = true)]
async fn the_incident_is_cleaned_up() {
    let bench = Bench::errands();
    let now = bench.now();
    for n in 0..23 {
        let why = "attempts spent: conflict (already_exists): Already exists".to_owned();
        bench.put(&format!("failed-{n}"), Phase::Dead { at: now, why });
    }
    bench.put("poison", Phase::Quarantined { at: now, why: "crashed 3 times".into() });
    for n in 0..5 {
        bench.crash(&format!("stuck-{n}"), 0, Duration::from_secs(600)).await;
    }
    for n in 0..10 {
        let result = "\"done\"".to_owned();
        bench.put(&format!("old-{n}"), Phase::Succeeded { at: Time::default(), result });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let retry = |states: &[&str]| {
        let filter = json!({ "type": "errand", "states": states });
        let on = json!({ "filter": filter, "as_of": bench.now().as_millis() });
        json!({ "act": { "do": "retry", "on": on }, "reason": "the code is corrected" })
    };
    let answer = bench.operate(&retry(&[])).await.unwrap();
    assert_eq!((&answer["state"], &answer["counts"]), (&json!("done"), &json!({ "done": 23 })));
    settle_by_minutes(&bench, 3).await;
    for n in 0..23 {
        assert_eq!(bench.state(&format!("failed-{n}")), "succeeded");
    }
    for n in 0..5 {
        assert_eq!(bench.state(&format!("stuck-{n}")), "succeeded");
        assert_eq!(bench.journal.runs(&format!("stuck-{n}")), 1);
    }
    assert_eq!(
        bench.state("poison"),
        "quarantined",
        "a quarantined job is retried only on request"
    );
    assert!(bench.store.records().iter().all(|record| !record.key.contains("old-")));

    let answer = bench.operate(&retry(&["quarantined"])).await.unwrap();
    assert_eq!(answer["counts"], json!({ "done": 1 }), "{answer}");
    settle_by_minutes(&bench, 3).await;
    assert_eq!(bench.state("poison"), "succeeded");
    let record = bench.store.record(&key("poison")).unwrap();
    assert_eq!(record.counters.crashes, 0, "the counter of crashes restarts");
}

#[tokio::test(start_paused = true)]
async fn a_whole_audit_examines_every_record_and_returns_where_it_stopped() {
    let bench = Bench::errands();
    for n in 0..1_200 {
        let result = if n % 100 == 0 { "null" } else { "\"done\"" };
        let at = bench.now();
        bench.put(&format!("j{n}"), Phase::Succeeded { at, result: result.into() });
    }
    let audit = json!({ "command": "audit" });
    let answer = bench.command(&audit).await.unwrap();
    assert_eq!(answer["examined"], 1_200);
    assert_eq!(answer["done"]["audit"]["no_result"], 12);
    assert_eq!(answer["done"]["audit"]["checks"], 1_200, "{answer}");
    assert_eq!(answer["next"], json!(null));
    settle_by_minutes(&bench, 12).await;
    assert_eq!(bench.store.all_notes("finding").len(), 12);
    assert_eq!(bench.journal.runs("j100"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_command_is_refused_with_the_reason() {
    let bench = Bench::errands();
    let ask = async |command| bench.command(&command).await.unwrap_err();
    let unknown = ask(json!({ "command": "explode" })).await;
    assert_eq!(unknown, "command: unknown variant `explode`, expected `audit` or `preview`");
    let field = ask(json!({ "command": "audit", "form": 1 })).await;
    assert!(field.starts_with("command: unknown field `form`"), "{field}");
    let mistyped = ask(json!({ "comand": "retry" })).await;
    assert_eq!(mistyped, "comand: unknown field, expected `command`");
    for call in [json!([]), json!("retry"), json!(null)] {
        let sentence = ask(call.clone()).await;
        assert!(sentence.starts_with("call: expected an object"), "{call}: {sentence}");
    }
    assert_eq!(bench.sweeper_faults.trace().len(), 0, "none of them ran a tick");
    let operators = bench.operate(&json!({ "akt": { "do": "retry" } })).await.unwrap_err();
    assert_eq!(operators, "akt: unknown field, expected `act` or `stop` or `report`");
}
