//! `cargo xtask check`: everything short of running the tests.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use tokio::process::Command;
use tokio::time::Instant;

use crate::artifact;
use crate::audit;
use crate::cargo_tool;
use crate::progress;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// The version of cargo-deny to build, so that results do not depend on when it was installed.
const CARGO_DENY: &str = "0.20.2";

/// Runs every step, even after one has failed, and then fails with the names of the failed steps.
pub async fn run(workspace: &Workspace) -> Result<()> {
    // The compiler does not need the network, and pip hardly needs the processor.
    let (code, ()) = tokio::join!(code(workspace), install(workspace));
    let mut failed = code?;
    failed.extend(template(workspace).await?);
    match cargo_deny(workspace).await {
        Ok(program) => {
            let mut deny = tool::command(program);
            deny.current_dir(workspace.root());
            deny.args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
            failed.extend(unless_ok("cargo deny", step("cargo deny", deny).await?));
        }
        Err(error) => println!("-- cargo deny: left out, because it cannot be had here: {error:#}"),
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// The name of a step that has failed.
fn unless_ok(name: &'static str, ok: bool) -> Option<&'static str> {
    (!ok).then_some(name)
}

/// Installs the Python tools of the later steps and of the tests. An error shows when they are used.
async fn install(workspace: &Workspace) {
    for tools in [Tools::Check, Tools::Audit, Tools::Local, Tools::Moto] {
        let _ = Venv::ready(workspace, tools).await;
    }
}

/// The steps on code. Returns the names of those that failed.
async fn code(workspace: &Workspace) -> Result<Vec<&'static str>> {
    let mut failed = Vec::new();
    let format = cargo(workspace, ["fmt", "--all", "--check"]);
    failed.extend(unless_ok("format", step("format", format).await?));
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features"];
    let mut clippy = cargo(workspace, clippy);
    clippy.args(["--quiet", "--", "-D", "warnings"]);
    failed.extend(unless_ok("clippy", step("clippy", clippy).await?));

    let up_to_date = match artifact::generator(workspace).await {
        Ok(generator) => {
            let mut generated = tool::command(generator);
            generated.arg("--check");
            step("template", generated).await?
        }
        Err(error) => {
            println!("-- template: FAILED: {error:#}");
            false
        }
    };
    failed.extend(unless_ok("template", up_to_date));
    Ok(failed)
}

/// The steps on the template. Returns the names of those that failed.
async fn template(workspace: &Workspace) -> Result<Vec<&'static str>> {
    let mut failed = Vec::new();
    let venv = Venv::ready(workspace, Tools::Check).await?;
    let mut lint = tool::command(venv.program("cfn-lint"));
    lint.arg(workspace.template()).arg(workspace.root().join("infra/monitoring.yaml"));
    failed.extend(unless_ok("cfn-lint", step("cfn-lint", lint).await?));
    let validate = sam_validate(workspace, &venv);
    failed.extend(unless_ok("sam validate", step("sam validate", validate).await?));
    let checkov = examined("checkov", audit::settings(workspace)).await;
    failed.extend(unless_ok("checkov", checkov));
    let policies = examined("policies", audit::policies(workspace)).await;
    failed.extend(unless_ok("policies", policies));
    Ok(failed)
}

/// Names a step, runs it with its output on the terminal, and says how it went and how long it took.
async fn step(name: &str, mut command: Command) -> Result<bool> {
    println!("-- {name}");
    let started = Instant::now();
    let ok = progress::shown(|| format!("-- {name}"), tool::shown(&mut command)).await?;
    let outcome = if ok { "ok" } else { "FAILED" };
    println!("-- {name}: {outcome} ({:.1} s)", started.elapsed().as_secs_f64());
    Ok(ok)
}

/// The same for a step of our own, which returns what it has examined.
async fn examined(name: &str, step: impl Future<Output = Result<String>>) -> bool {
    println!("-- {name}");
    let started = Instant::now();
    let said = progress::shown(|| format!("-- {name}"), step).await;
    let seconds = started.elapsed().as_secs_f64();
    match &said {
        Ok(said) => println!("{}\n-- {name}: ok ({seconds:.1} s)", said.trim()),
        Err(error) => println!("{error:#}\n-- {name}: FAILED ({seconds:.1} s)"),
    }
    said.is_ok()
}

fn cargo<const N: usize>(workspace: &Workspace, arguments: [&str; N]) -> Command {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root()).args(arguments.map(OsStr::new));
    cargo
}

/// SAM requires a region although it makes no call, and sends usage data unless told not to.
fn sam_validate(workspace: &Workspace, venv: &Venv) -> Command {
    let mut sam = tool::command(venv.program("sam"));
    sam.args(["validate", "--lint", "--template-file"]).arg(workspace.template());
    sam.env("AWS_DEFAULT_REGION", crate::aws::REGION).env("SAM_CLI_TELEMETRY", "0");
    sam
}

/// The installed cargo-deny, or one that is built once into the tools' folder.
async fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    let mut ask = tool::command(&installed);
    if tool::output(ask.arg("--version"), "ask for cargo-deny").await.is_ok() {
        return Ok(installed);
    }
    cargo_tool::ready(workspace, "cargo-deny", CARGO_DENY).await
}
