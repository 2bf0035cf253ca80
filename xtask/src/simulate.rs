//! `cargo xtask simulate`: the whole queue under random faults, many seeds. The simulation is a module of the
//! integration tests, so that nothing is built for it that the tests do not build.

use anyhow::Result;
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
}

/// Runs the seeds. Returns false if one broke a rule, which is then printed.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    // The same features as `cargo xtask test`, so that both share what is built.
    cargo.args(["test", "--workspace", "--all-features", "--quiet", "--test", "integration"]);
    cargo.args(["simulation::no_seed_breaks_a_rule", "--", "--exact", "--nocapture"]);
    cargo.env("SIMULATE_SEEDS", selection.seeds.to_string());
    cargo.env("SIMULATE_SEED", selection.seed.to_string());
    cargo.env("SIMULATE_SET", selection.set.join(" "));
    tool::shown(&mut cargo).await
}
