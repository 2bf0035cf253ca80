//! The screenshots of README.md: the dashboard while the incident is replayed, once a breaker is open.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::local::{Options, Stack};
use xtask::page_check;
use xtask::termination;
use xtask::workspace::Workspace;

use crate::run::{SEED, open_dashboard, show};

/// Replays the incident and takes the screenshots, with `browser` instead of the Chromium from npm if one is given.
/// Returns false after Ctrl-C, or if a picture is too large, which has been said.
pub async fn run(workspace: &Workspace, browser: Option<&Path>) -> Result<bool> {
    termination::unless_requested(Box::pin(taken(workspace, browser))).await
}

async fn taken(workspace: &Workspace, browser: Option<&Path>) -> Result<bool> {
    // The outage does not wait for an installation.
    page_check::prepare(workspace).await?;
    println!("Starting the servers …");
    let stack = Stack::start(workspace, &Options::default()).await?;
    let dashboard = open_dashboard(&stack).await?;
    let replay = Box::pin(show(workspace, &stack, SEED));
    let pictures = page_check::screenshots(workspace, dashboard.url(), browser);
    let (replayed, taken) = tokio::join!(replay, pictures);
    dashboard.stop().await?;
    stack.stop().await?;
    replayed.context("the incident could not be replayed")?;
    taken
}
