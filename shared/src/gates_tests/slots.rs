//! The slots of a dependency with a rate, which all containers share.

use std::sync::Arc;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_429_slows_the_whole_fleet_down() {
    let mut fleet = Fleet::limited(Some(Rates::each_second(10, 36_000)));
    let (one, other) = (fleet.container(), fleet.container());
    run(&one, None, QUICK).await.unwrap();
    run(&other, Some(Class::Throttled), QUICK).await.unwrap();
    let limiter = fleet.store.limiter(DEPENDENCY).await.unwrap().value;
    assert_eq!(limiter.pace, 700, "{limiter:?}");
    for _ in 0..200 {
        run(&one, None, QUICK).await.unwrap();
    }
    let restored = fleet.store.limiter(DEPENDENCY).await.unwrap().value;
    assert_eq!(restored.pace, 1_000, "successful calls restore the pace");
}

#[tokio::test(start_paused = true)]
async fn containers_share_one_rate() {
    let mut fleet = Fleet::limited(Some(Rates::each_second(10, 36_000)));
    let fleet_of: Vec<Arc<TestGates>> = (0..8).map(|_| Arc::new(fleet.container())).collect();
    let started = fleet.clock.now();
    let mut calls: Vec<Time> = Vec::new();
    while calls.len() < 100 {
        let round = fleet_of.iter().map(async |gates| {
            gates.reserve_ahead(DEPENDENCY, 1, HORIZON).await;
            let at =
                gates.enter(DEPENDENCY, RunKind::First).await.is_ok().then(|| gates.clock.now());
            if at.is_none() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            at
        });
        calls.extend(futures_util::future::join_all(round).await.into_iter().flatten());
    }
    calls.sort_unstable();
    let took = calls[99].since(started);
    assert!((9_000..=11_000).contains(&took.as_millis()), "100 calls at 10 a second: {took:?}");
    for eleven in calls.windows(12) {
        assert!(eleven[11].since(eleven[0]) >= Duration::from_millis(1_000), "{eleven:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_also_stops_runs_that_wait_for_their_slots() {
    let mut fleet = Fleet::limited(Some(Rates::each_second(4, 14_400)));
    let gates = fleet.container();
    gates.reserve_ahead(DEPENDENCY, 6, HORIZON).await;
    let throttled = async {
        let Ok(mut permit) = gates.enter(DEPENDENCY, RunKind::First).await else {
            panic!("the first run has a slot")
        };
        let end = gates.clock.now() + Duration::from_secs(5);
        permit.until(end, end);
        permit.begin().await.unwrap();
        let failure = Failure::new(Class::Throttled, "http_429", "slow down");
        let failure = failure.with_retry_after(Some(Duration::from_secs(30)));
        permit.end(Some(&failure));
        gates.leave(permit, RunEnd::Ended).await;
    };
    let (first, second) = (run(&gates, None, QUICK), run(&gates, None, QUICK));
    let ((), first, second) = tokio::join!(throttled, first, second);
    assert_eq!([first, second], [Err("rate_limit".into()), Err("rate_limit".into())]);
}
