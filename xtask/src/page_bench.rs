//! `cargo xtask page-bench`: how pages and feeds are read, compared with other parsers. The Rust ones are in the crate
//! `tests/page-bench`, which is a workspace of its own: no test and no check compiles them.

use anyhow::{Context as _, Result};

use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// Reads a page as often as the crate does, and prints the shortest time.
const EXTRUCT: &str = "
import extruct, pathlib, sys, time
page = pathlib.Path(sys.argv[1]).read_text()
times = []
for _ in range(20):
    start = time.perf_counter()
    extruct.extract(page, syntaxes=['json-ld', 'microdata', 'opengraph', 'rdfa'])
    times.append(time.perf_counter() - start)
print(f'  extruct                      {min(times) * 1e6:>9.0f} µs')
";

/// Builds the crate and runs it, then extruct on the same page. Returns false if the crate failed and has said why, as
/// when the tags of a page differ from those that html5gum finds.
pub async fn run(workspace: &Workspace) -> Result<bool> {
    let target = workspace.target().join("page-bench");
    std::fs::create_dir_all(&target).context("page-bench: cannot make its folder")?;
    let page = target.join("page.html");
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root().join("tests/page-bench"));
    cargo.args(["run", "--release", "--quiet", "--target-dir"]).arg(&target).arg("--").arg(&page);
    if !tool::shown(&mut cargo).await? {
        return Ok(false);
    }
    let venv = Venv::ready(workspace, Tools::PageBench).await?;
    let mut python = tool::command(venv.program("python"));
    tool::shown(python.args(["-c", EXTRUCT]).arg(&page)).await
}
