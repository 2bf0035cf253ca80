//! The demo: replays the incident that this project answers, from the first message to the verdict.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{MissedTickBehavior, interval, timeout};
use xtask::artifact::Profile;
use xtask::local::{Dashboard, Options, Stack};
use xtask::termination;
use xtask::workspace::Workspace;

use crate::incident::job::Kind;
use crate::incident::{self, Incident, site};
use crate::progress::Progress;
use crate::replay::{self, Journal, Sent};
use crate::report::{Report, page, table};
use crate::scene::{Scene, Snapshot};
use crate::verdict::{self, Evidence};

/// The default seed: the date of the improvement plan.
pub const SEED: u64 = 20_250_824;

/// Time between two snapshots of the stack.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A job that has not ended by then counts as failed.
const DEADLINE: Duration = Duration::from_mins(4);

/// Brings a stack up, replays the incident on it, and takes it down. Returns true if every job
/// succeeded exactly once. Writes `report.html`, `report.json` and `functions.log` below `target/demo/`.
///
/// With `keep` the stack's dashboard shows the incident while it happens, and both stay up until a signal asks for the
/// end.
pub async fn run(workspace: &Workspace, seed: u64, profile: Profile, keep: bool) -> Result<bool> {
    let mut end = Box::pin(termination::requested());
    println!("Starting the servers …");
    let options = Options { profile, ..Options::default() };
    let stack = tokio::select! {
        stack = Stack::start(workspace, &options) => stack?,
        asked = &mut end => return asked.map(|()| false),
    };
    let dashboard = if keep { Some(open_dashboard(&stack).await?) } else { None };
    let shown = tokio::select! {
        shown = show(workspace, &stack, seed) => shown.map(Some),
        asked = &mut end => asked.map(|()| {
            println!("\nInterrupted.");
            None
        }),
    };
    if let (Some(dashboard), Ok(Some(_))) = (&dashboard, &shown) {
        println!("\nThe stack stays up, and its dashboard: {}", dashboard.url());
        println!("Ctrl-C ends both; nothing of them is kept.");
        end.await?;
        println!("\nEnding the stack …");
    }
    if let Some(dashboard) = dashboard {
        dashboard.stop().await?;
    }
    let stopped = stack.stop().await;
    let good = shown?.unwrap_or(false);
    stopped.map(|()| good)
}

/// Starts the stack's dashboard. Cargo has built the command that serves it beside this program.
pub(crate) async fn open_dashboard(stack: &Stack) -> Result<Dashboard> {
    let demo = env::current_exe().context("expected to know where this program is")?;
    let dashboard = stack.dashboard(&demo.with_file_name("evenkeel")).await?;
    println!("The dashboard: {}", dashboard.url());
    Ok(dashboard)
}

/// Replays the incident on a stack, and judges it. Returns true if every job succeeded exactly once.
pub(crate) async fn show(workspace: &Workspace, stack: &Stack, seed: u64) -> Result<bool> {
    let scene = Scene::of(stack)?;
    let sites = site::prepare(&scene.sandbox, seed).await?;
    let incident = Incident::of(seed, &sites);
    // If a page were missing, all later jobs would have other places.
    ensure!(incident.jobs.len() == incident::JOBS, "the sites have too few pages");
    scene.sandbox.preload(&incident.preloads).await.context("links cannot be put in place")?;
    announce(&incident);
    let journal = Journal::default();
    // The verdict finds what a replay that was cut short has not sent.
    let playing = async {
        timeout(DEADLINE, replay::play(&scene, &incident, &journal)).await.unwrap_or(Ok(()))
    };
    let ((), end) = tokio::try_join!(playing, watch(&scene, &incident, &journal))?;
    let end = Snapshot { breaker: scene.breaker(&incident.walled).await?, ..end };
    let sent = journal.sent.borrow();
    let evidence = evidence(&incident, &sent, &journal, &end);
    let report = Report::of(&incident, &evidence, &end, scene.clock);
    table::print(&report);
    leave(workspace, stack, &report)?;
    Ok(report.ok)
}

fn announce(incident: &Incident) {
    let counted = |kind: Kind| format!("{} {}", incident.count(kind), kind.name());
    println!(
        "Sending {} messages: {} jobs ({}), five in two seconds; {} of them find their slashtag \
         taken.",
        incident.messages(),
        incident.jobs.len(),
        Kind::ALL.map(counted).join(", "),
        incident.taken(),
    );
}

/// Shows progress until everything has ended or the deadline has passed. Returns the last snapshot.
async fn watch(scene: &Scene<'_>, incident: &Incident, journal: &Journal) -> Result<Snapshot> {
    let mut progress = Progress::start(incident.messages());
    let mut ticks = interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Read this before the snapshot: the snapshot may miss what is sent while it is taken.
        let played = journal.over.get();
        let now = scene.snapshot().await?;
        let elapsed = scene.clock.elapsed();
        for (when, news) in journal.news.take() {
            progress.tell(when, &news);
        }
        let sent = journal.sent.borrow();
        progress.show(elapsed, sent.len(), &now);
        let over = played && verdict::is_over(&evidence(incident, &sent, journal, &now));
        if over || elapsed >= DEADLINE {
            return Ok(now);
        }
    }
}

fn evidence<'a>(
    incident: &'a Incident,
    sent: &'a [Sent],
    journal: &Journal,
    now: &'a Snapshot,
) -> Evidence<'a> {
    Evidence {
        jobs: &incident.jobs,
        sent,
        records: &now.records,
        vehicles: &now.vehicles,
        links: &now.links,
        faults: &now.faults,
        accident: journal.accident.get(),
        queued: now.queued,
        dead_letters: now.dead_letters,
    }
}

/// Writes the report, its page and the functions' log.
fn leave(workspace: &Workspace, stack: &Stack, report: &Report) -> Result<()> {
    let directory = workspace.demo();
    fs::create_dir_all(&directory).context("the report's directory cannot be made")?;
    let path = directory.join("report.json");
    report.write(&path)?;
    let shown = directory.join("report.html");
    page::write(report, &shown)?;
    let log = directory.join("functions.log");
    fs::write(&log, stack.log()?).context("the functions' log cannot be written")?;
    println!("\nEach job: {}", workspace.shown(&path));
    println!("What the functions printed: {}", workspace.shown(&log));
    println!("The report as a page: {}", workspace.shown(&shown));
    Ok(())
}
