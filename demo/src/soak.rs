//! The soak test: a dashboard's overview stays open in a browser for an hour under a flood of jobs, and the stack goes
//! away for a minute. Neither the tab nor the dashboard may grow, and none may ask faster than before.
#![expect(clippy::print_stdout, reason = "who waits for an hour wants to see how far it is")]

mod minute;

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};
use xtask::aws::client::plain_http;
use xtask::aws::sqs;
use xtask::local::{Dashboard, Options, Stack, State};
use xtask::workspace::Workspace;
use xtask::{page_check, process, termination};

use crate::experiment::bench::Bench;
use crate::run::open_dashboard;
use minute::{Minute, Tab, findings};

/// Jobs that are sent at once, as in the experiment `flood`.
const FLOOD: u32 = 10_000;

/// The flood goes on: so many jobs are sent once fewer than that wait.
const MORE: u32 = 2_000;
const LEAST_WAITING: u64 = 1_000;

/// Time between two looks at how many wait.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What the dashboard says of its own reads.
const UNITS: &str = "evenkeel_dashboard_read_units_total ";

/// Keeps the overview open for `minutes`, in `browser` instead of the Chromium from npm if one is given. Returns false if
/// something has grown or asks too often, which has been printed, or after Ctrl-C. Everything that it has started ends
/// with it.
pub async fn run(workspace: &Workspace, minutes: u32, browser: Option<&Path>) -> Result<bool> {
    termination::unless_requested(Box::pin(soaked(workspace, minutes, browser))).await
}

async fn soaked(workspace: &Workspace, minutes: u32, browser: Option<&Path>) -> Result<bool> {
    page_check::prepare(workspace).await?;
    println!("Starting the servers …");
    let options = Options { wires: true, ..Options::default() };
    let stack = Stack::start(workspace, &options).await?;
    let dashboard = open_dashboard(&stack).await?;
    let goes_after = usize::try_from(minutes / 2).context("the minutes")?;
    let (told, lines) = unbounded_channel();
    let watched = async {
        // Nobody listens any more only if the record has failed.
        let tell = move |line| drop(told.send(line));
        page_check::watch_tab(workspace, dashboard.url(), minutes, browser, tell).await
    };
    let recorded = record(&stack, &dashboard, lines, goes_after);
    let seen = tokio::select! {
        seen = async { tokio::try_join!(watched, recorded) } => seen.map(|((), seen)| seen),
        failed = flood(&stack) => failed.map(|never| -> Vec<Minute> { match never {} }),
    };
    dashboard.stop().await?;
    stack.stop().await?;
    let findings = findings(&seen?, goes_after);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("Nothing has grown, and nothing asks faster than before.");
    }
    Ok(findings.is_empty())
}

/// Keeps jobs waiting. Returns only if that fails.
async fn flood(stack: &Stack) -> Result<Infallible> {
    let bench = Bench::of(stack)?;
    let queue = stack.output("UrlShorteningQueueUrl")?;
    bench.send(0..FLOOD).await?;
    bench.say(&format!("{FLOOD} shortening jobs are sent"));
    let mut sent = FLOOD;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if sqs::depth(stack.client(), queue).await?.visible < LEAST_WAITING {
            bench.send(sent..sent + MORE).await?;
            sent += MORE;
        }
    }
}

/// Records each minute that the tab tells of. AWS is away for the minute after the first `goes_after`, for the functions
/// and for the dashboard.
async fn record(
    stack: &Stack,
    dashboard: &Dashboard,
    mut lines: UnboundedReceiver<String>,
    goes_after: usize,
) -> Result<Vec<Minute>> {
    let mut seen = Vec::new();
    let mut units_before = units(dashboard).await?;
    while let Some(line) = lines.recv().await {
        let tab: Tab = serde_json::from_str(&line).with_context(|| format!("the tab: {line}"))?;
        let units_now = units(dashboard).await?;
        let minute = Minute {
            tab,
            units: units_now - units_before,
            mib: process::memory_mib(dashboard.pid()),
        };
        units_before = units_now;
        seen.push(minute);
        println!("minute {}: {minute}", seen.len());
        if seen.len() == goes_after {
            println!("AWS goes away");
            stack.aws_wire()?.set(State::Cut);
        } else if seen.len() == goes_after + 1 {
            println!("AWS comes back");
            stack.aws_wire()?.set(State::Whole);
        }
    }
    Ok(seen)
}

/// Read units that the dashboard has used so far.
async fn units(dashboard: &Dashboard) -> Result<f64> {
    let answer = plain_http()?.get(format!("{}/metrics", dashboard.url())).send().await;
    let text = answer.context("the dashboard")?.text().await.context("the dashboard")?;
    let told = text.lines().find_map(|line| line.strip_prefix(UNITS));
    told.and_then(|told| told.parse().ok()).with_context(|| format!("no {UNITS}in {text}"))
}
