//! The numbers of jobs that reach the metrics, however few jobs there are and whatever fails.

use std::time::Duration;

use evenkeel::testing::Fault;

use crate::bench::{Bench, errands::errand, run::MINUTE};

/// The sum of a counter over all minutes that the sweeper has told.
fn told(bench: &Bench, counter: &str) -> u64 {
    let buckets = bench.store.all_buckets();
    let told = buckets.iter().filter(|(key, _)| key.subject == "type:errand");
    told.map(|(_, bucket)| bucket.count(counter)).sum()
}

/// Sends a job, of which each third fails for good.
fn send(bench: &Bench, n: u64) {
    let end = if n % 3 == 2 { "permanent" } else { "ok" };
    bench.send(&errand(&format!("job-{n}"), 10, &[end]));
}

#[tokio::test(start_paused = true)]
async fn every_end_is_told_at_low_traffic_too() {
    let bench = Bench::errands();
    let sending = async {
        for n in 0..30 {
            send(&bench, n);
            // Two jobs within seconds, and then none for minutes.
            let pause = if n % 2 == 0 { 4 } else { 171 };
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        tokio::time::sleep(MINUTE * 3).await;
    };
    bench.run_while(sending).await;
    assert_eq!((told(&bench, "succeeded"), told(&bench, "dead")), (20, 10));
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_was_not_called_for_an_hour_tells_all_its_minutes() {
    let bench = Bench::errands();
    bench.run_for(MINUTE * 2).await;
    for n in 0..60 {
        send(&bench, n);
        bench.work(MINUTE).await;
    }
    assert_eq!(told(&bench, "succeeded"), 0);
    bench.run_for(MINUTE * 3).await;
    assert_eq!((told(&bench, "succeeded"), told(&bench, "dead")), (40, 20));
}

/// Answers are lost, writes fail, and ends are written one by one: each end is still counted once.
#[tokio::test(start_paused = true)]
async fn lost_answers_and_failed_writes_count_nothing_twice() {
    for (call, fault) in [
        ("settle", Fault::AnswerLost),
        ("settle", Fault::Before),
        ("put_counts", Fault::AnswerLost),
        ("put_counts", Fault::Before),
    ] {
        let bench = Bench::errands();
        let sending = async {
            for n in 0..60 {
                send(&bench, n);
                if n == 10 {
                    bench.faults.on(call, fault);
                }
                if n == 40 {
                    bench.faults.clear();
                }
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            tokio::time::sleep(MINUTE * 4).await;
        };
        bench.run_while(sending).await;
        let ends = (told(&bench, "succeeded"), told(&bench, "dead"));
        assert_eq!(ends, (40, 20), "{call} {fault:?}");
    }
}
