//! The operators' function: what people do to jobs, gates and queues, and what the sweeper carries on.

use std::time::Duration;

use evenkeel::{
    dependency::breaker::State,
    ports::{Control as _, notes::NoteKey},
    record::{Phase, Record},
};
use serde_json::{Value, json};

use super::settle_by_minutes;
use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand, key},
    run::MINUTE,
};

const BY: &str = "arn:aws:iam::123456789012:user/operator";

/// A request about one job.
pub(super) fn one(act: &str, name: &str) -> Value {
    let on = json!({ "jobs": [key(name)] });
    json!({ "act": { "do": act, "on": on }, "by": BY, "reason": "as tested" })
}

fn bulk(act: &str, filter: &Value, as_of: u64) -> Value {
    let on = json!({ "filter": filter, "as_of": as_of });
    json!({ "act": { "do": act, "on": on }, "by": BY, "reason": "as tested" })
}

fn set(bench: &Bench, act: &Value) -> impl Future<Output = Value> {
    let request = json!({ "act": act, "by": BY, "reason": "as tested" });
    async move { bench.operate(&request).await.unwrap() }
}

fn dead(bench: &Bench, name: &str) -> Record {
    bench.put(name, Phase::Dead { at: bench.now(), why: "attempts spent".into() })
}

/// Lets minutes pass, each beginning with a tick.
pub(super) async fn minutes(bench: &Bench, count: usize) {
    for _ in 0..count {
        bench.tick().await;
        bench.work(MINUTE).await;
    }
}

/// The entry of the operations log with this id.
pub(super) fn entry(bench: &Bench, id: &Value) -> Value {
    let notes = bench.store.all_notes("ops");
    let found = notes.iter().find(|(name, _)| name == id.as_str().unwrap());
    serde_json::from_str(&found.unwrap().1).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_job_is_retried_cancelled_or_reset_and_its_journal_says_so() {
    let bench = Bench::errands();
    dead(&bench, "dead");
    bench.put("done", Phase::Succeeded { at: bench.now(), result: "\"done\"".into() });
    bench.park("parked", bench.now() + MINUTE * 60);
    for (act, name) in [("retry", "dead"), ("reset", "done"), ("cancel", "parked")] {
        let answer = bench.operate(&one(act, name)).await.unwrap();
        assert_eq!(answer["state"], "done", "{answer}");
        assert_eq!(answer["counts"], json!({ "done": 1 }), "{answer}");
        assert_eq!((&answer["by"], &answer["reason"]), (&json!(BY), &json!("as tested")));
        assert_eq!(entry(&bench, &answer["id"]), answer, "the log has what was answered");
        let record = bench.store.record(&key(name)).unwrap();
        assert_eq!(record.journal[0].what, format!("{act}: as tested"));
    }
    assert_eq!(bench.state("parked"), "cancelled");
    settle_by_minutes(&bench, 3).await;
    for (name, state, runs) in
        [("dead", "succeeded", 1), ("done", "succeeded", 1), ("parked", "cancelled", 0)]
    {
        assert_eq!((bench.state(name), bench.journal.runs(name)), (state, runs), "{name}");
        let record = bench.store.record(&key(name)).unwrap();
        assert_eq!(record.journal.len(), 1, "{name}: a run leaves the journal alone");
    }
    let refused = bench.operate(&one("retry", "done")).await.unwrap();
    assert_eq!(refused["counts"], json!({ "succeeded": 1 }));
    let absent = bench.operate(&one("cancel", "nobody")).await.unwrap();
    assert_eq!((&absent["state"], &absent["counts"]), (&json!("done"), &json!({ "absent": 1 })));
    assert_eq!(bench.store.all_notes("ops_open"), [], "nothing is open");
}

/// A sender's message that is older than the cancellation is acknowledged, and a later one starts the job anew.
#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ignores_its_message_and_hears_a_later_one() {
    let bench = Bench::errands();
    bench.send(&errand("job", 10, &["transient", "ok"]));
    bench.poll().await;
    assert_eq!(bench.state("job"), "waiting");
    bench.operate(&one("cancel", "job")).await.unwrap();
    settle_by_minutes(&bench, 3).await;
    assert_eq!((bench.state("job"), bench.journal.runs("job")), ("cancelled", 1));
    tokio::time::advance(MINUTE).await;
    bench.send(&errand("job", 10, &["transient", "ok"]));
    settle_by_minutes(&bench, 5).await;
    assert_eq!(bench.state("job"), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_running_job_is_cancelled_at_its_end_unless_it_succeeds() {
    for (ends, state) in [(&[] as &[&str], "succeeded"), (&["transient"][..], "cancelled")] {
        let bench = Bench::errands();
        bench.send(&errand("job", 2_000, ends));
        let (_, answer) = tokio::join!(bench.poll(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            bench.operate(&one("cancel", "job")).await.unwrap()
        });
        assert_eq!(answer["state"], "running", "{answer}");
        assert_eq!(answer["pending"], json!([key("job")]));
        bench.tick().await.unwrap();
        assert_eq!(bench.state("job"), state);
        let entry = entry(&bench, &answer["id"]);
        assert_eq!(entry["state"], "done", "{entry}");
        let runs = bench.journal.runs("job");
        settle_by_minutes(&bench, 3).await;
        assert_eq!(bench.journal.runs("job"), runs, "{state}: it does not run again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_act_hits_what_was_shown_at_the_pace_of_the_limiter() {
    let bench = Bench::errands();
    for n in 0..900 {
        dead(&bench, &format!("old-{n}"));
    }
    tokio::time::advance(MINUTE).await;
    let filter = json!({ "type": "errand" });
    let mut preview = bulk("retry", &filter, 0);
    preview["dry_run"] = true.into();
    let shown = bench.operate(&preview).await.unwrap();
    assert_eq!((&shown["count"], &shown["more"]), (&json!(900), &json!(false)), "{shown}");
    assert_eq!(
        (shown["samples"].as_array().unwrap().len(), &shown["takes_ms"]),
        (5, &json!(90_000))
    );
    assert_eq!(bench.store.all_notes("ops"), [], "a preview is no act");
    tokio::time::advance(MINUTE).await;
    dead(&bench, "later");
    let request = bulk("retry", &filter, shown["as_of"].as_u64().unwrap());
    let answer = bench.operate(&request).await.unwrap();
    assert_eq!(answer["state"], "running", "{answer}");
    let done = answer["counts"]["done"].as_u64().unwrap();
    assert!((500..=620).contains(&done), "a minute at ten a second: {done}");
    minutes(&bench, 4).await;
    let entry = entry(&bench, &answer["id"]);
    assert_eq!((&entry["state"], &entry["counts"]), (&json!("done"), &json!({ "done": 900 })));
    assert!((0..900).all(|n| bench.journal.runs(&format!("old-{n}")) == 1));
    assert_eq!(bench.state("later"), "dead", "it was not shown");
}

/// Jobs with one deadline are due at the same time, and those of one message group share a partition of the index.
#[tokio::test(start_paused = true)]
async fn a_bulk_act_leaves_out_none_of_many_jobs_that_are_due_at_the_same_time() {
    const JOBS: usize = 550;
    let bench = Bench::errands();
    let due_at = bench.now() + MINUTE * 60;
    (0..JOBS).for_each(|n| drop(bench.park(&format!("job-{n}"), due_at)));
    let filter = json!({ "type": "errand", "states": ["parked"], "dependency": DEPENDENCY });
    let mut preview = bulk("cancel", &filter, 0);
    preview["dry_run"] = true.into();
    let shown = bench.operate(&preview).await.unwrap();
    assert_eq!((&shown["count"], &shown["more"]), (&json!(JOBS), &json!(false)), "{shown}");
    let ahead = bulk("cancel", &filter, (bench.now() + MINUTE).as_millis());
    let refused = bench.operate(&ahead).await.unwrap_err();
    assert!(refused.starts_with("as_of: "), "{refused}");
    bench.operate(&bulk("cancel", &filter, shown["as_of"].as_u64().unwrap())).await.unwrap();
    minutes(&bench, 2).await;
    assert!((0..JOBS).all(|n| bench.state(&format!("job-{n}")) == "cancelled"));
}

#[tokio::test(start_paused = true)]
async fn a_bulk_act_that_is_stopped_keeps_what_is_done_and_does_no_more() {
    let bench = Bench::errands();
    for n in 0..900 {
        dead(&bench, &format!("job-{n}"));
    }
    tokio::time::advance(MINUTE).await;
    let request = bulk("retry", &json!({ "type": "errand" }), bench.now().as_millis());
    let answer = bench.operate(&request).await.unwrap();
    let stopped = bench.operate(&json!({ "stop": answer["id"] })).await.unwrap();
    assert_eq!(stopped["state"], "stopped");
    minutes(&bench, 4).await;
    let left = (0..900).filter(|n| bench.state(&format!("job-{n}")) == "dead").count() as u64;
    assert_eq!(left, 900 - stopped["counts"]["done"].as_u64().unwrap());
    let again = bench.operate(&json!({ "stop": answer["id"] })).await.unwrap();
    assert_eq!(again["state"], "stopped");
    let unknown = bench.operate(&json!({ "stop": "x" })).await.unwrap_err();
    assert!(unknown.starts_with("stop: \"x\", expected the id"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn every_open_act_has_its_turn_however_many_there_are() {
    let bench = Bench::errands();
    for n in 0..1_500 {
        // Of calls that died before they did anything.
        let key = NoteKey::new("ops_open", format!("{n:04}"));
        let until = bench.now() + MINUTE * 600;
        bench.store.put_note(&key, r#"{"at":0}"#, until).await.unwrap();
    }
    minutes(&bench, 2).await;
    assert_eq!(bench.store.all_notes("ops_open"), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_does_is_noted_before_and_reported_after() {
    let bench = Bench::errands();
    let note = json!({ "do": "note", "what": "submit", "about": "40 messages" });
    let noted = set(&bench, &note).await;
    assert_eq!(noted["state"], "intent");
    minutes(&bench, 2).await;
    let stop = bench.operate(&json!({ "stop": noted["id"] })).await.unwrap_err();
    assert!(stop.contains("done by its caller"), "{stop}");
    let report = |id: &Value| json!({ "report": id, "state": "done", "counts": { "sent": 40 } });
    let ended = bench.operate(&report(&noted["id"])).await.unwrap();
    assert_eq!((&ended["state"], &ended["counts"]), (&json!("done"), &json!({ "sent": 40 })));
    assert_eq!(entry(&bench, &noted["id"]), ended);
    assert_eq!(bench.store.all_notes("ops_open"), []);
    let forgotten = set(&bench, &note).await;
    tokio::time::advance(MINUTE * 1_441).await;
    minutes(&bench, 1).await;
    assert_eq!(entry(&bench, &forgotten["id"])["state"], "failed");
    let mut retry = json!({ "act": { "do": "retry", "on": { "jobs": [key("a")] } } });
    retry = bench.operate(&retry).await.unwrap();
    let refused = bench.operate(&report(&retry["id"])).await.unwrap_err();
    assert!(refused.ends_with("not by a caller"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_filter_selects_by_state_class_and_group() {
    let bench = Bench::errands();
    let mut other = bench.record("other", Phase::Dead { at: bench.now(), why: "x".into() });
    other.work.group = Some("mesa".into());
    bench.store.put(&other);
    dead(&bench, "acme");
    tokio::time::advance(MINUTE).await;
    let as_of = bench.now().as_millis();
    let filter = json!({ "type": "errand", "group": "mesa" });
    let answer = bench.operate(&bulk("reset", &filter, as_of)).await.unwrap();
    assert_eq!(answer["counts"], json!({ "done": 1 }));
    assert_eq!((bench.state("other"), bench.state("acme")), ("waiting", "dead"));
    let filter = json!({ "type": "errand", "class": "systemic" });
    let none = bench.operate(&bulk("retry", &filter, as_of)).await.unwrap();
    assert_eq!(none["counts"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_forced_for_a_time_and_a_limiter_is_stopped() {
    let bench = Bench::errands();
    let until = (bench.now() + MINUTE * 10).as_millis();
    let act = json!({ "do": "breaker", "dependency": DEPENDENCY, "set": "open", "until": until });
    assert_eq!(set(&bench, &act).await["state"], "done");
    let breaker = bench.store.breaker(DEPENDENCY).await.unwrap().value;
    assert_eq!(breaker.state.name(), "forced_open");
    assert!(breaker.why.starts_with("as tested (operation "), "{}", breaker.why);
    let act = json!({ "do": "breaker", "dependency": DEPENDENCY, "set": "auto" });
    set(&bench, &act).await;
    let breaker = bench.store.breaker(DEPENDENCY).await.unwrap().value;
    assert_eq!(breaker.state, State::Closed);
    let act = json!({ "do": "limiter", "name": DEPENDENCY, "pace": 500, "stop_until": until });
    set(&bench, &act).await;
    let limiter = bench.store.limiter(DEPENDENCY).await.unwrap().value;
    assert_eq!((limiter.pace, limiter.next_us), (500, until * 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_at_its_time_by_a_tick() {
    let bench = Bench::errands();
    let queue = bench.function().job_type.normal.mapping.clone();
    let until = |minutes| (bench.now() + MINUTE * minutes).as_millis();
    let pause =
        |minutes| json!({ "do": "pause", "queues": [queue.as_str()], "until": until(minutes) });
    let paused = set(&bench, &pause(5)).await;
    assert_eq!((&paused["state"], bench.mappings.is_paused(&queue)), (&json!("running"), true));
    bench.send(&errand("job", 10, &[]));
    bench.run_for(MINUTE * 4).await;
    assert_eq!(bench.state("job"), "none", "nothing is delivered");
    let stop = bench.operate(&json!({ "stop": paused["id"] })).await.unwrap_err();
    assert!(stop.contains("queues resume"), "{stop}");
    bench.run_for(MINUTE * 3).await;
    assert!(!bench.mappings.is_paused(&queue));
    assert_eq!(bench.state("job"), "succeeded");
    assert_eq!(entry(&bench, &paused["id"])["state"], "done");
    // A later pause takes over from an earlier one, which then ends nothing.
    let first = set(&bench, &pause(2)).await;
    set(&bench, &pause(30)).await;
    assert_eq!(entry(&bench, &first["id"])["state"], "done");
    bench.run_for(MINUTE * 5).await;
    assert!(bench.mappings.is_paused(&queue));
    set(&bench, &json!({ "do": "resume", "queues": [queue.as_str()] })).await;
    assert!(!bench.mappings.is_paused(&queue));
    assert_eq!(bench.store.all_notes("ops_open"), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_request_is_named() {
    let bench = Bench::errands();
    let now = bench.now().as_millis();
    let filter = json!({ "type": "errand" });
    let mut unreasoned = bulk("retry", &filter, now);
    unreasoned["reason"] = "".into();
    let parked = json!({ "type": "errand", "states": ["succeeded"] });
    for (request, expected) in [
        (json!({ "act": { "do": "explode" } }), "request: unknown variant `explode`"),
        (bulk("retry", &filter, 0), "as_of: missing; expected the as_of of the preview"),
        (unreasoned, "reason: missing; expected why"),
        (bulk("retry", &json!({ "type": "parcel" }), now), "type: \"parcel\", expected one of"),
        (bulk("retry", &parked, now), "states: \"succeeded\", expected some of queued"),
        (
            json!({ "act": { "do": "retry", "on": {} }, "reason": "x" }),
            "on: expected either jobs or a filter",
        ),
        (
            json!({ "act": { "do": "breaker", "dependency": "d", "set": "open" }, "reason": "x" }),
            "until: missing; expected when it ends",
        ),
        (
            json!({ "act": { "do": "pause", "queues": ["x"], "until": now + 9 }, "reason": "x" }),
            "queues: \"x\", expected some of errand",
        ),
        (
            json!({ "act": { "do": "limiter", "name": "d", "pace": 5 }, "reason": "x" }),
            "pace: expected 100 to 1000 thousandths",
        ),
    ] {
        let error = bench.operate(&request).await.unwrap_err();
        assert!(error.starts_with(expected), "{request}: {error}");
    }
    let latest = bench.operate(&json!({})).await.unwrap();
    assert_eq!(latest, json!({ "ops": [] }), "nothing was logged");
}
