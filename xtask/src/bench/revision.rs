//! Checks out another revision beside this checkout.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::tool;
use crate::workspace::Workspace;

/// Checks a revision out into a work tree below `target/`. Fails if git does not know it, or if it has nothing to
/// count.
pub(super) async fn check_out(workspace: &Workspace, revision: &str) -> Result<PathBuf> {
    let folder = workspace.target().join("bench/base");
    // What an interrupted run has left.
    if folder.exists() {
        remove(workspace, &folder).await?;
    }
    let mut add = tool::command("git");
    add.current_dir(workspace.root()).args(["worktree", "add", "--quiet", "--force", "--detach"]);
    tool::output(add.arg(&folder).arg(revision), &format!("check {revision} out")).await?;
    let is_counted = folder.join("tests/bench-engine/Cargo.toml").is_file();
    if !is_counted {
        remove(workspace, &folder).await?;
    }
    ensure!(
        is_counted,
        "{revision} has no tests/bench-engine, so there is nothing to compare with"
    );
    Ok(folder)
}

/// Removes the work tree.
pub(super) async fn remove(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut remove = tool::command("git");
    remove.current_dir(workspace.root()).args(["worktree", "remove", "--force"]).arg(folder);
    tool::output(&mut remove, "remove the work tree of another revision").await?;
    Ok(())
}
