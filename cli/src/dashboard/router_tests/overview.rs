//! The overview: the plan's targets and what is about to happen.

use super::*;

/// A minute that has missed both targets, and a forecast.
fn seen() -> String {
    let kind = json!({ "succeeded": 19, "dead": 1, "p50_s": 75.0, "p95_s": 90.0 });
    let evidence = "3,000 calls of 3,600 within 50 min";
    let forecast = json!({ "what": "hits_hourly_limit", "about": "rebrandly", "in_s": 540,
        "evidence": evidence });
    let seen = json!({ "at": NOW.before(Duration::from_secs(30)).as_millis(),
        "types": { "a": kind }, "forecasts": [forecast] });
    seen.to_string()
}

#[tokio::test(start_paused = true)]
async fn the_plans_targets_are_drawn_and_what_misses_them_is_marked() {
    let minute = format!("{:015}", NOW.before(Duration::from_mins(1)).as_millis());
    let ports = ports().with_note("observe", "now", &seen()).with_note("history", &minute, &seen());
    let text = page(&ports, "/").await;
    for (id, target) in [("failed", "target &lt; 5 %"), ("times", "target &lt; 60 s")] {
        let drawn = figure(&text, id);
        assert!(drawn.contains("<line class=\"target\""), "{id}: {drawn}");
        assert!(drawn.contains(&format!(">{target}</text>")), "{id}: {drawn}");
    }
    for id in ["ends", "depth", "age"] {
        assert!(!figure(&text, id).contains("class=\"target\""), "the plan has none for {id}");
    }
    for missed in ["5 %", "75 s"] {
        let shown = format!("class=\"bad\"><bdi>{missed}</bdi>");
        assert!(text.contains(&shown), "{missed}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forecast_is_told_with_its_time_and_its_evidence() {
    let text = page(&ports().with_note("observe", "now", &seen()), "/").await;
    let (_, forecasts) = text.split_once("<section id=\"forecasts\"").unwrap();
    let parts = ["hits hourly limit", "rebrandly", "9 min", "3,000 calls of 3,600 within 50 min"];
    for part in parts {
        assert!(forecasts.contains(&format!(">{part}<")), "{part}: {forecasts}");
    }
    let text = page(&ports(), "/").await;
    assert!(text.contains("No trend is beyond the noise."), "{text}");
}
