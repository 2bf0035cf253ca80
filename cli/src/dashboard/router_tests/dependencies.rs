//! What the page of the dependencies tells of breakers and limiters, and how it draws their calls.

use evenkeel::{
    dependency::{
        limiter::Limiter,
        stats::{BUCKET, Calls, bucket_start},
    },
    ports::notes::{Limits, NoteKey},
};

use super::*;

fn in_seconds(seconds: u64) -> Time {
    NOW + Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_is_shown_with_the_probes_whose_leases_last() {
    let ends = [("a", in_seconds(9)), ("b", in_seconds(4)), ("late", NOW.before(BUCKET))];
    let probes = ends.map(|(token, until)| (token.to_owned(), until)).into();
    let state = BreakerState::HalfOpen { probes, successes: 1, wait: Duration::from_secs(60) };
    let why = "its wait is over".to_owned();
    let breaker = Breaker { generation: 4, state, why, ..Breaker::default() };
    let text = page(&ports().with_breaker("d", breaker), "/dependencies").await;
    assert_eq!(fact(&text, "breaker"), "half open");
    assert_eq!(fact(&text, "cause"), "its wait is over");
    assert_eq!(fact(&text, "probes"), "2 under way, 1 worked");
    assert!(!text.contains("<dt>next probe</dt>"), "they are under way: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_limiter_that_was_slowed_down_or_stopped_is_shown_with_its_rates_and_its_next_slot() {
    let noted = NoteKey::watched("d");
    let limits = Limits { per_minute: Some(120), per_hour: Some(3_000), ..Limits::default() };
    let limits = serde_json::to_string(&limits).unwrap();
    for (pace, shown, next, next_slot) in [
        (500, "50 % of the rate", 3, "in 3 s · "),
        (1_000, "100 % of the rate", 600, "in 10 min · "),
    ] {
        let limiter = Limiter {
            pace,
            next_us: in_seconds(next).as_millis() * 1_000,
            promised_us: in_seconds(next + 60).as_millis() * 1_000,
            slowed_at: NOW.before(Duration::from_secs(20)),
            ..Limiter::default()
        };
        let ports = ports().with_limiter("d", limiter).with_note(noted.kind, &noted.name, &limits);
        let text = page(&ports, "/dependencies").await;
        assert_eq!(fact(&text, "limiter"), "d");
        assert_eq!(fact(&text, "calls a minute"), "120");
        assert_eq!(fact(&text, "calls an hour"), "3000");
        assert_eq!(fact(&text, "pace"), shown);
        assert!(fact(&text, "next slot").starts_with(next_slot), "{text}");
        assert!(fact(&text, "slowed").starts_with("20 s ago · "), "{text}");
        assert!(text.contains("<dt>promised until</dt>"), "{text}");
    }
    let text = page(&ports(), "/dependencies").await;
    assert!(!text.contains("<dt>limiter</dt>"), "nothing has used it: {text}");
}

/// A dependency without rates has no limiter to stop: a 429 stops it at its breaker, in whatever state.
#[tokio::test(start_paused = true)]
async fn a_dependency_without_rates_is_shown_with_the_end_of_its_stop() {
    let breaker = Breaker { generation: 1, stopped_until: in_seconds(45), ..Breaker::default() };
    let text = page(&ports().with_breaker("d", breaker), "/dependencies").await;
    assert_eq!(fact(&text, "breaker"), "closed");
    assert!(fact(&text, "stopped until").starts_with("in 45 s · "), "{text}");
}

/// Calls that took these milliseconds.
fn took(times: &[u64]) -> Calls {
    let mut calls = Calls::default();
    for ms in times {
        calls.record(None, Duration::from_millis(*ms), BUCKET);
    }
    calls
}

/// The values that are marked on the vertical axis of a chart.
fn marks(figure: &str) -> Vec<&str> {
    let labels = figure.split("<text class=\"label\" x=\"40.0\"").skip(1);
    labels.filter_map(|label| label.split('>').nth(1)?.split('<').next()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_bucket_that_is_still_filling_is_dashed_and_times_have_a_logarithmic_axis() {
    let start = bucket_start(NOW, BUCKET);
    let buckets = vec![(start.before(BUCKET), took(&[80, 80])), (start, took(&[3_000]))];
    let text = page(&ports().with_calls("d", buckets), "/dependencies").await;
    // How many lines each has, and what its axis marks.
    let expected: [(&str, usize, &[&str]); 2] =
        [("calls-0", 4, &["0", "1", "2"]), ("latency-0", 2, &["100", "1000", "10000"])];
    for (id, lines, axis) in expected {
        let drawn = figure(&text, id);
        assert_eq!(marks(drawn), axis, "{id}");
        assert_eq!(drawn.matches(" filling\" d=").count(), lines, "{id}: {drawn}");
        assert_eq!(drawn.matches("<path class=\"line ").count(), 2 * lines, "{id}: {drawn}");
        let row = format!("<time datetime=\"{start}\">");
        let (_, row) = drawn.split_once(&row).unwrap();
        let time = row.split("</time>").next().unwrap();
        assert!(time.ends_with(" (still filling)"), "{id}: {time}");
        assert_eq!(drawn.matches("(still filling)").count(), 1, "{id}: {drawn}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_has_reached_its_cap_says_so_and_how_old_it_is() {
    let seen = json!({ "at": NOW.before(Duration::from_secs(30)).as_millis(),
        "dependencies": { "d": { "breaker": "open", "parked": 100, "more": true, "calls": 7 } } });
    let ports = ports().with_note("observe", "now", &seen.to_string());
    let text = page(&ports, "/dependencies").await;
    assert!(text.contains(">100+<") && text.contains(">7<"), "{text}");
    assert!(text.contains("by the sweeper&#39;s report, 30 s ago"), "{text}");
}
