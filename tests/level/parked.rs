//! How long parked jobs of one dealer wait for those of another, from when they are parked.

use super::*;
use crate::bench::run::MINUTE;

/// How long the sweeper may take from its tick to the last of twenty jobs.
const AFTER_A_TICK: Duration = Duration::from_secs(15);

/// Parks `many` jobs of one dealer and twenty of another so long before the next tick, and returns how long those
/// wait, with the schedule running.
async fn waited(many: usize, dealers: [&str; 2], before_the_tick: Duration) -> Duration {
    let bench = Bench::errands_at(RATES);
    bench.note_parked(DEPENDENCY, Some(RATES)).await;
    tokio::time::advance(MINUTE.saturating_sub(before_the_tick)).await;
    let began = bench.now();
    (0..many).for_each(|n| park(&bench, &format!("a-{n}"), dealers[0], false, began));
    let later = began + Duration::from_millis(1);
    (0..20).for_each(|n| park(&bench, &format!("b-{n}"), dealers[1], false, later));
    let all = |bench: &Bench| (0..20).all(|n| ended_at(bench, &format!("b-{n}")).is_some());
    bench.until(all).await;
    bench.now().since(began)
}

#[tokio::test(start_paused = true)]
async fn twenty_parked_jobs_of_one_dealer_wait_for_the_next_tick_and_not_for_those_of_another() {
    for seconds in [1, 30, 44, 59] {
        let before = Duration::from_secs(seconds);
        let took = waited(5_000, ["dealer-a", "dealer-b"], before).await;
        assert!(took <= before + AFTER_A_TICK, "{seconds} s before a tick: {took:?}");
    }
}

/// One chance in sixteen: they are in one list, and go in the order in which they came.
#[tokio::test(start_paused = true)]
async fn two_dealers_of_one_shard_wait_for_each_other_as_long_as_the_rate_takes() {
    let took = waited(1_000, ["dealer-a", "dealer-q"], Duration::from_secs(30)).await;
    let at_the_rate = Duration::from_secs(1_020 / 8);
    assert!(took <= Duration::from_secs(30) + at_the_rate + MINUTE, "{took:?}");
    assert!(took > Duration::from_secs(30) + AFTER_A_TICK, "they are in one shard: {took:?}");
}
