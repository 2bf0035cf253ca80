//! What parked jobs do while a 429 has stopped all calls.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::{breaker::Breaker, limiter::Limiter},
    ports::Control as _,
    record::{Parking, Phase},
};

use super::{RATES, second};
use crate::bench::{Bench, errands::DEPENDENCY, run::MINUTE};

/// The longest stop that a 429 can bring about.
const STOP: Duration = Duration::from_hours(1);

/// Jobs whose time has come, behind a stop: of the limiter, or in the breaker's item if there are no rates.
async fn stopped(has_rates: bool) -> Bench {
    let bench = if has_rates { Bench::errands_at(RATES) } else { Bench::errands() };
    bench.note_parked(DEPENDENCY, has_rates.then_some(RATES)).await;
    let now = bench.now();
    if has_rates {
        let limiter = Limiter::default().slowed(RATES, STOP, now);
        bench.store.swap_limiter(DEPENDENCY, &limiter, 0).await.unwrap();
    } else {
        let breaker = Breaker { stopped_until: now + STOP, ..Breaker::default() };
        bench.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
    }
    for n in 0..500 {
        let mut record = bench.park(&format!("job-{n}"), now);
        record.parking = record.parking.map(|parking| Parking { gated: false, ..parking });
        record.phase = Phase::Parked { run_after: now, why: "rate_limit".into() };
        bench.store.put(&record);
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn parked_jobs_stay_parked_until_the_stop_is_over() {
    for has_rates in [true, false] {
        let bench = stopped(has_rates).await;
        let ends = bench.now() + STOP;
        let before = bench.store.records();
        bench.run_for(MINUTE * 10).await;
        assert!(bench.store.records() == before, "rates: {has_rates}: a record was written");
        bench.drain().await;
        let calls = bench.journal.calls();
        let first: Time = calls.iter().min().copied().unwrap();
        assert_eq!(calls.len(), 500, "rates: {has_rates}");
        assert!(first >= ends && first <= ends + second(70), "rates: {has_rates}: {first}");
        let last = calls.iter().max().copied().unwrap();
        assert!(last <= ends + MINUTE * 4, "rates: {has_rates}: {last}");
    }
}

/// Its sender's deadline comes before the stop is over.
#[tokio::test(start_paused = true)]
async fn a_job_whose_end_comes_during_a_stop_ends_in_time() {
    for has_rates in [true, false] {
        let bench = stopped(has_rates).await;
        let deadline = bench.now() + MINUTE * 5;
        let mut dated = bench.park("dated", bench.now());
        dated.work.deadline = Some(deadline);
        bench.store.put(&dated);
        bench.run_for(MINUTE * 8).await;
        let record = bench.store.record(&dated.key).unwrap();
        let ended = record.phase.ended_at().unwrap_or_else(|| panic!("{record:?}"));
        assert_eq!(record.phase.name(), "dead");
        assert!(ended >= deadline && ended <= deadline + MINUTE * 2, "{ended}");
    }
}
