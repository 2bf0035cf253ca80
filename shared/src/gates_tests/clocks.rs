//! Containers whose clocks differ, at one limiter.

use super::*;
use crate::{base::time::Skew, testing::BEGINNING};

/// How far a container's clock is ahead of all others.
const AHEAD: Duration = Duration::from_secs(5);

const CONTAINERS: usize = 9;

const SPAN: Duration = Duration::from_secs(30);

/// How far such a clock is ahead once a single answer of AWS has corrected it. Each container gets one before it
/// reserves slots: it has read the limiter.
fn after_an_answer() -> Duration {
    let own = BEGINNING + AHEAD;
    let skew = Skew::new();
    // At a whole second, which leaves the most open.
    skew.see(own, own, BEGINNING);
    skew.correct(own).since(BEGINNING)
}

/// The calls of each container if they have ten a second together, and the clock of the first is ahead by this.
async fn calls(ahead: Duration) -> Vec<usize> {
    let mut fleet = Fleet::limited(Some(Rates::each_second(10, 36_000)));
    let right = fleet.clock;
    let mut containers = Vec::new();
    for n in 0..CONTAINERS {
        fleet.clock = if n == 0 { right.ahead(ahead) } else { right };
        containers.push(fleet.container());
    }
    let end = right.now() + SPAN;
    let each = containers.iter().map(async |gates| {
        let mut calls = 0;
        while right.now() < end {
            gates.reserve_ahead(DEPENDENCY, 1, HORIZON).await;
            match run(gates, None, QUICK).await {
                Ok(()) => calls += 1,
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        calls
    });
    futures_util::future::join_all(each).await
}

/// The limiter takes each container's word for the time: see docs/decisions.md.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_ahead_starves_no_other() {
    let left = after_an_answer();
    assert!(left <= Duration::from_secs(1), "{left:?}");
    let made = calls(left).await;
    let even = made.iter().sum::<usize>() / CONTAINERS;
    assert!(even >= 30, "{made:?}");
    assert!(made.iter().all(|calls| *calls >= even / 2), "{made:?}");
    // Uncorrected, it would.
    let made = calls(AHEAD).await;
    assert!(made[1..].iter().all(|calls| *calls < even / 2), "{made:?}");
}
