//! `cargo xtask COMMAND`.
#![allow(clippy::doc_markdown, reason = "LocalStack and its like are names in prose")]
#![expect(clippy::print_stderr, reason = "where a command line says what went wrong")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use xtask::architecture::Architecture;
use xtask::artifact::Profile;
use xtask::local::Options;
use xtask::suite::Selection;
use xtask::workspace::Workspace;
use xtask::{
    advisories, artifact, bench, check, demo, down, fuzz, mutants, new, package, page_bench,
    page_check, sam_build, scale, simulate, suite, termination, tool, up,
};

/// Every development command of the project
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring up a local AWS with everything deployed on it, and hold it up until Ctrl-C
    Up(Up),
    /// End what `up` holds up
    Down,
    /// Replay the incident on a local AWS, and print figures before and after
    Demo(Demo),
    /// Run one experiment on a local AWS, and write its page in docs/experiments
    Experiment(Experiment),
    /// Deploy two stacks to one local AWS, and delete one of them
    TwoStacks,
    /// Break a local AWS in five ways, for a person to find and mend with `evenkeel`
    Drill(Drill),
    /// Break everything on a local AWS at random under load, and judge what became of the jobs
    Chaos(Chaos),
    /// Write the parts of template.yaml and docs/ that follow from functions/*/function.toml
    Template,
    /// Make the folder of a new job type
    New(New),
    /// Build, check and pack the functions for Lambda, into target/package
    Package(For),
    /// Build the functions with SAM, into .aws-sam, for `sam deploy`
    SamBuild(For),
    /// Run the whole queue under random faults, many seeds, and shrink the first that breaks a rule
    Simulate(simulate::Selection),
    /// Run the fuzz targets for some minutes each, and print how many inputs each had
    Fuzz(fuzz::Selection),
    /// Compare the locked crates with a copy of RustSec's database of advisories; needs no network
    Advisories(Advisories),
    /// Count the instructions of what a job consists of, or measure speed in other ways, and compare
    Bench(bench::Selection),
    /// Time the commands and the dashboard over 100,000 jobs, and count their read units
    Scale(scale::Selection),
    /// Change the engine's decisions one by one with cargo-mutants, and print the changes that no test notices
    Mutants(mutants::Selection),
    /// Compare how pages and feeds are read with other parsers: the tags, and the speed
    PageBench,
    /// Which alarms fire at which fault, by the rules of infra/monitoring.yaml, and what alarms and metrics cost
    Alarms,
    /// Look at every page of a dashboard in a browser: accessibility, keyboard, narrow screens, screenshots
    PageCheck(PageCheck),
    /// Take the screenshots of README.md in an outage of the demo's incident, into docs/images
    Screenshots(Screenshots),
    /// Leave a dashboard open in a browser under a flood of jobs, and judge memory and requests
    Soak(Soak),
    /// Formatting, lints, template, licences
    Check,
    /// Check, then run every test
    Test(Selection),
}

impl Command {
    /// Whether it listens itself for what asks it to end: it holds servers up, or becomes another program that does.
    const fn hears_signals(&self) -> bool {
        matches!(
            self,
            Self::Up(_)
                | Self::Demo(_)
                | Self::Experiment(_)
                | Self::TwoStacks
                | Self::Drill(_)
                | Self::Chaos(_)
                | Self::Screenshots(_)
                | Self::Soak(_)
        )
    }
}

#[derive(Debug, Args)]
struct Demo {
    /// Determines cars, links and repeated messages [default: the date of the improvement plan]
    #[arg(long)]
    seed: Option<u64>,
    /// Use functions built as for AWS instead of quickly built ones
    #[arg(long)]
    release: bool,
    /// Serve the stack's dashboard meanwhile, and keep both up afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// The arguments of the program of the crate `demo`.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["run".into()];
        if let Some(seed) = self.seed {
            arguments.push(format!("--seed={seed}").into());
        }
        if self.release {
            arguments.push("--release".into());
        }
        if self.keep {
            arguments.push("--keep".into());
        }
        arguments
    }
}

#[derive(Debug, Args)]
struct Drill {
    /// Determines the faults
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// End after so many minutes
    #[arg(long)]
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

impl Drill {
    /// The arguments of the program of the crate `demo`.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["drill".into(), format!("--seed={}", self.seed).into()];
        arguments.extend(self.minutes.map(|minutes| format!("--minutes={minutes}").into()));
        let flags =
            [("--self-test", self.self_test), ("--check", self.check), ("--reveal", self.reveal)];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        arguments.extend(given.map(|(flag, _)| OsString::from(flag)));
        arguments
    }
}

#[derive(Debug, Args)]
struct Advisories {
    /// A copy of github.com/rustsec/advisory-db: a .tar.gz, or its folder
    path: PathBuf,
}

#[derive(Debug, Args)]
struct Chaos {
    /// Determines what strikes, and when [default: another one for each run]
    #[arg(long)]
    seed: Option<u64>,
    /// How long it storms; then it takes some minutes until all jobs have ended
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

impl Chaos {
    /// The arguments of the program of the crate `demo`.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["chaos".into(), format!("--minutes={}", self.minutes).into()];
        arguments.extend(self.seed.map(|seed| format!("--seed={seed}").into()));
        arguments
    }
}

#[derive(Debug, Args)]
struct PageCheck {
    /// Where the dashboard is, such as the address that `cargo xtask demo --keep` prints
    url: String,
    /// A Chromium to use instead of the one from npm
    #[arg(long, value_name = "PROGRAM")]
    browser: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Screenshots {
    /// A Chromium to use instead of the one from npm
    #[arg(long, value_name = "PROGRAM")]
    browser: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Soak {
    /// For how many minutes, at least 8
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// A Chromium to use instead of the one from npm
    #[arg(long, value_name = "PROGRAM")]
    browser: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct For {
    /// The processor of the functions [default: the one in template.yaml]
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
}

#[derive(Debug, Args)]
struct Experiment {
    /// The name of its page in docs/experiments, such as `outage`
    name: String,
}

#[derive(Debug, Args)]
struct New {
    /// The job type's name in snake case, such as `sample_job`
    name: String,
}

#[derive(Debug, Args)]
struct Up {
    /// Port of the local AWS [default: a free one]
    #[arg(long)]
    port: Option<u16>,
    /// Port of the sandbox [default: a free one]
    #[arg(long)]
    sandbox_port: Option<u16>,
    /// Name of the stack, part of every name in it [default: evenkeel]
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// How the functions are built
    #[arg(long, value_enum, default_value = "dev")]
    profile: Profile,
    /// Deploy to this LocalStack-compatible endpoint instead of starting MiniStack
    #[arg(long, value_name = "URL", conflicts_with = "port")]
    endpoint_url: Option<String>,
    /// A parameter of template.yaml, as NAME=VALUE; may be given more than once
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,
}

impl From<Up> for Options {
    fn from(up: Up) -> Self {
        Self {
            port: up.port,
            sandbox_port: up.sandbox_port,
            stack: up.stack,
            profile: up.profile,
            endpoint_url: up.endpoint_url,
            parameters: BTreeMap::from_iter(up.parameters),
            wires: false,
            functions_endpoint: None,
        }
    }
}

fn name_and_value(given: &str) -> Result<(String, String), String> {
    let pair = given.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        // The command has already printed what is wrong.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command, until Ctrl-C or another signal asks for its end. Returns false if it was ended so, or if it failed and
/// has printed why.
async fn run(command: Command) -> Result<bool> {
    let hears_signals = command.hears_signals();
    // On the heap: it holds every command.
    let work = Box::pin(perform(command));
    if hears_signals { work.await } else { termination::unless_requested(work).await }
}

async fn perform(command: Command) -> Result<bool> {
    let workspace = Workspace::find().await.context("expected to run in the checkout")?;
    match command {
        Command::Up(up) => up::run(&workspace, &up.into()).await?,
        Command::Down => down::run(&workspace).await?,
        Command::Demo(chosen) => {
            let profile = if chosen.release { Profile::Release } else { Profile::Dev };
            return demo::run(&workspace, profile, &chosen.arguments()).await;
        }
        Command::TwoStacks => {
            return demo::run(&workspace, Profile::Dev, &["two-stacks".into()]).await;
        }
        Command::Drill(drill) => {
            return demo::run(&workspace, Profile::Dev, &drill.arguments()).await;
        }
        Command::Chaos(chaos) => {
            return demo::run(&workspace, Profile::Dev, &chaos.arguments()).await;
        }
        // Experiments measure, so their functions are built as for AWS.
        Command::Experiment(Experiment { name }) => {
            let arguments: [OsString; 2] = ["experiment".into(), name.into()];
            return demo::run(&workspace, Profile::Release, &arguments).await;
        }
        Command::Template => return generate(&workspace).await,
        Command::Package(For { arch }) => package::run(&workspace, arch).await?,
        Command::SamBuild(For { arch }) => sam_build::run(&workspace, arch).await?,
        Command::New(New { name }) => new::run(&workspace, &name)?,
        Command::Simulate(selection) => return simulate::run(&workspace, &selection).await,
        Command::Fuzz(selection) => return fuzz::run(&workspace, &selection).await,
        Command::Advisories(Advisories { path }) => {
            return advisories::run(&workspace, &path).await;
        }
        Command::Bench(selection) => return bench::run(&workspace, &selection).await,
        Command::Scale(selection) => return scale::run(&workspace, &selection).await,
        Command::Mutants(selection) => return mutants::run(&workspace, &selection).await,
        Command::PageBench => return page_bench::run(&workspace).await,
        Command::Alarms => return suite::alarms(&workspace).await,
        Command::PageCheck(PageCheck { url, browser }) => {
            return page_check::run(&workspace, &url, browser.as_deref()).await;
        }
        Command::Screenshots(Screenshots { browser }) => {
            let arguments = with_browser(vec!["screenshots".into()], browser);
            return demo::run(&workspace, Profile::Dev, &arguments).await;
        }
        Command::Soak(Soak { minutes, browser }) => {
            let arguments = vec!["soak".into(), format!("--minutes={minutes}").into()];
            let arguments = with_browser(arguments, browser);
            return demo::run(&workspace, Profile::Dev, &arguments).await;
        }
        Command::Check => check::run(&workspace).await?,
        Command::Test(selection) => return suite::run(&workspace, &selection).await,
    }
    Ok(true)
}

/// Arguments of the program of the crate `demo`, with the browser if one is given.
fn with_browser(mut arguments: Vec<OsString>, browser: Option<PathBuf>) -> Vec<OsString> {
    let browser = browser.map(|program| ["--browser".into(), program.into_os_string()]);
    arguments.extend(browser.into_iter().flatten());
    arguments
}

/// Runs the generator; false if it failed and has said why.
async fn generate(workspace: &Workspace) -> Result<bool> {
    tool::shown(&mut tool::command(artifact::generator(workspace).await?)).await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Cli, name_and_value};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_parameter_may_hold_an_equals_sign() {
        assert_eq!(name_and_value("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(name_and_value("A").is_err());
    }
}
