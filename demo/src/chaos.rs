//! Chaos: a local stack of real processes under load, while everything breaks at random by a seed. Then all is well,
//! the queue drains, and what became of the messages, records and links is judged.
//!
//! In reading order: `plan` (what strikes when), `ground` (what is acted on), `load` (the jobs meanwhile), `strike`
//! (how each fault strikes, and ends), `outage` (tables and queues that fail) and `verdict` (the rules).
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod ground;
mod load;
mod outage;
mod plan;
mod strike;
mod verdict;

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};
use xtask::local::{Hold, Options, Stack};
use xtask::termination;
use xtask::workspace::Workspace;

use crate::scene::Snapshot;
use ground::Ground;
use outage::Gate;
use strike::Struck;
use verdict::Evidence;

/// Time between two looks while it drains, and the number of looks between two lines about it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LINE_EVERY: u32 = 10;

/// All must be done so long after the last strike: a breaker may probe a quarter of an hour apart.
const DRAINED_WITHIN: Duration = Duration::from_mins(40);

/// The most rounds of jobs that go well, until all breakers are closed.
const ROUNDS: u32 = 6;

/// What kind of storm.
#[derive(Clone, Copy, Debug)]
pub struct Chaos {
    /// Determines what strikes, when, and for how long. How the processes run meanwhile is the machine's affair, so a
    /// failure need not repeat.
    pub seed: u64,
    /// How long it storms, in minutes.
    pub minutes: u64,
}

/// Brings a stack up, lets a storm go over it, waits until the queue has drained, and prints what struck and the
/// verdict. Ends the stack in any case. Returns false if a rule is broken, or after Ctrl-C.
pub async fn run(workspace: &Workspace, chaos: Chaos) -> Result<bool> {
    let Some(_hold) = Hold::take(workspace)? else {
        bail!("expected no stack to be up: `cargo xtask down` ends it");
    };
    let mut end = Box::pin(termination::requested());
    println!("Seed {}. Starting the servers …", chaos.seed);
    let gate = Gate::start().await?;
    let options = Options { functions_endpoint: Some(gate.url()), ..Options::default() };
    let stack = tokio::select! {
        stack = Stack::start(workspace, &options) => stack?,
        asked = &mut end => return asked.map(|()| false),
    };
    gate.forward_to(stack.client().endpoint());
    let judged = tokio::select! {
        judged = on_stack(workspace, &stack, &gate, chaos) => judged,
        asked = &mut end => asked.map(|()| {
            println!("\nInterrupted.");
            false
        }),
    };
    // By their ids, the stopped ones as well. If this process fails before, dropping the stack does the same.
    println!("\nEnding the stack …");
    let stopped = stack.stop().await;
    let holds = judged?;
    stopped.map(|()| holds)
}

async fn on_stack(workspace: &Workspace, stack: &Stack, gate: &Gate, chaos: Chaos) -> Result<bool> {
    stack.publish(workspace)?;
    let on = Ground::of(workspace, stack, gate).await?;
    let struck = storm(&on, chaos).await?;
    println!("{:>5} s  the storm is over", on.elapsed().as_secs());
    on.calm().await?;
    let evidence = drain(&on, struck).await?;
    let (text, holds) = verdict::judge(&evidence);
    let Chaos { seed, minutes } = chaos;
    println!("\ncargo xtask chaos --minutes {minutes} --seed {seed}\n\n{text}");
    if !holds {
        keep(&on, &text).await?;
    }
    println!("{}", if holds { "Every rule holds." } else { "A RULE IS BROKEN." });
    Ok(holds)
}

/// Leaves in `target/chaos` what helps to find out why: nothing of a stack outlives it.
async fn keep(on: &Ground<'_>, verdict: &str) -> Result<()> {
    let folder = on.workspace.target().join("chaos");
    let cannot = || format!("{}: cannot be written", on.workspace.shown(&folder));
    fs::create_dir_all(&folder).with_context(cannot)?;
    let lines = async |table: &str| {
        let items = on.items(table).await?;
        anyhow::Ok(items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    let files = [
        ("verdict.txt", verdict.to_owned()),
        ("ministack.log", on.stack.log()?),
        ("jobs.jsonl", lines("JobsTableName").await?),
        ("control.jsonl", lines("ControlTableName").await?),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).with_context(cannot)?;
    }
    println!("Log, records and notes are in {}.", on.workspace.shown(&folder));
    Ok(())
}

/// Lets everything strike while jobs come in.
async fn storm(on: &Ground<'_>, chaos: Chaos) -> Result<Struck> {
    let length = Duration::from_mins(chaos.minutes);
    let strikes = plan::strikes(chaos.seed, length);
    println!("{} strikes within {} min", strikes.len(), chaos.minutes);
    let release = format!("chaos-{}", chaos.seed);
    tokio::select! {
        struck = strike::storm(on, &strikes, length, &release) => struck,
        ended = load::flow(on) => match ended? {},
    }
}

/// Waits until all work is done, and then lets jobs go well until the breakers are closed. If that does not happen in
/// time, the verdict shows what is left.
async fn drain(on: &Ground<'_>, struck: Struck) -> Result<Evidence> {
    let deadline = Instant::now() + DRAINED_WITHIN;
    let mut last = quiet(on, deadline).await?;
    let mut open_breakers = on.open_breakers().await?;
    for round in 0..ROUNDS {
        if open_breakers.is_empty() && round > 0 || Instant::now() >= deadline {
            break;
        }
        load::healthy(on, round).await?;
        last = quiet(on, deadline).await?;
        open_breakers = on.open_breakers().await?;
    }
    Ok(Evidence { sent: on.sent(), last, open_breakers, struck })
}

/// Looks until all jobs have ended and the queues are empty, or until the deadline. Returns the last look.
async fn quiet(on: &Ground<'_>, deadline: Instant) -> Result<Snapshot> {
    let mut looks = 0_u32;
    loop {
        let now = on.scene.snapshot().await?;
        let is_quiet =
            now.queued + now.dead_letters == 0 && now.records.iter().all(verdict::has_ended);
        if is_quiet || Instant::now() >= deadline {
            return Ok(now);
        }
        if looks.is_multiple_of(LINE_EVERY) {
            let states = verdict::states(&now.records);
            println!("{:>5} s  {} messages; {states}", on.elapsed().as_secs(), now.queued);
        }
        looks = looks.wrapping_add(1);
        sleep(LOOK_EVERY).await;
    }
}
