//! The process of `cargo xtask up`. `target/local/up.json` names it from its beginning, before the
//! stack is up, so that `cargo xtask down` can end it at any time.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::file;
use crate::process;
use crate::workspace::Workspace;

/// A process that starts a stack or holds one up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id on this machine.
    pub pid: u32,
    /// When it was started, because the system gives ids out again.
    pub birth: String,
}

impl Holder {
    /// The process that calls this function.
    pub(super) fn ours() -> Result<Self> {
        let pid = std::process::id();
        let birth = process::birth(pid).context("expected to find our own process")?;
        Ok(Self { pid, birth })
    }

    /// The running process of `cargo xtask up`, if there is one. What a killed process has left
    /// behind does not count.
    pub fn find(workspace: &Workspace) -> Result<Option<Self>> {
        let path = workspace.up_json();
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let found: Self = serde_json::from_str(&text)
            .with_context(|| format!("{}: expected a process", workspace.shown(&path)))?;
        Ok(found.runs().then_some(found))
    }

    /// Whether the process still runs, and is not another one with the same id.
    #[must_use]
    pub fn runs(&self) -> bool {
        process::birth(self.pid).is_some_and(|birth| birth == self.birth)
    }
}

/// The right to hold a stack up, which one process of a checkout has at a time. Its end removes the
/// files that describe the stack.
#[derive(Debug)]
pub struct Hold {
    files: [PathBuf; 3],
    /// The system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Hold {
    /// Takes the right, removes what a killed process has left behind, and names this process as
    /// the holder. None if another process has the right.
    pub fn take(workspace: &Workspace) -> Result<Option<Self>> {
        file::create_folder(&workspace.local())?;
        let path = workspace.local().join("up.lock");
        let lock = File::create(&path)
            .with_context(|| format!("{} cannot be written", workspace.shown(&path)))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let files = [workspace.stack_json(), workspace.env_sh(), workspace.up_json()];
        files.iter().try_for_each(|path| file::remove(path))?;
        let hold = Self { files, _lock: lock };
        let text = serde_json::to_string(&Holder::ours()?)? + "\n";
        file::write(&workspace.up_json(), &text)?;
        Ok(Some(hold))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for path in &self.files {
            // The next holder removes what is left.
            let _ = file::remove(path);
        }
    }
}
