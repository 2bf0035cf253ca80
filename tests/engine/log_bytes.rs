//! What a batch logs. Log bytes are billed, so neither healthy jobs nor hostile messages may write many; and alarms
//! count lines, so no message may write one of its own.

use evenkeel::testing::LogLines;
use serde_json::{Value, json};

use crate::bench::{Bench, errands::errand};

/// Most bytes that a batch of ten healthy jobs logs.
const HEALTHY_BYTES: usize = 150;

/// Most bytes that any batch logs: for each message a line whose reason and id are cut off, however each character of
/// them is escaped.
const WORST_BYTES: usize = 64 * 1024;

/// What one batch logs.
async fn logged(bench: &Bench) -> String {
    let lines = LogLines::default();
    {
        let _guard = lines.collect();
        assert!(bench.poll().await.is_some(), "a batch is delivered");
    }
    lines.text()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_batch_logs_one_short_line() {
    let bench = Bench::errands();
    for n in 0..10 {
        bench.send(&errand(&format!("job-{n}"), 20, &[]));
    }
    let text = logged(&bench).await;
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.len() <= HEALTHY_BYTES, "{} bytes: {text}", text.len());
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_hostile_batch_is_bounded() {
    let bench = Bench::errands();
    // JSON shows each of these characters as six.
    let long = "\u{1}".repeat(20_000);
    for n in 0..4 {
        bench.send(
            &json!({ "version": 1, "type": format!("{n}{long}"), "payload": {} }).to_string(),
        );
        let name = format!("{n}{}", "\u{e9}".repeat(190));
        bench.send(&errand(&name, 20, &["permanent"]));
    }
    bench.send(&format!("{{\"version\":1,{}", "\"".repeat(20_000)));
    bench.send(&"x".repeat(200_000));
    let text = logged(&bench).await;
    assert!(text.lines().count() >= 11, "each message and the batch have a line: {text}");
    assert!(text.len() <= WORST_BYTES, "{} bytes", text.len());
}

/// A text that is a line of its own wherever it is written as it stands, with an escape sequence of terminals.
const FORGED: &str = "x\r\n{\"level\":\"ERROR\",\"outcome\":\"alarm\"}\n\u{1b}[2J\u{2028}forged";

#[tokio::test(start_paused = true)]
async fn a_text_from_outside_forges_no_line_of_the_log() {
    let bench = Bench::errands();
    bench.send(&json!({ "version": 1, "type": FORGED, "payload": {} }).to_string());
    // SQS takes no escape character as it is; in JSON it comes through.
    bench.send(&FORGED.replace('\u{1b}', ""));
    bench.send(&errand(FORGED, 20, &["permanent"]));
    let text = logged(&bench).await;
    assert!(text.contains("forged"), "a line quotes the text: {text}");
    for line in text.split_terminator('\n') {
        let fields: Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        assert_ne!(fields["outcome"], "alarm", "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert!(text.lines().count() >= 3, "a line for each message that failed: {text}");
}
