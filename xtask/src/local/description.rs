//! What a running stack consists of, for people and for programs: `target/local/stack.json`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::holder::Holder;
use crate::aws::REGION;
use crate::file;
use crate::workspace::Workspace;

/// The description of a running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The process that holds the stack up.
    #[serde(flatten)]
    pub holder: Holder,
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
        let holder = Holder::ours()?;
        Ok(Self { holder, endpoint, region: REGION.to_owned(), sandbox_url, outputs })
    }

    /// An output of the template. Fails if there is none of that name.
    pub fn output(&self, name: &str) -> Result<&str> {
        let value = self.outputs.get(name).map(String::as_str);
        value.with_context(|| format!("template.yaml: expected an output {name}"))
    }

    /// The stack that is up now, if there is one. A file that a killed process has left behind does
    /// not count.
    pub fn read(workspace: &Workspace) -> Result<Option<Self>> {
        let path = workspace.stack_json();
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let found: Self = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected a stack", workspace.shown(&path)))?;
        Ok(found.holder.runs().then_some(found))
    }

    /// Writes `stack.json`.
    pub(crate) fn write(&self, workspace: &Workspace) -> Result<()> {
        file::write(&workspace.stack_json(), &(serde_json::to_string_pretty(self)? + "\n"))
    }
}
