//! The paths of the checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::tool;

/// The checkout and its build directory.
#[derive(Clone, Debug, Deserialize)]
pub struct Workspace {
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo for the root and the build directory. Fails if cargo cannot be run.
    pub async fn find() -> Result<Self> {
        let said = tool::output(
            tool::cargo().current_dir(env!("CARGO_MANIFEST_DIR")).args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
            ]),
            "find the workspace",
        )
        .await?;
        serde_json::from_str(&said).context("cargo metadata: expected its JSON, version 1")
    }

    /// The directory of the root `Cargo.toml`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SAM template.
    #[must_use]
    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// Cargo's build directory.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where pinned Python tools are installed.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Where local stacks keep their files while they run.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.target.join("local")
    }

    /// The description of the stack that is up.
    #[must_use]
    pub fn stack_json(&self) -> PathBuf {
        self.local().join("stack.json")
    }

    /// The same as variables of a shell.
    #[must_use]
    pub fn env_sh(&self) -> PathBuf {
        self.local().join("env.sh")
    }

    /// The process of `cargo xtask up`, which may still be starting its stack.
    #[must_use]
    pub fn up_json(&self) -> PathBuf {
        self.local().join("up.json")
    }

    /// The address of the drill that runs.
    #[must_use]
    pub fn drill_url(&self) -> PathBuf {
        self.local().join("drill.url")
    }

    /// Where the demo leaves its report.
    #[must_use]
    pub fn demo(&self) -> PathBuf {
        self.target.join("demo")
    }

    /// The path relative to the checkout, if it is inside.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
