//! `cargo xtask simulate`: the whole queue under random faults, many seeds. The simulation is a module of the
//! integration tests, so that nothing is built for it that the tests do not build.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::tool;
use crate::workspace::Workspace;

/// Which seeds to run.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Selection {
    /// How many seeds
    #[arg(long, default_value_t = 200)]
    pub seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Set a feature to an intensity from 0 (off) to 1, as NAME=NUMBER; may be given more than once
    #[arg(long = "set", value_name = "NAME=NUMBER")]
    pub set: Vec<String>,
    /// Go on after the seeds that earlier runs with --resume have run on this commit, and add up what they say
    #[arg(long, conflicts_with = "set")]
    pub resume: bool,
    /// Put each fault of shared/src/base/mutants.rs into the code, and run seeds until it is found, at most this many
    #[arg(long, value_name = "SEEDS", num_args = 0..=1, default_missing_value = "20000")]
    #[arg(conflicts_with_all = ["seeds", "seed", "set", "resume"])]
    pub mutants: Option<u64>,
}

/// Runs the seeds. Returns false if one broke a rule, which is then printed.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    // The same features as `cargo xtask test`, so that both share what is built.
    cargo.args(["test", "--workspace", "--all-features", "--quiet", "--test", "integration"]);
    let test = match selection.mutants {
        Some(_) => "simulation::every_mutant_is_caught",
        None => "simulation::no_seed_breaks_a_rule",
    };
    cargo.args([test, "--", "--exact", "--nocapture"]);
    if let Some(most) = selection.mutants {
        cargo.env("SIMULATE_MUTANTS", most.to_string());
    }
    cargo.env("SIMULATE_SEEDS", selection.seeds.to_string());
    cargo.env("SIMULATE_SEED", selection.seed.to_string());
    cargo.env("SIMULATE_SET", selection.set.join(" "));
    if selection.resume {
        cargo.env("SIMULATE_GATHERED", gathered(workspace, selection.seed).await?);
    }
    tool::shown(&mut cargo).await
}

/// The file in which the seeds of this commit are gathered. Fails if the checkout differs from its commit: they would
/// count for what was not run.
async fn gathered(workspace: &Workspace, first: u64) -> Result<PathBuf> {
    let git = |arguments: &[&str]| {
        let mut git = tool::command("git");
        git.current_dir(workspace.root()).args(arguments);
        git
    };
    let changed = tool::output(&mut git(&["status", "--porcelain"]), "resume").await?;
    ensure!(changed.is_empty(), "could not resume: commit these files first:\n{changed}");
    let commit = tool::output(&mut git(&["rev-parse", "HEAD"]), "resume").await?;
    let name = format!("{}-{first}.json", commit.trim());
    Ok(workspace.target().join("simulation").join(name))
}
