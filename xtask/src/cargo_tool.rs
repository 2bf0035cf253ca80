//! Programs in Rust that are built once, at a pinned version, below `target/tools`.
#![expect(clippy::print_stdout, reason = "a command's progress")]

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::progress;
use crate::tool;
use crate::workspace::Workspace;

/// The program of the crate `name` at this version. Builds it unless it is there already.
pub(crate) async fn ready(workspace: &Workspace, name: &str, version: &str) -> Result<PathBuf> {
    let root = workspace.tools().join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.exists() {
        println!("-- build {name} (once)");
        let build = root.join("build");
        let mut install = tool::cargo();
        // Not optimised: an optimised build would take minutes longer than it could save.
        install.args(["install", "--locked", "--quiet", "--debug", "--no-track"]);
        install.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_INCREMENTAL", "0");
        install.arg(format!("{name}@{version}")).arg("--root").arg(&root);
        install.arg("--target-dir").arg(&build);
        let what = format!("install {name}");
        let install = tool::output(&mut install, &what);
        progress::shown(|| format!("-- building {name}"), install).await?;
        fs::remove_dir_all(build)?;
    }
    Ok(program)
}
