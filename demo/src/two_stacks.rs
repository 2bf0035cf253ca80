//! Two stacks of one account, side by side: each does its own jobs, and the end of one leaves the other
//! as it is.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::{Instant, sleep};
use xtask::aws::{ServiceError, dynamodb, scheduler, sqs};
use xtask::local::{Options, Stack};
use xtask::termination;
use xtask::workspace::Workspace;

use crate::incident::event::Action;
use crate::incident::{Incident, site};
use crate::run::SEED;
use crate::scene::Scene;

/// The names of the stacks. The first is the usual one.
const NAMES: [&str; 2] = ["evenkeel", "evenkeel-second"];

/// Jobs of the demo's incident that each stack gets at first.
const JOBS: usize = 10;

/// How long the jobs may take.
const DEADLINE: Duration = Duration::from_mins(3);

/// [`side_by_side`] as a command. Returns false after Ctrl-C.
pub async fn run(workspace: &Workspace) -> Result<bool> {
    tokio::select! {
        shown = side_by_side(workspace) => shown.map(|()| true),
        asked = termination::requested() => {
            println!("\nInterrupted.");
            asked.map(|()| false)
        }
    }
}

/// Deploys two stacks to one local AWS, sends each the first ten jobs of the demo, deletes the second, and
/// sends the first one job more. Fails with what went wrong.
pub async fn side_by_side(workspace: &Workspace) -> Result<()> {
    println!("Starting the servers and two stacks …");
    let options = Options { stack: Some(NAMES[0].to_owned()), ..Options::default() };
    let first = Stack::start(workspace, &options).await?;
    let shown = beside(workspace, &first).await;
    let stopped = first.stop().await;
    shown.and(stopped)
}

async fn beside(workspace: &Workspace, first: &Stack) -> Result<()> {
    let options = Options {
        stack: Some(NAMES[1].to_owned()),
        endpoint_url: Some(first.client().endpoint().to_owned()),
        ..Options::default()
    };
    let second = Stack::start(workspace, &options).await?;
    let shown = show(workspace, first, &second).await;
    let stopped = second.stop().await;
    shown.and(stopped)
}

async fn show(workspace: &Workspace, first: &Stack, second: &Stack) -> Result<()> {
    let scenes = [Scene::of(first)?, Scene::of(second)?];
    let [incident, other] = [prepare(&scenes[0]).await?, prepare(&scenes[1]).await?];
    for (scene, incident) in scenes.iter().zip([&incident, &other]) {
        send(scene, incident, 0..JOBS).await?;
    }
    for (scene, name) in scenes.iter().zip(NAMES) {
        succeeded(scene, JOBS).await.context(name)?;
        println!("{name}: {JOBS} jobs succeeded, and it has no other.");
    }
    is_whole(first, NAMES[0]).await?;
    is_whole(second, NAMES[1]).await?;
    second.delete(workspace).await?;
    is_gone(second, NAMES[1]).await.context(NAMES[1])?;
    println!("{}: deleted.", NAMES[1]);

    is_whole(first, NAMES[0]).await?;
    send(&scenes[0], &incident, JOBS..JOBS + 1).await?;
    succeeded(&scenes[0], JOBS + 1).await.context(NAMES[0])?;
    println!("{}: tables, queues and schedule are there, and it does another job.", NAMES[0]);
    Ok(())
}

/// Fails unless all queues and tables of a stack are there, and its schedule.
async fn is_whole(stack: &Stack, name: &'static str) -> Result<()> {
    let (found, all) = queues(stack).await;
    ensure!(found == all && all > 0, "{name}: {found} of {all} queues are there");
    scheduler::schedule(stack.client(), &schedule_of(name)).await.context(name)?;
    for table in outputs(stack, "TableName") {
        dynamodb::scan(stack.client(), table).await.context(name)?;
    }
    Ok(())
}

/// Fails unless AWS says of every queue of a stack and of its schedule that they do not exist.
async fn is_gone(stack: &Stack, name: &str) -> Result<()> {
    for queue in outputs(stack, "QueueUrl") {
        does_not_exist(sqs::depth(stack.client(), queue).await.map(drop)).context("a queue")?;
    }
    let schedule = scheduler::schedule(stack.client(), &schedule_of(name)).await;
    does_not_exist(schedule.map(drop)).context("its schedule")
}

/// Parts of the codes by which SQS and the scheduler say that something does not exist.
const MISSING: [&str; 3] = ["QueueDoesNotExist", "NonExistentQueue", "ResourceNotFound"];

fn does_not_exist(asked: Result<()>) -> Result<()> {
    let Err(error) = asked else { bail!("it is still there") };
    let refused = error.downcast_ref::<ServiceError>();
    let code = refused.map(|refused| refused.code.as_str()).unwrap_or_default();
    if MISSING.iter().any(|name| code.contains(name)) { Ok(()) } else { Err(error) }
}

fn schedule_of(stack: &str) -> String {
    format!("{stack}-sweeper")
}

/// The values of the outputs whose names end so.
fn outputs<'a>(stack: &'a Stack, ending: &'a str) -> impl Iterator<Item = &'a str> {
    let outputs = stack.description().outputs.iter();
    outputs.filter(move |(name, _)| name.ends_with(ending)).map(|(_, value)| value.as_str())
}

/// How many queues of a stack are there, and how many it was deployed with.
async fn queues(stack: &Stack) -> (usize, usize) {
    let (mut found, mut all) = (0, 0);
    for queue in outputs(stack, "QueueUrl") {
        all += 1;
        found += usize::from(sqs::depth(stack.client(), queue).await.is_ok());
    }
    (found, all)
}

/// Prepares a stack's third parties for the incident.
async fn prepare(scene: &Scene<'_>) -> Result<Incident> {
    let sites = site::prepare(&scene.sandbox, SEED).await?;
    let incident = Incident::of(SEED, &sites);
    scene.sandbox.preload(&incident.preloads).await.context("links cannot be put in place")?;
    Ok(incident)
}

/// Sends the incident's jobs at these places, once each, and nothing else of the incident.
async fn send(scene: &Scene<'_>, incident: &Incident, places: Range<usize>) -> Result<()> {
    for place in places {
        let message = incident.events.iter().find_map(|event| match &event.action {
            Action::Send(kind, messages) => {
                let message = messages.iter().find(|message| message.job == Some(place))?;
                Some((*kind, message))
            }
            _ => None,
        });
        let (kind, message) = message.with_context(|| format!("job {place} has no message"))?;
        scene.send(kind, &[sqs::Outgoing::new(&message.body)]).await?;
    }
    Ok(())
}

/// Waits until the stack has so many records, all succeeded, and no message.
async fn succeeded(scene: &Scene<'_>, jobs: usize) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let now = scene.snapshot().await?;
        let done = now.records.iter().filter(|record| record.state == "succeeded").count();
        if (done, now.records.len(), now.queued) == (jobs, jobs, 0) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let all = now.records.len();
            bail!("{done} of {all} records succeeded, expected {jobs}; {} messages", now.queued);
        }
        sleep(Duration::from_secs(1)).await;
    }
}
