//! The numbers of jobs that reach the metrics, however few jobs there are and whatever fails.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        stats::Calls,
    },
    ports::{Control as _, notes::NoteKey},
    testing::Fault,
};
use serde_json::Value;

use super::leaders::troubled;
use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand},
    run::MINUTE,
};

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

/// The table refuses the sums of some minutes, and then takes them. The metrics do not wait for that.
#[tokio::test(start_paused = true)]
async fn sums_that_could_not_be_stored_are_stored_later() {
    let bench = Bench::errands();
    let sending = async {
        for n in 0..30 {
            send(&bench, n);
            match n {
                6 => bench.sweeper_faults.on("put_counts", Fault::Before),
                24 => {
                    assert!(told(&bench, "succeeded") < 8, "the later ones are refused");
                    let lines = bench.told.borrow();
                    let numbers = lines.iter().flat_map(|line| &line.numbers);
                    let metric = numbers.filter(|(name, ..)| name == "Succeeded");
                    assert!(metric.map(|(_, count, _)| count).sum::<u64>() > 8);
                    bench.sweeper_faults.clear();
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        tokio::time::sleep(MINUTE * 4).await;
    };
    bench.run_while(sending).await;
    assert_eq!((told(&bench, "succeeded"), told(&bench, "dead")), (20, 10));
}

/// The value of a metric that was told last.
fn last_told(bench: &Bench, name: &str) -> Option<u64> {
    let told = bench.told.borrow();
    let mut numbers = told.iter().flat_map(|line| &line.numbers);
    numbers.rfind(|(of, ..)| of == name).map(|(_, value, _)| *value)
}

/// Of 700 hosts that are down, each has a parked job. The one that has waited longest is not among the fifty that are
/// observed one by one.
#[tokio::test(start_paused = true)]
async fn parked_jobs_of_all_dependencies_are_counted() {
    const HOSTS: u64 = 700;
    let bench = Bench::errands();
    tokio::time::advance(MINUTE * 30).await;
    let now = bench.now();
    let state = State::Open { retry_at: now + MINUTE * 60, wait: MINUTE };
    for n in 0..HOSTS {
        let host = format!("host-{n:03}");
        bench.note_parked(&host, None).await;
        // The host whose breaker has opened last.
        let down_since = now.before(MINUTE * 20) + Duration::from_secs(n);
        let state = state.clone();
        let breaker = Breaker { generation: 1, state, down_since, ..Breaker::default() };
        bench.store.swap_breaker(&host, &breaker, 0).await.unwrap();
        let mut record = bench.park(&host, now + MINUTE * 60);
        record.work.dependency = host;
        let parking = record.parking.as_mut().unwrap();
        parking.since = now.before(if n == HOSTS - 1 { MINUTE * 25 } else { MINUTE });
        bench.store.put(&record);
    }
    let mut seen = Value::Null;
    for _ in 0..4 {
        bench.tick().await.unwrap();
        tokio::time::advance(MINUTE).await;
        let note = bench.store.note(&NoteKey::new("observe", "now")).await.unwrap();
        seen = serde_json::from_str(&note.value.unwrap()).unwrap();
    }
    let dependencies = seen["dependencies"].as_object().unwrap();
    let observed: u64 = dependencies.values().filter_map(|seen| seen["parked"].as_u64()).sum();
    assert_eq!(observed + seen["others"]["parked"].as_u64().unwrap(), HOSTS, "{seen:#}");
    let shown = dependencies.values().filter(|seen| seen["breaker"] == "open").count() as u64;
    assert_eq!(shown, 49, "the open ones are shown next to the one that a type shares");
    assert_eq!(shown + seen["others"]["open_breakers"].as_u64().unwrap(), HOSTS, "{seen:#}");
    for name in ["BreakersOpen", "Parked"] {
        assert_eq!(last_told(&bench, name), Some(HOSTS), "{name}");
    }
    let longest = seen["others"]["longest_parked_s"].as_u64().unwrap();
    assert!((25 * 60..=29 * 60).contains(&longest), "{longest} s");
    assert_eq!(last_told(&bench, "LongestParked"), Some(longest));
}

/// The calls to the dependency that were told, by the minute; the second value is how often a minute was told.
fn told_calls(bench: &Bench) -> (u64, usize) {
    let mut minutes: BTreeMap<Time, usize> = BTreeMap::new();
    let mut sum = 0;
    for line in bench.told.borrow().iter() {
        if line.of.as_ref().is_none_or(|(_, of)| of != DEPENDENCY) {
            continue;
        }
        for (_, calls, _) in line.numbers.iter().filter(|(name, ..)| name == "Calls") {
            *minutes.entry(line.at).or_default() += 1;
            sum += calls;
        }
    }
    (sum, minutes.into_values().max().unwrap_or_default())
}

fn made_calls(bench: &Bench) -> u64 {
    let buckets = bench.store.all_buckets();
    let of_calls = buckets.iter().filter(|(key, _)| key.subject == DEPENDENCY);
    of_calls.map(|(_, bucket)| Calls::from(bucket).conclusive()).sum()
}

#[tokio::test(start_paused = true)]
async fn each_call_to_a_dependency_is_told_once() {
    for (name, happens) in troubled() {
        let bench = Bench::errands();
        let sending = async {
            for n in 0..150 {
                bench.send(&errand(&format!("job-{n}"), 10, &["ok"]));
                if n == 40 {
                    happens(&bench, bench.now());
                }
                // Not in step with the ticks.
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            tokio::time::sleep(MINUTE * 6).await;
        };
        bench.run_while(sending).await;
        let (told, most) = told_calls(&bench);
        assert!(told >= 150, "{name}: {told}");
        assert_eq!((told, most), (made_calls(&bench), 1), "{name}");
    }
}
