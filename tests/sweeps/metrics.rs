//! What the metrics say of a system that works, and of one that fails.

use std::time::Duration;

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{ContainerCounts, LATENCY_BOUNDS_MS},
    record::outcomes::{OF_REASON, REASONS},
};
use sweeper::metrics::Line;

use crate::bench::{
    Bench, Kind,
    errands::{DEPENDENCY, errand},
    run::MINUTE,
};

/// The sum of a metric over all lines that were told of this type.
fn sum(bench: &Bench, name: &str) -> u64 {
    let told = bench.told.borrow();
    let of_type = |line: &&Line| line.of.as_ref().is_none_or(|(_, value)| value == "errand");
    let numbers = told.iter().filter(of_type).flat_map(|line| &line.numbers);
    numbers.filter(|(found, ..)| found == name).map(|(_, value, _)| *value).sum()
}

/// What was told of a metric of this type or dependency, in the order of time.
fn values(bench: &Bench, of: &str, name: &str) -> Vec<u64> {
    let told = bench.told.borrow();
    let lines = told.iter().filter(|line| line.of.as_ref().is_some_and(|(_, value)| value == of));
    let numbers = lines.flat_map(|line| &line.numbers).filter(|(found, ..)| found == name);
    numbers.map(|(_, value, _)| *value).collect()
}

/// The sum of a counter over what the containers of a type have counted.
fn counted(bench: &Bench, kind: &str, counter: &str) -> u64 {
    let subject = ContainerCounts::subject(kind);
    let buckets = bench.store.all_buckets();
    let of_type = buckets.iter().filter(|(key, _)| key.subject == subject);
    of_type.map(|(_, bucket)| bucket.count(counter)).sum()
}

/// Mean, median, 95th and 99th percentile. These are told as the upper end of the bin that holds the value.
fn mean_and_percentiles(mut ms: Vec<u64>) -> [u64; 4] {
    ms.sort_unstable();
    let bound = |percent: usize| {
        let value = ms[(ms.len() * percent).div_ceil(100) - 1];
        let bounds = LATENCY_BOUNDS_MS.map(u64::from);
        bounds.into_iter().find(|bound| *bound >= value).unwrap()
    };
    [ms.iter().sum::<u64>() / ms.len() as u64, bound(50), bound(95), bound(99)]
}

#[tokio::test(start_paused = true)]
async fn times_are_told_as_the_records_and_the_third_party_have_them() {
    let bench = Bench::errands();
    let sending = async {
        // All end within one minute.
        tokio::time::sleep(Duration::from_secs(2)).await;
        for n in 0..40 {
            let takes_ms = match n {
                0..20 => 60,
                20..38 => 180,
                _ => 430,
            };
            bench.send(&errand(&format!("job-{n}"), takes_ms, &["ok"]));
        }
        tokio::time::sleep(MINUTE * 5).await;
    };
    bench.run_while(sending).await;
    let records = bench.store.records();
    let (mut done, mut ran) = (Vec::new(), Vec::new());
    for record in &records {
        let ended = record.phase.ended_at().unwrap();
        done.push(millis(ended.since(record.work.created_at)));
        let name = record.key.rsplit(':').next().unwrap();
        let began: Vec<Time> = bench.journal.times(name);
        assert_eq!(began.len(), 1, "{name} ran once");
        ran.push(millis(ended.since(began[0])));
    }
    assert_eq!(records.len(), 40);
    for (what, ms) in [("DoneTime", done), ("RunTime", ran)] {
        let told = ["Mean", "P50", "P95", "P99"].map(|of| format!("{what}{of}"));
        let told = told.map(|name| values(&bench, "errand", &name));
        assert_eq!(told, mean_and_percentiles(ms).map(|value| vec![value]), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_told_as_the_third_party_has_answered_them() {
    let bench = Bench::errands();
    let sending = async {
        for n in 0..30 {
            let ends: &[&str] = match n {
                5 | 12 | 19 | 26 => &["transient", "ok"],
                8 | 15 | 22 => &["throttled", "ok"],
                _ => &["ok"],
            };
            bench.send(&errand(&format!("job-{n}"), 120, ends));
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        tokio::time::sleep(MINUTE * 10).await;
    };
    bench.run_while(sending).await;
    let told = |name| values(&bench, DEPENDENCY, name);
    let sums = ["Calls", "FailedCalls", "ThrottledCalls"];
    assert_eq!(sums.map(|name| told(name).iter().sum::<u64>()), [30 + 4, 4, 3]);
    assert_eq!(bench.journal.calls().len(), 30 + 4 + 3);
    assert_eq!(["ErrorsTransient", "ErrorsThrottled"].map(|name| sum(&bench, name)), [4, 3]);
    for name in ["LatencyP95", "LatencyP99"] {
        let told = told(name);
        let minutes = told.len();
        assert_eq!(told, vec![150; minutes], "{name}: the end of the bin of 120 ms");
        assert!(minutes >= 10, "{name}: {minutes} minutes with calls");
    }
    assert_eq!(told("BreakerOpened"), Vec::<u64>::new());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_as_one_opening_and_by_the_reason_of_each_deferral() {
    const SENT: u64 = 60;
    let bench = Bench::errands();
    let story = async {
        // The sweeper has looked before.
        tokio::time::sleep(MINUTE * 2 + Duration::from_secs(2)).await;
        let up_at = bench.now() + MINUTE * 4;
        bench.journal.go_down(up_at);
        for n in 0..SENT {
            bench.send(&errand(&format!("job-{n}"), 10, &["ok"]));
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        tokio::time::sleep(MINUTE * 15).await;
        up_at
    };
    let up_at = bench.run_while(story).await;
    assert_eq!(values(&bench, DEPENDENCY, "BreakerOpened"), [1]);
    let open = values(&bench, DEPENDENCY, "BreakerOpen");
    assert_eq!((open.iter().max(), open.last()), (Some(&1), Some(&0)), "{open:?}");
    let names = [
        "DeferredByBreaker",
        "DeferredByRate",
        "DeferredByLoad",
        "DeferredByQuota",
        "DeferredOtherwise",
    ];
    let told = names.map(|name| sum(&bench, name));
    let reasons = REASONS.map(|reason| format!("{OF_REASON}{reason}"));
    assert_eq!(told, reasons.map(|reason| counted(&bench, "errand", &reason)));
    // Jobs that were sent in the outage and ran only after it were deferred.
    let waited = (0..SENT).filter(|n| {
        let runs = bench.journal.times(&format!("job-{n}"));
        runs.first().is_some_and(|first| *first >= up_at)
    });
    let waited = waited.count() as u64;
    assert!(waited > 0 && told[0] > 0, "{waited} waited, and {told:?}");
    assert!(told.iter().sum::<u64>() >= waited, "{waited} waited, and {told:?}");
}

#[tokio::test(start_paused = true)]
async fn shares_of_capacity_are_told_as_the_mappings_have_them() {
    let bench = Bench::of(&[Kind::Errands(None), Kind::SHORTENING]);
    bench.configure(|config| config.balance = false);
    let kinds = [0, 1].map(|place: usize| bench.functions[place].job_type.clone());
    bench.run_for(MINUTE * 4).await;
    let slots = bench.mappings.all();
    let all: u32 = slots.values().sum();
    for kind in &kinds {
        let own: u32 = kind.sources().iter().map(|source| slots[&source.mapping]).sum();
        let told = values(&bench, &kind.kind, "ShareOfCapacity");
        assert!(told.len() >= 3, "{}: {told:?}", kind.kind);
        let share = u64::from(own * 100 / all);
        assert_eq!(told, vec![share; told.len()], "{}", kind.kind);
    }
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
