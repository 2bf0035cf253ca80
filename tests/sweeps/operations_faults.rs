//! Makes every port call of the operator fail in every way, between the intent and the result.

use std::time::Duration;

use evenkeel::{record::Phase, testing::Fault};
use serde_json::{Value, json};

use super::operations::{entry, minutes, one};
use crate::bench::{Bench, run::MINUTE};

/// 5 s, less what start-up and the way to the caller take.
const IN_TIME: Duration = Duration::from_millis(4_500);

/// The jobs, and what is done to each.
const ACTS: [(&str, &str); 2] = [("retry", "dead"), ("cancel", "waiting")];

fn jobs() -> Bench {
    let bench = Bench::errands();
    bench.put("dead", Phase::Dead { at: bench.now(), why: "attempts spent".into() });
    let due_at = bench.now() + MINUTE * 60;
    bench.put("waiting", Phase::Waiting { run_after: due_at, due_at, why: "http_503".into() });
    bench
}

/// Calls the operator. It has answered in time, or its process has died.
async fn operate(bench: &Bench, request: &Value, case: &str) -> Result<Value, String> {
    let began = bench.now();
    let answer = bench.operate(request).await;
    let took = bench.now().since(began);
    assert!(took <= IN_TIME, "{case}: answered after {took:?}");
    answer
}

fn check(bench: &Bench, act: &str, case: &str) {
    let (states, runs) = match act {
        "retry" => (["succeeded", "waiting"], 1),
        _ => (["dead", "cancelled"], 0),
    };
    assert_eq!(["dead", "waiting"].map(|name| bench.state(name)), states, "{case}");
    assert_eq!(bench.journal.runs("dead"), runs, "{case}: it runs once");
    let entries = bench.store.all_notes("ops");
    let [(_, text)] = entries.as_slice() else { panic!("{case}: one entry: {entries:?}") };
    let entry: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&entry["state"], &entry["counts"]["done"]), (&"done".into(), &1.into()), "{case}");
    assert_eq!(bench.store.all_notes("ops_open"), [], "{case}: nothing is open");
}

#[tokio::test(start_paused = true)]
async fn an_act_that_fails_at_any_call_is_done_once_by_later_ticks() {
    for (act, name) in ACTS {
        let calls = {
            let bench = jobs();
            bench.operate(&one(act, name)).await.unwrap();
            bench.sweeper_faults.calls()
        };
        assert!(calls.len() >= 7, "{calls:?}");
        for (number, call) in calls.iter().enumerate() {
            for fault in Fault::ALL {
                let case = format!("{act}: {fault:?} at call {number}, {call}");
                let bench = jobs();
                bench.sweeper_faults.at(number, number, fault);
                let answer = operate(&bench, &one(act, name), &case).await;
                if bench.store.all_notes("ops").is_empty() {
                    assert!(answer.is_err(), "{case}: nothing was logged, so nothing was done");
                    bench.operate(&one(act, name)).await.unwrap();
                }
                // A name without an entry is removed after ten minutes.
                minutes(&bench, 13).await;
                check(&bench, act, &case);
            }
        }
    }
}

/// Slow calls add up. The answer does not wait for them, and names what goes on.
#[tokio::test(start_paused = true)]
async fn an_act_whose_calls_are_all_slow_is_answered_in_time_and_done_once_by_later_ticks() {
    for (act, name) in ACTS {
        for late_ms in [200, 900, 1_300, 2_400] {
            let case = format!("{act}: each call is {late_ms} ms late");
            let bench = jobs();
            bench.sweeper_faults.at(0, usize::MAX, Fault::Late(Duration::from_millis(late_ms)));
            let answer = operate(&bench, &one(act, name), &case).await;
            bench.sweeper_faults.clear();
            let entries = bench.store.all_notes("ops");
            let [(id, _)] = entries.as_slice() else { panic!("{case}: one entry: {entries:?}") };
            match answer {
                Ok(entry) => assert_eq!(entry["id"], id.as_str(), "{case}"),
                // Two calls write the entry, and the second one's answer comes too late.
                Err(why) => assert!(late_ms == 2_400 && why.contains(id.as_str()), "{case}: {why}"),
            }
            minutes(&bench, 5).await;
            check(&bench, act, &case);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_an_act_or_only_reads_is_answered_in_time_too() {
    let late = |ms| Fault::Late(Duration::from_millis(ms));
    for fault in [Fault::Hang, late(1_300), late(2_400)] {
        let bench = jobs();
        let submit = json!({ "act": { "do": "note", "what": "submit" } });
        let noted = bench.operate(&submit).await.unwrap();
        bench.sweeper_faults.on("replace", Fault::Before);
        let running = bench.operate(&one("retry", "dead")).await.unwrap();
        bench.sweeper_faults.clear();
        assert_eq!((&noted["state"], &running["state"]), (&"intent".into(), &"running".into()));
        let as_of = bench.now().as_millis();
        let on = [
            json!({ "jobs": ["errand#g:dead"] }),
            json!({ "filter": { "type": "errand" }, "as_of": as_of }),
        ];
        let previews = on.map(|on| json!({ "act": { "do": "retry", "on": on }, "dry_run": true }));
        let ends =
            [json!({ "report": noted["id"], "state": "done" }), json!({ "stop": running["id"] })];
        bench.sweeper_faults.at(0, usize::MAX, fault);
        for request in ends.iter().chain(&previews).chain([&json!({})]) {
            let case = format!("{fault:?}: {request}");
            if let Err(why) = operate(&bench, request, &case).await {
                assert!(why.starts_with("unavailable: "), "{case}: {why}");
            }
        }
        bench.sweeper_faults.clear();
        if fault == Fault::Hang {
            // Nothing has taken effect, and the callers ask again.
            for request in &ends {
                bench.operate(request).await.unwrap();
            }
        }
        minutes(&bench, 1).await;
        let states = [&noted, &running].map(|of| entry(&bench, &of["id"])["state"].clone());
        assert_eq!(states, ["done", "stopped"], "{fault:?}");
        assert_eq!(bench.store.all_notes("ops_open"), [], "{fault:?}: nothing is open");
        assert_eq!(bench.state("dead"), "dead", "{fault:?}: it was stopped");
    }
}

#[tokio::test(start_paused = true)]
async fn an_act_waits_while_the_tables_are_gone_for_minutes() {
    let bench = jobs();
    bench.sweeper_faults.on("replace", Fault::Before);
    let answer = operate(&bench, &one("retry", "dead"), "no record can be written").await.unwrap();
    assert_eq!((&answer["state"], bench.state("dead")), (&"running".into(), "dead"), "{answer}");
    minutes(&bench, 3).await;
    bench.sweeper_faults.clear();
    minutes(&bench, 3).await;
    check(&bench, "retry", "after the outage");
}
