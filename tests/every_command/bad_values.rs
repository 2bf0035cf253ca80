//! Every command refuses a wrong value of its own with status 2 and a sentence that says what was expected.

use std::collections::BTreeSet;

use clap::Parser as _;
use evenkeel_cli::{Exit, args::Cli, ports::Called};

use super::{
    calls::{words, written_with},
    leaves,
    planted::stack,
};

/// Commands that take no value of their own.
const WITHOUT_VALUE: [&str; 2] = ["doctor", "feeds list"];

const SPAN: &str = "expected a number and a unit, such as 90s, 15m, 2h or 7d";
const REASON: &str = "expected why, in 1 to 500 bytes";
const WATCH: &str = "'0' for '--watch [<SECONDS>]': 0 is not in 1..=3600";
const CURSOR: &str = "cursor: expected the one that the same list has printed";
const TYPE: &str = "type: \"nope\", expected one of webhook, url_shortening, dealer_com_feed";
const NAME: &str = "expected 1 to 64 letters, digits, and any of - _ .";
const KEY: &str = "key: \"nope\", expected q# and 64 hexadecimal digits";

/// What the operators' function says of an id that it does not know.
const STOP: &str = "stop: \"nope\", expected the id of an entry of the operations log";

/// A folder, where a file is expected.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Each command with a wrong value, and what is said of it.
const WRONG: [(&str, &[&str], &str); 44] = [
    ("audit findings", &["--limit", "0"], "'0' for '--limit <N>': 0 is not in 1..=1000"),
    ("audit run", &["--reason", " "], REASON),
    ("breaker auto", &["shop", "--reason", " "], REASON),
    ("breaker close", &["shop", "--for", "soon"], SPAN),
    ("breaker list", &["--watch", "0"], WATCH),
    ("breaker open", &["shop", "--for", "1.5h"], SPAN),
    ("breaker show", &["shop", "--watch", "0"], WATCH),
    ("cars export", &["--dealer", "d", "--limit", "0"], "0 is not in 1..=10000"),
    ("cars import-links", &["--dealer", "d", "--progress", FOLDER], "--progress: "),
    ("cars list", &["d", "--after", "zz"], CURSOR),
    ("cars show", &["d", "nope"], "VIN: \"nope\", expected 17 letters and digits"),
    ("completions", &["tcsh"], "[possible values: bash, elvish, fish, powershell, zsh]"),
    ("dashboard", &["--port", "70000"], "70000 is not in 0..=65535"),
    ("dlq", &["--type", "nope"], TYPE),
    ("dlq", &["--limit", "1001"], "1001 is not in 1..=1000"),
    ("feeds add", &["a/b", "--every", "6h", "--payload", "{}"], NAME),
    ("feeds add", &["a", "--every", "6h", "--payload", "{"], "--payload: no JSON"),
    ("feeds pause", &["a/b"], NAME),
    ("feeds remove", &["a/b"], NAME),
    ("feeds resume", &["a/b"], NAME),
    ("feeds run", &["a/b"], NAME),
    ("health", &["--watch", "0"], WATCH),
    ("jobs cancel", &["--type", "nope", "--all"], TYPE),
    ("jobs explain", &["1", "--type", "nope"], TYPE),
    ("jobs list", &["--state", "odd"], "'odd' for '--state <STATE>'"),
    ("jobs reset", &["--type", "webhook", "--older", "soon"], SPAN),
    ("jobs retry", &["--type", "webhook"], "retry of all jobs of webhook needs --all"),
    ("jobs show", &["1", "--type", "nope"], TYPE),
    ("jobs tail", &["--type", "webhook", "--every", "0s"], "\"0s\": expected 1s to 5m"),
    ("jobs wait", &["1", "--timeout", "soon"], SPAN),
    ("limiter set", &["shop", "--pace", "5", "--reason", "x"], "5 is not in 10..=100"),
    ("limiter show", &["shop", "--watch", "0"], WATCH),
    ("lint", &["notes.txt"], "expected a function.toml, a template (.yaml, .yml) or messages"),
    ("ops log", &["--after", "zz"], CURSOR),
    ("ops show", &["1", "--watch", "0"], WATCH),
    ("ops stop", &["nope"], STOP),
    ("queues list", &["--watch", "0"], WATCH),
    ("queues pause", &["nope", "--for", "5m", "--reason", "x"], TYPE),
    ("queues resume", &["nope"], TYPE),
    ("queues set", &["webhook", "--concurrency", "1", "--for", "5m"], "1 is not in 2..=1000"),
    ("rejected list", &["--type", "nope"], TYPE),
    ("rejected release", &["nope"], KEY),
    ("rejected show", &["nope"], KEY),
    ("report", &["--since", "59m"], "\"59m\": expected 1h to 400d"),
];

/// The same of commands that ask no stack, or that check their input row by row.
const WRONG_INPUT: [(&str, &[&str], &str); 3] = [
    ("schema", &["nope"], "type: \"nope\", expected one of dealer_com_feed"),
    ("submit", &["url_shortening", "--payload", "{"], "no JSON: "),
    ("sweep", &["--reason", " "], REASON),
];

/// The status of a command, and what it says.
async fn told(words: &[&str]) -> (u8, String) {
    if let Err(error) = Cli::try_parse_from(["evenkeel"].iter().chain(words)) {
        return (u8::try_from(error.exit_code()).unwrap(), error.to_string());
    }
    let ports = stack().await.answering([Called::Failed(STOP.to_owned())]);
    let written = written_with(words, Ok(ports)).await;
    (written.exit.code(), written.text())
}

#[tokio::test(start_paused = true)]
async fn every_command_refuses_a_wrong_value_with_status_2_and_says_what_was_expected() {
    let mut refusing = BTreeSet::new();
    for (name, arguments, expected) in WRONG.into_iter().chain(WRONG_INPUT) {
        let words = words(name, arguments, &[]);
        let (status, text) = told(&words).await;
        assert_eq!(status, Exit::Usage.code(), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
        refusing.insert(name);
    }
    for (name, _) in leaves() {
        let is_without = WITHOUT_VALUE.contains(&name.as_str());
        assert_ne!(refusing.contains(name.as_str()), is_without, "{name}");
    }
}
