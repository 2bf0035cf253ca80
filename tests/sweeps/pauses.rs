//! Pauses that two processes change at the same time: the later wish holds.

use std::time::Duration;

use evenkeel::{
    ports::maintenance::MappingMaintenance as _,
    testing::{CallSite, Fault},
};
use serde_json::{Value, json};

use crate::bench::{Bench, run::MINUTE};

const SECOND: Duration = Duration::from_secs(1);

fn queue(bench: &Bench) -> String {
    bench.function().job_type.normal.mapping.clone()
}

async fn pause(bench: &Bench, minutes: u32) -> Value {
    let until = (bench.now() + MINUTE * minutes).as_millis();
    let act = json!({ "do": "pause", "queues": [queue(bench)], "until": until });
    bench.operate(&json!({ "act": act, "reason": "as tested" })).await.unwrap()
}

async fn resume(bench: &Bench) -> Value {
    let act = json!({ "do": "resume", "queues": [queue(bench)] });
    bench.operate(&json!({ "act": act, "reason": "as tested" })).await.unwrap()
}

/// Sets slots of the queue of high priority.
async fn pin(bench: &Bench, minutes: u32) -> Value {
    let queue = bench.function().job_type.high.mapping.clone();
    let until = (bench.now() + MINUTE * minutes).as_millis();
    let act = json!({ "do": "pin", "queues": [queue], "slots": 3, "until": until });
    bench.operate(&json!({ "act": act, "reason": "as tested" })).await.unwrap()
}

/// Freezes each process that begins to change a mapping within the next second.
fn freeze_changes(bench: &Bench, span: Duration) {
    let soon = bench.now() + SECOND;
    bench.sweeper_faults.decide(move |call: &CallSite| {
        let is_struck = call.name == "set_enabled" && call.at < soon;
        is_struck.then_some(Fault::Freeze(span))
    });
}

/// The process that ends the pause has read that its time is over, and is about to resume the queue, when an operator
/// prolongs the pause.
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_prolonged_while_a_tick_ends_it_holds() {
    for (frozen, state) in [(SECOND * 2, "paused"), (SECOND * 10, "later")] {
        let bench = Bench::errands();
        pause(&bench, 2).await;
        tokio::time::advance(MINUTE * 2 + SECOND).await;
        freeze_changes(&bench, frozen);
        let (report, prolonged) = tokio::join!(bench.tick(), async {
            tokio::time::sleep(SECOND + Duration::from_millis(100)).await;
            pause(&bench, 30).await
        });
        assert!(report.is_some(), "{state}: the tick goes on once it thaws");
        let is_begun = prolonged["counts"]["paused"] == 1;
        assert_eq!(is_begun, state == "paused", "{frozen:?}: {prolonged}");
        assert_eq!(prolonged["state"], "running", "{frozen:?}: {prolonged}");
        bench.run_for(MINUTE * 5).await;
        assert!(bench.mappings.is_paused(&queue(&bench)), "{frozen:?}: it delivers again");
        bench.run_for(MINUTE * 30).await;
        assert!(!bench.mappings.is_paused(&queue(&bench)), "{frozen:?}: it ends at its new time");
        assert_eq!(bench.store.all_notes("ops_open"), []);
    }
}

/// Two operators at once: what the log says in the end is what the mapping does.
#[tokio::test(start_paused = true)]
async fn a_pause_beside_a_resume_is_open_only_if_the_queue_is_paused() {
    let bench = Bench::errands();
    pause(&bench, 60).await;
    freeze_changes(&bench, SECOND * 2);
    let (resumed, paused) = tokio::join!(resume(&bench), async {
        tokio::time::sleep(SECOND + Duration::from_millis(100)).await;
        pause(&bench, 30).await
    });
    assert_eq!(resumed["state"], "done", "{resumed}");
    assert_eq!(paused["counts"]["paused"], 1, "{paused}");
    bench.run_for(MINUTE * 3).await;
    assert!(bench.mappings.is_paused(&queue(&bench)));
    assert_eq!(bench.store.all_notes("ops_open").len(), 1);
}

/// The later act begins at any moment of the tick that ends the earlier one, while every call takes a tenth of a second.
#[tokio::test(start_paused = true)]
async fn what_is_prolonged_at_any_moment_of_the_tick_that_ends_it_holds() {
    for offset in (0..8_000).step_by(250).map(Duration::from_millis) {
        let bench = Bench::errands();
        pause(&bench, 2).await;
        pin(&bench, 2).await;
        tokio::time::advance(MINUTE * 2 + SECOND).await;
        bench.sweeper_faults.slow(Duration::from_millis(100));
        tokio::join!(bench.tick(), async {
            tokio::time::sleep(offset).await;
            tokio::join!(pause(&bench, 30), pin(&bench, 30));
        });
        bench.sweeper_faults.slow(Duration::ZERO);
        bench.run_for(MINUTE * 4).await;
        assert!(bench.mappings.is_paused(&queue(&bench)), "{offset:?}: it delivers again");
        assert_eq!(bench.mappings.all()[&bench.function().job_type.high.mapping], 3, "{offset:?}");
        assert_eq!(bench.store.all_notes("ops_open").len(), 2, "{offset:?}: both are open");
    }
}

/// The queue's mapping is gone, so that nothing can end its pause.
#[tokio::test(start_paused = true)]
async fn a_pause_that_cannot_be_ended_has_failed_a_week_after_its_time() {
    let bench = Bench::errands();
    let paused = pause(&bench, 5).await;
    bench.sweeper_faults.on("set_enabled", Fault::Broken);
    let entry = |bench: &Bench| {
        let (_, text) = bench.store.all_notes("ops").remove(0);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    for span in [MINUTE * 6, MINUTE * (7 * 24 * 60 - 2)] {
        tokio::time::advance(span).await;
        bench.tick().await.unwrap();
        assert_eq!(
            (&entry(&bench)["id"], &entry(&bench)["state"]),
            (&paused["id"], &"running".into())
        );
    }
    tokio::time::advance(MINUTE * 2).await;
    bench.tick().await.unwrap();
    let entry = entry(&bench);
    assert_eq!(entry["state"], "failed", "{entry}");
    let why = entry["why"].as_str().unwrap();
    assert!(why.starts_with("not ended within seven days of its time: "), "{why}");
    assert!(why.ends_with("set_enabled: access denied"), "{why}");
    assert_eq!(bench.store.all_notes("ops_open"), []);
}

/// The sweeper was away for longer than an act may stay open.
#[tokio::test(start_paused = true)]
async fn a_pause_ends_however_late_the_tick_is() {
    let bench = Bench::errands();
    pause(&bench, 5).await;
    tokio::time::advance(MINUTE * (20 * 24 * 60)).await;
    bench.tick().await.unwrap();
    assert!(!bench.mappings.is_paused(&queue(&bench)));
    assert_eq!(bench.store.all_notes("ops_open"), []);
}

/// The value of a metric in the last tick; 0 if it was not told.
fn last(bench: &Bench, name: &str) -> u64 {
    let told = bench.told.borrow();
    let at = told.iter().map(|line| line.at).max();
    let of_tick = told.iter().filter(|line| Some(line.at) == at);
    let mut numbers = of_tick.flat_map(|line| &line.numbers);
    numbers.find(|(found, ..)| found == name).map_or(0, |(_, value, _)| *value)
}

/// Within its time a pause is meant. One by hand, or one that cannot be ended at its time, somebody has forgotten.
#[tokio::test(start_paused = true)]
async fn a_pause_is_told_beyond_its_time_and_not_within() {
    let bench = Bench::errands();
    let tick = async |bench: &Bench| {
        tokio::time::advance(MINUTE).await;
        bench.tick().await.unwrap();
        last(bench, "OverduePauses")
    };
    bench.mappings.set_enabled(&queue(&bench), false).await.unwrap();
    assert_eq!(tick(&bench).await, 1, "nobody ends a pause by hand");
    pause(&bench, 10).await;
    assert_eq!(tick(&bench).await, 0, "the operator's pause has an end");
    bench.sweeper_faults.decide(|call| (call.name == "set_enabled").then_some(Fault::Broken));
    for minute in 3..=9 {
        assert_eq!(tick(&bench).await, 0, "minute {minute}");
    }
    tokio::time::advance(MINUTE * 3).await;
    assert_eq!(tick(&bench).await, 1, "it is over, and could not be ended");
    bench.sweeper_faults.decide(|_| None);
    resume(&bench).await;
    assert_eq!(tick(&bench).await, 0);
}

#[tokio::test(start_paused = true)]
async fn balance_is_told_after_a_day_without_it() {
    let bench = Bench::errands();
    bench.configure(|config| config.balance = false);
    let mut told = Vec::new();
    for hours in [0, 12, 11, 2, 12] {
        tokio::time::advance(MINUTE * 60 * hours).await;
        bench.tick().await.unwrap();
        told.push(last(&bench, "OverduePauses"));
    }
    assert_eq!(told, [0, 0, 0, 1, 1]);
    bench.configure(|config| config.balance = true);
    tokio::time::advance(MINUTE).await;
    bench.tick().await.unwrap();
    assert_eq!(last(&bench, "OverduePauses"), 0);
    bench.configure(|config| config.balance = false);
    tokio::time::advance(MINUTE).await;
    bench.tick().await.unwrap();
    assert_eq!(last(&bench, "OverduePauses"), 0, "its day begins anew");
}
