//! What reports read: the days that the sweeper leaves.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, Calls, ContainerCounts, Day, DayKind, TYPE_BUCKET, bucket_start},
    ports::{Control as _, maintenance::TableMaintenance as _},
    record::outcomes::{NEVER_CAME_BACK, OF_PATTERN, OVERDUE_MS},
};
use serde_json::{Value, json};
use sweeper::{config::Config, memory::note_key, plan::history::count_host};

use crate::bench::{Bench, arn, errands::errand, run::MINUTE};

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
async fn the_day_of_a_type_says_how_long_stuck_jobs_were_overdue() {
    let bench = Bench::errands();
    bench.crash("stuck", 0, Duration::from_secs(5)).await;
    bench.crash("another", 0, Duration::from_secs(65)).await;
    bench.run_for(HOUR + MINUTE * 5).await;
    let found = days(&bench, DayKind::Type).await;
    assert_eq!(total(&found, NEVER_CAME_BACK), 2, "{found:?}");
    // From the ends of the leases to the first tick, which comes within a minute.
    let overdue = total(&found, OVERDUE_MS);
    assert!((70_000..=70_000 + 2 * 60_000).contains(&overdue), "{overdue} ms");
}

#[tokio::test(start_paused = true)]
async fn three_days_without_a_sweeper_are_made_up() {
    let bench = Bench::errands();
    bench.run_for(MINUTE * 2).await;
    for hour in 0..72 {
        bench.send(&errand(&format!("job-{hour}"), 10, &["ok"]));
        bench.work(HOUR).await;
    }
    bench.run_for(HOUR + MINUTE * 5).await;
    let found = days(&bench, DayKind::Type).await;
    assert_eq!(total(&found, "succeeded"), 72, "{found:?}");
}

/// The days that were written, each as often as it was: the date, a number sign, and the subject.
fn writes(bench: &Bench) -> Vec<String> {
    let calls = bench.sweeper_faults.trace().into_iter();
    let is_day = |name: &str| name.starts_with("2025-") || name.starts_with("2026-");
    let writes = calls.filter(|call| ["put_note", "swap_note"].contains(&call.name));
    writes.map(|call| call.about).filter(|name| is_day(name)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_day_of_history_takes_few_writes() {
    let bench = Bench::errands();
    bench.run_for(MINUTE * 2).await;
    let before = writes(&bench).len();
    bench.run_while(send(&bench, 24)).await;
    let many = writes(&bench).len() - before;
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

/// Job types of the test below, and kinds of errors that each has in each hour.
const TYPES: usize = 10;
const ERRORS: usize = 30;

/// Lets the sweeper know of ten job types, each with a dependency of its own, which no function here runs.
fn ten_types(bench: &Bench) {
    let entry = |n: usize| {
        let (kind, dependency) = (format!("type_{n}"), format!("service-{n}"));
        json!({ "type": kind, "dependency": dependency, "concurrency": [2, 2] })
    };
    let types = Value::from((0..TYPES).map(entry).collect::<Vec<_>>()).to_string();
    let types = Config::types(&types, &arn("test-")).unwrap();
    for job in &types {
        bench.create_queue(&job.dead);
        for source in job.sources() {
            bench.create_queue(&source.queue);
            bench.mappings.put(&source.mapping, source.concurrency);
        }
    }
    bench.configure(|config| config.types = types);
}

/// So many hours with three ticks each. In each hour the jobs of every type fail in many ways.
async fn hours_of_errors(bench: &Bench, many: usize) {
    for _ in 0..many {
        for n in 0..TYPES {
            let patterns = (0..ERRORS).map(|error| (format!("{OF_PATTERN}{n:04x}{error:04x}"), 5));
            let counts = patterns.chain([("dead".to_owned(), 150)]).collect();
            let start = bucket_start(bench.now(), TYPE_BUCKET);
            let bucket = Bucket { counts, ..Bucket::default() };
            let counts = ContainerCounts::new(&format!("type_{n}"), 7, start, bucket);
            bench.store.put_counts(&counts).await.unwrap();
        }
        for _ in 0..3 {
            // At the same minutes of each hour, however long a tick takes.
            let next = bucket_start(bench.now(), MINUTE * 20) + MINUTE * 20;
            tokio::time::sleep(next.since(bench.now())).await;
            assert!(bench.tick().await.is_some(), "the tick ends");
        }
    }
}

/// Puts failed calls to more hosts than a day keeps into the sweeper's memory.
async fn remember_hosts(bench: &Bench) {
    let mut hosts = BTreeMap::new();
    let failed = Calls { failed: 3, ..Calls::default() };
    for (n, hour) in (0..80).flat_map(|n| (0..24).map(move |hour| (n, hour))) {
        count_host(&mut hosts, &format!("page/host-{n}.example.com"), &failed, hour);
    }
    let note = bench.store.note(&note_key()).await.unwrap().value.unwrap();
    let mut memory: Value = serde_json::from_str(&note).unwrap();
    memory["hosts"] = serde_json::to_value(&hosts).unwrap();
    let until = bench.now() + HOUR * 24;
    bench.store.put_note(&note_key(), &memory.to_string(), until).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_day_of_many_types_hosts_and_patterns_takes_at_most_a_thousand_writes() {
    let bench = Bench::errands();
    ten_types(&bench);
    hours_of_errors(&bench, 1).await;
    remember_hosts(&bench).await;
    let before = writes(&bench).len();
    // From one o'clock to one o'clock: the hours of a day and, after midnight, what is written of it once.
    hours_of_errors(&bench, 24).await;
    let writes = writes(&bench).split_off(before);
    let hosts = writes.iter().filter(|name| name.contains("#page/")).count();
    let patterns = writes.iter().filter(|name| name.matches('#').count() == 2).count();
    let hours = writes.len() - hosts - patterns;
    assert_eq!((hours, hosts, patterns), (24 * 2 * TYPES, 50, 200), "{writes:?}");
    // Thirty patterns of each type have twenty days: nineteen of their own, and one of the others.
    let others = writes.iter().filter(|name| name.ends_with("#other")).count();
    assert_eq!(others, TYPES);
    assert!(writes.len() <= 1_000, "{}", writes.len());
}
