//! When a job ends that never comes to an end by itself.

use std::time::Duration;

use evenkeel::{record::Phase, testing::POLICY};

use crate::bench::{Bench, errands::errand, run::MINUTE};

/// It fails for the second time, and no call of another job has worked: an outage is no attempt.
#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_dependency_says_so() {
    let bench = Bench::errands();
    bench.send(&errand("alone", 20, &["transient"]));
    bench.run_for(Duration::from_secs(10)).await;
    let record = bench.only();
    let (Phase::Waiting { why, .. } | Phase::Parked { why, .. }) = &record.phase else {
        panic!("{record:?}")
    };
    assert!(why.contains("(dependency_down)") && why.contains("as asked"), "{why}");
    assert_eq!(record.counters.attempts, 1);
    assert!(record.counters.defers >= 1, "{record:?}");
}

/// Each of its runs has more to do, for ever.
#[tokio::test(start_paused = true)]
async fn a_job_that_always_has_more_to_do_is_given_up() {
    let bench = Bench::errands();
    let began = bench.now();
    let body = errand("endless", 1_000, &[]);
    bench.send(&body.replace("\"takes_ms\"", "\"steps\":1000000,\"takes_ms\""));
    bench.run_for(POLICY.give_up_after + MINUTE * 5).await;
    let record = bench.only();
    let Phase::Dead { at, why } = &record.phase else { panic!("{record:?}") };
    assert!(why.contains("gave up") && why.contains("more to do"), "{why}");
    let lasted = at.since(began);
    assert!(lasted >= POLICY.give_up_after, "{lasted:?}");
    assert!(lasted <= POLICY.give_up_after + MINUTE * 3, "{lasted:?}");
    assert!(bench.journal.runs("endless") > 30 && bench.sqs.is_empty());
}

/// Its sender's deadline comes while it has more to do: the fallback stands in, and the work goes on.
#[tokio::test(start_paused = true)]
async fn a_job_with_more_to_do_at_its_deadline_goes_on_behind_its_fallback() {
    let bench = Bench::errands();
    let deadline = bench.now() + MINUTE;
    let body = errand("fallback", 1_000, &[]);
    let body = body.replace("\"takes_ms\"", "\"steps\":60,\"takes_ms\"");
    let mut body: serde_json::Value = serde_json::from_str(&body).unwrap();
    body["deadline"] = deadline.to_string().into();
    bench.send(&body.to_string());
    bench.drain().await;
    let record = bench.only();
    let Phase::Succeeded { at, .. } = &record.phase else { panic!("{record:?}") };
    assert!(*at > deadline && bench.journal.runs("fallback") == 61, "{record:?}");
}
