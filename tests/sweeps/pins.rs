//! Slots that an operator has pinned: balance leaves them alone, puts them back, and takes over at the end.

use serde_json::{Value, json};

use crate::bench::{Bench, errands::errand, run::MINUTE};

/// Sets slots of the normal queue for so many minutes.
async fn pin(bench: &Bench, slots: u32, minutes: u32) -> Value {
    let queue = bench.function().job_type.normal.mapping.clone();
    let until = (bench.now() + MINUTE * minutes).as_millis();
    let act = json!({ "do": "pin", "queues": [queue], "slots": slots, "until": until });
    bench.operate(&json!({ "act": act, "reason": "as tested" })).await.unwrap()
}

/// The state of the entry of the operations log with this id.
fn state(bench: &Bench, id: &Value) -> Value {
    let notes = bench.store.all_notes("ops");
    let (_, text) = notes.iter().find(|(name, _)| name == id.as_str().unwrap()).unwrap();
    serde_json::from_str::<Value>(text).unwrap()["state"].clone()
}

#[tokio::test(start_paused = true)]
async fn pinned_slots_are_kept_until_their_time_and_then_balance_takes_over() {
    let bench = Bench::errands();
    let deployed = bench.mappings.all();
    let pinned = pin(&bench, 3, 10).await;
    assert_eq!((&pinned["state"], &pinned["counts"]), (&json!("running"), &json!({ "pinned": 1 })));
    assert_eq!(bench.mappings.all()["errand"], 3);
    // A backlog for which balance would give the queue more, and a deployment that resets it.
    for n in 0..3_000 {
        bench.send(&errand(&format!("job-{n}"), 10, &[]));
    }
    for minute in 0..5 {
        if minute == 2 {
            bench.mappings.put("errand", deployed["errand"]);
        }
        let report = bench.tick().await.unwrap();
        assert_eq!(report.done["balance"]["pinned"], 1, "{:?}", report.done);
        assert_eq!(bench.mappings.all()["errand"], 3, "minute {minute}");
        let used: u32 = bench.mappings.all().values().sum();
        assert!(used <= deployed.values().sum(), "the others share what it leaves: {used}");
        tokio::time::sleep(MINUTE).await;
    }
    tokio::time::sleep(MINUTE * 6).await;
    for _ in 0..4 {
        bench.tick().await.unwrap();
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(state(&bench, &pinned["id"]), "done");
    assert!(bench.mappings.all()["errand"] > 3, "{:?}", bench.mappings.all());
    assert_eq!(bench.store.all_notes("ops_open"), []);
}

#[tokio::test(start_paused = true)]
async fn a_later_pin_takes_over_and_a_stopped_one_holds_nothing() {
    let bench = Bench::errands();
    bench.configure(|config| config.balance = false);
    let deployed = bench.mappings.all()["errand"];
    let first = pin(&bench, 3, 60).await;
    let second = pin(&bench, 5, 60).await;
    assert_eq!(state(&bench, &first["id"]), "done");
    bench.tick().await.unwrap();
    assert_eq!(bench.mappings.all()["errand"], 5, "also where balance is off");
    let stopped = bench.operate(&json!({ "stop": second["id"] })).await.unwrap();
    assert_eq!(stopped["state"], "stopped");
    let report = bench.tick().await.unwrap();
    assert_eq!(report.done["balance"]["put_back"], 1);
    assert_eq!(bench.mappings.all()["errand"], deployed);
}

#[tokio::test(start_paused = true)]
async fn a_pin_needs_slots_that_sqs_takes_a_time_and_a_reason() {
    let bench = Bench::errands();
    let until = (bench.now() + MINUTE).as_millis();
    let act = |slots: u32, until: u64| json!({ "do": "pin", "queues": ["errand"], "slots": slots, "until": until });
    for (act, reason, expected) in [
        (act(1, until), "x", "slots: 1, expected 2 to 1000"),
        (act(4, 7), "x", "until: 7, expected milliseconds"),
        (act(4, until), "", "reason: missing"),
    ] {
        let error = bench.operate(&json!({ "act": act, "reason": reason })).await.unwrap_err();
        assert!(error.starts_with(expected), "{act}: {error}");
    }
}
