//! Makes every port call of a sweeper fail in every way.

use evenkeel::testing::Fault;

use super::{
    recovery::{check, everything},
    settle_by_minutes,
};
use crate::bench::{Bench, run::MINUTE};

/// Ticks within which everything must be recovered after a fault in the first one.
const TICKS: usize = 8;

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_fails_at_any_call_loses_nothing_and_does_nothing_twice() {
    let calls = {
        let bench = Bench::errands();
        everything(&bench).await;
        bench.tick().await.unwrap();
        bench.sweeper_faults.calls()
    };
    assert!(calls.len() > 100, "the tick has too few calls: {}", calls.len());
    for (number, name) in calls.iter().enumerate() {
        for fault in Fault::ALL {
            let bench = Bench::errands();
            everything(&bench).await;
            bench.sweeper_faults.at(number, number, fault);
            settle_by_minutes(&bench, TICKS).await;
            check(&bench, &format!("{fault:?} at call {number}, {name}"));
        }
    }
}

/// One kind of port call fails for three ticks, for each kind in turn.
#[tokio::test(start_paused = true)]
async fn everything_is_recovered_after_calls_of_one_kind_fail_for_minutes() {
    let mut names = {
        let bench = Bench::errands();
        everything(&bench).await;
        bench.tick().await.unwrap();
        bench.sweeper_faults.calls()
    };
    names.sort_unstable();
    names.dedup();
    for name in names {
        for fault in [Fault::Before, Fault::AnswerLost, Fault::Broken, Fault::Unreadable] {
            let bench = Bench::errands();
            everything(&bench).await;
            bench.sweeper_faults.on(name, fault);
            for _ in 0..3 {
                bench.tick().await;
                bench.work(MINUTE).await;
            }
            bench.sweeper_faults.clear();
            settle_by_minutes(&bench, TICKS).await;
            check(&bench, &format!("{fault:?} at every {name}"));
        }
    }
}
