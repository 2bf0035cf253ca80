//! The metrics of job types as they are told: each end once, with the time of its minute.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::record::Phase;

use super::leaders::troubled;
use crate::bench::{Bench, errands::errand, run::MINUTE};

/// Jobs, one in four seconds. Each third fails for good.
const JOBS: u64 = 100;

/// Jobs that always kill their processes.
const KILLERS: u64 = 2;

/// What was told of a metric, by the minute: its sum, and how often.
fn told(bench: &Bench, metric: &str) -> BTreeMap<u64, (u64, usize)> {
    let mut minutes: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
    for line in bench.told.borrow().iter() {
        if line.of.as_ref().is_none_or(|(_, of)| of != "errand") {
            continue;
        }
        for (_, value, _) in line.numbers.iter().filter(|(name, ..)| name == metric) {
            let at = line.at.as_millis();
            assert_eq!(at % 60_000, 0, "{metric} is told of a minute: {}", line.at);
            let (sum, times) = minutes.entry(at / 60_000).or_default();
            (*sum, *times) = (*sum + value, *times + 1);
        }
    }
    minutes
}

/// Asserts that each end in this state was told once, with the time of its minute.
fn assert_told(bench: &Bench, metric: &str, state: &str, count: u64, case: &str) {
    let told = told(bench, metric);
    let twice = told.iter().find(|(_, (_, times))| *times > 1);
    assert_eq!(twice, None, "{case}: {metric} of a minute was told twice");
    let told: BTreeMap<u64, u64> =
        told.into_iter().map(|(minute, (sum, _))| (minute, sum)).filter(|(_, n)| *n > 0).collect();
    assert_eq!(told.values().sum::<u64>(), count, "{case}: {metric}: {told:?}");
    let mut ended: BTreeMap<u64, u64> = BTreeMap::new();
    for record in bench.store.records() {
        let is_meant = record.phase.name() == state;
        if let Some(at) = record.phase.ended_at().filter(|_| is_meant) {
            *ended.entry(at.as_millis() / 60_000).or_default() += 1;
        }
    }
    assert_eq!(told, ended, "{case}: {metric} by its minute");
}

#[tokio::test(start_paused = true)]
async fn each_end_is_told_once_with_the_time_of_its_minute() {
    for (case, happens) in troubled() {
        let bench = Bench::errands();
        let story = async {
            // No job ends near the turn of a minute.
            tokio::time::sleep(Duration::from_secs(2)).await;
            for n in 0..JOBS {
                let end = if n % 3 == 2 { "permanent" } else { "ok" };
                bench.send(&errand(&format!("job-{n}"), 10, &[end]));
                if n == JOBS / 3 {
                    happens(&bench, bench.now());
                }
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
            tokio::time::sleep(MINUTE * 10).await;
            for n in 0..KILLERS {
                bench.send(&errand(&format!("killer-{n}"), 10, &["kill"]));
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
            tokio::time::sleep(MINUTE * 25).await;
        };
        bench.run_while(story).await;
        assert_told(&bench, "Succeeded", "succeeded", JOBS - JOBS / 3, case);
        assert_told(&bench, "Dead", "dead", JOBS / 3, case);
        let records = bench.store.records();
        let quarantined =
            records.iter().filter(|record| matches!(record.phase, Phase::Quarantined { .. }));
        assert_eq!(quarantined.count() as u64, KILLERS, "{case}");
        let told = told(&bench, "Quarantined");
        assert_eq!(told.values().map(|(sum, _)| sum).sum::<u64>(), KILLERS, "{case}: {told:?}");
        assert!(told.values().all(|(_, times)| *times == 1), "{case}: {told:?}");
    }
}
