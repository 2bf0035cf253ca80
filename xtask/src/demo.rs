//! `cargo xtask demo`, `experiment`, `two-stacks`, `drill` and `chaos`: build everything, then run the program of the
//! crate `demo`.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::artifact::{self, Profile};
use crate::termination;
use crate::workspace::Workspace;

/// Builds, then replaces this process with the demo, so that signals reach the demo and its exit
/// status is the command's. Returns only if that did not happen: false if a signal ended the build,
/// an error if the build failed or the demo cannot be started.
pub async fn run(workspace: &Workspace, profile: Profile, arguments: &[OsString]) -> Result<bool> {
    println!("Building the functions, the sandbox and the demo …");
    let built = tokio::select! {
        built = artifact::build(workspace, profile) => built?,
        asked = termination::requested() => {
            println!("Interrupted.");
            return asked.map(|()| false);
        }
    };
    let error = Command::new(built.path("demo")?).args(arguments).exec();
    Err(error).context("the demo cannot be started")
}
