//! What the metrics say of a system that works, and of one that fails.

use std::time::Duration;

use sweeper::metrics::Line;

use crate::bench::{Bench, errands::errand, run::MINUTE};

/// The sum of a metric over all lines that were told of this type.
fn sum(bench: &Bench, name: &str) -> u64 {
    let told = bench.told.borrow();
    let of_type = |line: &&Line| line.of.as_ref().is_none_or(|(_, value)| value == "errand");
    let numbers = told.iter().filter(of_type).flat_map(|line| &line.numbers);
    numbers.filter(|(found, ..)| found == name).map(|(_, value, _)| *value).sum()
}

#[tokio::test(start_paused = true)]
async fn ends_run_times_and_errors_are_told_by_type() {
    let bench = Bench::errands();
    let sending = async {
        for n in 0..20 {
            let ends: &[&str] = if n % 4 == 3 { &["conflict", "permanent"] } else { &["ok"] };
            bench.send(&errand(&format!("job-{n}"), 2_000, ends));
        }
        tokio::time::sleep(MINUTE * 10).await;
    };
    bench.run_while(sending).await;
    let sums = ["Succeeded", "Dead", "Retried", "ErrorsConflict", "ErrorsPermanent"];
    assert_eq!(sums.map(|name| sum(&bench, name)), [15, 5, 5, 5, 5]);
    assert_eq!(sum(&bench, "Attempts"), 15 + 5 * 2);
    let told = bench.told.borrow();
    let p95 = told.iter().flat_map(|line| &line.numbers).find(|(name, ..)| name == "RunTimeP95");
    assert!((2_000..=3_000).contains(&p95.unwrap().1), "{p95:?}");
    let ticks = told.iter().flat_map(|line| &line.numbers).filter(|(name, ..)| name == "Ticks");
    assert!((9..=11).contains(&ticks.count()));
    let dimensions = ["type", "queue", "dependency"];
    let all = told.iter().filter_map(|line| line.of.as_ref());
    assert!(all.clone().all(|(name, _)| dimensions.contains(name)), "{told:?}");
}

/// A note is renewed every five days, so a pattern may be known for 35 days after it was seen last.
#[tokio::test(start_paused = true)]
async fn an_error_pattern_is_new_again_after_a_month_without_it() {
    for (days, new) in [(29, 1), (36, 2)] {
        let bench = Bench::errands();
        for name in ["before", "after"] {
            bench.send(&errand(name, 10, &["permanent"]));
            bench.run_for(MINUTE * 6).await;
            tokio::time::advance(Duration::from_hours(24 * days)).await;
        }
        assert_eq!((sum(&bench, "Dead"), sum(&bench, "NewPatterns")), (2, new), "{days} days");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_pattern_is_new_once() {
    let bench = Bench::errands();
    let sending = async {
        for n in 0..10 {
            bench.send(&errand(&format!("job-{n}"), 10, &["permanent"]));
            tokio::time::sleep(MINUTE * 2).await;
        }
        tokio::time::sleep(Duration::from_mins(3)).await;
    };
    bench.run_while(sending).await;
    assert_eq!((sum(&bench, "Dead"), sum(&bench, "NewPatterns")), (10, 1));
}
