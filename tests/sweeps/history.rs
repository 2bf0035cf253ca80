//! What reports read: the days that the sweeper leaves.

use std::time::Duration;

use evenkeel::{
    dependency::stats::{Day, DayKind},
    ports::maintenance::TableMaintenance as _,
};

use crate::bench::{Bench, errands::errand, run::MINUTE};

const HOUR: Duration = Duration::from_hours(1);

/// The days of a kind, by name.
async fn days(bench: &Bench, kind: DayKind) -> Vec<(String, Day)> {
    let notes = bench.store.notes(kind.note(), "", 1_000).await.unwrap();
    notes.into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

fn total(days: &[(String, Day)], counter: &str) -> u64 {
    days.iter().map(|(_, day)| day.count(counter, &(0..24))).sum()
}

/// Sends three jobs an hour for so many hours, of which one fails for good.
async fn send(bench: &Bench, hours: usize) {
    for hour in 0..hours {
        for (n, end) in ["ok", "ok", "permanent"].into_iter().enumerate() {
            bench.send(&errand(&format!("job-{hour}-{n}"), 10, &[end]));
        }
        tokio::time::sleep(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_is_in_the_day_of_its_type() {
    let bench = Bench::errands();
    bench.run_while(send(&bench, 30)).await;
    bench.run_for(HOUR + MINUTE * 5).await;
    let found = days(&bench, DayKind::Type).await;
    assert!(found.len() >= 2, "{found:?}");
    assert_eq!((total(&found, "succeeded"), total(&found, "dead")), (60, 30));
    let patterns: u64 = found.iter().flat_map(|(_, day)| day.patterns.values()).sum();
    assert_eq!(patterns, 30);
    let whole = days(&bench, DayKind::Pattern).await;
    assert!(!whole.is_empty() && whole.iter().all(|(_, day)| !day.sample.is_empty()), "{whole:?}");
}

#[tokio::test(start_paused = true)]
async fn three_days_without_a_sweeper_are_made_up() {
    let bench = Bench::errands();
    bench.run_for(MINUTE * 2).await;
    for hour in 0..66 {
        bench.send(&errand(&format!("job-{hour}"), 10, &["ok"]));
        bench.work(HOUR).await;
    }
    bench.run_for(HOUR + MINUTE * 5).await;
    let found = days(&bench, DayKind::Type).await;
    assert_eq!(total(&found, "succeeded"), 66, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_day_of_history_takes_few_writes() {
    let bench = Bench::errands();
    bench.run_for(MINUTE * 2).await;
    let writes = |bench: &Bench| {
        let calls = bench.sweeper_faults.trace();
        let is_day = |name: &str| name.starts_with("2025-") || name.starts_with("2026-");
        calls.iter().filter(|call| call.name == "put_note" && is_day(&call.about)).count()
    };
    let before = writes(&bench);
    bench.run_while(send(&bench, 24)).await;
    let many = writes(&bench) - before;
    // 24 hours of a type and perhaps of its dependency, and one pattern.
    assert!((24..=60).contains(&many), "{many} writes");
}
