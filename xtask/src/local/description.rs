//! What a running stack consists of, for people and for programs: `target/local/stack.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::aws::REGION;
use crate::process;
use crate::workspace::Workspace;

/// A running stack, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The process that holds the stack up.
    pub pid: u32,
    /// When that process was started, since ids are given out again.
    pub birth: String,
    /// Where AWS is.
    pub endpoint: String,
    /// The region that clients must name.
    pub region: String,
    /// Where the sandbox is.
    pub sandbox_url: String,
    /// The outputs of the template.
    pub outputs: BTreeMap<String, String>,
}

impl Description {
    /// Describes a stack that this process holds up.
    pub(super) fn of_ours(
        endpoint: String,
        sandbox_url: String,
        outputs: BTreeMap<String, String>,
    ) -> Result<Self> {
        let pid = std::process::id();
        let birth = process::birth(pid).context("expected to find our own process")?;
        Ok(Self { pid, birth, endpoint, region: REGION.to_owned(), sandbox_url, outputs })
    }

    /// An output of the template. Fails if there is none of that name.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.outputs.get(name).map(String::as_str);
        value.with_context(|| format!("template.yaml: expected an output {name}"))
    }

    /// Where the description of the stack of `cargo xtask up` is.
    #[must_use]
    pub fn path(workspace: &Workspace) -> PathBuf {
        workspace.local().join("stack.json")
    }

    /// The stack that is up now, if there is one. A file that a killed process left is none.
    pub fn read(workspace: &Workspace) -> Result<Option<Self>> {
        let path = Self::path(workspace);
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let found: Self = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected a stack", workspace.shown(&path)))?;
        Ok(found.is_up().then_some(found))
    }

    /// Whether the process that holds the stack up still runs, and is that process.
    #[must_use]
    pub fn is_up(&self) -> bool {
        process::birth(self.pid).is_some_and(|birth| birth == self.birth)
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("draft");
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&draft, text).context("stack.json cannot be written")?;
        fs::rename(draft, path).context("stack.json cannot be put in place")
    }
}
