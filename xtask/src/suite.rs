//! `cargo xtask test`: all that a change must pass.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use anyhow::Result;
use clap::Args;

use crate::artifact::{self, Profile};
use crate::check;
use crate::progress;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// Tests that run at the same time.
const TEST_THREADS: &str = "4";

/// Which part of the tests to run.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// Leave out formatting, lints and template checks
    #[arg(long)]
    pub no_check: bool,
    /// Run only tests whose names contain this
    pub filter: Option<String>,
    /// Further arguments of the test binaries, such as `--nocapture`
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

/// Checks, builds what the end-to-end tests start, and runs the tests. Returns true if all of it
/// succeeded. The tests also run if a check has failed, so that one run shows everything. Cargo's
/// own summary is the last output.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let checked = if selection.no_check { Ok(()) } else { check::run(workspace).await };
    if let Err(error) = &checked {
        println!("-- check: {error:#}");
    }
    println!("-- build what the tests start");
    Venv::ready(workspace, Tools::Local).await?;
    Venv::ready(workspace, Tools::Moto).await?;
    artifact::build(workspace, Profile::Dev).await?;

    println!("-- build the tests");
    let tests = ["test", "--workspace", "--all-features"];
    let mut built = tool::cargo();
    built.current_dir(workspace.root()).args(tests).args(["--no-run", "--quiet"]);
    let built = progress::shown(|| "building the tests".to_owned(), tool::shown(&mut built));
    if !built.await? {
        return Ok(false);
    }

    println!("-- test");
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root()).args(tests);
    // The end-to-end tests mostly wait, so more of them than there are cores may run side by side.
    // `-- --test-threads N` overrides this.
    cargo.env("RUST_TEST_THREADS", TEST_THREADS);
    cargo.args(&selection.filter).arg("--").args(&selection.arguments);
    Ok(tool::shown(&mut cargo).await? && checked.is_ok())
}

/// Runs the tests of alarms and metrics, and shows what they print: what these cost a month. Returns true if they
/// succeeded.
pub async fn alarms(workspace: &Workspace) -> Result<bool> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    cargo.args(["test", "--package", "tests", "--all-features", "--test", "integration"]);
    cargo.args(["--", "alarms::", "monitoring::", "--show-output"]);
    tool::shown(&mut cargo).await
}
