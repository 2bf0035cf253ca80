//! `demo run`, `demo experiment NAME`, `demo drill` and `demo chaos`. `cargo xtask demo`, `experiment`, `drill` and
//! `chaos` build everything and then run this program.
#![expect(clippy::print_stderr, reason = "errors of a command line go to stderr")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use demo::chaos;
use demo::drill::{self, Question};
use demo::{experiment, run, screenshots, soak, two_stacks};
use xtask::artifact::Profile;
use xtask::workspace::Workspace;

/// Shows on a local stack what the queue does when things go wrong
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replay the incident, and print figures before and after
    Run(Run),
    /// Run one experiment, and write its page in docs/experiments
    Experiment {
        /// The name of its page in docs/experiments
        name: experiment::Name,
    },
    /// Two stacks side by side on one local AWS, and the end of one of them
    TwoStacks,
    /// Break a local stack in five ways, for a person to find and mend
    Drill(Drill),
    /// Break everything at random under load, and judge what became of the jobs
    Chaos(Chaos),
    /// Replay the incident with an outage that lasts, and take the screenshots of README.md
    Screenshots {
        /// A Chromium to use instead of the one from npm
        #[arg(long, value_name = "PROGRAM")]
        browser: Option<PathBuf>,
    },
    /// Leave a dashboard open in a browser under a flood of jobs, and judge memory and requests
    Soak {
        /// For how many minutes
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(8..=1_440))]
        minutes: u32,
        /// A Chromium to use instead of the one from npm
        #[arg(long, value_name = "PROGRAM")]
        browser: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Determines cars, links and repeated messages
    #[arg(long, default_value_t = run::SEED)]
    seed: u64,
    /// Use functions built as for AWS instead of quickly built ones
    #[arg(long)]
    release: bool,
    /// Serve the stack's dashboard meanwhile, and keep both up afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Args)]
struct Drill {
    /// Determines the faults
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End after so many minutes
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: Option<u64>,
    /// Strike every fault one after the other, and mend each by its answer
    #[arg(long)]
    self_test: bool,
    /// Ask the drill that runs how many faults are mended
    #[arg(long, conflicts_with_all = ["reveal", "self_test"])]
    check: bool,
    /// Ask the drill that runs what its faults are
    #[arg(long, conflicts_with = "self_test")]
    reveal: bool,
}

#[derive(Debug, Args)]
struct Chaos {
    /// Determines what strikes, and when [default: another one for each run]
    #[arg(long)]
    seed: Option<u64>,
    /// How long it storms
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match execute(Cli::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        // The report or the page has said what is wrong.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<bool> {
    let workspace = Workspace::find().await.context("expected to run in the checkout")?;
    match command {
        Command::Run(Run { seed, release, keep }) => {
            let profile = if release { Profile::Release } else { Profile::Dev };
            run::run(&workspace, seed, profile, keep).await
        }
        Command::Drill(Drill { check: true, .. }) => drill::ask(&workspace, Question::Check).await,
        Command::Drill(Drill { reveal: true, .. }) => {
            drill::ask(&workspace, Question::Reveal).await
        }
        Command::Drill(Drill { seed, minutes, self_test, .. }) => {
            drill::run(&workspace, drill::Drill { seed, minutes, self_test }).await
        }
        Command::Chaos(Chaos { seed, minutes }) => {
            let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
            chaos::run(&workspace, chaos::Chaos { seed, minutes }).await
        }
        Command::TwoStacks => two_stacks::run(&workspace).await,
        Command::Screenshots { browser } => screenshots::run(&workspace, browser.as_deref()).await,
        Command::Soak { minutes, browser } => {
            soak::run(&workspace, minutes, browser.as_deref()).await
        }
        Command::Experiment { name } => experiment::run(&workspace, name).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
