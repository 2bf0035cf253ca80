//! How many slots the queues of a job type get whose calls are limited.

use evenkeel::dependency::limiter::Rates;
use serde_json::json;

use crate::bench::{Bench, Kind, errands::errand, run::MINUTE};

/// The limits of the template's defaults.
const RATES: Rates = Rates::each_second(8, 18_000);

/// What the rate allows, 8 × 5.5 s ÷ 10, and the two slots that SQS demands for the queue that is idle.
const MOST: u32 = 4 + 2;

/// Errands at these rates beside a type without rates, whose slots could be given away.
fn flooded(jobs: u64) -> Bench {
    let bench = Bench::of(&[Kind::Errands(Some(RATES)), Kind::Pages]);
    for n in 0..jobs {
        bench.send(&errand(&format!("job-{n}"), 300, &[]));
    }
    bench
}

/// The slots of the normal and of the high queue of the errands.
fn slots(bench: &Bench) -> [u32; 2] {
    let all = bench.mappings.all();
    [all["errand"], all["errand-high"]]
}

#[tokio::test(start_paused = true)]
async fn a_flood_gets_no_more_slots_than_its_rate_can_use_from_the_first_tick_on() {
    let bench = flooded(10_000);
    for minute in 0..10 {
        let report = bench.tick().await.unwrap();
        let [normal, high] = slots(&bench);
        assert!(normal + high <= MOST, "minute {minute}: {normal} and {high}");
        assert_eq!(report.done.get("balance"), None, "nothing moves");
        bench.work(MINUTE).await;
    }
    assert!(bench.sqs.next_in(bench.queue()).is_some(), "there was a backlog all the time");
}

/// What an operator has pinned, and what is being changed, counts.
#[tokio::test(start_paused = true)]
async fn slots_that_stay_as_they_are_count_for_the_rate() {
    for is_pinned in [true, false] {
        let bench = flooded(3_000);
        bench.mappings.put("errand", 2);
        if is_pinned {
            let until = (bench.now() + MINUTE * 60).as_millis();
            let act = json!({"do": "pin", "queues": ["errand-high"], "slots": 4, "until": until});
            bench.operate(&json!({"act": act, "reason": "as tested"})).await.unwrap();
        } else {
            bench.mappings.put("errand-high", 4);
            bench.mappings.change("errand-high", true);
        }
        for minute in 0..6 {
            bench.tick().await.unwrap();
            let [normal, high] = slots(&bench);
            let of = format!("pinned: {is_pinned}, minute {minute}: {normal} and {high}");
            assert!(high == 4 && normal + high <= MOST, "{of}");
            bench.work(MINUTE).await;
        }
    }
}
