//! Every command with arguments, as a test calls it, and what it writes.

use std::{path::PathBuf, time::Duration};

use clap::Parser as _;
use evenkeel::testing::TestClock;
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings, Target, args::Cli, memory::MemoryPorts, run,
};

use super::planted::{REJECTED, answer, stack};

/// A command and its arguments.
pub(super) type Call = (&'static str, &'static [&'static str]);

/// Commands that show what a stack holds.
pub(super) const READING: [Call; 24] = [
    ("audit findings", &[]),
    ("breaker list", &["--all"]),
    ("breaker show", &["shop"]),
    ("cars export", &["--dealer", "example-motors"]),
    ("cars list", &["example-motors"]),
    ("cars show", &["example-motors", "1HGCM82633A004352"]),
    ("dlq", &[]),
    ("doctor", &[]),
    ("feeds list", &[]),
    ("health", &[]),
    ("jobs explain", &["parked"]),
    ("jobs explain", &["dead"]),
    ("jobs list", &[]),
    ("jobs list", &["--state", "dead"]),
    ("jobs show", &["succeeded"]),
    ("jobs tail", &["--type", "webhook", "--for", "10s"]),
    ("jobs wait", &["dead"]),
    ("limiter show", &["shop"]),
    ("ops log", &[]),
    ("ops show", &["1"]),
    ("queues list", &[]),
    ("rejected list", &[]),
    ("rejected show", &[REJECTED]),
    ("report", &["--since", "48h"]),
];

const LINK: &str = r#"{"destination":"https://u:PLANTED-i@www.example.com/","dealer_slug":"a",
    "vin":"1M8GDM9AXKP042788"}"#;

/// Its address has no host.
const BAD_LINK: &str = r#"{"destination":"https://u:PLANTED-j@","dealer_slug":"a",
    "vin":"1M8GDM9AXKP042788"}"#;

/// Its card is sensitive, and no number.
const BAD_WEBHOOK: &str = r#"{"card":"PLANTED-o","url":"https://www.example.com/"}"#;

const FEED: &str = r#"{"dealer_slug":"a","site_url":"https://u:PLANTED-k@www.example.com/"}"#;

/// Commands that change something.
pub(super) const WRITING: [Call; 27] = [
    ("audit run", &[]),
    ("breaker auto", &["shop", "--reason", "x"]),
    ("breaker close", &["shop", "--for", "5m", "--reason", "x"]),
    ("breaker open", &["shop", "--for", "5m", "--reason", "x"]),
    ("cars import-links", &["--dealer", "example-motors"]),
    ("feeds add", &["other", "--every", "6h", "--payload", FEED]),
    ("feeds pause", &["nightly"]),
    ("feeds remove", &["nightly"]),
    ("feeds resume", &["nightly"]),
    ("feeds run", &["nightly"]),
    ("jobs cancel", &["parked"]),
    ("jobs reset", &["parked"]),
    ("jobs retry", &["parked"]),
    ("jobs retry", &["--type", "webhook", "--all", "--yes", "--reason", "x"]),
    ("limiter set", &["shop", "--pace", "50", "--reason", "x"]),
    ("ops stop", &["1"]),
    ("queues pause", &["webhook", "--for", "5m", "--reason", "x"]),
    ("queues resume", &["webhook"]),
    ("queues set", &["webhook", "--concurrency", "4", "--for", "5m", "--reason", "x"]),
    ("rejected release", &[REJECTED]),
    ("rejected release", &["--type", "webhook", "--yes", "--reason", "x"]),
    ("submit", &["url_shortening", "--payload", LINK]),
    ("submit", &["url_shortening", "--payload", BAD_LINK]),
    ("submit", &["url_shortening", "--payload", LINK, "--high"]),
    ("submit", &["webhook", "--payload", BAD_WEBHOOK]),
    ("sweep", &[]),
    ("sweep", &["--reason", "x"]),
];

/// Commands that change something and cannot say what they would do.
pub(super) const WITHOUT_DRY_RUN: [&str; 2] = ["audit run", "ops stop"];

/// The same commands with `--dry-run`.
pub(super) fn dry_runs() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let dry = WRITING.iter().filter(|(name, _)| !WITHOUT_DRY_RUN.contains(name));
    dry.map(|(name, arguments)| (*name, [*arguments, &["--dry-run"]].concat()))
}

/// How long a command runs that does not end by itself.
const LONG_ENOUGH: Duration = Duration::from_secs(15);

/// The most calls of functions that a command of this table makes.
const MOST_CALLS: usize = 4;

/// What a command has written, and its exit status.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

impl Written {
    /// What it has written to both streams.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// The words of a command line behind `evenkeel`.
pub(super) fn words<'a>(name: &'a str, arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    name.split(' ').chain(arguments.iter().copied()).chain(more.iter().copied()).collect()
}

/// Runs a command on the stack with secrets, whose functions answer.
pub(super) async fn written(words: &[&str]) -> Written {
    let ports = stack().await.answering((0..MOST_CALLS).map(|_| answer()));
    written_with(words, Ok(ports)).await
}

/// Runs a command on these ports, or with this failure to reach any.
pub(super) async fn written_with(words: &[&str], ports: Result<MemoryPorts, Failure>) -> Written {
    let parsed = Cli::try_parse_from(["evenkeel", "--stack", "s"].iter().chain(words));
    let cli = parsed.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let environment = std::iter::empty::<(String, String)>().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |_: Target| ports;
    let (stop, clock) = (Stop::default(), TestClock::default());
    let ended = run(&cli, &surroundings, &clock, &stop, connect, &mut streams);
    // What goes on until it is interrupted has written enough by then.
    let exit = tokio::time::timeout(LONG_ENOUGH, ended).await.unwrap_or(Exit::Interrupted);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Written { exit, out: text(out), err: text(err) }
}
