//! Makes every port call of the operator fail in every way, between the intent and the result.

use evenkeel::{record::Phase, testing::Fault};
use serde_json::Value;

use super::operations::one;
use crate::bench::{Bench, run::MINUTE};

/// The jobs, and what is done to each.
const ACTS: [(&str, &str); 2] = [("retry", "dead"), ("cancel", "waiting")];

fn jobs() -> Bench {
    let bench = Bench::errands();
    bench.put("dead", Phase::Dead { at: bench.now(), why: "attempts spent".into() });
    let due_at = bench.now() + MINUTE * 60;
    bench.put("waiting", Phase::Waiting { run_after: due_at, due_at, why: "http_503".into() });
    bench
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
                let answer = bench.operate(&one(act, name)).await;
                if bench.store.all_notes("ops").is_empty() {
                    assert!(answer.is_err(), "{case}: nothing was logged, so nothing was done");
                    bench.operate(&one(act, name)).await.unwrap();
                }
                // A name without an entry is removed after ten minutes.
                for _ in 0..13 {
                    bench.tick().await;
                    bench.work(MINUTE).await;
                }
                check(&bench, act, &case);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_act_waits_while_the_tables_are_gone_for_minutes() {
    let bench = jobs();
    bench.sweeper_faults.on("replace", Fault::Before);
    let answer = bench.operate(&one("retry", "dead")).await.unwrap();
    assert_eq!((&answer["state"], bench.state("dead")), (&"running".into(), "dead"), "{answer}");
    for _ in 0..3 {
        bench.tick().await;
        bench.work(MINUTE).await;
    }
    bench.sweeper_faults.clear();
    for _ in 0..3 {
        bench.tick().await;
        bench.work(MINUTE).await;
    }
    check(&bench, "retry", "after the outage");
}
