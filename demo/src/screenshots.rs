//! The screenshots of README.md: the dashboard while the link shortener is down.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::convert::Infallible;
use std::future;
use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::local::{Options, Stack};
use xtask::page_check;
use xtask::termination;
use xtask::workspace::Workspace;

use crate::incident::{Incident, site};
use crate::replay::{self, Journal};
use crate::run::{SEED, open_dashboard};
use crate::scene::Scene;

/// Replays the incident with an outage that lasts, and takes the screenshots, with `browser` instead of the Chromium
/// from npm if one is given. Returns false after Ctrl-C, or if a picture is too large, which has been said.
pub async fn run(workspace: &Workspace, browser: Option<&Path>) -> Result<bool> {
    termination::unless_requested(Box::pin(taken(workspace, browser))).await
}

async fn taken(workspace: &Workspace, browser: Option<&Path>) -> Result<bool> {
    // The outage does not wait for an installation.
    page_check::prepare(workspace).await?;
    println!("Starting the servers …");
    let stack = Stack::start(workspace, &Options::default()).await?;
    let dashboard = open_dashboard(&stack).await?;
    println!("Replaying the incident, and waiting for a minute of its outage …");
    let pictures = page_check::screenshots(workspace, dashboard.url(), browser);
    let taken = tokio::select! {
        taken = Box::pin(pictures) => taken,
        failed = Box::pin(outage(&stack)) => failed.map(|never| -> bool { match never {} }),
    };
    dashboard.stop().await?;
    stack.stop().await?;
    taken
}

/// Replays the incident and leaves its outage as it is. Returns only if that has failed.
async fn outage(stack: &Stack) -> Result<Infallible> {
    let scene = Scene::of(stack)?;
    let sites = site::prepare(&scene.sandbox, SEED).await?;
    let incident = Incident::of(SEED, &sites).with_a_lasting_outage();
    scene.sandbox.preload(&incident.preloads).await.context("links cannot be put in place")?;
    let journal = Journal::default();
    let replayed = replay::play(&scene, &incident, &journal).await;
    replayed.context("the incident could not be replayed")?;
    future::pending().await
}
