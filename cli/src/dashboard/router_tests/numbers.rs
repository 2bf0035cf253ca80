//! The same numbers in `/metrics` and on the pages, and how pages show times and charts.

use std::collections::BTreeSet;

use evenkeel::{
    dependency::stats::{BUCKET, Calls, bucket_start},
    ports::maintenance::Depth,
};

use super::*;

/// What the sweeper has seen. No two numbers are the same.
fn observed(ago: Duration) -> String {
    let kind = json!({ "succeeded": 41, "retried": 6, "deferred": 3, "parked": 4, "dead": 1,
        "quarantined": 8, "p50_s": 1.5, "p95_s": 7.5, "oldest_s": 90, "states": { "waiting": 83 } });
    let dependency =
        json!({ "breaker": "open", "calls": 730, "failed": 312, "throttled": 52, "parked": 17 });
    let seen = json!({ "at": NOW.before(ago).as_millis(), "running": 23, "stuck": 26,
        "types": { "a": kind }, "dependencies": { "d": dependency },
        "queues": { "s-a": { "visible": 5 } }, "states": { "dead": 9, "succeeded": 11 },
        "states_at": NOW.before(ago).as_millis() });
    seen.to_string()
}

/// A stack on which every page has something to show.
fn busy() -> MemoryPorts {
    let state = BreakerState::Open { retry_at: NOW + BUCKET, wait: Duration::ZERO };
    let breaker = Breaker { generation: 1, state, why: "503".into(), ..Breaker::default() };
    let mut calls = Calls { failed: 3, ..Calls::default() };
    calls.record(None, Duration::from_millis(80), BUCKET);
    let start = bucket_start(NOW.before(BUCKET), BUCKET);
    let depth = Depth { visible: 131, in_flight: 77, delayed: 19 };
    let mut ports = whole("/confirm")
        .with_breaker("d", breaker)
        .with_calls("d", vec![(start, calls)])
        .with_depth("arn:aws:sqs:eu-west-1:123456789012:s-a", depth)
        .with_succeeded("a", &[(NOW, "a#g:7")])
        .with_note("observe", "now", &observed(Duration::from_secs(30)));
    for minutes in [3, 2, 1] {
        let ago = Duration::from_mins(minutes);
        let name = format!("{:015}", NOW.before(ago).as_millis());
        ports = ports.with_note("history", &name, &observed(ago));
    }
    ports
}

/// All but what the dashboard says of itself.
const METRICS: &str = r#"# HELP evenkeel_observed_timestamp_seconds When the sweeper reported.
# TYPE evenkeel_observed_timestamp_seconds gauge
evenkeel_observed_timestamp_seconds 1799999970
# HELP evenkeel_running_jobs Jobs of all running batches.
# TYPE evenkeel_running_jobs gauge
evenkeel_running_jobs 23
# HELP evenkeel_stuck_jobs Jobs whose lease is over.
# TYPE evenkeel_stuck_jobs gauge
evenkeel_stuck_jobs 26
# HELP evenkeel_runs_last_minute Runs that ended in the last whole minute.
# TYPE evenkeel_runs_last_minute gauge
evenkeel_runs_last_minute{type="a",outcome="succeeded"} 41
evenkeel_runs_last_minute{type="a",outcome="retried"} 6
evenkeel_runs_last_minute{type="a",outcome="deferred"} 3
evenkeel_runs_last_minute{type="a",outcome="parked"} 4
evenkeel_runs_last_minute{type="a",outcome="dead"} 1
evenkeel_runs_last_minute{type="a",outcome="quarantined"} 8
# HELP evenkeel_job_seconds Time from creation to success.
# TYPE evenkeel_job_seconds gauge
evenkeel_job_seconds{type="a",quantile="0.5"} 1.5
evenkeel_job_seconds{type="a",quantile="0.95"} 7.5
# HELP evenkeel_oldest_job_seconds Age of the oldest job.
# TYPE evenkeel_oldest_job_seconds gauge
evenkeel_oldest_job_seconds{type="a"} 90
# HELP evenkeel_index_jobs Jobs on the index, counted up to a cap.
# TYPE evenkeel_index_jobs gauge
evenkeel_index_jobs{type="a",state="waiting"} 83
# HELP evenkeel_breaker_refuses_calls 1 if the breaker refuses calls.
# TYPE evenkeel_breaker_refuses_calls gauge
evenkeel_breaker_refuses_calls{dependency="d"} 1
# HELP evenkeel_calls_last_minute Calls in the last whole minute.
# TYPE evenkeel_calls_last_minute gauge
evenkeel_calls_last_minute{dependency="d",outcome="conclusive"} 730
evenkeel_calls_last_minute{dependency="d",outcome="failed"} 312
evenkeel_calls_last_minute{dependency="d",outcome="throttled"} 52
# HELP evenkeel_parked_jobs Parked jobs, counted up to a cap.
# TYPE evenkeel_parked_jobs gauge
evenkeel_parked_jobs{dependency="d"} 17
# HELP evenkeel_queue_messages Messages, as SQS approximates them.
# TYPE evenkeel_queue_messages gauge
evenkeel_queue_messages{queue="s-a",state="visible"} 131
evenkeel_queue_messages{queue="s-a",state="in_flight"} 77
evenkeel_queue_messages{queue="s-a",state="delayed"} 19
evenkeel_queue_messages{queue="s-a-high",state="visible"} 0
evenkeel_queue_messages{queue="s-a-high",state="in_flight"} 0
evenkeel_queue_messages{queue="s-a-high",state="delayed"} 0
evenkeel_queue_messages{queue="s-a-dlq",state="visible"} 0
evenkeel_queue_messages{queue="s-a-dlq",state="in_flight"} 0
evenkeel_queue_messages{queue="s-a-dlq",state="delayed"} 0
"#;

/// Whether it may be the name of a metric.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_everything_in_the_format_of_prometheus() {
    let text = page(&busy(), "/metrics").await;
    assert!(text.starts_with(METRICS), "{text}");
    let mut names = BTreeSet::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            name = help.split(' ').next().unwrap();
            assert!(is_name(name) && names.insert(name), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert!(
                [format!("{name} gauge"), format!("{name} counter")].contains(&kind.to_owned())
            );
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next(), Some(name), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with('\n') && names.len() == 13, "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn pages_show_the_numbers_that_metrics_tell() {
    let metrics = page(&busy(), "/metrics").await;
    let value = |name: &str| {
        let mut values =
            metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next().unwrap_or_else(|| panic!("no {name}")).to_owned()
    };
    for (path, name, unit) in [
        ("/", r#"evenkeel_runs_last_minute{type="a",outcome="succeeded"}"#, " a minute"),
        ("/", "evenkeel_running_jobs", ""),
        ("/", "evenkeel_stuck_jobs", ""),
        ("/", r#"evenkeel_job_seconds{type="a",quantile="0.5"}"#, " s"),
        ("/", r#"evenkeel_job_seconds{type="a",quantile="0.95"}"#, " s"),
        ("/dependencies", r#"evenkeel_calls_last_minute{dependency="d",outcome="conclusive"}"#, ""),
        ("/dependencies", r#"evenkeel_calls_last_minute{dependency="d",outcome="failed"}"#, ""),
        ("/dependencies", r#"evenkeel_calls_last_minute{dependency="d",outcome="throttled"}"#, ""),
        ("/dependencies", r#"evenkeel_parked_jobs{dependency="d"}"#, ""),
        ("/queues", r#"evenkeel_queue_messages{queue="s-a",state="visible"}"#, ""),
        ("/queues", r#"evenkeel_queue_messages{queue="s-a",state="in_flight"}"#, ""),
        ("/queues", r#"evenkeel_queue_messages{queue="s-a",state="delayed"}"#, ""),
        ("/queues", r#"evenkeel_index_jobs{type="a",state="waiting"}"#, ""),
    ] {
        let shown = format!(">{}{unit}<", value(name));
        assert!(page(&busy(), path).await.contains(&shown), "{path}: {shown}, as {name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_on_a_page_has_its_utc_on_hover() {
    let mut times = 0;
    for (path, method, values) in TABLE {
        if method != "GET" || path.starts_with("/static") || path == "/events" {
            continue;
        }
        let text = page(&busy(), &format!("{path}?{values}")).await;
        let mut parts = text.split("<time datetime=\"");
        let mut before = parts.next().unwrap();
        for part in parts {
            let utc = part.split('"').next().unwrap();
            let holder = before.rsplit('<').next().unwrap();
            assert!(utc.ends_with('Z') && holder.contains(&format!("{utc} (UTC)\"")), "{holder}");
            (before, times) = (part, times + 1);
        }
    }
    assert!(times > 20, "{times} times were looked at");
}

#[tokio::test(start_paused = true)]
async fn every_chart_has_a_table_with_its_values() {
    let mut charts = 0;
    for path in ["/", "/queues", "/dependencies"] {
        let text = page(&busy(), path).await;
        for figure in text.split("<figure id=\"").skip(1) {
            let figure = figure.split("</figure>").next().unwrap();
            let id = figure.split('"').next().unwrap();
            let (drawn, table) = figure.split_once("<details").unwrap_or_default();
            assert!(drawn.contains("<svg class=\"chart\"") && drawn.contains("aria-label"), "{id}");
            assert!(table.contains(&format!("id=\"{id}-table\"")), "{path} {id}");
            let rows = table.split("<tbody>").nth(1).unwrap_or_default().matches("<tr>").count();
            assert!(rows > 0, "{path} {id}: {figure}");
            charts += 1;
        }
    }
    // Five and two of the overview, one of the queues, three of the dependency.
    assert_eq!(charts, 11);
}
