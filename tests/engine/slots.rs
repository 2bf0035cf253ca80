//! Messages for which there is no slot yet.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    dependency::limiter::{Limiter, Rates},
    policy::PARK_FROM_RECEIVE,
    ports::Control as _,
    record::Phase,
};

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand},
};

/// How far ahead the next slot is.
const AHEAD: Duration = Duration::from_secs(30);

/// A message for which no slot can be reserved yet, since others have reserved all.
async fn waiting() -> Bench {
    let bench = Bench::errands_at(Rates::each_second(1, 3_600));
    let next_us = (bench.now() + AHEAD).as_millis() * 1_000;
    let limiter = Limiter { next_us, ..Limiter::default() };
    bench.store.swap_limiter(DEPENDENCY, &limiter, 0).await.unwrap();
    bench.send(&errand("job", 0, &[]));
    bench
}

/// The write units of each partition.
fn writes(bench: &Bench) -> BTreeMap<String, u64> {
    let units = bench.store.units_by_partition().into_iter();
    units.map(|(partition, units)| (partition, units.writes)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_slot_is_hidden_until_about_its_slot_and_costs_no_write_of_a_job() {
    let bench = waiting().await;
    let limiter = format!("control/limiter#{DEPENDENCY}");
    let before = writes(&bench)[&limiter];
    assert_eq!(bench.failed().await.len(), 1, "it is not acknowledged");
    let after = writes(&bench);
    assert_eq!(after[&limiter] - before, 1, "the promise of a slot, for the whole batch");
    let of_jobs = after.iter().filter(|(name, _)| !name.starts_with("control/"));
    assert_eq!(of_jobs.map(|(_, writes)| writes).sum::<u64>(), 0, "{after:?}");
    assert!(bench.store.leases().is_empty() && bench.store.records().is_empty());
    let hidden = bench.sqs.next_in(bench.queue()).unwrap();
    let about = AHEAD.saturating_sub(Duration::from_secs(4))..=AHEAD;
    assert!(about.contains(&hidden), "{hidden:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_close_to_the_dead_letter_queue_is_claimed_without_a_slot_and_parked() {
    let bench = waiting().await;
    for receive in 1..=PARK_FROM_RECEIVE {
        assert_eq!(bench.state("job"), "none", "before receive {receive}");
        bench.poll().await.unwrap();
        bench.sqs.show_all();
    }
    let record = bench.only();
    let Phase::Parked { why, run_after } = &record.phase else { panic!("{record:?}") };
    assert!(why.contains("rate_limit"), "{why}");
    assert!(*run_after >= bench.now() + Duration::from_secs(60), "{run_after}");
    assert!(bench.sqs.is_empty(), "its message is acknowledged");
    assert_eq!((PARK_FROM_RECEIVE, bench.journal.errands()), (20, 0));
}
