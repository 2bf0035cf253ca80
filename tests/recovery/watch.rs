//! For whom the sweeper stays awake after its passes, for how long, and what that costs.

use std::{collections::BTreeSet, future::pending, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
    ports::Control as _,
};
use serde_json::Value;

use super::{open_breaker, recovering, second};
use crate::bench::{Bench, errands::DEPENDENCY, run::MINUTE};

/// Writes the breaker of a dependency, whatever is there.
async fn set(bench: &Bench, dependency: &str, state: State, since: Time) {
    let seen = bench.store.breaker(dependency).await.unwrap();
    let generation = seen.value.generation + 1;
    let breaker = Breaker { generation, state, since, down_since: since, ..Breaker::default() };
    bench.store.swap_breaker(dependency, &breaker, seen.revision).await.unwrap();
}

fn open(retry_at: Time) -> State {
    State::Open { retry_at, wait: second(60) }
}

fn half_open() -> State {
    State::HalfOpen { probes: std::collections::BTreeMap::new(), successes: 0, wait: second(60) }
}

/// How often a sweeper looks within half a minute, if all errands depend on a breaker in this state.
async fn looks(state: impl Fn(Time) -> State, ago: Duration, parked: usize) -> u64 {
    let bench = Bench::errands();
    let now = bench.now();
    set(&bench, DEPENDENCY, state(now), now.before(ago)).await;
    bench.note_parked(DEPENDENCY, None).await;
    for n in 0..parked {
        bench.park(&format!("job-{n}"), now);
    }
    let report = bench.awake(tokio::time::sleep(second(30))).await.unwrap();
    report.done.get("watch").map_or(0, |done| done["looks"])
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_stays_awake_while_a_shared_breaker_may_let_calls_through() {
    // Of a backlog, a tick plans a minute: only what is left after it is looked for.
    let backlog = 1_500;
    for parked in [0, backlog] {
        assert!(looks(|_| half_open(), second(5), parked).await >= 8, "half-open, {parked}");
        let soon = looks(|now| open(now + second(50)), second(5), parked).await;
        assert!(soon >= 8, "open, {parked}");
        // The next tick is in time.
        let late = looks(|now| open(now + second(90)), second(5), parked).await;
        assert_eq!(late, 0, "open for over a minute, {parked}");
        let forced = |now: Time| State::Forced { open: true, until: now + second(20) };
        assert_eq!(looks(forced, second(5), parked).await, 0, "forced open, {parked}");
    }
    assert!(looks(|_| State::Closed, second(5), backlog).await >= 8, "draining");
    assert_eq!(looks(|_| State::Closed, second(5), 0).await, 0, "nothing to drain");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_has_not_changed_for_a_quarter_of_an_hour_keeps_nobody_awake() {
    for (minutes, is_awake) in [(14, true), (16, false)] {
        let ago = MINUTE * minutes;
        assert_eq!(looks(|_| State::Closed, ago, 1_500).await > 0, is_awake, "closed {minutes}");
        let open = looks(|now| open(now + second(20)), ago, 1_500).await;
        assert_eq!(open > 0, is_awake, "open {minutes}");
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_dependencies_are_looked_at_and_the_shared_one_is_among_them() {
    let bench = recovering().await;
    for n in 0..60 {
        // By name, all of them come before the shared one.
        let host = format!("at/host-{n}.example");
        open_breaker(&bench, &host).await;
        bench.note_parked(&host, None).await;
        let mut record = bench.park(&format!("parked-{n}"), bench.now());
        record.work.dependency = host;
        bench.store.put(&record);
    }
    let began = bench.now();
    bench.awake(tokio::time::sleep(second(4))).await.unwrap();
    let trace = bench.sweeper_faults.trace();
    // The passes take no time here; the first look comes three seconds after them.
    let first = trace.iter().filter(|call| call.at >= began + second(2));
    let looked_at = first.filter(|call| call.name == "breaker").map(|call| call.about.as_str());
    let looked_at: BTreeSet<&str> = looked_at.collect();
    assert_eq!(looked_at.len(), 50, "{looked_at:?}");
    assert!(looked_at.contains(DEPENDENCY));
}

/// The end of the leader's lease.
fn lease(bench: &Bench) -> Time {
    let notes = bench.store.all_notes("sweeper");
    let (_, text) = notes.iter().find(|(name, _)| name == "leader").unwrap();
    let lead: Value = serde_json::from_str(text).unwrap();
    Time::from_millis(lead["until"].as_u64().unwrap())
}

/// Each of its calls takes two seconds, so that from one look to the next it takes longer than the lease lasts.
#[tokio::test(start_paused = true)]
async fn a_slow_look_does_not_cost_the_lead() {
    let bench = recovering().await;
    let slow = async {
        tokio::time::sleep(second(20)).await;
        bench.sweeper_faults.slow(second(2));
        for n in 0..50 {
            tokio::time::sleep(second(1)).await;
            assert!(lease(&bench) > bench.now(), "{n} s after the calls have become slow");
        }
        bench.sweeper_faults.slow(Duration::ZERO);
    };
    let (report, ()) = tokio::join!(bench.awake(tokio::time::sleep(second(75))), slow);
    let report = report.unwrap();
    assert_eq!(report.cut_short, Vec::<&str>::new());
    // Six before. Quick ones would be 24.
    let looks = report.done["watch"]["looks"];
    assert!((6..=14).contains(&looks), "{looks} looks");
}

/// The hosts of a platform are down for a week. Each hour, some of their probes have just failed.
#[tokio::test(start_paused = true)]
async fn hosts_that_are_down_for_a_week_keep_the_sweeper_awake_at_no_hour_of_it() {
    let bench = Bench::errands();
    for hour in 0..7 * 24 {
        for n in 0..50 {
            let host = format!("page/host-{n}.example");
            let now = bench.now();
            set(&bench, &host, open(now + second(10)), now).await;
            bench.note_parked(&host, None).await;
            let mut record = bench.park(&format!("at-host-{n}.example"), now);
            record.work.dependency = host;
            bench.store.put(&record);
        }
        let began = bench.now();
        let report = bench.awake(pending()).await.unwrap();
        let took = bench.now().since(began);
        assert!(took < MINUTE && !report.done.contains_key("watch"), "hour {hour}: {took:?}");
        tokio::time::advance(Duration::from_hours(1)).await;
    }
}

/// Prices in dollars, as in tests/costs.rs: a million read units, a million write units, a GB-second.
const READS: f64 = 0.125;
const WRITES: f64 = 0.625;
const GB_SECOND: f64 = 0.000_013_333_4;

/// Memory of the sweeper in GB.
const MEMORY: f64 = 0.25;

/// docs/sweeper.md says $0.02 to $0.05.
#[tokio::test(start_paused = true)]
#[expect(clippy::cast_precision_loss, reason = "cents")]
async fn an_hour_awake_costs_a_few_cents() {
    let bench = Bench::errands();
    bench.note_parked(DEPENDENCY, None).await;
    for n in 0..500 {
        bench.park(&format!("job-{n}"), bench.now());
    }
    let before = bench.store.units();
    let mut looks = 0;
    for _ in 0..60 {
        // A probe has just failed, and the next one comes within the minute.
        let now = bench.now();
        set(&bench, DEPENDENCY, open(now + second(15)), now).await;
        let report = bench.awake(tokio::time::sleep(MINUTE)).await.unwrap();
        looks += report.done["watch"]["looks"];
    }
    assert!(looks >= 1_000, "{looks}");
    let after = bench.store.units();
    let reads = (after.half_reads - before.half_reads) as f64 / 2.0 / 1e6 * READS;
    let writes = (after.writes - before.writes) as f64 / 1e6 * WRITES;
    let dollars = reads + writes + 3_600.0 * MEMORY * GB_SECOND;
    assert!(
        (0.01..=0.05).contains(&dollars),
        "${dollars:.3}: reads ${reads:.3}, writes ${writes:.3}"
    );
}
