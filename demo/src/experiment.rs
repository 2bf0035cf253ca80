//! The experiments: demonstrations that take more than a minute of real time. Each brings up a stack,
//! does something to it, judges the result, and writes a page in `docs/experiments`.
#![expect(clippy::print_stdout, reason = "a command's answer")]

pub(crate) mod bench;
mod feed;
mod flood;
mod key;
mod outage;
mod page;
pub mod recovery;
mod throughput;

use std::fs;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use xtask::artifact::Profile;
use xtask::local::{Options, Stack};
use xtask::termination;
use xtask::workspace::Workspace;

use bench::Bench;
use page::Page;

/// What shows one property of the queue and writes a page about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Rebrandly is down for a minute and a half under one job a second
    OutageShort,
    /// Rebrandly is down for three minutes under one job a second
    Outage,
    /// Rebrandly is down for ten minutes under one job a second
    OutageLong,
    /// The key is revoked, and replaced two minutes later
    RevokedKey,
    /// A thousand jobs against ten calls a second
    Throughput,
    /// A feed of 5,000 cars, and a process killed in the middle
    Feed,
    /// Ten thousand shortening jobs, and others beside them
    Flood,
    /// Processes killed, messages lost, dead letters, and a sweeper that mends it
    Recovery,
}

impl Name {
    fn text(self) -> String {
        let value = self.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Experiments measure, so their functions are built as for AWS.
    fn options() -> Options {
        Options { profile: Profile::Release, ..Options::default() }
    }

    async fn run(self, bench: &Bench<'_>) -> Result<Page> {
        match self {
            Self::OutageShort => outage::run(bench, outage::SHORT).await,
            Self::Outage => outage::run(bench, outage::USUAL).await,
            Self::OutageLong => outage::run(bench, outage::LONG).await,
            Self::RevokedKey => key::run(bench).await,
            Self::Throughput => throughput::run(bench).await,
            Self::Feed => feed::run(bench).await,
            Self::Flood => flood::run(bench).await,
            Self::Recovery => recovery::run(bench).await,
        }
    }
}

/// Runs an experiment and writes its page. Returns true if every rule on the page held.
pub async fn run(workspace: &Workspace, name: Name) -> Result<bool> {
    let mut end = Box::pin(termination::requested());
    println!("Starting the servers …");
    let options = Name::options();
    let stack = tokio::select! {
        stack = Stack::start(workspace, &options) => stack?,
        asked = &mut end => return asked.map(|()| false),
    };
    let bench = Bench::of(&stack)?;
    let page = tokio::select! {
        page = name.run(&bench) => page.map(Some),
        asked = &mut end => asked.map(|()| None),
    };
    let stopped = stack.stop().await;
    let Some(page) = page? else {
        println!("\nInterrupted.");
        return stopped.map(|()| false);
    };
    let (text, ok) = (page.text(&name.text()), page.holds());
    println!("\n{text}");
    let folder = workspace.root().join("docs/experiments");
    fs::create_dir_all(&folder).context("docs/experiments cannot be made")?;
    let path = folder.join(format!("{}.md", name.text()));
    fs::write(&path, text).context("the page cannot be written")?;
    println!("Written to {}", workspace.shown(&path));
    stopped.map(|()| ok)
}
