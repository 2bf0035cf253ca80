//! What reports read: the days that the sweeper leaves.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::stats::{Day, DayKind},
    ports::{Control as _, maintenance::TableMaintenance as _},
};
use serde_json::Value;
use sweeper::memory::note_key;

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
        let writes = calls.iter().filter(|call| ["put_note", "swap_note"].contains(&call.name));
        writes.filter(|call| is_day(&call.about)).count()
    };
    let before = writes(&bench);
    bench.run_while(send(&bench, 24)).await;
    let many = writes(&bench) - before;
    // 24 hours of a type and perhaps of its dependency, and one pattern.
    assert!((24..=60).contains(&many), "{many} writes");
}

#[tokio::test(start_paused = true)]
async fn an_hour_is_rolled_up_from_its_own_minutes() {
    let bench = Bench::errands();
    bench.run_while(send(&bench, 27)).await;
    let (mut hours, mut longer) = (0, 0);
    for call in bench.sweeper_faults.trace().iter().filter(|call| call.name == "buckets") {
        let Some(from) = call.about.strip_prefix("counts:errand from ") else { continue };
        // The others are those of the surveys, which read the last minutes.
        match call.at.since(Time::parse_rfc3339(from).unwrap()).as_secs() / 60 {
            60..=65 => hours += 1,
            66.. => longer += 1,
            _ => {}
        }
    }
    assert!((24..=27).contains(&hours), "{hours}");
    assert!(longer <= 1, "only the first day is read from its beginning: {longer} times");
}

/// A tick that died after it had written a day, or whose memory another tick has overwritten.
#[tokio::test(start_paused = true)]
async fn hours_that_are_rolled_up_again_are_counted_once() {
    let bench = Bench::errands();
    bench.run_while(send(&bench, 30)).await;
    bench.run_for(MINUTE * 10).await;
    let before = (days(&bench, DayKind::Type).await, days(&bench, DayKind::Dependency).await);
    let note = bench.store.note(&note_key()).await.unwrap().value.unwrap();
    let mut memory: Value = serde_json::from_str(&note).unwrap();
    let rolled = memory["rolled"].as_object_mut().unwrap();
    assert!(!rolled.is_empty());
    for next in rolled.values_mut() {
        *next = (next.as_u64().unwrap() - 12 * 3_600_000).into();
    }
    let until = bench.now() + HOUR * 24;
    bench.store.put_note(&note_key(), &memory.to_string(), until).await.unwrap();
    bench.run_for(MINUTE * 5).await;
    let after = (days(&bench, DayKind::Type).await, days(&bench, DayKind::Dependency).await);
    assert_eq!(after, before);
}
