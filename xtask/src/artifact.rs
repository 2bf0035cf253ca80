//! The binaries that a local stack runs, built by cargo for this machine.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde_json::Value;

use crate::tool;
use crate::workspace::Workspace;

/// How binaries are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As they are deployed: optimised across crates, minutes from cold.
    #[default]
    Release,
    /// For tests: quick to build.
    Dev,
}

/// What AWS Lambda calls the processor of this machine; nothing is built for another here.
#[must_use]
pub fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

/// Builds the binary of a package, which has the package's name, and returns its path.
///
/// For a release, cargo sees this package alone, as SAM does, so that no feature comes in which only
/// the tests ask for. For tests, it is the very compilation of `cargo test --workspace
/// --all-features`, so that nothing is compiled twice.
pub async fn build(workspace: &Workspace, package: &str, profile: Profile) -> Result<PathBuf> {
    let mut cargo = tool::command("cargo");
    cargo.current_dir(workspace.root()).args(["build", "--quiet", "--bin", package]);
    match profile {
        Profile::Release => cargo.args(["--release", "--package", package]),
        Profile::Dev => cargo.args(["--workspace", "--all-features"]),
    };
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let said = tool::output(&mut cargo, &format!("build {package}")).await?;
    executable(&said, package)
        .with_context(|| format!("cargo built {package} but named no executable"))
}

/// Cargo prints one JSON object a line; the executable is in the message of the target itself.
fn executable(said: &str, target: &str) -> Option<PathBuf> {
    said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == target;
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::executable;

    #[test]
    fn the_executable_is_that_of_the_target() {
        let said = r#"{"reason":"compiler-artifact","target":{"name":"job"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/b/other"}
{"reason":"compiler-artifact","target":{"name":"job"},"executable":"/b/job"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(said, "job"), Some(PathBuf::from("/b/job")));
        assert_eq!(executable(said, "none"), None);
    }
}
