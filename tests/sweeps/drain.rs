//! A breaker closes while 5,000 jobs are parked: the curve of calls, in virtual time.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use crate::golden::assert_file;
use evenkeel::{base::time::Time, dependency::limiter::Rates, ports::Control as _};

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, key},
};

const JOBS: usize = 5_000;
const RATES: Rates = Rates::each_second(8, 18_000);

/// The number of calls in each second since `began`.
fn by_second(calls: &[Time], began: Time) -> BTreeMap<u64, usize> {
    let mut seconds = BTreeMap::new();
    for at in calls {
        *seconds.entry(at.since(began).as_secs()).or_default() += 1;
    }
    seconds
}

/// The most calls within any span of one second, wherever it begins.
fn most_within_a_second(calls: &[Time]) -> usize {
    let mut calls = calls.to_vec();
    calls.sort();
    let within = |first: &Time| {
        let end = *first + Duration::from_secs(1);
        calls.partition_point(|at| *at < end) - calls.partition_point(|at| at < first)
    };
    calls.iter().map(within).max().unwrap_or_default()
}

fn page(calls: &BTreeMap<u64, usize>, took: u64, most: usize, deferred: usize) -> String {
    let mut text = format!(
        "# A breaker that closes over {JOBS} parked jobs\n\n\
         The engine and the sweeper in virtual time (`tests/sweeps/drain.rs`, which holds this page). The\n\
         account allows 10 calls a second and 20,000 an hour; the limiter takes 8 and 18,000. The breaker is\n\
         open for another 30 s when it begins; a tick comes each minute, and no new jobs.\n\n\
         | what | |\n|---|---|\n\
         | seconds until all were done | {took} |\n\
         | most calls within any second | {most} |\n\
         | jobs that were parked again on their way | {deferred} |\n\n\
         Calls a second, the mean of each ten seconds:\n\n```text\n"
    );
    let last = calls.keys().max().copied().unwrap_or_default();
    for start in (0..=last).step_by(10).take(18) {
        let sum: usize = calls.range(start..start + 10).map(|(_, count)| *count).sum();
        let bar = "#".repeat(sum.div_ceil(4));
        let line = format!("{start:>4} s {:>3}.{}  {bar}", sum / 10, sum % 10);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push_str("   … and so on to the end\n```\n");
    text
}

#[tokio::test(start_paused = true)]
async fn releasing_five_thousand_parked_jobs_causes_no_second_outage() {
    let bench = Bench::errands_at(RATES);
    let began = bench.now();
    let retry_at = began + Duration::from_secs(30);
    for n in 0..JOBS {
        let spread = Duration::from_millis(u64::try_from(n).unwrap() * 2);
        bench.park(&format!("job-{n:04}"), retry_at + spread);
    }
    bench.note_parked(DEPENDENCY, Some(RATES)).await;
    open_breaker(&bench, retry_at).await;
    bench.tick().await.unwrap();
    bench.settle(Duration::from_secs(1_800)).await;
    let calls = bench.journal.calls();
    let curve = by_second(&calls, began);
    let most = most_within_a_second(&calls);
    assert!(
        most <= 9,
        "{most}, expected at most the limiter's 8 and one on the edge of the second"
    );
    assert_eq!(calls.len(), JOBS, "each job makes one call");
    assert!(calls.iter().all(|at| *at >= retry_at), "no call is made while the breaker is open");
    assert!((0..JOBS).all(|n| bench.journal.runs(&format!("job-{n:04}")) == 1));
    let deferred = bench.store.records().iter().filter(|r| r.counters.defers > 0).count();
    let took = bench.now().since(began).as_secs();
    let ramp = [(31, 40), (40, 60)]
        .map(|(from, to)| curve.range(from..to).map(|(_, count)| *count).sum::<usize>());
    assert_eq!(ramp, [3, 0], "as many as can close the breaker, and none until the next tick");
    // Each step of the ramp; up to a fifth may still wait for their slots.
    let steps = [60..65, 65..70, 70..75, 75..80]
        .map(|seconds| curve.range(seconds).map(|(_, count)| *count).sum::<usize>());
    for (went, most) in steps.into_iter().zip([5, 10, 20, 40]) {
        assert!((most * 8 / 10..=most + 1).contains(&went), "{steps:?}");
    }
    let record = bench.store.record(&key("job-0000")).unwrap();
    assert_eq!(record.counters.attempts, 1);
    assert_file("docs/experiments/drain.md", &page(&curve, took, most, deferred));
}

async fn open_breaker(bench: &Bench, retry_at: Time) {
    use evenkeel::dependency::breaker::{Breaker, State};
    let state = State::Open { retry_at, wait: Duration::from_secs(60) };
    let breaker = Breaker { generation: 1, state, since: bench.now(), ..Breaker::default() };
    bench.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
}
