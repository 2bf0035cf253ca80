//! What a tick would do, and what it then does.

use serde_json::{Value, json};

use super::recovery::everything;
use crate::bench::Bench;

/// The port calls that change nothing.
const READS: [&str; 9] =
    ["breaker", "buckets", "depth", "due", "leases", "limiter", "note", "notes", "read_all"];

/// The counts of a preview, by pass and action.
fn count(shown: &Value, pass: &str, action: &str) -> u64 {
    let actions = shown["actions"].as_array().unwrap();
    let found = actions.iter().find(|of| of["pass"] == pass && of["action"] == action);
    let found = found.unwrap_or_else(|| panic!("{pass}, {action}: {shown}"));
    assert!((1..=5).contains(&found["samples"].as_array().unwrap().len()), "{found}");
    found["count"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_preview_says_what_the_next_tick_does_and_writes_nothing() {
    let bench = Bench::errands();
    everything(&bench).await;
    let before = bench.sweeper_faults.calls().len();
    let shown = bench.command(&json!({ "command": "preview" })).await.unwrap();
    let calls = bench.sweeper_faults.calls();
    let others: Vec<_> = calls[before..].iter().filter(|name| !READS.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
    let received = &shown["actions"].as_array().unwrap()[0];
    assert_eq!((&received["pass"], &received["count"]), (&json!("redrive"), &json!(7)));
    let report = bench.tick().await.unwrap();
    for (pass, action) in [("rescue", "crashed"), ("rescue", "sent_again"), ("release", "released")]
    {
        assert_eq!(count(&shown, pass, action), report.done[pass][action], "{pass}, {action}");
    }
}
