use super::*;
use crate::dependency::stats::{BucketKey, bucket_start};

const NOW: Time = Time::from_millis(1_800_000_005_000);

fn calls(ok: u64, failed: u64, ms: u64) -> Calls {
    let mut calls = Calls { ok, failed, ..Calls::default() };
    (0..ok + failed).for_each(|_| calls.latency.record(Duration::from_millis(ms)));
    calls
}

/// A window whose buckets hold these calls, the latest first.
fn window(buckets: &[Calls]) -> Window {
    let mut window = Window::default();
    for (age, calls) in (0_u32..).zip(buckets) {
        let start = bucket_start(NOW, BUCKET).before(BUCKET * age);
        let key = BucketKey { subject: "elsewhere".into(), start, generation: 0, shard: 0 };
        window.see(&key, *calls);
    }
    window
}

fn shed(buckets: &[Calls]) -> Option<(String, &'static str)> {
    let found = shedding(&window(buckets), 0, NOW)?;
    Some((format!("{:.2}", found.share), found.signal.name()))
}

#[test]
fn the_share_follows_the_formula() {
    let failing = |ok, failed| shed(&[calls(ok, failed, 50)]);
    let share = |text: &str| Some((text.to_owned(), "failing"));
    assert_eq!(failing(0, 19), None, "too few calls");
    assert_eq!(failing(95, 5), None);
    assert_eq!(failing(80, 20), None, "four of five are accepted");
    assert_eq!(failing(60, 40), share("0.25"), "(100 - 1.25 * 60) / 101");
    assert_eq!(failing(50, 50), share("0.37"));
    assert_eq!(failing(0, 100), share("0.90"), "a tenth still calls, to notice the recovery");
}

#[test]
fn only_failures_of_the_current_generation_count() {
    let window = window(&[calls(0, 100, 50)]);
    assert!(shedding(&window, 0, NOW).is_some());
    assert_eq!(shedding(&window, 1, NOW), None, "the breaker has closed since");
}

#[test]
fn rising_latency_counts_only_where_it_is_long() {
    let rising = |before_ms, now_ms| {
        let (lately, before) = (calls(20, 0, now_ms), calls(20, 0, before_ms));
        let mut minutes = vec![before; 30];
        // A slow rise: the buckets just before the latest are equally slow.
        minutes[..8].fill(lately);
        shed(&minutes)
    };
    let share = |text: &str| Some((text.to_owned(), "slowing"));
    assert_eq!(rising(100, 100), None);
    assert_eq!(rising(20, 300), None, "fifteen times as long, but still quick");
    assert_eq!(rising(300, 650), None, "not three times as long");
    assert_eq!(rising(150, 450), share("0.50"), "two thirds, capped at half");
    let few: Vec<Calls> =
        (0..30).map(|age| calls(4, 0, if age < 2 { 2_000 } else { 100 })).collect();
    assert_eq!(shed(&few), None, "too few calls");
    let (bad, good) = (calls(50, 50, 2_000), calls(100, 0, 100));
    let both: Vec<Calls> = (0..30).map(|age| if age < 2 { bad } else { good }).collect();
    assert_eq!(shed(&both), share("0.50"), "most calls of the last minute succeeded");
    let both: Vec<Calls> = (0..30).map(|age| if age < 6 { bad } else { good }).collect();
    assert_eq!(shed(&both), share("0.69"), "each signal defers its share of what the other leaves");
}
